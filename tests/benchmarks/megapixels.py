"""Reading a picture's size from its header: `python -m tests.benchmarks.megapixels`, against Pillow's, side by side."""

import io
import time
from collections.abc import Callable

from PIL import Image

from producers.megapixels import pixels_of
from tests.benchmarks.side_by_side import photograph

ROUNDS = 2000


def pillow(body: bytes) -> int:
    with Image.open(io.BytesIO(body)) as image:
        return image.width * image.height


def microseconds(read: Callable[[bytes], int], body: bytes) -> float:
    began = time.perf_counter()
    for _ in range(ROUNDS):
        read(body)
    return (time.perf_counter() - began) / ROUNDS * 1e6


def main() -> None:
    picture = Image.open(io.BytesIO(photograph(2)))
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"):
        written = io.BytesIO()
        picture.save(written, kind)
        body = written.getvalue()
        assert pixels_of(body) == pillow(body)
        ours, theirs = (min(microseconds(read, body) for _ in range(3)) for read in (pixels_of, pillow))
        print(f"{kind:5} {ours:6.1f} µs, Pillow {theirs:6.1f} µs, ratio {ours / theirs:.2f}")


if __name__ == "__main__":
    main()
