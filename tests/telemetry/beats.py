"""Heartbeats for tests: a VM of two slots that serves sketches, unless told otherwise."""

from typing import Any

from bus.events import Heartbeat


def beat(seq: int, vm: str = "vm1", **more: Any) -> Heartbeat:
    fields: dict[str, Any] = {
        "session": "one",
        "started_ms": 1000,
        "at_ms": 0,
        "cpu_percent": 10.0,
        "ram_percent": 50.0,
        "cores": 2.0,
        "slots": 2,
        "look_ahead": 1,
        "operations": ("sketch",),
        "worker": "ready",
    }
    return Heartbeat(vm=vm, seq=seq, **(fields | more))
