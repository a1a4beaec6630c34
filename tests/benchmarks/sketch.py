"""Sketch, bytes to bytes, against the textbook OpenCV recipe: `python -m tests.benchmarks.sketch`.

The recipe is the one of every tutorial: read, grey, invert, Gaussian blur, divide, write. It is run twice: with a
kernel as wide as ours at that size, which draws the same picture, and with the tutorials' fixed 21 pixels, which at
twelve megapixels draws only hairlines; for that one our own drawing is made with its narrow blur too.
Both write JPEG of quality 90; one thread; CPU time.
"""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from consumers.models import Models
from consumers.operations import REGISTRY, Limits
from consumers.operations.decoding import luma
from consumers.operations.drawing import dodge
from consumers.operations.encoding import encode
from tests.benchmarks.side_by_side import cpu_seconds, photograph, ssim

ROUNDS = 9
SIZES = (0.5, 2, 12)


def textbook(body: bytes, kernel: int) -> bytes:
    image = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    inverted = 255 - grey
    blurred = cv2.GaussianBlur(inverted, (kernel, kernel), 0)
    drawn = cv2.divide(grey, 255 - blurred, scale=256)
    return np.asarray(cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, 90])[1], np.uint8).tobytes()


def deviation(kernel: int) -> float:
    """The standard deviation OpenCV gives a kernel of so many pixels."""
    return 0.3 * ((kernel - 1) / 2 - 1) + 0.8


def kernel_of(body: bytes) -> int:
    """The odd kernel whose deviation is the one we draw this picture with."""
    sigma = 0.008 * math.sqrt(luma(body, Limits()).size)
    return 2 * round((sigma - 0.8) / 0.3 + 1) + 1


def grey(body: bytes) -> NDArray[np.uint8]:
    return np.asarray(cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_GRAYSCALE), np.uint8)


def compare(megapixels: float) -> None:
    body = photograph(megapixels)
    runner, params, limits = REGISTRY["sketch"].load(Models(Path())), REGISTRY["sketch"].parse({}), Limits()
    kernel = kernel_of(body)
    ours: dict[int, Callable[[], bytes]] = {
        kernel: lambda: runner.run(body, params, limits).body,
        21: lambda: encode(dodge(luma(body, limits), deviation(21)), "jpeg"),
    }
    for size, draw in ours.items():
        book = partial(textbook, body, size)
        spent = cpu_seconds({"book": book, "ours": draw}, ROUNDS)
        book_ms, ours_ms = 1e3 * spent["book"], 1e3 * spent["ours"]
        alike = ssim(grey(draw()), grey(book()))
        print(
            f"{megapixels:5} MP  kernel {size:3}  textbook {book_ms:6.1f} ms  ours {ours_ms:6.1f} ms  "
            f"ratio {ours_ms / book_ms:.2f}  SSIM {alike:.3f}"
        )


if __name__ == "__main__":
    cv2.setNumThreads(1)
    for size in SIZES:
        compare(size)
