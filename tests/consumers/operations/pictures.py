"""Pictures made for a test: files of every kind, whole and broken, from a few lines."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PHOTOGRAPHS = Path(__file__).parents[2] / "data" / "photographs"


def photograph(name: str = "coffee") -> bytes:
    return (PHOTOGRAPHS / f"{name}.jpg").read_bytes()


def saved(image: Image.Image, image_format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def gradient(width: int = 40, height: int = 30) -> Image.Image:
    """Red grows to the right, green downwards: any turn or swap of channels shows."""
    across, down = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.dstack([across, down, np.full_like(across, 64)]).astype(np.uint8))


def opened(body: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(body))
    image.load()
    return image


def array(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(image, np.uint8)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *chunks: bytes, rows: bytes = b"") -> bytes:
    """A PNG of grey pixels that claims any size, whatever its data say."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    body = png_chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + body + png_chunk(b"IEND", b"")


def zeros(size: int) -> bytes:
    """`size` zero bytes, compressed a thousandfold."""
    return zlib.compress(bytes(size), 9)


def tiled_tiff(side: int) -> bytes:
    """A TIFF of 8 x 8 black pixels in one tile of `side` x `side`."""
    data = zeros(16 * 16)
    tags = {256: 8, 257: 8, 258: 8, 259: 8, 262: 1, 277: 1, 322: side, 323: side, 324: 8, 325: len(data)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return struct.pack("<4sI", b"II*\0", 8 + len(data)) + data + struct.pack("<H", len(tags)) + entries + bytes(4)
