"""Prints the dependencies of pyproject.toml as pip's requirements, with those of the extras named.

So an image can install them in a layer that changes only when they do. Usage: requirements.py EXTRA[,EXTRA...]
"""

import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path


def requirements(pyproject: str, extras: str) -> list[str]:
    """The requirements of the project written in `pyproject` (TOML), with the comma-separated `extras`.

    An extra may name others of the same project, as in `overspill[vm]`. Raises KeyError when an extra is not one of the
    project's.
    """
    project = tomllib.loads(pyproject)["project"]
    optional = project.get("optional-dependencies", {})
    listed = dict.fromkeys(project["dependencies"])
    for extra in filter(None, extras.split(",")):
        listed |= dict.fromkeys(_of_extra(extra, project["name"], optional))
    return list(listed)


def _of_extra(extra: str, project: str, optional: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for line in optional[extra]:
        if line.startswith(f"{project}["):
            for other in line.removeprefix(f"{project}[").removesuffix("]").split(","):
                yield from _of_extra(other, project, optional)
        else:
            yield line


if __name__ == "__main__":
    sys.stdout.write("\n".join(requirements(Path("pyproject.toml").read_text("utf-8"), sys.argv[1])) + "\n")
