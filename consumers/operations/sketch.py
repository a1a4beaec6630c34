"""The operation `sketch`: a photograph as a drawing in pencil, charcoal or coloured pencil."""

from typing import Literal

from pydantic import Field

from consumers.models import Models
from consumers.operations.operation import ImageFormat, Operation, Params, Runner


class SketchParams(Params):
    """How to draw. `jpeg` is the default format: docs/decisions says why."""

    style: Literal["pencil", "charcoal", "coloured"] = "pencil"
    strength: float = Field(0.5, ge=0, le=1, description="How dark the strokes are; 0.5 leaves them as drawn.")
    paper: Literal["white", "cream", "rough"] = "white"
    format: ImageFormat = "jpeg"
    quality: int = Field(90, ge=1, le=100, description="Of JPEG and WebP; PNG is lossless.")


def _load(_models: Models, threads: int) -> Runner:
    from consumers.operations.sketcher import Sketcher  # noqa: PLC0415 (OpenCV: only where pictures are drawn)

    return Sketcher(threads)


def _seconds(megapixels: float) -> float:
    return 0.003 + 0.008 * megapixels


OPERATION = Operation(name="sketch", params=SketchParams, loader=_load, seconds=_seconds)
