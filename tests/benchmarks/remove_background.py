"""remove-background, bytes to bytes, against `rembg.remove(bytes)`.

Run it with the models folder: `python -m tests.benchmarks.remove_background FOLDER`. Same network (u2netp), same single
thread, PNG with alpha from both; CPU time. The masks are compared where they are 128 or more (intersection over union).
"""

import sys
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import rembg
from numpy.typing import NDArray

from consumers.models import Models
from consumers.operations import REGISTRY, Limits
from consumers.operations.cutter import open_session
from tests.benchmarks.side_by_side import cpu_seconds, photograph

ROUNDS = 5
SIZES = (0.5, 2, 12)


def alpha(png: bytes) -> NDArray[np.uint8]:
    return np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED), np.uint8)[:, :, 3]


def iou(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    return float(((a >= 128) & (b >= 128)).sum() / ((a >= 128) | (b >= 128)).sum())


def main(folder: Path) -> None:
    models = Models(folder)
    operation = REGISTRY["remove-background"]
    runner, session = operation.load(models), open_session(models, "u2netp", 1)
    params, limits = operation.parse({}), Limits()
    webp = operation.parse({"format": "webp"})
    for megapixels in SIZES:
        body = photograph(megapixels, "astronaut")
        theirs = partial(rembg.remove, body, session=session)
        ours = partial(runner.run, body, params, limits)
        spent = cpu_seconds({"rembg": theirs, "ours": ours, "webp": partial(runner.run, body, webp, limits)}, ROUNDS)
        report(megapixels, spent, theirs(), ours().body)


def report(megapixels: float, spent: dict[str, float], theirs: bytes, ours: bytes) -> None:
    rembg_ms, ours_ms, webp_ms = (1e3 * spent[name] for name in ("rembg", "ours", "webp"))
    print(
        f"{megapixels:5} MP  rembg {rembg_ms:6.0f} ms, {len(theirs) / 1e6:.1f} MB  "
        f"ours {ours_ms:6.0f} ms, {len(ours) / 1e6:.1f} MB  ratio {ours_ms / rembg_ms:.2f}  "
        f"IoU {iou(alpha(theirs), alpha(ours)):.4f}  (WebP {webp_ms:.0f} ms)"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
