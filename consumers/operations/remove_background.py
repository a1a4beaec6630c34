"""The operation `remove-background`: the subject cut out, on transparency or on a colour."""

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from consumers.models import Models
from consumers.operations.operation import ImageFormat, Operation, Params, Runner, require

Network = Literal[
    "u2netp",
    "u2net",
    "u2net_human_seg",
    "silueta",
    "isnet-general-use",
    "isnet-anime",
    "birefnet-general",
    "birefnet-general-lite",
    "birefnet-portrait",
]
"""rembg's names, those whose weights may be used commercially; docs/decisions says why the first is the default."""


class RemoveBackgroundParams(Params):
    """How to cut out, and what to put behind."""

    model: Network = "u2netp"
    background: str | None = Field(
        None, pattern="^#[0-9a-fA-F]{6}$", description="A colour to lay the subject on, as #rrggbb; else transparency."
    )
    alpha_matting: bool = Field(False, description="Finer edges for hair and fur, for seconds more.")
    format: ImageFormat = Field("png", description="JPEG only with a background.")
    quality: int = Field(90, ge=1, le=100, description="Of JPEG and WebP; PNG is lossless.")

    @field_validator("format")
    @classmethod
    def _holds_transparency(cls, value: ImageFormat, info: ValidationInfo) -> ImageFormat:
        if value == "jpeg" and info.data.get("background") is None:
            raise ValueError("jpeg has no transparency; give a background such as #ffffff, or ask for png or webp")
        return value


def _load(models: Models, threads: int) -> Runner:
    require(models, "remove-background", RemoveBackgroundParams().model, package="rembg")
    from consumers.operations.cutter import Cutter  # noqa: PLC0415 (rembg: only where backgrounds are removed)

    return Cutter(models, threads)


def _seconds(megapixels: float) -> float:
    return 0.5 + 0.06 * megapixels


OPERATION = Operation(
    name="remove-background",
    params=RemoveBackgroundParams,
    loader=_load,
    seconds=_seconds,
    extra="remove-background",
)
