"""The operation `caption`."""

from consumers.models import Models
from consumers.operations.operation import Operation, Params, Runner, Unavailable


class CaptionParams(Params):
    """How to do it."""


def _load(_models: Models, _threads: int) -> Runner:
    raise Unavailable("caption is not built yet: use sketch")


def _seconds(megapixels: float) -> float:
    return 1 + 0.02 * megapixels


OPERATION = Operation(name="caption", params=CaptionParams, loader=_load, seconds=_seconds)
