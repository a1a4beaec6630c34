"""A fleet by hand, for the tests of the view."""

from typing import Any

from bus.events import BridgeStatus, Heartbeat, JobEvent, RouterStatus, UserBacklog
from bus.settings import Settings
from ui.top.model import Frame, Top

NOW_MS = 1_800_000_000_000
ROUTER = RouterStatus(
    router="router a 1", at_ms=0, routed=712, queued=17, policy="predictive", cloud="open",
    users=(UserBacklog(user="anna", queued=812, seconds=1204), UserBacklog(user="b\x1b", queued=3, seconds=4.2)),
    waiting={"caption": "no VM serves caption"},
)  # fmt: skip
BRIDGE = BridgeStatus(
    bridge="b", state="ready", at_ms=0, in_flight=3, capacity=32, sent_last_minute=9, spent_today=0.12, money_per_day=5
)


def beat(vm: str, cpu: float = 12.0, **said: Any) -> Heartbeat:
    given = {
        "session": "s", "started_ms": 0, "seq": 1, "at_ms": 0, "cpu_percent": cpu, "ram_percent": 35.0, "cores": 2,
        "slots": 2, "look_ahead": 1, "held": ("a",), "operations": ("sketch",), "worker": "ready", "running": 1,
        "oldest_running_s": 2.5,
    }  # fmt: skip
    return Heartbeat.model_validate({"vm": vm, **given, **said})


def job(state: str, at_ms: int = NOW_MS, **told: Any) -> JobEvent:
    given = {"job": "j1", "operation": "sketch", "user": "anna", "at_ms": at_ms, "state": state}
    return JobEvent.model_validate(given | told)


def ran(vm: str = "vm1", ran_ms: int = 400, waited_ms: int = 100, **told: Any) -> JobEvent:
    return job("done", route="vm", vm=vm, ran_ms=ran_ms, waited_ms=waited_ms, **told)


def top() -> Top:
    return Top(Settings(), "127.0.0.1:5672/", now=0.0)


def busy() -> Top:
    """Two VMs, a router, a bridge and some jobs, a minute after listening began."""
    model = top()
    for told in (ROUTER, BRIDGE, beat("vm1", 55.0), beat("vm2", 12.0, held=(), oldest_running_s=None, running=0)):
        model.hear(told, 60.0)
    for number in range(20):
        model.hear(job("routed", route="vm", vm="vm1", attempt=1), 51.0)
        model.hear(ran(ran_ms=400 + 10 * number), 51.0 + number / 4)
    model.hear(job("sent", route="cloud", attempt=1), 58.0)
    model.hear(job("failed", operation="caption", reason="it is \x1b[2J broken", problem="broken-image"), 59.0)
    model.counted({"lane.00": 4, "lane.07": 8, "parked.caption": 2, "overflow": 1, "dead": 3})
    return model


def busy_frame() -> Frame:
    return busy().frame(60.5, NOW_MS, connected=True)
