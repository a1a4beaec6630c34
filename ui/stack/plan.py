"""What the supervisor decides: what runs, when it starts again, what is still missing, what to say. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bus.events import AnyEvent, BridgeStatus, Heartbeat, RouterStatus
from ui.stack import cloud
from ui.stack.page import PAGE, Page

BROKER = "broker"
ROUTER = "router"
VMS = ("vm1", "vm2")

_FIRST_DELAY_S = 0.5
_LONGEST_DELAY_S = 15.0
_STABLE_S = 30.0

_SIGNALS = {-9: "killed", -11: "crashed (segmentation fault)", -15: "terminated"}


@dataclass(frozen=True, slots=True)
class Program:
    """One program of the stack: its name in the logs, its command line, and what it adds to our environment."""

    name: str
    command: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=dict)


def programs(
    overspill: Sequence[str],
    environ: Mapping[str, str],
    cores: int,
    parts: cloud.Parts,
    port: int,
    page: Page | None = None,
) -> tuple[Program, ...]:
    """Router, VMs, what of the cloud is to be, and the page, each started through the command line `overspill`.

    `environ` tells all of them the stack's addresses. The VMs share the `cores` processors; the cloud service listens
    on the loopback `port`.
    """
    environ = {**environ, "PYTHONUNBUFFERED": "1"}
    slots = str(max(1, cores // len(VMS)))
    vms = (Program(name, (*overspill, "vm", "--name", name, "--slots", slots), environ) for name in VMS)
    service = Program(cloud.SERVICE, (*overspill, "cloud-service"), environ | cloud.service_environ(port))
    bridge = Program(cloud.BRIDGE, (*overspill, "bridge"), environ)
    pages = (Program(PAGE, (*overspill, PAGE), environ | page.environ),) if page else ()
    found = (Program(ROUTER, (*overspill, ROUTER), environ), *vms, service, bridge)
    return (*(program for program in found if program.name in {ROUTER, *VMS} | parts.names), *pages)


def failures_after(failures: int, ran_s: float) -> int:
    """How many failures in a row a program that ran `ran_s` seconds now has: a long run makes good for earlier ones."""
    return 1 if ran_s >= _STABLE_S else failures + 1


def restart_delay_s(failures: int) -> float:
    """Seconds until the next start after so many failures in a row: doubling, and capped."""
    return min(_LONGEST_DELAY_S, _FIRST_DELAY_S * 2.0 ** min(failures - 1, 16))


def ended(status: int) -> str:
    """An exit status in words."""
    if status < 0:
        return _SIGNALS.get(status, f"ended by signal {-status}")
    return f"ended with status {status}"


class Readiness:
    """Which parts of the stack have said that they work."""

    def __init__(self, others: frozenset[str] = frozenset()) -> None:
        """`others` are waited for as well, the cloud and the page, though jobs are answered without."""
        self.waiting: frozenset[str] = frozenset({ROUTER, *VMS} | others)

    def note(self, event: AnyEvent) -> str | None:
        """Take in an event; returns the part that is ready because of it, the first time."""
        return self.ready(_ready_part(event))

    def ready(self, part: str) -> str | None:
        """Take in that a part works; returns its name, the first time."""
        if part not in self.waiting:
            return None
        self.waiting -= {part}
        return part

    @property
    def works(self) -> bool:
        """Whether jobs are answered: everything works but perhaps the cloud and the page."""
        return not self.waiting & {ROUTER, *VMS}

    @property
    def complete(self) -> bool:
        """Whether every part works."""
        return not self.waiting


def _ready_part(event: AnyEvent) -> str:
    match event:
        case Heartbeat(worker="ready"):
            return event.vm
        case RouterStatus(active=True):
            return ROUTER
        # One that is full, out of budget or broken works as it should: it holds jobs back, and says why.
        case BridgeStatus(active=True, state=state) if state != "draining":
            return cloud.BRIDGE
        case _:
            return ""


def log_line(name: str, text: str, colour: int | None) -> str:
    """One line of the merged log: a column with the program's name, in an ANSI `colour` (30 to 37) or plain."""
    column = f"{name:<6} |"
    return f"\x1b[{colour}m{column}\x1b[0m {text}" if colour is not None else f"{column} {text}"


def json_line(name: str, text: str, time: str) -> str:
    """One line of the merged log as a JSON object: what a program told as one, or its plain words, with its name.

    `time` is now, ISO 8601, for words that tell none.
    """
    try:
        told = json.loads(text)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        told = {"time": time, "severity": "INFO", "message": text, "program": name}
    return json.dumps({**told, "process": name}, ensure_ascii=False)


def welcome(log: Path, *, started_broker: bool, amqp_url: str, others: Sequence[str] = ()) -> tuple[str, ...]:
    """What to say when everything is ready; `others` are the lines of the page and of the cloud."""
    return (
        "everything is ready",
        f"broker   {amqp_url}" + ("" if started_broker else " (yours, from AMQP_URL)"),
        *others,
        f"logs     {log}",
        "try      .venv/bin/overspill submit photo.jpg -o sketch",
    )
