"""The very code that loads Salesforce's BLIP, on a small BLIP trained on drawn scenes (tests/data/scenes-blip)."""

import json
import random
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from bus.errors import BadInput
from consumers.models import CATALOGUE, Models
from consumers.operations import Limits, Unavailable
from consumers.operations.caption import OPERATION, CaptionParams
from consumers.operations.operation import Output
from tests.consumers.operations.pictures import saved
from tests.data.scenes_blip.scenes import Picture, scene, vocabulary
from tests.needed import need_package

if TYPE_CHECKING:
    from consumers.operations.captioner import Captioner, Wording
    from consumers.operations.describer import Describer

SCENES_BLIP = Path(__file__).parents[2] / "data" / "scenes-blip"
LIMITS = Limits()


@pytest.fixture(scope="module", autouse=True)
def torch() -> None:
    for name in ("torch", "transformers"):
        need_package(name, "caption")


def opened(*, in_8_bits: bool) -> "Captioner":
    from consumers.operations.captioner import Captioner

    return Captioner(SCENES_BLIP, in_8_bits=in_8_bits)


@pytest.fixture(scope="module")
def captioner() -> "Captioner":
    return opened(in_8_bits=False)


def held_out(count: int, seed: int = 777) -> tuple[list[Picture], list[str]]:
    chance = random.Random(seed)
    pictures, captions = zip(*(scene(chance, "held out") for _ in range(count)), strict=True)
    return list(pictures), list(captions)


def alike(ours: list[str], theirs: list[str]) -> float:
    return sum(a == b for a, b in zip(ours, theirs, strict=True)) / len(ours)


# The captioner


@pytest.mark.parametrize("in_8_bits", [False, True])
def test_scenes_it_was_never_trained_on_are_captioned_exactly(in_8_bits: bool) -> None:
    pictures, captions = held_out(200)
    assert alike(opened(in_8_bits=in_8_bits).captions(pictures), captions) >= 0.95


def test_8_bits_say_the_same(captioner: "Captioner") -> None:
    pictures, _ = held_out(100, seed=5)
    assert alike(captioner.captions(pictures), opened(in_8_bits=True).captions(pictures)) >= 0.95


def test_a_batch_says_what_each_alone_says(captioner: "Captioner") -> None:
    pictures, _ = held_out(6)
    assert captioner.captions(pictures) == [captioner.captions([picture])[0] for picture in pictures]


def test_a_large_picture_is_captioned_like_a_small_one(captioner: "Captioner") -> None:
    import cv2

    pictures, captions = held_out(20)
    large = [cv2.resize(picture, (1000, 1000), interpolation=cv2.INTER_CUBIC) for picture in pictures]
    assert alike(captioner.captions(large), captions) >= 0.9  # type: ignore[arg-type]


def test_a_prompt_is_continued(captioner: "Captioner") -> None:
    from consumers.operations.captioner import Wording

    pictures, _ = held_out(3)
    assert all(said.startswith("three red") for said in captioner.captions(pictures, Wording(prompt="three red")))


def test_length_is_kept_and_beams_agree_where_it_is_sure(captioner: "Captioner") -> None:
    from consumers.operations.captioner import Wording

    pictures, captions = held_out(8)
    assert [len(said.split()) for said in captioner.captions(pictures, Wording(length=2))] == [2] * 8
    assert alike(captioner.captions(pictures, Wording(beams=3)), captions) >= 0.75


def test_weights_are_read_from_salesforces_older_format_too(tmp_path: Path, captioner: "Captioner") -> None:
    """The base model is published as `pytorch_model.bin`, which is read as plain tensors, never as code."""
    import torch
    from safetensors.torch import load_file

    from consumers.operations.captioner import Captioner

    shutil.copytree(SCENES_BLIP, tmp_path, dirs_exist_ok=True)
    torch.save(load_file(SCENES_BLIP / "model.safetensors"), tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()
    pictures, _ = held_out(4)
    assert Captioner(tmp_path, in_8_bits=False).captions(pictures) == captioner.captions(pictures)


def test_the_drawing_is_the_one_it_was_trained_on() -> None:
    assert (SCENES_BLIP / "vocab.txt").read_text().split() == vocabulary()


# The runner


@pytest.fixture
def describer(captioner: "Captioner", monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> "Describer":
    """The runner, with the small captioner where Salesforce's would be: no package carries that one."""
    from consumers.operations.describer import Describer

    monkeypatch.setattr(Models, "faults", lambda _, weights: [] if "base" in weights.name else ["it is missing"])
    monkeypatch.setattr(Models, "path", lambda _, __: SCENES_BLIP)
    return Describer(Models(tmp_path))


def png(picture: Picture) -> bytes:
    return saved(Image.fromarray(picture), "PNG")


def test_the_answer_is_json_and_names_the_model(describer: "Describer") -> None:
    pictures, captions = held_out(1)
    describer.warm_up()
    out = describer.run(png(pictures[0]), CaptionParams(), LIMITS)
    assert (out.content_type, out.model) == ("application/json", "blip-image-captioning-base")
    assert json.loads(out.body) == {"caption": captions[0]}


def test_a_batch_keeps_its_order_around_a_picture_at_fault(describer: "Describer") -> None:
    pictures, captions = held_out(10)
    bodies = [png(picture) for picture in pictures]
    results = describer.run_batch([*bodies[:3], b"", *bodies[3:]], CaptionParams(), LIMITS)
    assert isinstance(results.pop(3), BadInput)
    assert [json.loads(result.body)["caption"] for result in results if isinstance(result, Output)] == captions


def test_pictures_of_a_batch_wait_for_it_made_small(describer: "Describer", monkeypatch: pytest.MonkeyPatch) -> None:
    waiting: list[tuple[int, ...]] = []
    captions = type(describer._captioner).captions

    def seen(captioner: "Captioner", pictures: list[Picture], wording: "Wording") -> list[str]:
        waiting.extend(picture.shape for picture in pictures)
        return captions(captioner, pictures, wording)

    monkeypatch.setattr(type(describer._captioner), "captions", seen)
    bodies = [saved(Image.new("RGB", (1024, 1536)), "PNG"), saved(Image.new("RGB", (100, 50)), "PNG")]
    together = describer.run_batch(bodies, CaptionParams(), LIMITS)
    assert waiting == [(192, 128, 3), (50, 100, 3)]
    assert together == [describer.run(body, CaptionParams(), LIMITS) for body in bodies]


def test_a_captioner_not_on_this_machine_is_the_callers_to_change(describer: "Describer") -> None:
    large = CaptionParams(model="blip-image-captioning-large")
    with pytest.raises(BadInput) as caught:
        describer.run(b"", large, LIMITS)
    assert caught.value.problem.field == "params.model"
    assert all(isinstance(result, BadInput) for result in describer.run_batch([b"", b""], large, LIMITS))


def test_another_captioner_on_this_machine_is_opened(describer: "Describer", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Models, "faults", lambda _, __: [])
    large = CaptionParams(model="blip-image-captioning-large")
    pictures, _ = held_out(1)
    assert describer.run(png(pictures[0]), large, LIMITS).model == "blip-image-captioning-large"


def test_without_weights_it_is_unavailable_and_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(
        Unavailable, match=r"isn't on this machine; run: overspill models pull blip-image-captioning-base"
    ):
        OPERATION.load(Models(tmp_path))


def test_its_models_are_in_the_catalogue() -> None:
    annotation = OPERATION.params.model_fields["model"].annotation
    offered = {weights.name for weights in CATALOGUE.values() if weights.operation == "caption"}
    assert set(getattr(annotation, "__args__", ())) == offered
