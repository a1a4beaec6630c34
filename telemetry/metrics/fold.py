"""Folds events into metrics: those that this process tells, and those that it hears. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from math import inf
from typing import Any, Final, NamedTuple

from bus.events import AnyEvent, BridgeStatus, Heartbeat, JobEvent, RouterStatus
from bus.topology import OPERATIONS
from telemetry.metrics import families as f
from telemetry.metrics.board import Board, Labels
from telemetry.metrics.fairness import Fairness, jain
from telemetry.metrics.families import Family
from telemetry.metrics.labels import (
    CLOUD_STATES,
    DEAD_HANDLED,
    JOB_PROBLEMS,
    NONE,
    RUN_OUTCOMES,
    RUN_PROBLEMS,
    VM_STATES,
    operation_label,
    problem_label,
)

MOST_VMS: Final = 1000
"""VMs that are told by name; the others are only counted."""
_ENDS: Final = frozenset({"done", "failed", "unanswerable"})
_AT_FIRST: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "router": (("routed", "parked", "failed", "unanswerable"), NONE),
    "vm": (("running", "retried", "done", "failed", "unanswerable"), "vm"),
    "bridge": (("sent", "retried", "done", "failed", "unanswerable"), "cloud"),
}


def _at_first(program: str) -> Iterator[tuple[Family, *Labels]]:
    """The counts that a program begins with, by family and labels."""
    states, place = _AT_FIRST.get(program, ((), NONE))
    for operation in OPERATIONS:
        for state in states:
            yield from ((f.JOBS, state, operation, at) for at in (("vm", "cloud") if state == "routed" else (place,)))
        if "failed" in states:
            yield from ((f.FAILURES, operation, problem) for problem in JOB_PROBLEMS)
        if "retried" in states:
            problems = (NONE, *RUN_PROBLEMS) if place == "vm" else (NONE,)
            yield from ((f.RETRIES, operation, place, problem) for problem in problems)
        yield from ((f.SERVICE_RUNS, operation, outcome) for outcome in RUN_OUTCOMES)
    yield from ((f.DEAD_HANDLED, how) for how in DEAD_HANDLED)


class VmSeen(NamedTuple):
    """A VM as a router sees it: its state, and the age of its last heartbeat in seconds."""

    vm: str
    state: str
    age_s: float


class Fold:
    """The metrics of what happens."""

    def __init__(self, board: Board, weights: Mapping[str, float] | None = None) -> None:
        """`weights` are the users' shares that are not 1."""
        self._board = board
        self._fairness = Fairness(weights)
        self._active = False
        self._answered: tuple[int, ...] = (0, 0, 0)
        self._folds: dict[type[Any], Callable[[Any], None]] = {
            JobEvent: self._job,
            Heartbeat: self._beat,
            RouterStatus: self._router,
            BridgeStatus: self._bridge,
        }
        self.fleet: Callable[[], Iterable[VmSeen]] = tuple
        """Asked at each status of the router."""

    def begin(self, program: str) -> None:
        """Tell zero of what has not happened yet: a rate needs a count to begin from.

        Failures most of all: of a series that begins with a burst, all within one scrape, no rate is ever seen.
        """
        for family, *labels in _at_first(program):
            self._board.add(family, *labels, amount=0.0)
        self._board.set(f.FAIRNESS, value=1.0)

    def told(self, event: AnyEvent) -> None:
        """This process tells an event."""
        fold = self._folds.get(type(event))
        if fold is not None:
            fold(event)

    def heard(self, event: AnyEvent, at_ms: int) -> None:
        """This process hears an event; it was counted by whoever told it."""
        self._board.observe(f.LAG, event.kind, value=max(0, at_ms - event.at_ms) / 1000)
        if isinstance(event, JobEvent):
            if event.ran_ms is not None:
                self._fairness.ran(event.user, event.ran_ms / 1000, at_ms / 1000)
            # Told by commands, which nobody scrapes; of several routers that hear it, the active one counts it.
            if self._active and event.state in DEAD_HANDLED:
                self._board.add(f.DEAD_HANDLED, event.state)

    # -- jobs

    def _job(self, event: JobEvent) -> None:
        if event.state == "waiting":
            return
        board, operation, place = self._board, operation_label(event.operation), event.route or NONE
        board.add(f.JOBS, event.state, operation, place)
        self._times(event, operation, place)
        if event.state == "failed":
            board.add(f.FAILURES, operation, problem_label(event.problem))
        elif event.state == "retried":
            board.add(f.RETRIES, operation, place, problem_label(event.problem))
        if event.cost and event.state in _ENDS:
            board.add(f.CLOUD_SPENT, amount=event.cost)

    def _times(self, event: JobEvent, operation: str, place: str) -> None:
        if event.waited_ms is not None and event.state == "routed":
            self._board.observe(f.JOB_LINE, operation, place, value=event.waited_ms / 1000)
        elif event.waited_ms is not None and event.state in _ENDS:
            self._board.observe(f.JOB_QUEUE, operation, place, value=event.waited_ms / 1000)
        if event.ran_ms is not None:
            self._board.observe(f.JOB_RUN, operation, place, value=event.ran_ms / 1000)

    # -- VMs

    def _beat(self, beat: Heartbeat) -> None:
        board, vm = self._board, beat.vm
        board.add(f.HEARTBEATS, vm)
        board.set(f.VM_CPU, vm, value=beat.cpu_percent / 100)
        board.set(f.VM_RAM, vm, value=beat.ram_percent / 100)
        board.set(f.VM_SLOTS, vm, value=beat.slots)
        board.set(f.VM_RUNNING, vm, value=beat.running)
        board.set(f.VM_HELD, vm, value=len(beat.held))
        board.set(f.VM_OLDEST, vm, value=beat.oldest_running_s or 0.0)

    def _vms(self, seen: Iterable[VmSeen]) -> None:
        counts = dict.fromkeys(VM_STATES, 0)
        states: dict[Labels, float] = {}
        ages: dict[Labels, float] = {}
        for vm, state, age_s in seen:
            counts[state] += 1
            if len(states) < MOST_VMS:
                states[vm, state] = 1.0
                ages[vm,] = age_s
        self._board.keep(f.VMS, {(state,): count for state, count in counts.items()} if self._active else {})
        self._board.keep(f.VM_STATE, states)
        self._board.keep(f.HEARTBEAT_AGE, ages)

    # -- the router

    def _router(self, status: RouterStatus) -> None:
        board, now = self._board, status.at_ms / 1000
        self._active = status.active
        board.set(f.ROUTER_ACTIVE, value=status.active)
        board.set(f.WINDOW, value=status.queued)
        board.set(f.USERS_WAITING, value=len(status.users))
        for name in OPERATIONS:
            board.set(f.WAITING, name, value=status.active and name in status.waiting)
            board.set(f.PAUSED, name, value=status.active and name in status.paused)
        self._fairness.waiting((backlog.user for backlog in status.users), now)
        rates = self._fairness.rates(now)
        board.set(f.FAIRNESS, value=jain(rates.values()))
        board.set(f.CONTENDERS, value=len(rates))
        self._vms(self.fleet() if status.active else ())
        if not status.active:
            self.queues({})

    def queues(self, ready: Mapping[str, float]) -> None:
        """So many messages are ready in these queues."""
        self._board.keep(f.QUEUED, {(queue,): messages for queue, messages in ready.items()})

    # -- the cloud

    def _bridge(self, status: BridgeStatus) -> None:
        board, state = self._board, status.state if status.active else "standby"
        board.set(f.BRIDGE_ACTIVE, value=status.active)
        for each in CLOUD_STATES:
            board.set(f.CLOUD_STATE, each, value=each == state)
        board.set(f.CLOUD_IN_FLIGHT, value=status.in_flight)
        board.set(f.CLOUD_CAPACITY, value=status.capacity if status.active else 0)
        board.set(f.CLOUD_SPENT_DAY, value=status.spent_today if status.active else 0.0)
        board.set(f.CLOUD_RATE, value=status.sent_last_minute)
        # Without a cap there is no end, and what is spent is no part of it.
        board.set(f.CLOUD_BUDGET, value=inf if status.money_per_day is None else status.money_per_day)
        board.set(f.CLOUD_RATE_CAP, value=inf if status.jobs_per_minute is None else status.jobs_per_minute)
        now = (status.answered, status.gone, status.late)
        for outcome, new, old in zip(("delivered", "gone", "late"), now, self._answered, strict=True):
            board.add(f.CLOUD_ANSWERS, outcome, amount=max(0, new - old))
        self._answered = now
