"""What the supervisor decides: what runs, when it starts again, what is still missing, what to say. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bus.events import AnyEvent, Heartbeat, RouterStatus

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


def programs(overspill: Sequence[str], amqp_url: str, cores: int) -> tuple[Program, ...]:
    """Router and VMs, each started through the command line `overspill`; the VMs share the `cores` processors."""
    environ = {"AMQP_URL": amqp_url, "PYTHONUNBUFFERED": "1"}
    slots = str(max(1, cores // len(VMS)))
    vms = (Program(name, (*overspill, "vm", "--name", name, "--slots", slots), environ) for name in VMS)
    return (Program(ROUTER, (*overspill, ROUTER), environ), *vms)


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


@dataclass(slots=True)
class Readiness:
    """Which parts of the stack have said that they work."""

    waiting: set[str] = field(default_factory=lambda: {ROUTER, *VMS})

    def note(self, event: AnyEvent) -> str | None:
        """Take in an event; returns the part that is ready because of it, the first time."""
        part = _ready_part(event)
        if part not in self.waiting:
            return None
        self.waiting.discard(part)
        return part

    @property
    def complete(self) -> bool:
        """Whether every part works."""
        return not self.waiting


def _ready_part(event: AnyEvent) -> str:
    if isinstance(event, Heartbeat) and event.worker == "ready":
        return event.vm
    return ROUTER if isinstance(event, RouterStatus) and event.active else ""


def log_line(name: str, text: str, colour: int | None) -> str:
    """One line of the merged log: a column with the program's name, in an ANSI `colour` (30 to 37) or plain."""
    column = f"{name:<6} |"
    return f"\x1b[{colour}m{column}\x1b[0m {text}" if colour is not None else f"{column} {text}"


def welcome(log: Path, *, started_broker: bool, amqp_url: str) -> tuple[str, ...]:
    """What to say when everything is ready."""
    return (
        "everything is ready",
        f"broker   {amqp_url}" + ("" if started_broker else " (yours, from AMQP_URL)"),
        f"logs     {log}",
        "try      overspill submit photo.jpg -o sketch",
    )
