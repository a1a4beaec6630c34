"""Which pictures a command line means, and what their results are called."""

import glob
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

SUFFIXES = frozenset({".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""What counts as a picture in a folder; a file that is named is taken whatever it is called."""
_SUFFIX_OF = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp"}
_TEXT = ("application/json", "text/plain")


def expand(arguments: Iterable[str]) -> list[Path]:
    """The files that the arguments name: files, folders (the pictures in them), and patterns the shell left alone.

    In the order given, each once. Raises ValueError naming what there is not.
    """
    found: dict[Path, Path] = {}
    for argument in arguments:
        for path in _of(argument):
            found.setdefault(path.resolve(), path)
    return list(found.values())


def _of(argument: str) -> Sequence[Path]:
    path = Path(argument)
    if path.is_dir():
        return _some(argument, [inside for inside in path.iterdir() if inside.suffix.lower() in SUFFIXES])
    if path.exists():
        return [path]
    if glob.has_magic(argument):
        return _some(argument, [Path(name) for name in glob.glob(argument, recursive=True) if Path(name).is_file()])  # noqa: PTH207 (a pattern may be absolute)
    raise ValueError(f"{argument} is not there. Give files, folders or patterns such as 'photos/*.jpg'.")


def _some(argument: str, found: list[Path]) -> list[Path]:
    if not found:
        raise ValueError(f"{argument} holds no pictures ({', '.join(sorted(SUFFIXES))}).")
    return sorted(found)


class Names:
    """Names of results: a picture's own name and the operation; a number where two pictures would share one.

    They depend on the inputs alone, so a second run replaces its own results and nothing else: never another input's
    result, and never an input.
    """

    def __init__(self, inputs: Sequence[Path], operation: str, out: Path) -> None:
        self._operation = operation
        self._out = out
        self._inputs = {path.resolve() for path in inputs}
        self._labels: dict[Path, str] = {}
        taken: set[str] = set()
        for path in inputs:
            self._labels[path] = label = _free(path.stem, taken)
            taken.add(label.casefold())  # some file systems don't tell capitals apart

    def of(self, image: Path, content_type: str) -> Path:
        """Where the result of `image` goes, by what it is."""
        suffix = ".txt" if content_type in _TEXT else _SUFFIX_OF.get(content_type, ".bin")
        path = self._out / f"{self._labels[image]}-{self._operation}{suffix}"
        return path if path.resolve() not in self._inputs else path.with_name(f"{path.stem}-result{suffix}")


def _free(stem: str, taken: set[str]) -> str:
    label, number = stem, 1
    while label.casefold() in taken:
        number += 1
        label = f"{stem}-{number}"
    return label


def params_of(pairs: Iterable[str]) -> dict[str, Any]:
    """Parameters from `name=value` pairs; a value that is JSON (a number, true, a list) counts as that.

    Raises ValueError for a pair without a name or an equals sign.
    """
    params: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise ValueError(f"{pair!r} is no parameter: write name=value, as in --param format=png.")
        params[name] = _value(value)
    return params


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def text_of(body: bytes, content_type: str) -> str | None:
    """The words of an answer that is a caption, or None for a picture."""
    if content_type not in _TEXT:
        return None
    text = body.decode(errors="replace")
    value = _value(text) if content_type == "application/json" else text
    return str(value.get("caption", text)) if isinstance(value, Mapping) else str(value)
