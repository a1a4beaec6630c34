"""What routers, VMs and bridges tell of a job, in few words."""

from typing import Any

from bus.events import BridgeStatus, Heartbeat, JobEvent, RouterStatus

NOON = 1_790_000_000_000
"""A moment, in milliseconds since the epoch, that is a whole minute."""


def step(state: Any, at_ms: int, job: str = "j1", **told: Any) -> JobEvent:
    """A step of a sketch of ada's; `at_ms` counts from noon."""
    return JobEvent(state=state, job=job, at_ms=NOON + at_ms, **{"operation": "sketch", "user": "ada", **told})


def routed(at_ms: int, job: str = "j1", placement: str = "p1", **told: Any) -> JobEvent:
    """A placement on vm1, of a job that had just come unless `waited_ms` is told."""
    there = {"route": "vm", "vm": "vm1", "attempt": 1, "waited_ms": 0, "pixels": 2_000_000, "bytes": 900_000}
    rule = {"policy": "threshold", "limits": {"cpu": 40, "ram": 90, "slots": 1}}
    return step("routed", at_ms, job, placement=placement, **{**there, **rule, **told})


def on_vm(state: Any, at_ms: int, job: str = "j1", placement: str | None = "p1", **told: Any) -> JobEvent:
    """A VM's word, vm1's unless told otherwise."""
    return step(state, at_ms, job, placement=placement, **{"route": "vm", "vm": "vm1", "attempt": 1, **told})


def in_cloud(state: Any, at_ms: int, job: str = "j1", placement: str = "p1", **told: Any) -> JobEvent:
    """A bridge's word."""
    return step(state, at_ms, job, placement=placement, **{"route": "cloud", "attempt": 1, **told})


def router(at_ms: int, **told: Any) -> RouterStatus:
    """An active router's word of itself."""
    return RouterStatus(router="router a", at_ms=NOON + at_ms, **{"routed": 0, **told})


def bridge(at_ms: int, **told: Any) -> BridgeStatus:
    """An active bridge's word of itself."""
    return BridgeStatus(bridge="bridge a", at_ms=NOON + at_ms, **{"state": "ready", "capacity": 32, **told})


def beat(at_ms: int, vm: str = "vm1", **told: Any) -> Heartbeat:
    """A heartbeat of a VM of two slots."""
    known = {"cpu_percent": 12.4, "ram_percent": 40.6, "cores": 2, "slots": 2, "look_ahead": 2, "running": 1}
    session = {"session": "s1", "started_ms": NOON, "seq": 1, "worker": "ready", "operations": ("sketch",)}
    return Heartbeat(vm=vm, at_ms=NOON + at_ms, **{**known, **session, **told})
