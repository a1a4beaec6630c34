from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bus.errors import BadInput
from consumers.models import Models
from consumers.operations import REGISTRY, Limits
from consumers.operations.operation import Runner
from consumers.operations.sketch import OPERATION, SketchParams
from tests.consumers.operations.pictures import array, gradient, opened, photograph, saved

LIMITS = Limits()


@pytest.fixture(scope="module")
def sketcher() -> Runner:
    return OPERATION.load(Models(Path("unused")))


def textbook(grey: NDArray[np.uint8], kernel: int) -> NDArray[np.uint8]:
    """The pencil sketch as every tutorial has it."""
    blurred = cv2.GaussianBlur(255 - grey, (kernel, kernel), 0)
    return np.asarray(cv2.divide(grey, 255 - blurred, scale=256), np.uint8)


def test_a_sketch_is_grey_lines_on_white(sketcher: Runner) -> None:
    out = sketcher.run(photograph(), SketchParams(), LIMITS)
    image = opened(out.body)
    assert (out.content_type, image.mode, image.size) == ("image/jpeg", "L", (600, 400))
    assert (array(image) > 230).mean() > 0.7
    assert (array(image) < 128).mean() > 0.01


def test_a_sketch_is_the_textbooks(sketcher: Runner) -> None:
    """With the kernel whose deviation is ours (OpenCV: 0.3 * ((k - 1) / 2 - 1) + 0.8)."""
    out = sketcher.run(photograph(), SketchParams(format="png"), LIMITS)
    grey = cv2.imdecode(np.frombuffer(photograph(), np.uint8), cv2.IMREAD_GRAYSCALE)
    expected = textbook(np.asarray(grey, np.uint8), kernel=23)
    assert np.abs(array(opened(out.body)).astype(int) - expected).mean() < 4


def test_the_same_photograph_gives_the_same_drawing_at_any_size(sketcher: Runner) -> None:
    large = opened(photograph()).resize((2400, 1600))
    drawn = opened(sketcher.run(saved(large, "PNG"), SketchParams(), LIMITS).body).resize((600, 400))
    small = opened(sketcher.run(photograph(), SketchParams(), LIMITS).body)
    assert np.abs(array(drawn).astype(int) - array(small)).mean() < 8


@pytest.mark.parametrize("style", ["pencil", "charcoal", "coloured"])
@pytest.mark.parametrize("paper", ["white", "cream", "rough"])
def test_every_style_on_every_paper(sketcher: Runner, style: str, paper: str) -> None:
    params = OPERATION.parse({"style": style, "paper": paper, "format": "png"})
    image = opened(sketcher.run(photograph(), params, LIMITS).body)
    assert image.mode == ("RGB" if "coloured" in style or paper == "cream" else "L")
    plain = opened(sketcher.run(photograph(), SketchParams(format="png"), LIMITS).body)
    different = not np.array_equal(array(image.convert("RGB")), array(plain.convert("RGB")))
    assert different == ((style, paper) != ("pencil", "white"))


def test_cream_paper_is_cream_where_nothing_is_drawn(sketcher: Runner) -> None:
    blank = saved(gradient().resize((1, 1)).resize((50, 50)), "PNG")
    params = SketchParams(paper="cream", format="png")
    assert array(opened(sketcher.run(blank, params, LIMITS).body))[25, 25].tolist() == [250, 243, 228]


def test_strength_darkens(sketcher: Runner) -> None:
    means = [
        array(opened(sketcher.run(photograph(), SketchParams(strength=s, format="png"), LIMITS).body)).mean()
        for s in (0, 0.5, 1)
    ]
    assert means[0] > means[1] > means[2]


@pytest.mark.parametrize("size", [(1, 1), (30_000, 1), (1, 3000), (2, 2)])
@pytest.mark.parametrize("style", ["pencil", "charcoal", "coloured"])
def test_extreme_shapes_are_drawn(sketcher: Runner, style: str, size: tuple[int, int]) -> None:
    params = OPERATION.parse({"style": style, "paper": "rough"})
    assert opened(sketcher.run(saved(gradient(*size), "PNG"), params, LIMITS).body).size == size


def test_nothing_of_the_metadata_survives(sketcher: Runner) -> None:
    body = saved(gradient(), "JPEG", exif=b"Exif\0\0MM\0*GPS: home", comment=b"a secret", icc_profile=b"profile")
    for image_format in ("png", "jpeg", "webp"):
        out = sketcher.run(body, OPERATION.parse({"format": image_format}), LIMITS).body
        image = opened(out)
        assert not {"exif", "comment", "icc_profile", "xmp"} & set(image.info)
        assert b"secret" not in out


def test_a_picture_at_fault_spoils_only_its_own_place_in_a_batch(sketcher: Runner) -> None:
    good, bad, again = sketcher.run_batch([photograph(), b"", photograph()], SketchParams(), LIMITS)
    assert isinstance(bad, BadInput)
    assert good == again


def test_the_registry_serves_it() -> None:
    assert REGISTRY["sketch"] is OPERATION
