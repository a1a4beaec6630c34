"""BLIP as a function from pictures to sentences.

The work is cut where measurements say it should be (docs/decisions): the picture's encoder runs one picture at a time,
since a batch only spoils the caches; the sentence's decoder runs for all pictures at once, since its time goes into
reading its weights from memory. The encoder's products, and those that hand its output to the decoder, are done in
8-bit integers where the processor is faster at it; the rest of the decoder stays in floats.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor
from transformers import AutoTokenizer, BlipForConditionalGeneration, BlipImageProcessorPil
from transformers.utils import logging

from consumers.operations import int8
from consumers.operations.decoding import Pixels
from consumers.operations.resizing import reduced


class Wording(NamedTuple):
    """How to put it: words to begin with, the longest sentence in tokens, and the beams of the search (1: greedy)."""

    prompt: str | None = None
    length: int = 20
    beams: int = 1


LIKELIEST = Wording()
logging.disable_progress_bar()


class Captioner:
    """A loaded BLIP with its tokenizer and its preparation of pictures."""

    def __init__(self, folder: Path, threads: int = 1, *, in_8_bits: bool | None = None) -> None:
        """Load from a folder as `save_pretrained` writes it, never from the network.

        `in_8_bits` says whether to quantise; None lets the processor decide.
        """
        torch.set_num_threads(threads)
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self._images = BlipImageProcessorPil.from_pretrained(folder, local_files_only=True)
        self.side: int = self._images.size["height"]
        """Of the square that every picture is resampled to, in pixels."""
        model = BlipForConditionalGeneration.from_pretrained(folder, local_files_only=True, dtype=torch.float32).eval()
        self._model = quantised(model) if (int8.pays() if in_8_bits is None else in_8_bits) else model

    def captions(self, pictures: Sequence[Pixels], wording: Wording = LIKELIEST) -> list[str]:
        """One sentence for each picture of shape (height, width, 3), in order."""
        tokens = generate(self._model, [self._prepared(picture) for picture in pictures], self._start(wording), wording)
        return [self._tokenizer.decode(sentence, skip_special_tokens=True).strip() for sentence in tokens]

    def _prepared(self, picture: Pixels) -> Tensor:
        small = Image.fromarray(reduced(picture, self.side))
        values: Tensor = self._images(small, return_tensors="pt")["pixel_values"]
        return values

    def _start(self, wording: Wording) -> Tensor:
        """The tokens every sentence begins with, shape (tokens,)."""
        ids = self._tokenizer(wording.prompt or "", return_tensors="pt")["input_ids"][0, :-1]  # the end mark comes off
        ids[0] = self._model.config.text_config.bos_token_id
        return ids


def generate(model: BlipForConditionalGeneration, prepared: Sequence[Tensor], start: Tensor, how: Wording) -> Tensor:
    """The tokens of a sentence for each prepared picture (1, 3, side, side), shape (pictures, tokens)."""
    words = model.config.text_config
    with torch.inference_mode():
        seen = torch.cat([model.vision_model(pixel_values=picture)[0] for picture in prepared])
        tokens: Tensor = model.text_decoder.generate(
            input_ids=start.expand(len(seen), -1),
            eos_token_id=words.sep_token_id,
            pad_token_id=words.pad_token_id,
            encoder_hidden_states=seen,
            encoder_attention_mask=torch.ones(seen.shape[:-1], dtype=torch.long),
            max_new_tokens=how.length,
            num_beams=how.beams,
            do_sample=False,
        )
    return tokens


def quantised(model: BlipForConditionalGeneration) -> BlipForConditionalGeneration:
    """The model with its encoder, and the decoder's view of the encoder, in 8 bits."""
    int8.in_int8(model.vision_model)
    for layer in model.text_decoder.bert.encoder.layer:
        view = layer.crossattention.self
        view.key, view.value = int8.in_int8(view.key), int8.in_int8(view.value)
    return model
