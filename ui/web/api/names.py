"""Names of files, as strangers give them and as we give them out: plain text, safe on every system. Pure."""

import re
import unicodedata
from typing import Final
from urllib.parse import quote

NAME_LENGTH: Final = 200
_STEM_LENGTH: Final = 120
_NOT_IN_NAMES: Final = re.compile(r'[<>:"/\\|?*]')
_RESERVED: Final = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)", re.IGNORECASE)
"""Names that Windows keeps for devices."""
_SUFFIXES: Final = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "image/gif": ".gif",
    "image/tiff": ".tif",
    "image/bmp": ".bmp",
    "image/avif": ".avif",
    "application/json": ".json",
    "text/plain": ".txt",
}


def plain_name(given: str | None) -> str:
    """A file's name to show: without folders, line breaks, or characters that turn text around; 200 at most, or ""."""
    last = re.split(r"[/\\]", given or "")[-1]
    shown = "".join(character for character in last if unicodedata.category(character)[0] != "C")
    return " ".join(shown.split())[:NAME_LENGTH].strip()


def result_name(name: str, operation: str, content_type: str) -> str:
    """What to call the result of an operation on the file `name`: cup.jpg becomes cup-sketch.png."""
    return f"{_stem(name)}-{operation}{suffix_of(content_type)}"


def picture_name(name: str, content_type: str) -> str:
    """What to call a picture that came as `name`: its suffix is that of what it really is."""
    return f"{_stem(name)}{suffix_of(content_type)}"


def suffix_of(content_type: str) -> str:
    """The suffix of files of this type, with its dot; `.bin` of one we don't give out."""
    return _SUFFIXES.get(content_type, ".bin")


def _stem(name: str) -> str:
    """The name without its suffix, safe as part of a name on Linux, macOS and Windows."""
    plain = _NOT_IN_NAMES.sub("_", plain_name(name))
    stem = (plain.rpartition(".")[0] or plain)[:_STEM_LENGTH].strip(". ")
    return f"_{stem}" if _RESERVED.match(stem) else stem or "picture"


def attachment(name: str) -> str:
    """The value of Content-Disposition with which a browser saves under `name` (RFC 6266)."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    fallback = re.sub(r"[^ !#$&+\-.0-9A-Z^_`a-z{}~()\[\]@=,;]", "_", ascii_name)
    if fallback == name:
        return f'attachment; filename="{name}"'
    return f"attachment; filename=\"{fallback}\"; filename*=UTF-8''{quote(name, safe='')}"


class Unique:
    """Names of files in one folder, upper and lower case being the same."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        """The number that each name was last given out with; 1 is none."""

    def of(self, name: str) -> str:
        """The name, if it came before with a number: `cup (2).jpg`."""
        free, number = name, self._last.get(name.casefold(), 0)
        while free.casefold() in self._last:
            number += 1
            free = _numbered(name, number)
        self._last[name.casefold()] = max(number, 1)
        self._last.setdefault(free.casefold(), 1)
        return free


def _numbered(name: str, number: int) -> str:
    stem, dot, suffix = name.rpartition(".")
    return f"{stem} ({number}){dot}{suffix}" if stem else f"{suffix} ({number})"
