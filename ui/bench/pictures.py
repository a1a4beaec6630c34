"""What is sent: the pictures of a folder, or made ones that cost a codec about what photographs do."""

import io
import random
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bus.errors import SetupError
from ui.bench.replies import Picture, size_of
from ui.commands.pictures import expand

if TYPE_CHECKING:
    from PIL import Image

MADE: Final = 8
"""Different pictures, each of a size of its own: so an answer to another's picture is seen to be that."""
_MOST: Final = 200
"""Pictures of a folder that are used; all of them are held in memory."""
_ASPECT: Final = 1.5
_OCTAVES: Final = (6, 24, 96)
"""Cells a side of the noise that a picture is made of, from its large shapes to its details."""


def of_folder(folder: str) -> list[Picture]:
    """The first 200 pictures of a folder, a file or a pattern. Raises SetupError when there are none to be read."""
    try:
        return [_read(path) for path in expand([folder])[:_MOST]]
    except (ValueError, OSError) as error:
        raise SetupError(f"--images {folder}: {error}") from None


def _read(path: Path) -> Picture:
    body = path.read_bytes()
    size = size_of(body)
    if min(size) <= 0:
        raise ValueError(
            f"{path} is no picture that can be read; take it out, or name a pattern such as 'photos/*.jpg'."
        )
    return Picture(body, size)


def made(megapixels: float) -> list[Picture]:
    """Eight JPEG pictures of about so many megapixels: shapes, details and a sensor's noise."""
    height = max(16, round((megapixels * 1e6 / _ASPECT) ** 0.5))
    sizes = [(round(height * _ASPECT) + number, height) for number in range(MADE)]
    return [Picture(_drawn(size, number), size) for number, size in enumerate(sizes)]


def _drawn(size: tuple[int, int], seed: int) -> bytes:
    from PIL import Image  # noqa: PLC0415 (only where pictures are made)

    draw = random.Random(seed)  # noqa: S311 (no secret)
    picture = Image.new("RGB", size, (128, 128, 128))
    for cells in _OCTAVES:
        picture = Image.blend(picture, _noise(cells, size, draw), 0.5 if cells == _OCTAVES[0] else 0.25)
    grain = Image.effect_noise(size, 24).convert("RGB")
    made = io.BytesIO()
    Image.blend(picture, grain, 0.1).save(made, "JPEG", quality=90)
    return made.getvalue()


def _noise(cells: int, size: tuple[int, int], draw: random.Random) -> "Image.Image":
    """Coloured clouds of so many cells a side."""
    from PIL import Image  # noqa: PLC0415

    coarse = Image.frombytes("RGB", (cells, cells), draw.randbytes(3 * cells * cells))
    return coarse.resize(size, Image.Resampling.BICUBIC)
