"""Prints the dependencies of pyproject.toml as pip's requirements, with those of the extras named.

So an image can install them in a layer that changes only when they do. Usage: requirements.py EXTRA[,EXTRA...]
"""

import sys
import tomllib
from pathlib import Path


def requirements(pyproject: str, extras: str) -> list[str]:
    """The requirements of the project written in `pyproject` (TOML), with the comma-separated `extras`.

    Raises KeyError when an extra is not one of the project's.
    """
    project = tomllib.loads(pyproject)["project"]
    named = [extra for extra in extras.split(",") if extra]
    optional = [line for extra in named for line in project["optional-dependencies"][extra]]
    return [*project["dependencies"], *optional]


if __name__ == "__main__":
    sys.stdout.write("\n".join(requirements(Path("pyproject.toml").read_text("utf-8"), sys.argv[1])) + "\n")
