"""The operation `caption`: a sentence that says what the picture shows, as JSON `{"caption": "..."}`."""

from typing import Literal

from pydantic import Field

from consumers.models import Models
from consumers.operations.operation import Operation, Params, Runner, require


class CaptionParams(Params):
    """Which captioner, and how to put it."""

    model: Literal["blip-image-captioning-base", "blip-image-captioning-large"] = "blip-image-captioning-base"
    prompt: str | None = Field(None, max_length=100, description="Words the caption begins with: a photograph of.")
    length: int = Field(20, ge=1, le=60, description="The longest caption, in tokens (about words).")
    beams: int = Field(1, ge=1, le=5, description="Captions weighed at a time; 1 takes the likeliest word each time.")


def _load(models: Models, threads: int) -> Runner:
    require(models, "caption", CaptionParams().model, package="transformers")
    from consumers.operations.describer import Describer  # noqa: PLC0415 (torch: only where captions are made)

    return Describer(models, threads)


def _seconds(megapixels: float) -> float:
    return 2.0 + 0.01 * megapixels


OPERATION = Operation(
    name="caption", params=CaptionParams, loader=_load, seconds=_seconds, extra="caption", batchable=True
)
