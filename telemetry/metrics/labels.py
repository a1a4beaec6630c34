"""What labels may hold: names from sets that are known, whatever strangers send. Pure."""

from typing import Final, get_args

from bus.events import VmState
from bus.problems import Kind
from bus.topology import OPERATIONS

NONE: Final = "none"
OTHER: Final = "other"
VM_STATES: Final[tuple[str, ...]] = get_args(VmState)
CLOUD_STATES: Final = ("ready", "full", "broken", "draining", "standby")
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
