"""What pictures and results are, by their own bytes: nobody's word is taken for it, and no pixel is decoded. Pure."""

import json
from typing import Any, BinaryIO, Final

from bus.errors import BadInput
from bus.problems import Kind, Problem, too_many_pixels
from consumers.operations.sniffing import sniff
from ui.web.jobs.record import Picture, Result
from ui.web.jobs.sides import sides_of

HEAD: Final = 64
"""Bytes that tell what kind of file it is."""
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


def check_kind(head: bytes) -> str:
    """The name of the format that a file which begins like this is in. Raises BadInput when it is none we read."""
    kind = sniff(head)
    if kind is None or not kind.readable:
        looks = f"It looks like {kind.name}." if kind else "It begins like no image format we know."
        raise BadInput(Problem.of(Kind.NOT_AN_IMAGE, looks))
    return kind.name


def seen(file: BinaryIO, size: int, most_pixels: int) -> Picture:
    """What a picture of `size` bytes says of itself; its sides are turned as its metadata ask.

    Raises BadInput when it is empty, no picture we read, or has more than `most_pixels`. What the header says may be a
    lie: who decodes it checks again.
    """
    if size == 0:
        raise BadInput(Problem.of(Kind.EMPTY_IMAGE, "The picture has no bytes.", remedy="Send the picture's bytes."))
    file.seek(0)
    head = file.read(HEAD)
    sides = sides_of(file, check_kind(head))
    if sides is not None and sides[0] * sides[1] > most_pixels:
        raise BadInput(too_many_pixels(*sides, most_pixels))
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
