"""Pictures of a size and nothing more: the router reads no further than the header."""

import struct
import zlib
from functools import cache
from math import log2


class Picture(bytes):
    """A picture's header, which says that it is `size` bytes long, and is believed."""

    size: int

    def __len__(self) -> int:
        return self.size


def picture(megapixels: float, size: int | None = None) -> bytes:
    """The beginning of a PNG of about so many megapixels; sizes within a few percent share one.

    With a `size`, bytes, it is that long to whoever asks.
    """
    header = _png(round(log2(max(megapixels, 1e-3)) * 16))
    if size is None:
        return header
    sized = Picture(header)
    sized.size = size
    return sized


@cache
def _png(sixteenths: int) -> bytes:
    side = round((2.0 ** (sixteenths / 16) * 1e6) ** 0.5)
    header = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
