"""What labels may hold: names from sets that are known, whatever strangers send. Pure."""

from typing import Final, get_args

from bus.events import VmState
from bus.problems import Kind
from bus.topology import OPERATIONS

NONE: Final = "none"
OTHER: Final = "other"
VM_STATES: Final[tuple[str, ...]] = get_args(VmState)
DEAD_HANDLED: Final = ("replayed", "purged")
RUN_OUTCOMES: Final = ("done", "failed", "crashed")
CLOUD_STATES: Final = ("ready", "full", "broken", "draining", "standby")
JOB_PROBLEMS: Final = tuple(
    kind.value.slug
    for kind in Kind
    if kind
    not in {
        *(Kind.BAD_REQUEST, Kind.NOT_LOGGED_IN, Kind.NOT_ALLOWED, Kind.NOT_FOUND, Kind.BAD_METHOD, Kind.NOT_NOW),
        *(Kind.KEY_REUSED, Kind.TOO_MANY_REQUESTS, Kind.TOO_MUCH_KEPT, Kind.NO_SUCH_RANGE, Kind.TOO_SLOW),
        Kind.NOT_READY,
    }
)
"""All but those that are answered over HTTP alone."""
RUN_PROBLEMS: Final = tuple(
    kind.value.slug for kind in (Kind.TIMED_OUT, Kind.OUT_OF_MEMORY, Kind.OPERATION_FAILED, Kind.TOO_MANY_ATTEMPTS)
)
"""What a run may fail of that another may not."""
_OPERATIONS: Final = frozenset(OPERATIONS)
_PROBLEMS: Final = frozenset(kind.value.slug for kind in Kind)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def operation_label(name: str) -> str:
    """An operation of ours, or `other`."""
    return name if name in _OPERATIONS else OTHER


def problem_label(slug: str | None) -> str:
    """A problem of the catalogue, `other`, or `none`."""
    if slug is None:
        return NONE
    return slug if slug in _PROBLEMS else OTHER


def method_label(method: str) -> str:
    """An HTTP method, or `other`."""
    return method if method in _METHODS else OTHER
