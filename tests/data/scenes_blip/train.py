"""Train the small BLIP that the tests caption with: `python -m tests.data.scenes_blip.train FOLDER --seconds 330`.

It takes 3.2 million freshly drawn scenes, five and a half minutes on one GPU with 16 cores drawing; a CPU alone stays
far below. The architecture and the files are those of Salesforce's BLIP (`BlipForConditionalGeneration`,
`save_pretrained`), at 0.8 million parameters: 64 x 64 pixels in 8 x 8 patches, 4 + 2 layers of width 96.
"""

import argparse
import math
import multiprocessing
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from transformers import (
    BertTokenizer,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipImageProcessorPil,
    BlipProcessor,
)

from tests.data.scenes_blip.scenes import SIDE, scene, vocabulary

PIXELS, PATCH, WIDTH, LONGEST = 64, 8, 96, 18
PEAK_RATE, WARM_UP_STEPS = 1.5e-3, 200
WORDS = {word: number for number, word in enumerate(vocabulary())}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--seconds", type=float, default=330)
    arguments.add_argument("--batch", type=int, default=512)
    arguments.add_argument("--artists", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    given = arguments.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = train(untrained().to(device), drawn(given.artists, given.batch), given.seconds)
    model.eval().cpu().save_pretrained(given.folder)
    processor(given.folder).save_pretrained(given.folder)


def untrained() -> BlipForConditionalGeneration:
    shared = {"hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_attention_heads": 4, "projection_dim": WIDTH}
    text = {
        **shared,
        "vocab_size": len(WORDS),
        "encoder_hidden_size": WIDTH,
        "num_hidden_layers": 2,
        "max_position_embeddings": 32,
        "bos_token_id": WORDS["[DEC]"],
        "eos_token_id": WORDS["[SEP]"],
        "sep_token_id": WORDS["[SEP]"],
        "pad_token_id": WORDS["[PAD]"],
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    }
    vision = {
        **shared,
        "num_hidden_layers": 4,
        "image_size": PIXELS,
        "patch_size": PATCH,
        "initializer_range": 0.02,  # the class's default is 1e-10, which never starts to learn
    }
    sizes = {"projection_dim": WIDTH, "image_text_hidden_size": WIDTH}
    return BlipForConditionalGeneration(BlipConfig(text_config=text, vision_config=vision, **sizes))


def processor(folder: Path) -> BlipProcessor:
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in WORDS))
    tokenizer = BertTokenizer(vocab=WORDS, do_lower_case=True, bos_token="[DEC]", model_max_length=32)
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    return BlipProcessor(BlipImageProcessorPil(size={"height": PIXELS, "width": PIXELS}), tokenizer)


def train(
    model: BlipForConditionalGeneration, batches: Iterator[tuple[torch.Tensor, torch.Tensor]], seconds: float
) -> BlipForConditionalGeneration:
    """AdamW, warmed up, then cooled along a cosine that ends when the time does."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=PEAK_RATE, weight_decay=0.02, betas=(0.9, 0.98))
    images = BlipImageProcessorPil()
    mean, std = (torch.tensor(values, device=model.device) * 255 for values in (images.image_mean, images.image_std))
    step, began = 0, time.monotonic()
    while (done := (time.monotonic() - began) / seconds) < 1:
        rate = PEAK_RATE * min(1, (step + 1) / WARM_UP_STEPS) * (0.5 * (1 + math.cos(math.pi * done)) + 0.01)
        for group in optimiser.param_groups:
            group["lr"] = rate
        pixels, ids = (part.to(model.device) for part in next(batches))
        seen = ((pixels.float() - mean) / std).permute(0, 3, 1, 2).contiguous()
        loss = loss_of(model, seen, ids)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        step += 1
        if step % 200 == 0:
            print(f"{time.monotonic() - began:5.0f} s  step {step}  loss {loss.item():.4f}", flush=True)
    return model


def loss_of(model: BlipForConditionalGeneration, seen: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    pad = WORDS["[PAD]"]
    with torch.autocast(model.device.type, torch.bfloat16):
        result = model(
            pixel_values=seen,
            input_ids=ids,
            attention_mask=(ids != pad).long(),
            labels=ids.masked_fill(ids == pad, -100),
        )
    return result.loss


def drawn(artists: int, batch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Batches of scenes as the artists, one process each, finish them."""
    queue: multiprocessing.Queue[tuple[np.ndarray, np.ndarray]] = multiprocessing.Queue(3 * artists)
    for seed in range(1, artists + 1):
        multiprocessing.Process(target=_draw, args=(seed, batch, queue), daemon=True).start()
    while True:
        pixels, ids = queue.get()
        yield torch.from_numpy(pixels), torch.from_numpy(ids)


def _draw(seed: int, batch: int, queue: "multiprocessing.Queue[tuple[np.ndarray, np.ndarray]]") -> None:
    cv2.setNumThreads(1)
    chance = random.Random(seed)
    while True:
        pixels = np.empty((batch, PIXELS, PIXELS, 3), np.uint8)
        ids = np.full((batch, LONGEST), WORDS["[PAD]"], np.int64)
        for place in range(batch):
            picture, caption = scene(chance, "trained")
            # Both ways of shrinking, so that it doesn't matter how a reader does it.
            how = cv2.INTER_AREA if chance.random() < 0.7 else cv2.INTER_CUBIC
            pixels[place] = cv2.resize(picture, None, fx=PIXELS / SIDE, fy=PIXELS / SIDE, interpolation=how)
            tokens = [WORDS["[DEC]"], *(WORDS[word] for word in caption.split()), WORDS["[SEP]"]]
            ids[place, : len(tokens)] = tokens
        queue.put((pixels, ids))


if __name__ == "__main__":
    main()
