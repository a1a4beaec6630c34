"""Drawings out of photographs. All pictures are uint8 arrays: grey (height, width), colour (height, width, 3) RGB.

The strokes are a colour dodge: each pixel divided by its blurred surroundings, so that even areas turn to paper and
edges stay. The blur's width follows the picture's size, so the same photograph gives the same drawing at any size; wide
blurs are made on a reduced copy, where the eye (and SSIM) can't tell and the work is a tenth.
"""

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from consumers.operations.decoding import Pixels
from consumers.operations.resizing import halved

_WIDTH = 0.008
"""The blur's standard deviation, as a share of the side of a square as large as the picture."""
_NARROW = 2.0
"""A blur of this deviation or less, in pixels, is made as it is."""
_TEXTURE_SIDE = 512


def pencil(grey: Pixels) -> Pixels:
    """Lines in graphite."""
    return dodge(grey, _sigma(grey))


def charcoal(grey: Pixels, texture: Pixels) -> Pixels:
    """Broad dark strokes over a smudged ground that follows the light, broken by the paper's `texture`."""
    sigma = _sigma(grey)
    strokes = deepen(dodge(grey, 2.5 * sigma), 2.2)
    ground = cv2.LUT(
        blur(grey, max(0.8, 0.12 * sigma)), _curve(lambda light: 0.25 + 0.75 * min(1, 0.15 + 1.25 * light))
    )
    return roughen(_uint8(cv2.multiply(strokes, ground, scale=1 / 255)), texture)


def coloured(rgb: Pixels) -> Pixels:
    """Soft colours under pencil lines."""
    grey = _uint8(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
    lines = deepen(pencil(grey), 1.5)
    pastel = cv2.LUT(rgb, _curve(lambda light: 0.35 + 0.65 * light))
    return _uint8(cv2.multiply(pastel, cv2.merge([lines, lines, lines]), scale=1 / 255))


def dodge(grey: Pixels, sigma: float) -> Pixels:
    """`grey` divided by its blur of standard deviation `sigma` pixels (the textbook pencil sketch)."""
    return _uint8(cv2.divide(grey, blur(grey, sigma), scale=256))


def blur(grey: Pixels, sigma: float) -> Pixels:
    """A Gaussian blur of standard deviation `sigma` pixels, a wide one on a copy that is halved until it is narrow."""
    small, rest = grey, sigma
    while rest > _NARROW and min(small.shape) >= 2:
        small, rest = halved(small), rest / 2
    if small is grey:
        return _uint8(cv2.GaussianBlur(grey, (0, 0), sigma))
    # Averaging pixels and interpolating between them again blurs too: that much is already done.
    soft = cv2.GaussianBlur(small, (0, 0), math.sqrt(rest**2 - 0.25))
    return _uint8(cv2.resize(soft, grey.shape[::-1], interpolation=cv2.INTER_LINEAR))


def deepen(drawing: Pixels, power: float) -> Pixels:
    """Strokes darker (`power` over 1) or lighter (under 1); the paper stays white."""
    return drawing if power == 1 else _uint8(cv2.LUT(drawing, _curve(lambda light: light**power)))


def strengthen(drawing: Pixels, strength: float) -> Pixels:
    """`strength` 0 to 1: from faint to heavy strokes; 0.5 leaves them alone."""
    return deepen(drawing, 4 ** (2 * strength - 1))


def roughen(drawing: Pixels, texture: Pixels) -> Pixels:
    """The drawing on paper whose grain takes the pigment unevenly; bare paper stays white. Keeps the shape."""
    height, width = drawing.shape[:2]
    grain = _tiled(texture, height, width)
    grain = grain if drawing.ndim == 2 else _uint8(cv2.merge([grain, grain, grain]))
    pigment = cv2.multiply(cv2.bitwise_not(drawing), grain, scale=1 / 128)
    return _uint8(cv2.bitwise_not(pigment))


def tint(drawing: Pixels, paper: tuple[int, int, int]) -> Pixels:
    """The drawing on paper of a colour (RGB): bare paper becomes it, black stays black. Always in colour."""
    light = drawing if drawing.ndim == 3 else cv2.merge([drawing] * 3)
    scales = np.array([*paper, 255], np.float64) / 255
    return _uint8(cv2.multiply(light, scales))


def paper_texture(side: int = _TEXTURE_SIDE) -> Pixels:
    """A seamless tile of paper grain, mean 128, always the same: noise at three scales."""
    noise = np.random.default_rng(7)
    layers = [(0.8, 1.0), (2.0, 0.8), (5.0, 0.5)]
    total = sum(
        (weight * _seamless_noise(noise, side, sigma) for sigma, weight in layers), np.zeros((side, side), np.float32)
    )
    return _uint8(np.clip(128 + 28 * total / total.std(), 0, 255))


def _seamless_noise(noise: np.random.Generator, side: int, sigma: float) -> NDArray[np.float32]:
    tile = np.tile(noise.normal(0, 1, (side, side)).astype(np.float32), (3, 3))
    layer = np.asarray(cv2.GaussianBlur(tile, (0, 0), sigma), np.float32)[side : 2 * side, side : 2 * side]
    return np.asarray(layer / layer.std(), np.float32)


def _tiled(texture: Pixels, height: int, width: int) -> Pixels:
    """The texture repeated over a picture, its grain as coarse as the picture is large."""
    coarse = max(1.0, math.sqrt(height * width) / 1000)
    side = round(len(texture) * coarse)
    tile = cv2.resize(texture, (side, side), interpolation=cv2.INTER_LINEAR)
    return _uint8(cv2.repeat(tile, height // side + 1, width // side + 1)[:height, :width])


def _sigma(grey: Pixels) -> float:
    height, width = grey.shape
    return max(1.0, _WIDTH * math.sqrt(height * width))


def _curve(light_to_light: Callable[[float], float]) -> Pixels:
    return _uint8([round(255 * light_to_light(level / 255)) for level in range(256)])


def _uint8(array: object) -> Pixels:
    return np.asarray(array, np.uint8)
