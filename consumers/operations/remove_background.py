"""The operation `remove-background`."""

from consumers.models import Models
from consumers.operations.operation import Operation, Params, Runner, Unavailable


class RemoveBackgroundParams(Params):
    """How to do it."""


def _load(_models: Models, _threads: int) -> Runner:
    raise Unavailable("remove-background is not built yet: use sketch")


def _seconds(megapixels: float) -> float:
    return 1 + 0.02 * megapixels


OPERATION = Operation(name="remove-background", params=RemoveBackgroundParams, loader=_load, seconds=_seconds)
