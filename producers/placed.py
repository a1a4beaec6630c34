"""Where jobs were placed lately, so that a repeat goes to where its first run is, and a retry elsewhere. Pure."""

import itertools
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b

from bus.messages import Job
from bus.topology import OPERATIONS

REMEMBERED = 20_000

_Key = tuple[str, str, str]


@dataclass(slots=True)
class _Run:
    vm: str
    look: tuple[int, bytes, int] | None
    """Size and end of the picture, and the times it was replayed; None when only an event told of the job."""
    ended: bool = False


class Placed:
    """The latest placements by user, job id and operation.

    A caller's ids may repeat with another picture: what looks different is no repeat. The worker makes sure. Neither is
    a job that an operator sent again: where it died nobody keeps an answer to it.
    """

    def __init__(self, session: str) -> None:
        """`session` is new with each start of a router, and makes the ids of placements unique."""
        self._session = session
        self._numbers = itertools.count()
        self._runs: OrderedDict[_Key, _Run] = OrderedDict()
        self._begun: OrderedDict[str, None] = OrderedDict()

    def next_id(self, job: Job) -> str:
        """A placement's id. It begins with the job's mark, so that heartbeats tell any router which jobs a VM holds."""
        return f"{mark(job)}-{self._session}-{next(self._numbers)}"

    def placed(self, job: Job, vm: str) -> None:
        """The job goes to `vm`."""
        self._remember(_key(job), _Run(vm, _look(job)))

    def told(self, user: str, job: str, operation: str, vm: str, *, ended: bool) -> None:
        """An event says that a VM runs, or has ended, a job, whoever placed it."""
        run = self._runs.get((user, job, operation))
        if run is None or run.vm != vm:
            run = _Run(vm, None)
            self._remember((user, job, operation), run)
        run.ended = run.ended or ended

    def began(self, placement: str) -> None:
        """A VM has begun to run a placement."""
        self._begun[placement] = None
        if len(self._begun) > REMEMBERED:
            self._begun.popitem(last=False)

    def has_begun(self, placement: str) -> bool:
        """Whether a placement was seen to run."""
        return placement in self._begun

    def home(self, job: Job, *, redelivered: bool) -> str | None:
        """The VM that ran, or runs, this very job, as far as is known."""
        run = self._runs.get(_key(job))
        if run is None:
            return None
        same = redelivered and not job.replays if run.look is None else run.look == _look(job)
        return run.vm if same else None

    def ended(self, user: str, job: str) -> frozenset[str]:
        """The operations in which a job of this id was seen to end."""
        runs = ((operation, self._runs.get((user, job, operation))) for operation in OPERATIONS)
        return frozenset(operation for operation, run in runs if run is not None and run.ended)

    def _remember(self, key: _Key, run: _Run) -> None:
        self._runs[key] = run
        self._runs.move_to_end(key)
        if len(self._runs) > REMEMBERED:
            self._runs.popitem(last=False)


def mark(job: Job) -> str:
    """What the placements of one job have in common, in any router: 16 hexadecimal digits."""
    return blake2b("\0".join(_key(job)).encode(errors="replace"), digest_size=8).hexdigest()


def _key(job: Job) -> _Key:
    return (job.user, job.id, job.operation)


def _look(job: Job) -> tuple[int, bytes, int]:
    return (len(job.body), job.body[-64:], job.replays)
