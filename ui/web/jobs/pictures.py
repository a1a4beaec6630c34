"""What pictures and results are, by their own bytes: nobody's word is taken for it, and no pixel is decoded. Pure."""

import json
from typing import Any, BinaryIO, Final

import imagesize

from bus.errors import BadInput
from bus.problems import Kind, Problem
from consumers.operations.sniffing import sniff
from ui.web.jobs.record import Picture, Result

HEAD: Final = 64
"""Bytes that tell what kind of file it is."""
_MOST_READS: Final = 2048
_MOST_BYTES: Final = 256 * 1024
"""Bounds on what is looked at, not on how far into the file it lies: a camera's notes are skipped."""
_MOST_CAPTION: Final = 20_000
_TYPES: Final = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WebP": "image/webp",
    "GIF": "image/gif",
    "TIFF": "image/tiff",
    "BMP": "image/bmp",
    "AVIF": "image/avif",
}
_UNKNOWN: Final = "application/octet-stream"


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


def check_kind(head: bytes) -> None:
    """Raises BadInput when a file that begins like this is no picture we read."""
    kind = sniff(head)
    if kind is None or not kind.readable:
        looks = f"It looks like {kind.name}." if kind else "It begins like no image format we know."
        raise BadInput(Problem.of(Kind.NOT_AN_IMAGE, looks))


def seen(file: BinaryIO, size: int, most_pixels: int) -> Picture:
    """What a picture of `size` bytes says of itself; its sides are turned as its EXIF asks.

    Raises BadInput when it is empty, no picture we read, or has more than `most_pixels`. What the header says may be a
    lie: who decodes it checks again.
    """
    if size == 0:
        raise BadInput(Problem.of(Kind.EMPTY_IMAGE, "The picture has no bytes.", remedy="Send the picture's bytes."))
    file.seek(0)
    head = file.read(HEAD)
    check_kind(head)
    sides = _sides(file)
    if sides is not None and sides[0] * sides[1] > most_pixels:
        detail = (
            f"It is {sides[0]:,} x {sides[1]:,} pixels, {sides[0] * sides[1] / 1e6:,.1f} megapixels; "
            f"at most {most_pixels / 1e6:,.1f} are taken."
        )
        raise BadInput(Problem.of(Kind.TOO_MANY_PIXELS, detail, limit=most_pixels))
    width, height = sides or (None, None)
    return Picture(bytes=size, type=type_of(head), width=width, height=height)


def type_of(head: bytes) -> str:
    """The media type of a file that begins like this: that of a picture, or of bytes nobody knows."""
    kind = sniff(head)
    return _TYPES.get(kind.name, _UNKNOWN) if kind else _UNKNOWN


def result_of(body: bytes, *, is_caption: bool) -> Result:
    """What a result is. Raises BadInput when it should be a caption and isn't."""
    if not is_caption:
        return Result(bytes=len(body), type=type_of(body[:HEAD]))
    caption = _caption(body)
    if caption is None:
        raise BadInput(Problem.of(Kind.OPERATION_FAILED, "Its answer should be a caption, and can't be read."))
    return Result(bytes=len(body), type="application/json", caption=caption)


def _caption(body: bytes) -> str | None:
    try:
        told: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    caption = told.get("caption") if isinstance(told, dict) else None
    # Halves of surrogate pairs, which JSON may hold, are no text: nothing could write them down.
    return caption[:_MOST_CAPTION].encode(errors="replace").decode() if isinstance(caption, str) else None


def _sides(file: BinaryIO) -> tuple[int, int] | None:
    """Width and height, or None where the header doesn't tell."""
    file.seek(0)
    width, height = imagesize.get(_Glance(file), exif_rotation=True)  # which raises nothing
    return (width, height) if width > 0 and height > 0 else None
