"""Timing two ways of doing the same thing, in turn, so that a noisy machine is noisy for both."""

import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

PHOTOGRAPHS = Path(__file__).parents[1] / "data" / "photographs"


def photograph(megapixels: float, name: str = "coffee") -> bytes:
    """A JPEG photograph of about so many megapixels: one of the small ones enlarged, with a camera's noise."""
    small = cv2.imread(str(PHOTOGRAPHS / f"{name}.jpg"))
    assert small is not None
    factor = (megapixels * 1e6 / (small.shape[0] * small.shape[1])) ** 0.5
    large = cv2.resize(small, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    noisy = large + np.random.default_rng(0).normal(0, 3, large.shape)
    _, data = cv2.imencode(".jpg", noisy.clip(0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 90])
    return np.asarray(data, np.uint8).tobytes()


def cpu_seconds(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The median CPU seconds of each way over `rounds`, taken in turn after one run of each that is not counted."""
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            before = time.process_time()
            way()
            if turn:
                spent[name].append(time.process_time() - before)
    return {name: statistics.median(times) for name, times in spent.items()}


def ssim(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Mean structural similarity of two grey pictures (Wang, Bovik, Sheikh and Simoncelli 2004: 11 x 11, sigma 1.5)."""

    def mean(x: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.GaussianBlur(x, (11, 11), 1.5), np.float32)

    x, y = a.astype(np.float32), b.astype(np.float32)
    mx, my = mean(x), mean(y)
    vx, vy, covariance = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    ratio = (2 * mx * my + c1) * (2 * covariance + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2))
    return float(ratio.mean())
