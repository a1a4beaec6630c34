"""Makes the small captioner of the tests pass for Salesforce's BLIP, in every process with this folder on PYTHONPATH.

No package carries Salesforce's weights, and the catalogue pins their sums; all else of such a process is as it is.
"""

from dataclasses import replace

from consumers.models import CATALOGUE, File

BLIP = "blip-image-captioning-base"
FILES = (
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "processor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
)

CATALOGUE[BLIP] = replace(CATALOGUE[BLIP], files=tuple(File(name, "") for name in FILES))  # type: ignore[index]
