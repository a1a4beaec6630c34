"""How wide and high a picture is as people see it: turned as its metadata ask. Pure.

No pixel is decoded, and only so much of a file is looked at.
"""

import io
import struct
from typing import BinaryIO, Final

import imagesize

_MOST_READS: Final = 2048
_MOST_BYTES: Final = 256 * 1024
"""Bounds on what is looked at, not on how far into the file it lies: a camera's notes are skipped."""
_MOST_EXIF: Final = 64 * 1024
_MOST_BOXES: Final = 64 * 1024
_ORIENTATION: Final = 0x0112
_SHORT: Final = 3
_TURNED: Final = range(5, 9)
"""The EXIF orientations that lie on their side."""
_ORDERS: Final = {b"II*\0": "<", b"MM\0*": ">"}
_TURN: Final = b"\0\0\0\x09irot"


class _Glance:
    """A file that ends early for whoever reads much of it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._reads = _MOST_READS
        self._bytes = _MOST_BYTES

    def read(self, size: int = -1) -> bytes:
        found = self._file.read(self._bytes if size < 0 else min(size, self._bytes))
        self._reads -= 1
        self._bytes = self._bytes - len(found) if self._reads else 0
        return found

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)


def sides_of(file: BinaryIO, kind: str) -> tuple[int, int] | None:
    """Width and height, pixels, or None where the header doesn't tell; `kind` is the format's name, as "PNG"."""
    file.seek(0)
    if kind == "AVIF":
        return _sides_of_avif(file)
    if kind not in {"PNG", "WebP"}:
        return _stored(_Glance(file), by_exif=True)
    stored = _stored(_Glance(file))
    exif = _exif_of_png(_Glance(file)) if kind == "PNG" else _exif_of_webp(_Glance(file))
    return stored[::-1] if stored and orientation(exif) in _TURNED else stored


def _stored(file: _Glance | BinaryIO, *, by_exif: bool = False) -> tuple[int, int] | None:
    """As they are written down. With `by_exif` turned, where imagesize reads EXIF: in JPEG and TIFF."""
    width, height = imagesize.get(file, exif_rotation=by_exif)  # which raises nothing
    return (width, height) if width > 0 and height > 0 else None


def _sides_of_avif(file: BinaryIO) -> tuple[int, int] | None:
    """An AVIF is turned by a property of its own, which imagesize takes for damage: it is shown the file without.

    Where items of a file are turned differently, the first one told of counts.
    """
    boxes = file.read(_MOST_BOXES)
    _, _, after = boxes.partition(_TURN)
    stored = _stored(io.BytesIO(boxes.replace(_TURN, _TURN.replace(b"irot", b"free"))))
    quarters = after[0] if after else 0
    return stored[::-1] if stored and quarters % 2 else stored


def _exif_of_png(file: _Glance) -> bytes:
    file.seek(8)
    while len(head := file.read(8)) == 8:
        size, name = struct.unpack(">I4s", head)
        if name == b"eXIf":
            return file.read(min(size, _MOST_EXIF))
        file.seek(size + 4, 1)
    return b""


def _exif_of_webp(file: _Glance) -> bytes:
    file.seek(12)
    while len(head := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", head)
        if name == b"EXIF":
            return file.read(min(size, _MOST_EXIF))
        file.seek(size + size % 2, 1)
    return b""


def orientation(exif: bytes) -> int:
    """What an EXIF block says of how the picture is held, 1 to 8: 1, upright, where it makes no sense."""
    exif = exif.removeprefix(b"Exif\0\0")
    order = _ORDERS.get(exif[:4])
    if order is None or len(exif) < 8:
        return 1
    entries = _entries(exif, order)
    whole = len(entries) - len(entries) % 12
    for tag, kind, _, value in struct.iter_unpack(f"{order}HHIH2x", entries[:whole]):
        if tag == _ORIENTATION and kind == _SHORT:
            return value if 1 <= value <= 8 else 1
    return 1


def _entries(exif: bytes, order: str) -> bytes:
    """Those of its first directory."""
    (at,) = struct.unpack_from(f"{order}I", exif, 4)
    if at + 2 > len(exif):
        return b""
    (count,) = struct.unpack_from(f"{order}H", exif, at)
    return exif[at + 2 : at + 2 + 12 * count]
