"""Real subjects out of real photographs, with the real (small) network."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from bus.errors import BadInput
from bus.problems import Problem
from consumers.fetching import pull
from consumers.models import CATALOGUE, Models
from consumers.operations import Limits, Runner, Unavailable
from consumers.operations.remove_background import OPERATION
from tests.consumers.operations.pictures import array, opened, photograph, saved
from tests.needed import need_package

LIMITS = Limits()


# The parameters need no network


def refusal(**params: object) -> Problem:
    with pytest.raises(BadInput) as caught:
        OPERATION.parse(params)
    return caught.value.problem


def test_jpeg_needs_a_background() -> None:
    assert refusal(format="jpeg").field == "params.format"
    assert "give a background" in refusal(format="jpeg").detail
    assert OPERATION.parse({"format": "jpeg", "background": "#ffffff"})


def test_a_background_is_a_colour() -> None:
    assert refusal(background="red").field == "params.background"


def test_a_model_that_may_not_be_used_is_not_offered() -> None:
    assert refusal(model="bria-rmbg").field == "params.model"


# The cut-outs do


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    need_package("rembg", "remove-background")
    models = Models(tmp_path_factory.mktemp("models"))
    pull(models, CATALOGUE["u2netp"], lambda _done, _whole: None)
    return models


@pytest.fixture(scope="module")
def cutter(models: Models) -> Runner:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what rembg's own imports warn of is not ours
        runner = OPERATION.load(models)
    runner.warm_up()
    return runner


def cut(cutter: Runner, body: bytes, **params: object) -> Image.Image:
    return opened(cutter.run(body, OPERATION.parse(params), LIMITS).body)


def opacity(image: Image.Image) -> NDArray[np.uint8]:
    return array(image.getchannel("A"))


def test_an_astronaut_is_cut_out_of_her_portrait(cutter: Runner) -> None:
    image = cut(cutter, photograph("astronaut"))
    alpha = opacity(image)
    assert (image.mode, image.size) == ("RGBA", (512, 512))
    assert (alpha[60:150, 190:240] > 200).all(), "her face is there"
    assert (alpha[300:480, 120:300] > 200).mean() > 0.97, "so is her suit"
    assert (alpha[20:300, 380:500] < 30).all(), "the shuttle behind her is gone"
    assert 0.3 < (alpha > 128).mean() < 0.7


def test_what_was_removed_is_gone_from_the_colours_too(cutter: Runner) -> None:
    image = cut(cutter, photograph("astronaut"))
    assert (opacity(image) == 0).any()
    assert not array(image)[opacity(image) == 0].any()


def test_a_large_photograph_is_cut_like_a_small_one(cutter: Runner) -> None:
    large = saved(opened(photograph("astronaut")).resize((1500, 1500)), "JPEG", quality=90)
    alpha = opacity(cut(cutter, large).resize((512, 512))) > 128
    expected = opacity(cut(cutter, photograph("astronaut"))) > 128
    assert (alpha & expected).sum() / (alpha | expected).sum() > 0.98


def test_a_background_is_laid_under(cutter: Runner) -> None:
    image = cut(cutter, photograph("astronaut"), background="#00ff00", format="jpeg", quality=95)
    assert (image.format, image.mode) == ("JPEG", "RGB")
    assert np.abs(array(image)[40:280, 400:480].astype(int) - [0, 255, 0]).mean() < 3
    original = array(opened(photograph("astronaut")))
    assert np.abs(array(image)[100:150, 200:250].astype(int) - original[100:150, 200:250]).mean() < 4


def test_webp_keeps_transparency(cutter: Runner) -> None:
    image = cut(cutter, photograph("astronaut"), format="webp")
    assert (image.format, image.mode) == ("WEBP", "RGBA")


def test_what_was_transparent_stays_so(cutter: Runner) -> None:
    picture = opened(photograph("astronaut")).convert("RGBA")
    picture.paste((0, 0, 0, 0), (0, 0, 512, 120))
    assert not opacity(cut(cutter, saved(picture, "PNG")))[:120].any()


def test_matting_changes_only_the_edges(cutter: Runner) -> None:
    rough = opacity(cut(cutter, photograph("astronaut")))
    fine = opacity(cut(cutter, photograph("astronaut"), alpha_matting=True))
    assert not np.array_equal(rough, fine)
    assert ((rough > 128) == (fine > 128)).mean() > 0.95


def test_matting_nothing_certain_keeps_the_mask(cutter: Runner) -> None:
    assert cut(cutter, saved(Image.new("RGB", (3, 3)), "PNG"), alpha_matting=True).size == (3, 3)


@pytest.mark.parametrize("size", [(1, 1), (3000, 1)])
def test_extreme_shapes_are_cut(cutter: Runner, size: tuple[int, int]) -> None:
    assert cut(cutter, saved(Image.new("RGB", size), "PNG")).size == size


def test_the_answer_names_the_network(cutter: Runner) -> None:
    assert cutter.run(photograph(), OPERATION.parse({}), LIMITS).model == "u2netp"


def test_a_network_not_on_this_machine_is_the_callers_to_change(cutter: Runner) -> None:
    with pytest.raises(BadInput) as caught:
        cut(cutter, photograph(), model="silueta")
    problem = caught.value.problem
    assert problem.field == "params.model"
    assert "Ask for one of: u2netp." in (problem.remedy or "")
    assert "overspill models pull silueta" in (problem.remedy or "")


@pytest.mark.usefixtures("cutter")  # rembg is imported once, with its warnings unheard
def test_without_weights_it_is_unavailable_and_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"u2netp isn't on this machine; run: overspill models pull u2netp"):
        OPERATION.load(Models(tmp_path))


@pytest.mark.usefixtures("cutter")
def test_damaged_weights_are_not_loaded(tmp_path: Path) -> None:
    models = Models(tmp_path)
    path = models.path(CATALOGUE["u2netp"])
    path.mkdir(parents=True)
    (path / "u2netp.onnx").write_bytes(b"anything")
    with pytest.raises(Unavailable, match="damaged or was changed"):
        OPERATION.load(models)
