"""Makes the pictures of the README with the program itself: `python docs/pictures/make.py MODELS_FOLDER`.

Each is 480 pixels wide. Whose the photograph is, and its licence, is in `tests/data/photographs/CREDITS.md`.
"""

import io
import sys
from pathlib import Path
from typing import Any, Final

from PIL import Image

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parent.parent
sys.path.insert(0, str(ROOT))  # so that it runs from any folder, installed or not

from consumers.models import Models  # noqa: E402 (after the path it needs)
from consumers.operations import REGISTRY, Limits  # noqa: E402

PHOTOGRAPH: Final = ROOT / "tests" / "data" / "photographs" / "coffee.jpg"
WIDTH: Final = 480
MADE: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "coffee-sketch.jpg": ("sketch", {"quality": 80}),
    "coffee-cut-out.webp": ("remove-background", {"format": "webp", "quality": 85}),
}


def photograph() -> bytes:
    """The photograph as a JPEG, `WIDTH` pixels wide."""
    picture, out = Image.open(PHOTOGRAPH), io.BytesIO()
    size = (WIDTH, WIDTH * picture.height // picture.width)
    picture.resize(size, Image.Resampling.LANCZOS).save(out, "JPEG", quality=85)
    return out.getvalue()


def main() -> None:
    """Write the photograph and what becomes of it."""
    models, body = Models(Path(sys.argv[1])), photograph()
    (HERE / PHOTOGRAPH.name).write_bytes(body)
    for file, (name, params) in MADE.items():
        operation = REGISTRY[name]
        result = operation.load(models).run(body, operation.parse(params), Limits())
        (HERE / file).write_bytes(result.body)


if __name__ == "__main__":
    main()
