"""The slots of a worker: the processes that compute, which of them are idle, and what comes of each run."""

import asyncio
import itertools
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass, field

from bus.messages import Job
from bus.problems import Kind, Problem
from consumers.answers import Failed, Kept, Outcome, outcome_of, refusal
from consumers.cancels import CANCELLED
from consumers.compute import Child, ChildConfig, ChildDied, ChildTimedOut, Served
from consumers.settlement import Held, keep
from telemetry.logs import about, bound

log = logging.getLogger(__name__)

RESTART_DELAY_S = 1.0
"""Before a child that would not start is tried again."""


@dataclass(slots=True, eq=False)
class Run:
    """Jobs that run together in one process. `wanted` are those of `batch` that were not cancelled since."""

    child: Child
    batch: tuple[Held, ...]
    wanted: set[Held] = field(init=False)
    _ending: asyncio.TimerHandle | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.wanted = set(self.batch)
        began_s = time.monotonic()
        for held in self.batch:
            held.began_s = began_s

    def about(self) -> bound:
        """Gives the lines logged inside the job's id and trace, or the ids of all that run together."""
        if len(self.batch) == 1:
            return about(self.batch[0].job)
        return bound(job=" ".join(held.job.id for held in self.batch), trace=None)

    def drop(self, held: Held) -> None:
        """Do without the result of a job.

        A run that nobody wants any more is ended, but only once it has gone on for as long as its process would take
        to start again: most runs are over by then, and the slot is free sooner.
        """
        self.wanted.discard(held)
        if not self.wanted and self._ending is None:
            self._ending = asyncio.get_running_loop().call_later(self.child.start_s, self.child.interrupt)

    def over(self) -> None:
        """The run has ended, and its process is another's."""
        if self._ending is not None:
            self._ending.cancel()


class Slots:
    """The computing processes of one worker. All methods belong to the event loop's thread."""

    def __init__(self, config: ChildConfig, count: int, on_idle: Callable[[], object]) -> None:
        """`on_idle` is called whenever a process has nothing to do."""
        self.children = [Child(config) for _ in range(count)]
        self._max_bytes = config.max_bytes
        self._on_idle = on_idle
        self._idle: deque[Child] = deque()
        self._restarts: set[asyncio.Task[Served]] = set()
        self._stopped = False

    @property
    def idle(self) -> int:
        """How many processes have nothing to do."""
        return len(self._idle)

    async def load(self) -> Served:
        """Start every process, and try for as long as one won't; returns what they serve."""
        served = await asyncio.gather(*(self._start(child) for child in self.children))
        return served[0]

    def take(self) -> Child | None:
        """A process to run jobs in, no longer idle; None when all are busy."""
        while self._idle:
            child = self._idle.popleft()
            if child.is_alive:
                return child
            self._restart(child)  # it died with nothing to do: no job is to pay for that with an attempt
        return None

    def free(self, child: Child) -> None:
        """Its run is over: it is idle, or if it is gone, started again."""
        if child.is_alive:
            self._idle.append(child)
            self._on_idle()
        else:
            self._restart(child)

    def stop(self) -> None:
        """Start no process any more."""
        self._stopped = True
        for restart in self._restarts:
            restart.cancel()

    async def close(self) -> None:
        """End the processes; what still runs in them has failed."""
        await asyncio.gather(*(asyncio.to_thread(child.close) for child in self.children))

    def _restart(self, child: Child) -> None:
        if not self._stopped:
            # In a context of its own: what is logged of it is not about the job that found it gone.
            keep(asyncio.create_task(self._start(child), context=Context()), self._restarts)

    async def _start(self, child: Child) -> Served:
        for tries in itertools.count():
            try:
                served = await child.start()
            except (ChildDied, ChildTimedOut) as error:
                log.warning("a computing process did not start (%s); trying again", error)
                await asyncio.sleep(RESTART_DELAY_S * min(2**tries, 30))
            else:
                self.free(child)
                return served
        raise AssertionError("unreachable")

    async def compute(self, child: Child, jobs: Sequence[Job], vm: str, timeout_s: float) -> list[Outcome]:
        """What became of each job of a run. One that ends badly is an attempt of all of them."""
        operation, began_s = jobs[0].operation, time.monotonic()
        try:
            replies = await child.run(operation, jobs[0].params, [job.body for job in jobs], timeout_s)
            pairs = zip(jobs, replies, strict=True)
            return [outcome_of(job, reply.head, reply.body, self._max_bytes) for job, reply in pairs]
        except ChildTimedOut:
            detail = f"{operation} took more than {timeout_s:g} s on {vm}."
            problem = Problem.of(Kind.TIMED_OUT, detail, limit=timeout_s)
        except ChildDied as error:
            problem = Problem.of(Kind.TOO_MANY_ATTEMPTS, f"On {vm}, {error}.")
        except (KeyError, TypeError, ValueError) as error:
            child.kill()
            log.exception("the reply for job %s can't be read", jobs[0].id)
            detail = f"On {vm}, {operation} gave a reply that can't be read ({type(error).__name__})."
            problem = Problem.of(Kind.OPERATION_FAILED, detail)
        return [Failed(problem, since_ms(began_s))] * len(jobs)


def since_ms(began_s: float) -> int:
    """Milliseconds since a moment of the monotonic clock."""
    return round((time.monotonic() - began_s) * 1000)


def cancelled(held: Held) -> Kept:
    """The answer to a cancelled job; it tells how long the job ran by then, for a slot was taken all the same."""
    ran = {} if held.began_s is None else {"ran_ms": since_ms(held.began_s)}
    return refusal(held.job, CANCELLED)._replace(headers=ran)
