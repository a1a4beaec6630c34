"""Which queues to take jobs out of because nobody serves them: lost VMs', parked operations', the cloud's. Pure."""

from collections.abc import Iterable, Iterator

from bus.messages import Job
from bus.topology import JOBS_LANES, OVERFLOW, parked_queue, vm_queue
from producers.commands import Arrival, Collect, Forward, Held, Moment
from producers.placement import Wish

SWEEP_S = 10.0
"""How long jobs that were parked are taken out of their queue once the cloud serves their operation."""


class Sweep:
    """When parked jobs are looked through for those that the cloud may take.

    For a while only, from when it begins to serve their operation: jobs that must stay are parked again, and would go
    round for as long as it serves it.
    """

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def now(self, served: Iterable[str], now: float) -> frozenset[str]:
        """The operations to look through now, of those that the cloud serves."""
        self._since = {name: self._since.get(name, now) for name in served}
        return frozenset(name for name, since in self._since.items() if now - since < SWEEP_S)


class Stranded:
    """What is being collected."""

    def __init__(self) -> None:
        self._collected: frozenset[str] = frozenset()
        self._seen: object = None

    def collects(self, queue: str) -> bool:
        """Whether this queue is being collected."""
        return queue in self._collected

    def missing(self, queue: str) -> None:
        """A queue to be collected was not there, or did not answer: it is asked for again."""
        self._collected -= {queue}
        self._seen = None

    def plan(self, vms: frozenset[str], served: frozenset[str], *, overflow: bool) -> Iterator[Collect]:
        """What to begin and to end now.

        `vms` are those whose queues nobody serves, `served` the operations that need wait parked no more; `overflow`
        says that no bridge takes jobs for the cloud.
        """
        seen = (vms, served, overflow)
        if seen == self._seen:
            return
        self._seen = seen
        wanted = {vm_queue(name) for name in vms} | {parked_queue(name) for name in served}
        if overflow:
            wanted.add(OVERFLOW)
        before, self._collected = self._collected, frozenset(wanted)
        yield from map(Collect, sorted(wanted - before))
        yield from (Collect(queue, stop=True) for queue in sorted(before - wanted))


def home(of: Arrival | Held, job: Job, now: Moment) -> Forward:
    """The job goes back to its lane, where it comes in its user's turn."""
    held = Held(of.ticket, of.queue, job, Wish(job.operation), 0.0, now.mono_s, sent_ms=of.sent_ms)
    return Forward(held, job.operation, None, JOBS_LANES)


def sent_again(held: Held, now: Moment) -> Forward:
    """To the end of its lane: the broker lets nobody hold a message for long, and counts how often it is given back."""
    return home(held, held.job.model_copy(update={"attempt": held.job.attempt - 1}), now)
