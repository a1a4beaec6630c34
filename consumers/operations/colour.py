"""Any Pillow image in 8 bits, and any colour profile as sRGB."""

import io
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

_MODE_OF_SPACE = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK", "Lab": "LAB"}


def to_8_bits(image: Image.Image) -> Image.Image:
    """`image` with 16-bit, 32-bit and float samples scaled, not clipped, to 0-255; other modes as they are.

    16-bit samples use their whole range. Floats from 0 to 1 do too, by convention; other ranges are stretched.
    """
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in {"I", "F"}:
        return Image.fromarray(_stretched(np.asarray(image, np.float32)))
    return image


def _stretched(samples: NDArray[np.float32]) -> NDArray[np.uint8]:
    finite = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(finite.min()), float(finite.max())
    low, high = _range_of(low, high)
    return ((finite - low) * (255.0 / (high - low)) + 0.5).clip(0, 255).astype(np.uint8)


def _range_of(low: float, high: float) -> tuple[float, float]:
    """The range that samples between `low` and `high` were most likely stored in."""
    if low < 0:
        return low, max(high, low + 1e-6 * abs(low))
    return 0.0, next((top for top in (1.0, 255.0, 65535.0) if high <= top), high)


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """`image` (L, RGB, CMYK or LAB) as RGB, through its ICC `profile` when it has a sane one that fits."""
    if not profile:
        return image.convert("RGB")
    try:
        return _transformed(image, profile)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image.convert("RGB")


def _transformed(image: Image.Image, profile: bytes) -> Image.Image:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    fits = _MODE_OF_SPACE.get(source.profile.xcolor_space.strip()) == image.mode
    if not fits or "sRGB" in (source.profile.profile_description or ""):
        return image.convert("RGB")
    shown = ImageCms.profileToProfile(image, source, _srgb(), outputMode="RGB")
    return shown or image.convert("RGB")


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
