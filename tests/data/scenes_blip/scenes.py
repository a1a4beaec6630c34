"""Drawn scenes with exactly one right caption each: what a captioner can be trained and examined on without any data.

A scene holds one shape (with its size), two to four alike (with their number), or a large and a small one (with how the
large lies to the small), on a plain background: "a red circle above a blue square on a white background". About a tenth
of all combinations is never trained on; a captioner that gets those right has understood, not memorised.

All pictures are uint8 RGB arrays of shape (128, 128, 3).
"""

import hashlib
import math
import random
from collections.abc import Sequence
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]
Split = Literal["trained", "held out"]

SIDE = 128
COLOURS: dict[str, Colour] = {
    "red": (215, 38, 30),
    "green": (40, 160, 60),
    "blue": (40, 70, 210),
    "yellow": (245, 215, 40),
    "purple": (130, 50, 160),
    "orange": (245, 135, 25),
    "pink": (250, 140, 190),
    "brown": (120, 75, 35),
}
BACKGROUNDS: dict[str, Colour] = {
    "white": (250, 250, 250),
    "black": (12, 12, 12),
    "gray": (140, 140, 140),
    "beige": (235, 220, 190),
}
SHAPES = ("circle", "square", "triangle", "star", "cross", "ring")
NUMBERS = {2: "two", 3: "three", 4: "four"}
RELATIONS = {"above": (0, -1), "below": (0, 1), "to the left of": (-1, 0), "to the right of": (1, 0)}

_UNIT = SIDE / 192  # lengths below are in 192nds of a side
_SUBPIXELS = 4  # OpenCV takes coordinates in sixteenths
_GRAINS = np.random.default_rng(0).normal(0, 1, (8, SIDE, SIDE, 3)).astype(np.float32)


class Mark(NamedTuple):
    """One shape where it stands: its centre and radius in pixels, its turn in radians."""

    shape: str
    colour: Colour
    x: float
    y: float
    radius: float
    turn: float


class Plan(NamedTuple):
    """What a scene will show. `key` is what is held out or trained on, as a whole."""

    key: str
    kind: Literal["pair", "several", "single"]
    colours: tuple[str, ...]
    shapes: tuple[str, ...]
    background: str
    number: int = 1
    size: str = ""


def scene(chance: random.Random, split: Split) -> tuple[Picture, str]:
    """A picture and its caption, of the combinations trained on or of those held out."""
    plan = _plan(chance)
    while held_out(plan.key) != (split == "held out"):
        plan = _plan(chance)
    canvas = _background(chance, BACKGROUNDS[plan.background])
    compose = {"pair": _pair, "several": _several, "single": _single}[plan.kind]
    marks, caption = compose(chance, plan)
    for mark in marks:
        draw(canvas, mark)
    return _grainy(chance, canvas), f"{caption} on a {plan.background} background"


def held_out(key: str) -> bool:
    """Whether a combination is never trained on (26 in 256 are)."""
    return hashlib.md5(key.encode(), usedforsecurity=False).digest()[0] < 26


def vocabulary() -> list[str]:
    """BERT's marks, then every word of every caption in alphabetical order: a token's id is its place."""
    words = {"a", "an", "of", "on", "the", "to", "left", "right", "above", "below", "background", "small", "large"}
    words |= {*COLOURS, *BACKGROUNDS, *SHAPES, *NUMBERS.values(), *map(_plural, SHAPES)}
    return ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", ".", ",", *sorted(words)]


def _plan(chance: random.Random) -> Plan:
    background = chance.choice(list(BACKGROUNDS))
    match chance.choices(["pair", "several", "single"], [0.5, 0.25, 0.25])[0]:
        case "pair":
            colours = (_colour(chance), _colour(chance))
            shapes = (chance.choice(SHAPES), chance.choice(SHAPES))
            return Plan(f"p{colours[0]}{shapes[0]}{colours[1]}{shapes[1]}", "pair", colours, shapes, background)
        case "several":
            number, colour, shape = chance.choice(list(NUMBERS)), _colour(chance), chance.choice(SHAPES)
            return Plan(f"n{number}{colour}{shape}", "several", (colour,), (shape,), background, number)
        case _:
            size, colour, shape = chance.choice(["small", "large"]), _colour(chance), chance.choice(SHAPES)
            key = f"o{size}{colour}{shape}{background}"
            return Plan(key, "single", (colour,), (shape,), background, size=size)


def _pair(chance: random.Random, plan: Plan) -> tuple[Sequence[Mark], str]:
    """A large shape and a small one; the caption names the large one first."""
    relation = chance.choice(list(RELATIONS))
    right, down = RELATIONS[relation]
    apart, aside = chance.uniform(52, 58) * _UNIT, chance.uniform(-12, 12) * _UNIT
    dx, dy = (right * apart, aside) if right else (aside, down * apart)
    x, y = (SIDE / 2 + chance.uniform(-6, 6) * _UNIT for _ in "xy")
    large = _mark(chance, plan, 0, (x + 0.8 * dx, y + 0.8 * dy), chance.uniform(36, 44) * _UNIT)
    small = _mark(chance, plan, 1, (x - dx, y - dy), chance.uniform(23, 28) * _UNIT)
    first, second = (
        f"{_article(colour)} {colour} {shape}" for colour, shape in zip(plan.colours, plan.shapes, strict=True)
    )
    return (large, small), f"{first} {relation} {second}"


def _several(chance: random.Random, plan: Plan) -> tuple[Sequence[Mark], str]:
    """The same shape in some of nine cells, all in the very same colour."""
    cells = chance.sample([(column, row) for column in range(3) for row in range(3)], plan.number)
    one = _mark(chance, plan, 0, (0, 0), 1)
    marks = [
        one._replace(
            x=(32 + 64 * column + chance.uniform(-4, 4)) * _UNIT,
            y=(32 + 64 * row + chance.uniform(-4, 4)) * _UNIT,
            radius=chance.uniform(22, 26) * _UNIT,
            turn=_turn(chance),
        )
        for column, row in cells
    ]
    return marks, f"{NUMBERS[plan.number]} {plan.colours[0]} {_plural(plan.shapes[0])}"


def _single(chance: random.Random, plan: Plan) -> tuple[Sequence[Mark], str]:
    radius = (chance.uniform(22, 28) if plan.size == "small" else chance.uniform(50, 64)) * _UNIT
    margin = 1.2 * radius
    centre = (chance.uniform(margin, SIDE - margin), chance.uniform(margin, SIDE - margin))
    return (_mark(chance, plan, 0, centre, radius),), f"a {plan.size} {plan.colours[0]} {plan.shapes[0]}"


def _mark(chance: random.Random, plan: Plan, which: int, centre: tuple[float, float], radius: float) -> Mark:
    r, g, b = (_clipped(value + chance.uniform(-14, 14)) for value in COLOURS[plan.colours[which]])
    return Mark(plan.shapes[which], (r, g, b), *centre, radius, _turn(chance))


def draw(canvas: Picture, mark: Mark) -> None:
    """Put a mark on the canvas, with smooth edges."""
    centre = (_sub(mark.x), _sub(mark.y))
    match mark.shape:
        case "circle":
            cv2.circle(canvas, centre, _sub(mark.radius), mark.colour, -1, cv2.LINE_AA, _SUBPIXELS)
        case "ring":
            width = max(2, int(0.36 * mark.radius))
            cv2.circle(canvas, centre, _sub(0.78 * mark.radius), mark.colour, width, cv2.LINE_AA, _SUBPIXELS)
        case "square":
            _fill(canvas, mark, _star_points([1.2] * 4, math.pi / 4))
        case "triangle":
            _fill(canvas, mark, _star_points([1.15] * 3, -math.pi / 2))
        case "star":
            _fill(canvas, mark, _star_points([1.15, 0.48] * 5, -math.pi / 2))
        case "cross":
            bar = [(-1.1, -0.34), (1.1, -0.34), (1.1, 0.34), (-1.1, 0.34)]
            _fill(canvas, mark, bar)
            _fill(canvas, mark, [(-y, x) for x, y in bar])


def _star_points(radii: Sequence[float], start: float) -> list[tuple[float, float]]:
    """Points around a centre, evenly by angle from `start`, each at its own radius."""
    angles = [start + 2 * math.pi * place / len(radii) for place in range(len(radii))]
    return [(radius * math.cos(angle), radius * math.sin(angle)) for radius, angle in zip(radii, angles, strict=True)]


def _fill(canvas: Picture, mark: Mark, points: Sequence[tuple[float, float]]) -> None:
    """A polygon given around the mark's centre in radii, turned with the mark."""
    cos, sin = math.cos(mark.turn), math.sin(mark.turn)
    corners = [
        (mark.x + mark.radius * (cos * x - sin * y), mark.y + mark.radius * (sin * x + cos * y)) for x, y in points
    ]
    fixed = np.round(np.array(corners) * (1 << _SUBPIXELS)).astype(np.int32)
    cv2.fillPoly(canvas, [fixed], mark.colour, cv2.LINE_AA, _SUBPIXELS)


def _background(chance: random.Random, colour: Colour) -> Picture:
    """Nearly even, a little lighter towards one side or one end."""
    base = np.array([_clipped(value + chance.uniform(-6, 6)) for value in colour], np.float32)
    slope = np.linspace(-1, 1, SIDE) * chance.uniform(0, 8)
    slope = slope[:, None, None] if chance.random() < 0.5 else slope[None, :, None]
    return (base + slope + np.zeros((SIDE, SIDE, 3))).clip(0, 255).astype(np.uint8)


def _grainy(chance: random.Random, canvas: Picture) -> Picture:
    """Half of the scenes with a camera's noise."""
    if chance.random() < 0.5:
        return canvas
    grain = _GRAINS[chance.randrange(len(_GRAINS))] * np.float32(chance.uniform(0, 6))
    return np.asarray((canvas + grain).clip(0, 255), np.uint8)


def _colour(chance: random.Random) -> str:
    return chance.choice(list(COLOURS))


def _turn(chance: random.Random) -> float:
    return chance.uniform(-0.25, 0.25)


def _clipped(value: float) -> int:
    return int(min(255, max(0, value)))


def _sub(length: float) -> int:
    return int(length * (1 << _SUBPIXELS))


def _article(word: str) -> str:
    return "an" if word.startswith("o") else "a"


def _plural(shape: str) -> str:
    return f"{shape}es" if shape == "cross" else f"{shape}s"
