"""The agent: what it says, when, and what it lives through."""

import asyncio
import logging
from collections.abc import Callable

import pytest

from bus.events import Heartbeat, read_event
from bus.messages import Message
from bus.settings import Settings
from telemetry.agent import SYSTEM_CLOCK, Agent, WorkerReport, next_due
from telemetry.machine import Reading

SETTINGS = Settings(vm_name="vm1", beat_interval_s=1.0)
CALM = Reading(cpu_percent=12.345, ram_percent=50.0, cores=1.5)


class Steady:
    """A machine whose readings are given; the last one stays."""

    def __init__(self, *readings: Reading | None) -> None:
        self._readings = list(readings)

    def read(self) -> Reading | None:
        return self._readings.pop(0) if len(self._readings) > 1 else self._readings[0]


class HandClock:
    """A clock that moves only by sleeping, `late_s` too long each time, and stops the run after some sleeps."""

    def __init__(self, sleeps: int = 0, late_s: float = 0.0) -> None:
        self.now = 100.0
        self._left = sleeps
        self._late_s = late_s

    def wall_ms(self) -> int:
        return round(self.now * 1000)

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        if self._left == 0:
            raise asyncio.CancelledError
        self._left -= 1
        self.now += seconds + self._late_s


class Bus:
    """Where beats arrive, unless the connection is lost."""

    def __init__(self) -> None:
        self.connected = True
        self.messages: list[tuple[str, Message]] = []

    def post(self, exchange: str, message: Message) -> bool:
        if self.connected:
            self.messages.append((exchange, message))
        return self.connected

    @property
    def beats(self) -> list[Heartbeat]:
        events = [read_event(message.body) for _, message in self.messages]
        return [event for event in events if isinstance(event, Heartbeat)]


def an_agent(bus: Bus, machine: Steady, clock: HandClock, report: Callable[[], WorkerReport] = WorkerReport) -> Agent:
    return Agent(SETTINGS, "session-1", machine, bus.post, report, clock)


def test_a_beat_says_how_the_machine_and_its_worker_are() -> None:
    bus, clock = Bus(), HandClock()
    report = WorkerReport(
        slots=2,
        look_ahead=1,
        running=1,
        held=("a", "b"),
        oldest_running_s=0.5,
        operations=("sketch",),
        not_served={"caption": "no weights; run `overspill models pull`"},
        worker="ready",
        done=7,
    )
    agent = an_agent(bus, Steady(CALM), clock, lambda: report)
    clock.now += 2.5

    assert agent.beat()

    assert [(exchange, message.routing_key) for exchange, message in bus.messages] == [
        ("heartbeats", "vm.heartbeat.vm1")
    ]
    assert bus.beats == [
        Heartbeat(
            vm="vm1",
            session="session-1",
            started_ms=100_000,
            seq=1,
            at_ms=102_500,
            cpu_percent=12.3,
            ram_percent=50.0,
            cores=1.5,
            slots=2,
            look_ahead=1,
            running=1,
            held=("a", "b"),
            oldest_running_s=0.5,
            operations=("sketch",),
            not_served={"caption": "no weights; run `overspill models pull`"},
            worker="ready",
            done=7,
        )
    ]


def test_without_a_worker_the_machine_is_reported_with_no_slots() -> None:
    bus = Bus()
    an_agent(bus, Steady(CALM), HandClock()).beat()

    assert [(beat.worker, beat.slots, beat.operations) for beat in bus.beats] == [("absent", 0, ())]


async def test_nothing_is_said_before_the_first_reading() -> None:
    bus = Bus()
    with pytest.raises(asyncio.CancelledError):
        await an_agent(bus, Steady(None, None, CALM), HandClock(sleeps=4)).run()

    assert [(beat.seq, beat.at_ms) for beat in bus.beats] == [(1, 103_000), (2, 104_000)]


async def test_beats_keep_to_their_grid_though_each_is_late() -> None:
    bus = Bus()
    with pytest.raises(asyncio.CancelledError):
        await an_agent(bus, Steady(CALM), HandClock(sleeps=4, late_s=0.25)).run()

    assert [beat.at_ms for beat in bus.beats] == [101_250, 102_250, 103_250, 104_250]


async def test_a_process_that_stood_still_leaves_out_the_beats_it_missed() -> None:
    bus = Bus()
    with pytest.raises(asyncio.CancelledError):
        await an_agent(bus, Steady(CALM), HandClock(sleeps=3, late_s=2.5)).run()

    assert [beat.at_ms for beat in bus.beats] == [103_500, 106_500, 109_500]
    assert [beat.seq for beat in bus.beats] == [1, 2, 3]


@pytest.mark.parametrize(
    ("now", "due"),
    [(10.0, 11.0), (9.999, 11.0), (10.4, 11.0), (11.0, 11.0), (11.1, 12.0), (13.9, 14.0)],
)
def test_when_the_next_beat_is_due(now: float, due: float) -> None:
    assert next_due(10.0, 1.0, now) == due


def test_a_lost_beat_is_lost_and_the_next_one_counts_on(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    bus = Bus()
    agent = an_agent(bus, Steady(CALM), HandClock())

    agent.beat()
    bus.connected = False
    assert not agent.beat()
    assert not agent.beat()
    bus.connected = True
    agent.beat()

    assert [beat.seq for beat in bus.beats] == [1, 4]
    assert [record.getMessage() for record in caplog.records] == [
        "No heartbeat leaves: there is no way to the broker",
        "Heartbeats leave again",
    ]


async def test_the_real_clock() -> None:
    before = SYSTEM_CLOCK.monotonic(), SYSTEM_CLOCK.wall_ms()
    await SYSTEM_CLOCK.sleep(0.002)
    after = SYSTEM_CLOCK.monotonic(), SYSTEM_CLOCK.wall_ms()

    assert before < after
