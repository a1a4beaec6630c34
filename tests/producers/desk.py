"""A dispatcher as its tests play with it: what comes in, what the router is told to do."""

from typing import Any

from bus.control import Orders
from bus.events import Heartbeat, JobEvent, RouterStatus
from bus.messages import Message
from producers.admission import Config
from producers.commands import Arrival, Command, Forward, Moment, Refuse
from producers.dispatcher import Dispatcher
from telemetry.fleet import Fleet

LIMIT = 1000


def at(seconds: float) -> Moment:
    return Moment(seconds, int(seconds * 1000))


class Desk:
    """A dispatcher with a clock that stands still until it is moved."""

    def __init__(self, *vms: str, config: dict[str, Any] | None = None, active: bool = True, **beat: Any) -> None:
        settings = Config(**{"max_image_bytes": LIMIT, **(config or {})})
        self.dispatcher = Dispatcher(Fleet(), settings, name="r1", session="r")
        self.now = 100.0
        self.seq = 0
        self.tickets = 0
        if active:
            self.dispatcher.activate(Orders(), self.now, at(self.now))
        for vm in vms:
            self.beat(vm, **beat)

    def again(self, **message: Any) -> list[Command]:
        """A job whose first attempt failed, back in its lane."""
        return self.job(message_id="again", headers={"attempt": 1}, **message)

    def beat(self, vm: str = "vm1", **changes: Any) -> list[Command]:
        self.seq += 1
        figures: dict[str, Any] = {"cpu_percent": 5.0, "ram_percent": 30.0, "cores": 2, "slots": 1, "look_ahead": 1}
        figures |= {"operations": ("sketch",), "worker": "ready"} | changes
        beat = Heartbeat(vm=vm, session="s", started_ms=1, seq=self.seq, at_ms=1, **figures)
        return self.dispatcher.heard(beat, at(self.now))

    def job(self, queue: str = "lane.00", **message: Any) -> list[Command]:
        self.tickets += 1
        how: dict[str, Any] = {
            name: message.pop(name) for name in ("returns", "redelivered", "sent_ms") if name in message
        }
        # What has a hop's headers was sent on by a router or a VM.
        how["is_new"] = queue.startswith("lane.") and "attempt" not in message.get("headers", {})
        given: dict[str, Any] = {"body": b"image", "routing_key": "sketch", "reply_to": "r"}
        given |= {"message_id": f"j{self.tickets}"} | message
        return self.dispatcher.arrived(Arrival(self.tickets, queue, **how), Message(**given), at(self.now))

    def told(self, forward: Forward, state: Any = "done", **told: Any) -> list[Command]:
        """The VM that a job went to says what became of it."""
        job = forward.held.job
        event = JobEvent(
            state=state,
            job=job.id,
            operation=job.operation,
            user=job.user,
            at_ms=1,
            placement=job.placement,
            **({"vm": forward.key.removeprefix("vm.")} | told),
        )
        return self.dispatcher.heard(event, at(self.now))

    def later(self, seconds: float) -> list[Command]:
        self.now += seconds
        return self.dispatcher.tick(at(self.now))

    def status(self) -> RouterStatus:
        return self.dispatcher.status(at(self.now))


def forwards(commands: list[Command]) -> list[Forward]:
    return [command for command in commands if isinstance(command, Forward)]


def the(commands: list[Command]) -> Forward:
    (forward,) = forwards(commands)
    return forward


def where(commands: list[Command]) -> list[tuple[str, str]]:
    """(job, key) of each job forwarded."""
    return [(command.held.job.id, command.key) for command in commands if isinstance(command, Forward)]


def only_refusal(commands: list[Command]) -> Refuse:
    (refusal,) = commands
    assert isinstance(refusal, Refuse)
    return refusal


def line_up(desk: Desk, **message: Any) -> None:
    """A job that can't be placed yet."""
    assert forwards(desk.job(**message)) == []
