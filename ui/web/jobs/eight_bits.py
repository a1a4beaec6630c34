"""Pictures of deep samples in 8 bits: as `consumers.operations.depth` makes them, but without NumPy."""

import math
from typing import Any, Final

from PIL import Image, ImageMath

from consumers.operations.colour import range_of

_TOP: Final = 255.0


def to_8_bits(image: Image.Image) -> Image.Image:
    """`image` with 16-bit, 32-bit and float samples scaled, not clipped, to 0-255; other modes as they are."""
    if image.mode.startswith("I;16"):
        return image.convert("I").point(lambda value: value / 256).convert("L")
    if image.mode in {"I", "F"}:
        return _stretched(_finite(image.convert("F")))
    return image


def _stretched(samples: Image.Image) -> Image.Image:
    extremes: Any = samples.getextrema()
    low, high = range_of(*extremes)
    scale = _TOP / (high - low)
    offset = 0.5 - low * scale
    return samples.point(lambda value: value * scale + offset).convert("L")


def _finite(samples: Image.Image) -> Image.Image:
    """With 0 for each sample that is no number. Few pictures have one, and their mean isn't one either."""
    mean: Any = samples.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    if math.isfinite(mean):
        return samples
    numbers: Any = ImageMath.lambda_eval(lambda given: abs(given["samples"]) < math.inf, samples=samples)
    finite = Image.new("F", samples.size)
    finite.paste(samples, mask=numbers.convert("L").point(lambda value: value and 255).convert("1"))
    return finite
