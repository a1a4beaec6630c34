"""What an overspill tells of itself while a journey goes on."""

from collections import Counter
from typing import Self

import pytest

from bus.events import BridgeStatus, Heartbeat, JobEvent, RouterStatus, read_event
from bus.rabbit import Bus, Delivery
from bus.topology import EVENTS, shared
from tests.bus.rabbit.foreign import eventually


class Watch:
    """Everything told on `events` since it was entered: the latest of each process, every step of each job."""

    def __init__(self, url: str) -> None:
        self._bus = Bus(url, name="watch", topology=shared())
        self.beats: dict[str, Heartbeat] = {}
        self.routers: dict[str, RouterStatus] = {}
        self.bridges: dict[str, BridgeStatus] = {}
        self.jobs: list[JobEvent] = []

    async def __aenter__(self) -> Self:
        await self._bus.start(30)
        keys = ("vm.heartbeat.*", "router.status", "bridge.*", "job.#")
        await self._bus.listen([(EVENTS, key) for key in keys], self._hear)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._bus.close()

    def _hear(self, delivery: Delivery) -> None:
        match read_event(delivery.message.body):
            case Heartbeat() as beat:
                self.beats[beat.vm] = beat
            case RouterStatus() as status:
                self.routers[status.router] = status
            case BridgeStatus() as status:
                self.bridges[status.bridge] = status
            case JobEvent() as event:
                self.jobs.append(event)
            case _:
                pass

    def steps(self, job: str) -> list[str]:
        """The states told of a job, in order, without how long it waited in line."""
        return [event.state for event in self.jobs if event.job == job and event.state != "waiting"]

    def runs(self) -> Counter[str]:
        """How often each job began to run."""
        return Counter(event.job for event in self.jobs if event.state == "running")

    async def active(self) -> RouterStatus:
        """What the active router says of itself, as soon as one does."""
        return (await eventually(lambda: [said for said in self.routers.values() if said.active]))[0]

    async def running(self, job: str, attempt: int = 1) -> JobEvent:
        """The event that an attempt of a job began to run, as soon as it has."""
        wanted = (job, "running", attempt)
        return (await eventually(lambda: [it for it in self.jobs if (it.job, it.state, it.attempt) == wanted]))[0]

    def bridge(self, pid: int) -> BridgeStatus | None:
        """What the bridge of this process told last."""
        return next((status for status in self.bridges.values() if pid_of(status.bridge) == pid), None)

    def holds(self, vm: str) -> int:
        """How many jobs a VM told to hold at its latest beat."""
        return len(self.beats[vm].held) if vm in self.beats else 0


def pid_of(name: str) -> int:
    """A router, or a bridge, ends its name with its process id."""
    return int(name.rpartition(" ")[2])


def tell(capsys: pytest.CaptureFixture[str], figures: str) -> None:
    """Show what was measured, also when the test passes."""
    with capsys.disabled():
        print(f"\n{figures}")  # noqa: T201 (the figures are for whoever runs the test)
