import numpy as np
import pytest
from PIL import Image

from bus.errors import BadInput
from consumers.operations.encoding import content_type, encode
from consumers.operations.operation import ImageFormat
from tests.consumers.operations.pictures import array, gradient, opened

COLOUR = array(gradient())
SHAPES = {"L": COLOUR[:, :, 0], "RGB": COLOUR, "RGBA": np.dstack([COLOUR, COLOUR[:, :, 0]])}


@pytest.mark.parametrize("mode", SHAPES)
def test_png_returns_the_very_pixels(mode: str) -> None:
    image = opened(encode(SHAPES[mode], "png"))
    assert image.mode == mode
    assert np.array_equal(array(image), SHAPES[mode])


@pytest.mark.parametrize("image_format", ["jpeg", "webp"])
def test_quality_is_heeded(image_format: ImageFormat) -> None:
    small, large = (encode(COLOUR, image_format, quality) for quality in (20, 95))
    assert len(small) < len(large)
    assert np.abs(array(opened(large).convert("RGB")).astype(int) - COLOUR).mean() < 3


@pytest.mark.parametrize("image_format", ["png", "jpeg", "webp"])
def test_the_content_type_is_the_formats(image_format: ImageFormat) -> None:
    assert content_type(image_format) == Image.MIME[image_format.upper()]


@pytest.mark.parametrize(("image_format", "limit"), [("webp", 16_383), ("jpeg", 65_500)])
def test_a_side_the_format_cannot_hold_is_the_callers_to_change(image_format: ImageFormat, limit: int) -> None:
    with pytest.raises(BadInput) as caught:
        encode(np.zeros((1, limit + 1), np.uint8), image_format)
    assert (caught.value.problem.field, caught.value.problem.limit) == ("params.format", limit)
    assert caught.value.problem.remedy == "Ask for png."
    assert opened(encode(np.zeros((1, limit), np.uint8), image_format)).size == (limit, 1)
