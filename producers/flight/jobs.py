"""What became of each job, made of what was told of it in whatever order. Pure.

Routers, VMs and bridges each tell their part, so a VM's word may come before that of the router, twice, or not at all.
So the steps of a job are only gathered at first, and put together once it is over: the outcome does not depend on the
order in which they came.

Ids are their callers' own. Messages of one user that bear the same id are told apart by when a router took them up,
which stays the same through retries; steps told by who does not know that are told apart by their placement.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from bus.events import JobEvent
from producers.flight.credible import LONGEST_LAIN_MS
from producers.flight.recording import RecordedJob

TOLD_FROM_MS: Final = 1000
"""A job that had lain in its lane for no longer has not lain there: of more jobs it would be noise."""
_SECOND_MS: Final = 1000
Key = tuple[str, str, str]
"""User, job id and operation."""
_Step = Literal["routed", "sent", "running", "retried", "ended"]
_ENDS: Final = ("done", "failed", "unanswerable")
_IN_LINE: Final = ("waiting", "parked")
_STEPS: Final[dict[str, _Step]] = {
    "routed": "routed",
    "sent": "sent",
    "running": "running",
    "retried": "retried",
    "done": "ended",
    "failed": "ended",
    "unanswerable": "ended",
}
_Placement = dict[_Step, JobEvent]
"""Of each step of a placement the first word."""


@dataclass(slots=True)
class Told:
    """All that was told of the jobs with one key."""

    placements: dict[str, _Placement] = field(default_factory=dict)
    refusals: dict[tuple[int, str], JobEvent] = field(default_factory=dict)
    """Ends that no placement led to."""
    arrivals: set[int] = field(default_factory=set)
    """When routers first took them up, milliseconds, as far as it was told in line."""

    def add(self, event: JobEvent) -> None:
        """Gather a step; one that tells nothing of where a job is leaves no trace."""
        if event.state in _IN_LINE:
            self.arrivals.add(_arrived_ms(event))
        elif event.state in _STEPS:
            if event.placement is None and event.vm is None and event.state in _ENDS:
                self.refusals.setdefault((event.at_ms, event.state), event)
            else:
                self._placed(self.placements.setdefault(event.placement or "", {}), _STEPS[event.state], event)

    def _placed(self, placement: _Placement, step: _Step, event: JobEvent) -> None:
        first = placement.get(step)
        if first is None or _order(event) < _order(first):
            # The receipt is long, and tells nothing that is recorded of a job.
            placement[step] = event.model_copy(update={"candidates": (), "cloud": None, "limits": {}})

    def __len__(self) -> int:
        return len(self.placements) + len(self.refusals) + bool(self.arrivals)

    def is_over(self, key: Key) -> bool:
        """Whether all of the jobs have ended, as far as it is known."""
        has_end = self.refusals or any("ended" in placement for placement in self.placements.values())
        return bool(has_end) and all(job.end is not None for job in jobs_of(key, self))


@dataclass(slots=True)
class _Stay:
    """One job, from when a router took it up until it left."""

    arrived_ms: int
    placements: list[_Placement] = field(default_factory=list)
    refusal: JobEvent | None = None

    def takes(self, refusal: JobEvent) -> bool:
        """Whether a refusal can be this job's."""
        ended = min((_order(step["ended"]) for step in self.placements if "ended" in step), default=None)
        in_time = ended is None or _order(refusal) < ended
        return self.refusal is None and self.arrived_ms <= refusal.at_ms and in_time


def jobs_of(key: Key, told: Told) -> list[RecordedJob]:
    """The jobs that were told of under one key, as they were when last heard of."""
    stays = _stays(told)
    for _, refusal in sorted(told.refusals.items()):
        stay = next((stay for stay in stays if stay.takes(refusal)), None)
        if stay is None:
            stay = _Stay(refusal.at_ms)
            stays.append(stay)
        stay.refusal = refusal
    return [_job(key, stay) for stay in stays]


def _stays(told: Told) -> list[_Stay]:
    """The jobs, in order of arrival, with their placements."""
    unsure: list[_Placement] = []
    stays = {arrived_ms: _Stay(arrived_ms) for arrived_ms in told.arrivals}
    for _, placement in sorted(told.placements.items()):
        routed = placement.get("routed")
        if routed is None or _is_clipped(routed):
            unsure.append(placement)
        else:
            arrived_ms = _arrived_ms(routed)
            stays.setdefault(arrived_ms, _Stay(arrived_ms)).placements.append(placement)
    known = sorted(stays.values(), key=lambda stay: stay.arrived_ms)
    unsure.sort(key=lambda placement: min(map(_order, placement.values())))
    for placement in unsure:
        first_ms = min(event.at_ms for event in placement.values())
        if not known:
            known.append(_Stay(min(map(_arrived_ms, placement.values()))))
        before = [stay for stay in known if stay.arrived_ms <= first_ms]
        (before or known[:1])[-1].placements.append(placement)
    return known


def _is_clipped(routed: JobEvent) -> bool:
    """Whether a later attempt seems to have just arrived: it was another router's clock that saw it arrive."""
    return routed.waited_ms == 0 and (routed.attempt or 0) > 1


def _job(key: Key, stay: _Stay) -> RecordedJob:
    last, end = _last(stay)
    user, job_id, operation = key
    routed, running = last.get("routed"), last.get("running")
    steps = [event for event in (end, running, last.get("sent"), routed) if event is not None]
    ran_ms = None if end is None else end.ran_ms  # a repeat, answered without a run, tells none
    began_ms = None if ran_ms is None and running is None else _began_ms(stay.arrived_ms, last, end, ran_ms)
    return RecordedJob(
        id=job_id,
        user=user,
        operation=operation,
        arrived_ms=stay.arrived_ms,
        megapixels=_megapixels([*steps, *_all_steps(stay)]),
        bytes=next((event.bytes for event in _all_steps(stay) if event.bytes is not None), None),
        priority=next((event.priority for event in _all_steps(stay) if event.priority is not None), 0),
        site=next((event.site for event in _all_steps(stay) if event.site is not None), "any"),
        route=next((event.route for event in steps if event.route), None),
        vm=next((event.vm for event in steps if event.vm), None),
        began_ms=began_ms,
        ended_ms=None if end is None else max(end.at_ms, stay.arrived_ms, (began_ms or 0) + (ran_ms or 0)),
        ran_ms=ran_ms,
        attempts=max((event.attempt or 0 for event in _all_steps(stay)), default=0),
        end=_end(end),
        problem=None if end is None else end.problem,
        cost=next((event.cost for event in steps if event.cost is not None), None),
        policy=None if routed is None else routed.policy,
        routed_ms=None if routed is None else routed.at_ms,
        lain_ms=_lain_ms(stay),
    )


def _lain_ms(stay: _Stay) -> int | None:
    """How long it had lain in its lane before, at the least: callers tell whole seconds, so each is given one.

    A clock by which it was sent after it came tells nothing.
    """
    sent_ms = max((event.sent_ms for event in _all_steps(stay) if event.sent_ms is not None), default=None)
    if sent_ms is None or sent_ms > stay.arrived_ms + TOLD_FROM_MS:
        return None
    lain_ms = stay.arrived_ms - (sent_ms + _SECOND_MS)
    return None if lain_ms > LONGEST_LAIN_MS else lain_ms if lain_ms > TOLD_FROM_MS else 0


def _all_steps(stay: _Stay) -> Iterator[JobEvent]:
    for placement in stay.placements:
        for _, event in sorted(placement.items()):
            yield event


def _last(stay: _Stay) -> tuple[_Placement, JobEvent | None]:
    """The placement that counts, and the end: the first one that its caller saw, or else none."""
    ended = sorted((p for p in stay.placements if "ended" in p), key=lambda p: _order(p["ended"]))
    latest = max(stay.placements, key=_placed_at, default={})
    if ended and (stay.refusal is None or _order(ended[0]["ended"]) < _order(stay.refusal)):
        return ended[0], ended[0]["ended"]
    return latest, stay.refusal


def _placed_at(placement: _Placement) -> tuple[int, int, str]:
    first = min(placement.values(), key=_order)
    return max(event.attempt or 0 for event in placement.values()), first.at_ms, first.placement or ""


def _began_ms(arrived_ms: int, last: _Placement, end: JobEvent | None, ran_ms: int | None) -> int:
    """When its run began, by the best of what is told; clocks that disagree can't make it longer than it was."""
    told = last.get("running")
    if told is not None:
        began_ms = told.at_ms
    elif end is not None and end.waited_ms is not None:
        began_ms = arrived_ms + end.waited_ms
    else:
        began_ms = 0 if end is None else end.at_ms
    if end is not None:
        began_ms = min(began_ms, end.at_ms - (ran_ms or 0))
    return max(began_ms, last["routed"].at_ms if "routed" in last else arrived_ms)


def _megapixels(events: Iterable[JobEvent]) -> float | None:
    """The first word of the picture's size, that of whoever looked at it last."""
    pixels = next((event.pixels for event in events if event.pixels is not None), None)
    return None if pixels is None else pixels / 1e6


def _end(end: JobEvent | None) -> Literal["done", "failed", "unanswerable"] | None:
    if end is None:
        return None
    return "done" if end.state == "done" else "failed" if end.state == "failed" else "unanswerable"


def _arrived_ms(event: JobEvent) -> int:
    ran_ms = event.ran_ms or 0 if event.state in _ENDS else 0  # what ended has waited until its run began
    return max(0, event.at_ms - ran_ms - (event.waited_ms or 0))


def _order(event: JobEvent) -> tuple[int, str, str]:
    return event.at_ms, event.state, event.reason or ""
