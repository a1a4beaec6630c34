"""Smaller pictures for the page, made in a process of their own: a stranger's bytes may crash or hold up a decoder."""

import contextlib
import os
import resource
import warnings
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from PIL import Image, ImageOps

from bus.problems import Kind, Problem
from consumers.operations.colour import to_srgb
from ui.web.jobs.eight_bits import to_8_bits
from ui.web.jobs.pictures import check_kind

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF")
MAX_JPEG_SCANS: Final = 500
"""A progressive JPEG has about ten; thousands of empty ones keep a decoder busy for minutes."""
_MEMORY: Final = 2 << 30
_NICE: Final = 5
_FIRST_TO_GO: Final = Path("/proc/self/oom_score_adj")
_QUALITY: Final = 80
_TILE_SIDES: Final = (322, 323)
_TO_SRGB: Final = {"L", "CMYK", "LAB"}
"""What browsers would show by the wrong profile, or not at all."""
_AS_THEY_ARE: Final = {*_TO_SRGB, "RGB", "RGBA"}
_KEEP_PROFILE: Final = {"P", "PA", "RGB", "RGBA", "YCbCr"}

# The header's size is checked below, for every picture; Pillow's own limit would only warn at first.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True, slots=True)
class Task:
    """Make `target`, WebP of at most `side` pixels a side, from `source`; `aside` is its name until it is whole."""

    source: Path
    target: Path
    aside: Path
    side: int
    most_pixels: int


def serve(connection: Connection) -> None:
    """Do tasks as they come, answering each with None or why it can't be done, until the other end goes.

    This is the main function of the process.
    """
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    os.nice(_NICE)
    with contextlib.suppress(OSError):  # where there is such a file: if memory runs out, it is not the page that goes
        _FIRST_TO_GO.write_text("1000")
    with contextlib.suppress(EOFError, OSError):
        while True:
            connection.send(attempt(connection.recv()))


def attempt(task: Task) -> Problem | None:
    """Do one task; returns why it can't be done: BROKEN_IMAGE, or OUT_OF_MEMORY."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of strangers' pictures there is always something to say
            shrink(task)
    except MemoryError:
        detail = "A preview of it takes more memory than there is for one."
        return Problem.of(Kind.OUT_OF_MEMORY, detail, remedy="Open the picture itself.")
    except Exception as error:  # noqa: BLE001 (image parsers raise whatever they run into)
        return broken(f"{error}"[:200] or type(error).__name__)
    finally:
        task.aside.unlink(missing_ok=True)
    return None


def broken(why: str) -> Problem:
    """The problem of a picture that can't be read."""
    return Problem.of(Kind.BROKEN_IMAGE, f"No preview can be made of it: {why.rstrip('.')}.")


def shrink(task: Task) -> None:
    """Do one task. Raises whatever a picture's parser does, and ValueError for what is refused before."""
    with task.source.open("rb") as file:
        check_kind(file.read(64))
    with Image.open(task.source, formats=FORMATS) as image:
        _check(image, task)
        smaller = _small(image, task.side)
        profile = image.info.get("icc_profile") if image.mode in _KEEP_PROFILE else None
    task.target.parent.mkdir(mode=0o700, exist_ok=True)
    smaller.save(task.aside, "WEBP", quality=_QUALITY, method=2, icc_profile=profile or b"")
    task.aside.rename(task.target)


def _check(image: Image.Image, task: Task) -> None:
    """By what the header says, before any pixel is decoded."""
    tags = getattr(image, "tag_v2", {})
    across, down = (int(tags.get(side) or 0) for side in _TILE_SIDES)
    pixels = max(image.width * image.height, across * down)
    if not 0 < pixels <= task.most_pixels:
        raise ValueError(f"it has {pixels:,} pixels; at most {task.most_pixels:,} are shown")
    if image.format in {"JPEG", "MPO"} and task.source.read_bytes().count(b"\xff\xda") > MAX_JPEG_SCANS:
        raise ValueError(f"it has more than {MAX_JPEG_SCANS} scans")


def _small(image: Image.Image, side: int) -> Image.Image:
    """Upright, at most `side` pixels a side, its transparency kept."""
    image.seek(0)
    orientation = image.getexif().get(0x0112)
    plain = _plain(image)
    # A JPEG is decoded at a fraction of its size already.
    plain.thumbnail((side, side), reducing_gap=2.0)
    if plain is not image and orientation is not None:
        plain.getexif()[0x0112] = orientation
    upright = ImageOps.exif_transpose(plain)
    return to_srgb(upright, image.info.get("icc_profile")) if upright.mode in _TO_SRGB else upright


def _plain(image: Image.Image) -> Image.Image:
    """In a mode that can be scaled smoothly."""
    shallow = to_8_bits(image)
    if shallow.mode in _AS_THEY_ARE and "transparency" not in image.info:
        return shallow
    return image.convert("RGBA" if image.has_transparency_data else "RGB")
