"""VMs that take no jobs though nobody drained them, as a router tells of them. Pure."""

from collections.abc import Iterable
from typing import Final

from bus.events import MOST_LOST
from telemetry.vm_view import VmView

LOST_TOLD_S: Final = 3600.0
"""For how long a lost VM is told of: whoever looks at the fleet only now did not hear it go."""


def quarantined(vms: Iterable[VmView]) -> dict[str, str]:
    """Those whose agent beats though their worker is stuck, and why."""
    return {vm.name: vm.reason or "" for vm in vms if vm.state == "quarantined"}


def lost(vms: Iterable[VmView], now: float) -> dict[str, float]:
    """Those lost within the hour, the last ones heard first and 64 at the most: seconds since their last beat."""
    gone = ((vm.age_s(now), vm.name) for vm in vms if vm.state == "lost" and vm.age_s(now) <= LOST_TOLD_S)
    return {name: round(age_s, 1) for age_s, name in sorted(gone)[:MOST_LOST]}
