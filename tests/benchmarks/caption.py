"""Captions for eight waiting pictures, against plain BLIP in floats one by one: `python -m tests.benchmarks.caption`.

The BLIP has Salesforce's size (224 million parameters, 384 x 384 pixels) and random weights; twenty tokens, greedy, one
thread, CPU time. Random weights are a hard test of sameness: their two likeliest words are a sixth of a deviation
apart. So tokens are compared word for word given the same words before (as in training), and by whole free-running
captions only on the small trained BLIP, which knows what it wants to say.
"""

import copy
import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from transformers import BlipConfig, BlipForConditionalGeneration

from consumers.operations.captioner import Captioner, Wording, generate, quantised
from tests.data.scenes_blip.scenes import scene

WAITING = 8
TOKENS = 20
SCENES_BLIP = Path(__file__).parents[1] / "data" / "scenes-blip"


def true_size() -> BlipForConditionalGeneration:
    torch.manual_seed(0)
    text = {"vocab_size": 30524, "bos_token_id": 30522, "eos_token_id": 2, "sep_token_id": 102, "pad_token_id": 0}
    vision = {"image_size": 384, "initializer_range": 0.02}
    return BlipForConditionalGeneration(BlipConfig(text_config=text, vision_config=vision)).eval()


def plain(model: BlipForConditionalGeneration, picture: Tensor) -> Tensor:
    """As transformers does it."""
    with torch.inference_mode():
        tokens: Tensor = model.generate(pixel_values=picture, max_new_tokens=TOKENS)
    return tokens


def likeliest(model: BlipForConditionalGeneration, picture: Tensor, told: Tensor) -> Tensor:
    """The word the model would say next after each of the words it is told."""
    with torch.inference_mode():
        seen = model.vision_model(pixel_values=picture)[0]
        logits: Tensor = model.text_decoder(input_ids=told[:, :-1], encoder_hidden_states=seen).logits
    return logits.argmax(-1)


def timed(work: Callable[[], Tensor]) -> tuple[Tensor, float]:
    before = time.process_time()
    return work(), time.process_time() - before


def main() -> None:
    torch.set_num_threads(1)
    model, pictures = true_size(), list(torch.randn(WAITING, 1, 3, 384, 384))
    ours = quantised(copy.deepcopy(model))
    start, wording = torch.tensor([30522]), Wording(length=TOKENS)
    _, alone = timed(partial(generate, ours, pictures[:1], start, wording))
    told = [timed(partial(plain, model, picture)) for picture in pictures]
    _, floats = timed(partial(generate, model, pictures, start, wording))
    _, eight_bits = timed(partial(generate, ours, pictures, start, wording))
    one_by_one = sum(seconds for _, seconds in told)
    same = [
        likeliest(ours, picture, words) == likeliest(model, picture, words)
        for picture, (words, _) in zip(pictures, told, strict=True)
    ]
    print(f"plain floats, one by one   {one_by_one:5.1f} s for {WAITING}")
    print(f"floats, decoder in a batch {floats:5.1f} s   ratio {floats / one_by_one:.2f}")
    print(
        f"ours                       {eight_bits:5.1f} s   ratio {eight_bits / one_by_one:.2f}   (one: {alone:.2f} s)"
    )
    print(f"same next word             {torch.cat(same, 1).float().mean():.1%} (random weights)")
    print(f"same captions              {trained_alike():.1%} (trained small BLIP, held-out scenes)")


def trained_alike(count: int = 300) -> float:
    chance = random.Random(11)
    pictures = [scene(chance, "held out")[0] for _ in range(count)]
    floats, ours = (Captioner(SCENES_BLIP, in_8_bits=how).captions(pictures) for how in (False, True))
    return sum(a == b for a, b in zip(floats, ours, strict=True)) / count


if __name__ == "__main__":
    main()
