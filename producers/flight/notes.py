"""Events become the lines of a recording, in little memory: `hear` each, write what it returns, then the `rest`. Pure.

A job is written once it has ended and a few seconds more, since what routers, VMs and bridges tell of it comes by
different ways. Time is told by routers and bridges alone: one VM whose clock is wrong can't age all jobs at once.
"""

from collections import OrderedDict
from typing import Final

from bus.events import AnyEvent, Heartbeat, JobEvent, RouterStatus, VmEvent
from producers.flight.jobs import Key, Told, jobs_of
from producers.flight.readings import MOST_VMS, Readings
from producers.flight.recording import Line, RecordedJob, RecordedState
from producers.flight.rules import CloudLines, RouterLines

LINGER_MS: Final = 10_000
"""How long after its end a job's other words are waited for."""
FORGOTTEN_MS: Final = 3_600_000
"""A job that nothing was heard of for so long is written as it is, unfinished."""
MOST_KEPT: Final = 100_000
"""Jobs in memory, those that linger included; of more, the ones that were not heard of for longest are written."""
_PAST: Final = 50_000
"""Placements remembered that were written, so that a late word makes no second job."""
_REPEATS: Final = 64
"""Placements and refusals under one key that are kept together; a caller may send one id for ever."""
_ROUTERS: Final = frozenset({"routed", "waiting", "parked"})


def tells_time(event: AnyEvent) -> bool:
    """Whether it is a router's or a bridge's word, so that the time goes by it."""
    match event:
        case JobEvent():
            return event.state in _ROUTERS or event.route == "cloud"
        case Heartbeat() | VmEvent():
            return False
        case _:
            return True


class Notes:
    """Folds events into lines, in whatever order they come within some seconds."""

    def __init__(self) -> None:
        self._now_ms = 0
        self._under_way: OrderedDict[Key, tuple[int, Told]] = OrderedDict()
        self._over: OrderedDict[Key, tuple[int, Told]] = OrderedDict()
        self._past: OrderedDict[str, None] = OrderedDict()
        self._states: OrderedDict[str, str] = OrderedDict()
        self._readings = Readings()
        self._router = RouterLines()
        self._cloud = CloudLines()

    def hear(self, event: AnyEvent) -> list[Line]:
        """An event; returns the lines that are ready now."""
        match event:
            case Heartbeat():
                return [*self._readings.hear(event)]
            case JobEvent():
                passed = self._passed(event.at_ms) if tells_time(event) else []
                return [*passed, *self._router.routed(event), *self._job(event), *self._due()]
            case VmEvent():
                return self._state(event)
            case RouterStatus():
                return [*self._router.status(event), *self._passed(event.at_ms), *self._due()]
            case _:
                return [*self._cloud.status(event), *self._passed(event.at_ms), *self._due()]

    def rest(self) -> list[Line]:
        """What is left at the end: jobs still under way, and readings of the last minute."""
        jobs = [job for key, (_, told) in [*self._over.items(), *self._under_way.items()] for job in jobs_of(key, told)]
        self._over.clear()
        self._under_way.clear()
        return [*jobs, *self._readings.rest()]

    @property
    def now_ms(self) -> int:
        """What time it is by the routers and bridges, milliseconds; 0 until one was heard."""
        return self._now_ms

    def __len__(self) -> int:
        """Jobs in memory."""
        return len(self._under_way) + len(self._over)

    def _state(self, event: VmEvent) -> list[Line]:
        # Who takes over from another router tells the states that it finds.
        if self._states.get(event.vm) == event.state:
            return []
        self._states[event.vm] = event.state
        self._states.move_to_end(event.vm)
        if len(self._states) > MOST_VMS:
            self._states.popitem(last=False)
        return [RecordedState(event.vm, event.at_ms, event.state, event.reason)]

    def _job(self, event: JobEvent) -> list[RecordedJob]:
        if event.placement in self._past:
            return []
        key = (event.user, event.job, event.operation)
        kept = self._over.pop(key, None) or self._under_way.pop(key, None)
        told = kept[1] if kept is not None else Told()
        told.add(event)
        if len(told) > _REPEATS:
            return self._written(key, told)
        if told:
            (self._over if told.is_over(key) else self._under_way)[key] = (self._now_ms, told)
        return []

    def _passed(self, now_ms: int) -> list[Line]:
        """Time may have passed."""
        if now_ms <= self._now_ms:
            return []
        if not self._now_ms:
            for kept in (self._over, self._under_way):  # what VMs told before any router did: it is as of now
                kept.update({key: (now_ms, told) for key, (_, told) in kept.items()})
        self._now_ms = now_ms
        return [*self._cloud.silent(now_ms), *self._readings.silent(now_ms)]

    def _due(self) -> list[RecordedJob]:
        return [*self._taken(self._over, LINGER_MS), *self._taken(self._under_way, FORGOTTEN_MS)]

    def _taken(self, kept: OrderedDict[Key, tuple[int, Told]], after_ms: int) -> list[RecordedJob]:
        jobs: list[RecordedJob] = []
        while kept:
            key, (heard_ms, told) = next(iter(kept.items()))
            if self._now_ms - heard_ms < after_ms and len(self) <= MOST_KEPT:
                break
            del kept[key]
            jobs += self._written(key, told)
        return jobs

    def _written(self, key: Key, told: Told) -> list[RecordedJob]:
        self._past.update(dict.fromkeys(told.placements))
        while len(self._past) > _PAST:
            self._past.popitem(last=False)
        return jobs_of(key, told)
