"""Any colour profile as sRGB, and what range deep samples have. Needs no NumPy, which a page does without."""

import io
from functools import cache

from PIL import Image, ImageCms

_MODE_OF_SPACE = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK", "Lab": "LAB"}


def range_of(low: float, high: float) -> tuple[float, float]:
    """The range that samples between `low` and `high`, deeper than 8 bits, were most likely stored in.

    It is what becomes 0 to 255. Floats from 0 to 1 use their whole range, by convention; other ranges are stretched.
    """
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
