"""Which queues to take jobs out of because nobody serves them: lost VMs', parked operations', the cloud's. Pure."""

from collections.abc import Iterator

from bus.topology import OVERFLOW, parked_queue, vm_queue
from producers.commands import Collect
from telemetry.fleet import Fleet


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

    def plan(self, fleet: Fleet, paused: frozenset[str], *, overflow: bool) -> Iterator[Collect]:
        """What to begin and to end now; `overflow` when no bridge takes jobs for the cloud."""
        seen = (fleet.stranded, fleet.served, paused, overflow)
        if seen == self._seen:
            return
        self._seen = seen
        served = fleet.served - paused
        wanted = {vm_queue(name) for name in fleet.stranded} | {parked_queue(name) for name in served}
        if overflow:
            wanted.add(OVERFLOW)
        before, self._collected = self._collected, frozenset(wanted)
        yield from map(Collect, sorted(wanted - before))
        yield from (Collect(queue, stop=True) for queue in sorted(before - wanted))
