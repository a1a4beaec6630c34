"""A preview's shades are those that the operation sees."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from consumers.operations import depth
from ui.web.jobs.eight_bits import to_8_bits

SIDES = array_shapes(min_dims=2, max_dims=2, max_side=9)
FLOATS = st.one_of(*(st.floats(*ends, width=32) for ends in ((0, 1), (0, 255), (0, 65535), (-100, 1e6))))
STRANGE = st.sampled_from([math.nan, math.inf, -math.inf])


def differ(image: Image.Image) -> int:
    """By how many of 256 shades at most the two ways differ."""
    ours, theirs = np.asarray(to_8_bits(image), int), np.asarray(depth.to_8_bits(image), int)
    return int(np.abs(ours - theirs).max())


@given(arrays(np.float32, SIDES, elements=FLOATS | STRANGE))
def test_floats(samples: np.ndarray) -> None:
    assert differ(Image.fromarray(samples)) <= 1


@given(arrays(np.int32, SIDES, elements=st.integers(-(2**31), 2**31 - 1)))
def test_whole_numbers(samples: np.ndarray) -> None:
    assert differ(Image.fromarray(samples)) <= 1


@given(arrays(np.uint16, SIDES))
def test_sixteen_bits(samples: np.ndarray) -> None:
    assert differ(Image.fromarray(samples)) == 0


@pytest.mark.parametrize("top", [1.0, 255.0, 65535.0])
def test_the_whole_range_is_used(top: float) -> None:
    shades = to_8_bits(Image.fromarray(np.linspace(0, top, 256, dtype=np.float32)[np.newaxis]))
    assert np.asarray(shades).tolist() == [list(range(256))]


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "CMYK"])
def test_shallow_ones_stay(mode: str) -> None:
    image = Image.new(mode, (2, 2))
    assert to_8_bits(image) is image
