"""Results as bytes. They are written from bare arrays, so nothing of a picture's metadata can leave with them."""

from typing import Any

import cv2
import numpy as np

from bus.errors import BadInput
from bus.problems import Kind, Problem
from consumers.operations.decoding import Pixels
from consumers.operations.operation import ImageFormat

_LONGEST_SIDE = {"jpeg": 65_500, "webp": 16_383, "png": 2_147_483_647}
_SWAPPED = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}


def content_type(image_format: ImageFormat) -> str:
    """The media type of a format."""
    return f"image/{image_format}"


def encode(pixels: Pixels, image_format: ImageFormat, quality: int = 90) -> bytes:
    """`pixels` of shape (height, width), (height, width, 3: RGB) or (height, width, 4: RGBA, not for JPEG) as a file.

    `quality` (1-100) is that of JPEG and WebP. Raises BadInput when the format can't hold so long a side.
    """
    longest = max(pixels.shape[:2])
    if longest > _LONGEST_SIDE[image_format]:
        raise BadInput(_too_long(longest, image_format))
    swapped = cv2.cvtColor(pixels, _SWAPPED[pixels.shape[2]]) if pixels.ndim == 3 else pixels
    return _written(swapped, image_format, quality)


def _too_long(longest: int, image_format: ImageFormat) -> Problem:
    limit = _LONGEST_SIDE[image_format]
    detail = f"params.format: {image_format} holds at most {limit:,} pixels a side; this picture has {longest:,}."
    return Problem.of(Kind.BAD_FIELD, detail, field="params.format", limit=limit, remedy="Ask for png.")


def _written(swapped: Any, image_format: ImageFormat, quality: int) -> bytes:
    options = {
        "jpeg": [cv2.IMWRITE_JPEG_QUALITY, quality],
        "webp": [cv2.IMWRITE_WEBP_QUALITY, quality],
        "png": [],
    }
    _, data = cv2.imencode(f".{image_format}", swapped, options[image_format])
    return np.asarray(data, np.uint8).tobytes()
