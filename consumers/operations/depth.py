"""Any Pillow image in 8 bits."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from consumers.operations.colour import range_of


def to_8_bits(image: Image.Image) -> Image.Image:
    """`image` with 16-bit, 32-bit and float samples scaled, not clipped, to 0-255; other modes as they are.

    16-bit samples use their whole range, the others that of `range_of`.
    """
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in {"I", "F"}:
        return Image.fromarray(_stretched(np.asarray(image, np.float32)))
    return image


def _stretched(samples: NDArray[np.float32]) -> NDArray[np.uint8]:
    finite = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = range_of(float(finite.min()), float(finite.max()))
    return ((finite - low) * (255.0 / (high - low)) + 0.5).clip(0, 255).astype(np.uint8)
