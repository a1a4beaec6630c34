"""Pictures that can be told apart, and sketches recognised as theirs."""

import io

import numpy as np
from PIL import Image, ImageDraw

from bus.answers import Answer


def photograph(width: int, height: int, seed: int = 0) -> bytes:
    """A JPEG with edges to draw: discs whose places follow from `seed`."""
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", (width, height), (250, 240, 220))
    pen = ImageDraw.Draw(picture)
    for x, y, r, g, b in rng.integers(0, 200, (12, 5)):
        left, top = x * width // 200, y * height // 200
        pen.ellipse([left, top, left + width // 5, top + height // 5], fill=(int(r), int(g), int(b)))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=90)
    return out.getvalue()


def is_sketch_of(answer: Answer, image: bytes) -> bool:
    """Whether the answer is drawn from this picture and no other: same size, dark where the picture has edges."""
    drawing = Image.open(io.BytesIO(answer.body)).convert("L")
    picture = Image.open(io.BytesIO(image)).convert("L")
    if drawing.size != picture.size:
        return False
    small = (64, 64)
    ink = 255.0 - np.asarray(drawing.resize(small, Image.Resampling.BOX), np.float32)
    grey = np.asarray(picture.resize(small, Image.Resampling.BOX), np.float32)
    edges = np.abs(np.diff(grey, axis=0, append=grey[-1:])) + np.abs(np.diff(grey, axis=1, append=grey[:, -1:]))
    return float(np.corrcoef(ink.ravel(), edges.ravel())[0, 1]) > 0.3
