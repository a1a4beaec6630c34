"""How large a picture is, from the few bytes that say so: nothing is decoded. Pure.

The router counts work in megapixels. What it finds here steers predictions and slots only; the worker that decodes the
picture checks its real size against the limits.
"""

import io

import imagesize

MOST_READS = 1024
MOST_BYTES = 8 * 1024
"""Bounds on how much of a header is read: each read or byte costs the reader a few tenths of a microsecond.

They count what is looked at, not how far into the file it lies: a TIFF may keep its directory at its end, and a JPEG
its size behind megabytes of a camera's notes, which are skipped.
"""
PIXELS_A_BYTE = 4
"""Of photographs as cameras and phones compress them."""
LEAST_GUESS = 1_000_000
MOST_PIXELS = 50_000_000
_PNG_HEADER = 24
_OURS = (b"\xff\xd8", b"\x89PNG", b"GIF8", b"RIFF", b"BM", b"II", b"MM")


class _Glance(io.BytesIO):
    """A picture's bytes, shared and not copied, that end early for whoever reads much of them."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self._reads = MOST_READS
        self._bytes = MOST_BYTES

    def read(self, size: int | None = -1, /) -> bytes:
        found = super().read(self._bytes if size is None or size < 0 else min(size, self._bytes))
        self._reads -= 1
        self._bytes = self._bytes - len(found) if self._reads else 0
        return found


def pixels_of(body: bytes) -> int:
    """Width times height of the picture in `body`: JPEG, PNG, WebP, GIF, TIFF, BMP or AVIF.

    What its header claims may be a lie, so it is bounded to 50 million. Where nothing is claimed, a guess from the
    number of bytes, 1 to 50 million. Raises nothing, whatever the bytes.
    """
    width, height = _claimed(body)
    if width <= 0 or height <= 0:
        return max(LEAST_GUESS, min(len(body) * PIXELS_A_BYTE, MOST_PIXELS))
    return min(width * height, MOST_PIXELS)


def _claimed(body: bytes) -> tuple[int, int]:
    """Width and height, or (-1, -1). Only our formats are tried: others' readers search texts, at length."""
    if not body.startswith(_OURS) and body[4:8] != b"ftyp":
        return -1, -1
    if body.startswith(b"\x89PNG") and body[12:16] == b"IHDR" and len(body) >= _PNG_HEADER:
        return int.from_bytes(body[16:20], "big"), int.from_bytes(body[20:24], "big")  # in a tenth of the time
    found: tuple[int, int] = imagesize.get(_Glance(body), exif_rotation=False)
    return found
