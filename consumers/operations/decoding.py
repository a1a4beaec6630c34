"""Pictures from strangers' bytes, safely: limits before pixels, one upright sRGB array of 8 bits after.

The header is read first, by Pillow and for the allowed formats alone, and no pixel is decoded until its width and
height have passed. Whatever a parser stumbles over becomes BadInput. Plain JPEGs then take OpenCV's decoder, which is
twice as fast into an array; everything else stays with Pillow, which knows palettes, profiles and 16 bits.
"""

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import AvifImagePlugin, Image, UnidentifiedImageError

from bus.errors import BadInput
from bus.problems import Kind, Problem, too_many_pixels
from consumers.operations.colour import to_srgb
from consumers.operations.depth import to_8_bits
from consumers.operations.operation import Limits
from consumers.operations.shortage import is_shortage
from consumers.operations.sniffing import sniff

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF")
MAX_JPEG_SCANS = 500
"""A progressive JPEG has about ten; thousands of empty ones keep a decoder busy for minutes."""

Pixels = NDArray[np.uint8]

_JPEGS = {"JPEG", "MPO"}  # MPO: a JPEG with more pictures behind it, as phones write
_ORIENTATION = 0x0112
_TILE_SIDES = (322, 323)
_TURNS: dict[Any, Callable[[Pixels], Any]] = {
    2: lambda pixels: cv2.flip(pixels, 1),
    3: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_180),
    4: lambda pixels: cv2.flip(pixels, 0),
    5: cv2.transpose,
    6: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE),
    7: lambda pixels: cv2.rotate(cv2.transpose(pixels), cv2.ROTATE_180),
    8: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE),
}
_START_OF_SCAN = b"\xff\xda"
_END_OF_JPEG = b"\xff\xd9"

# Our own limit is checked on the header of every picture; Pillow's would only warn at first, and can't be set per call.
Image.MAX_IMAGE_PIXELS = None
# One thread a process: the machine's cores are shared out among processes.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1


def luma(body: bytes, limits: Limits) -> Pixels:
    """The picture's lightness, shape (height, width), transparency on white.

    A JPEG's colour planes are not even decoded, nor its colour profile applied: it moves hues, hardly lightness.
    Raises BadInput when the bytes are no picture we read, are damaged, or break a limit.
    """
    with _faults_as_problems():
        image = _checked(body, limits)
        if _is_plain_jpeg(image, body):
            return _upright(_opencv(body, image, cv2.IMREAD_GRAYSCALE), image)
        return _pixels(cv2.cvtColor(_flat(*_planes(image)), cv2.COLOR_RGB2GRAY))


def rgb(body: bytes, limits: Limits) -> Pixels:
    """The picture in sRGB, shape (height, width, 3), transparency on white. Raises BadInput as `luma` does."""
    return _flat(*rgb_and_alpha(body, limits))


def rgb_and_alpha(body: bytes, limits: Limits) -> tuple[Pixels, Pixels | None]:
    """The picture in sRGB, shape (height, width, 3), and its opacity, shape (height, width), if it has any.

    Raises BadInput as `luma` does.
    """
    with _faults_as_problems():
        image = _checked(body, limits)
        if _is_plain_jpeg(image, body) and "icc_profile" not in image.info:
            return _upright(_opencv(body, image, cv2.IMREAD_COLOR_RGB), image), None
        return _planes(image)


@contextmanager
def _faults_as_problems() -> Iterator[None]:
    """Image parsers raise whatever they run into; a caller gets one kind of answer.

    Lack of memory is our fault, not the picture's, and passes.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except BadInput:
        raise
    except Exception as error:
        if is_shortage(error):
            raise
        raise _broken(str(error) or type(error).__name__) from error


def _broken(why: str) -> BadInput:
    return BadInput(Problem.of(Kind.BROKEN_IMAGE, f"It can't be decoded: {why.rstrip('.')[:200]}."))


def _checked(body: bytes, limits: Limits) -> Image.Image:
    """The picture with only its header read, within all limits."""
    if not body:
        raise BadInput(Problem.of(Kind.EMPTY_IMAGE, "The message has no body."))
    if len(body) > limits.max_bytes:
        detail = f"It has {len(body):,} bytes; at most {limits.max_bytes:,} are taken."
        raise BadInput(Problem.of(Kind.TOO_MANY_BYTES, detail, limit=limits.max_bytes))
    try:
        image = Image.open(io.BytesIO(body), formats=FORMATS)
    except UnidentifiedImageError:
        raise _unidentified(body) from None
    _check_pixels(image, limits)
    if image.format in _JPEGS and body.count(_START_OF_SCAN) > MAX_JPEG_SCANS:
        raise _broken(f"it has more than {MAX_JPEG_SCANS} scans")
    return image


def _check_pixels(image: Image.Image, limits: Limits) -> None:
    """Refuse by the picture's own size, and by that of its tiles: a TIFF may hold a small picture in one huge tile."""
    width, height = image.size
    if width < 1 or height < 1:
        raise _broken(f"it is {width} x {height} pixels")
    tags = getattr(image, "tag_v2", {})
    across, down = (int(tags.get(side) or 0) for side in _TILE_SIDES)
    if max(width * height, across * down) > limits.max_pixels:
        width, height = max((width, height), (across, down), key=lambda sides: sides[0] * sides[1])
        raise BadInput(too_many_pixels(width, height, limits.max_pixels))


def _unidentified(body: bytes) -> BadInput:
    kind = sniff(body)
    if kind and kind.readable:
        return _broken(f"it begins like {kind.name}, but its header makes no sense")
    looks = f"It looks like {kind.name}." if kind else "It begins like no image format we know."
    return BadInput(Problem.of(Kind.NOT_AN_IMAGE, looks))


def _is_plain_jpeg(image: Image.Image, body: bytes) -> bool:
    """Whether OpenCV may decode it: no inks to mix, and its end is there (a missing one would pass as grey)."""
    return image.format in _JPEGS and image.mode in {"L", "RGB"} and body.endswith(_END_OF_JPEG)


def _opencv(body: bytes, image: Image.Image, flags: int) -> Pixels:
    found = cv2.imdecode(np.frombuffer(body, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
    if found is None:
        raise _broken("its JPEG data is damaged")
    if found.shape[:2] != (image.height, image.width):
        raise _broken("its header contradicts its data")
    return _pixels(found)


def _planes(image: Image.Image) -> tuple[Pixels, Pixels | None]:
    """Decode with Pillow: sRGB and opacity, upright."""
    image.seek(0)
    image.load()
    profile = image.info.get("icc_profile")
    plain = _without_palette(to_8_bits(image))
    alpha = _upright(np.asarray(plain.getchannel("A")), image) if plain.mode == "RGBA" else None
    colours = to_srgb(plain.convert("RGB") if alpha is not None else plain, profile)
    return _upright(np.asarray(colours), image), alpha


def _without_palette(image: Image.Image) -> Image.Image:
    """As L, RGB, CMYK or LAB, or as RGBA when any kind of transparency is in it."""
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image if image.mode in {"L", "RGB", "CMYK", "LAB"} else image.convert("RGB")


def _flat(colours: Pixels, alpha: Pixels | None) -> Pixels:
    """Laid on white paper, through `alpha` / 255."""
    if alpha is None:
        return colours
    cover = cv2.merge([alpha, alpha, alpha])
    paper = cv2.bitwise_not(cover)
    return _pixels(cv2.add(cv2.multiply(colours, cover, scale=1 / 255), paper))


def _upright(pixels: Pixels, image: Image.Image) -> Pixels:
    """Turned and mirrored as the EXIF orientation asks (2 to 8; anything else is left as it is)."""
    try:
        orientation = image.getexif().get(_ORIENTATION)
    except Exception:  # noqa: BLE001 (a broken EXIF block is no reason to refuse the picture)
        return pixels
    turn = _TURNS.get(orientation)
    return _pixels(turn(pixels)) if turn else pixels


def _pixels(array: Any) -> Pixels:
    """OpenCV's stubs promise any number type; ours are bytes."""
    return np.asarray(array, np.uint8)
