"""Which jobs one VM holds: what its heartbeats list, and what was sent that they can't list yet. Pure."""

from dataclasses import dataclass

from bus.events import Heartbeat

MOST_JOBS = 4096
"""Ids kept for one VM, so that no heartbeat can fill the router's memory; far over any VM's slots."""


@dataclass(frozen=True, slots=True)
class _Sent:
    at: float
    beats: int


class Ledger:
    """The jobs that take room on a VM.

    A job sent there counts until it is `finished`, or until the worker, once it had the job or surely would have, no
    longer lists it. Only a `ready` worker's silence about a job says that much: jobs wait in the VM's durable queue
    while its worker restarts, and are listed again once it consumes.

    Args:
        settle_beats: a job that was sent may be missing in this many beats of a ready worker before it counts as gone.
        settle_s: and for this many seconds.
        most: ids kept of each sort.
    """

    def __init__(self, settle_beats: int, settle_s: float, most: int = MOST_JOBS) -> None:
        self._settle_beats = settle_beats
        self._settle_s = settle_s
        self._most = most
        self._listed: set[str] = set()
        self._sent: dict[str, _Sent] = {}  # and not listed since
        # A beat may be older than the word that a job is finished: for a while that word outweighs the beat.
        self._finished: dict[str, int] = {}
        # Slots beyond the first of the big jobs: most take one, and of those nothing is kept.
        self._more: dict[str, int] = {}
        self._beats = 0
        self._ready_beats = 0

    @property
    def held(self) -> frozenset[str]:
        """Ids of all jobs that take room."""
        return frozenset(self._listed).union(self._sent) if self._sent else frozenset(self._listed)

    @property
    def held_slots(self) -> int:
        """Slots that they take together; one for each job known only from a beat."""
        held = len(self._listed) + len(self._sent)
        return held + sum(self._more.values()) if self._more else held

    @property
    def unlisted(self) -> int:
        """How many of them were sent since a beat last listed them: work that its figures know nothing of."""
        return len(self._sent)

    def sent(self, job: str, now: float, slots: int = 1) -> None:
        """A job that takes so many slots was put into the VM's queue."""
        self._finished.pop(job, None)
        self._listed.discard(job)
        self._more.pop(job, None)
        if slots > 1:
            self._more[job] = slots - 1
        self._remember_sent(job, now)

    def finished(self, job: str) -> None:
        """A job was answered, or taken back from the VM's queue."""
        self._listed.discard(job)
        self._sent.pop(job, None)
        self._more.pop(job, None)
        self._finished[job] = self._beats
        if len(self._finished) > self._most:
            del self._finished[next(iter(self._finished))]

    def beat(self, beat: Heartbeat, now: float, *, restarted: bool = False) -> None:
        """The VM was heard; `restarted` when this beat is the first of a new session."""
        if restarted:
            self._finished.clear()  # a finished job that is listed all the same was delivered again
        self._beats += 1
        self._ready_beats += beat.worker == "ready"
        if not (beat.held or self._listed or self._sent or self._finished or self._more):
            return  # an idle VM's beat, as most are
        named = set(beat.held[: self._most])
        self._outdate_finished(named)
        named.difference_update(self._finished)
        missing = self._listed - named
        self._listed = named
        for job in named:
            self._sent.pop(job, None)
        if restarted or beat.worker in {"starting", "absent"}:
            self._requeue(missing, now)
        elif beat.worker == "ready" and len(beat.held) < beat.slots + beat.look_ahead:
            # A full worker can't list what still lies in its queue; one with room has taken all there was.
            self._drop_settled(now)
        if self._more:
            self._more = {job: more for job, more in self._more.items() if job in self._listed or job in self._sent}

    def _outdate_finished(self, named: set[str]) -> None:
        since = self._beats - self._settle_beats
        self._finished = {job: beats for job, beats in self._finished.items() if job in named and beats >= since}

    def _requeue(self, missing: set[str], now: float) -> None:
        """The broker has put back into the VM's queue what its worker had not answered."""
        for job in sorted(missing.union(self._sent)):
            self._remember_sent(job, now)

    def _drop_settled(self, now: float) -> None:
        self._sent = {job: sent for job, sent in self._sent.items() if not self._is_settled(sent, now)}

    def _is_settled(self, sent: _Sent, now: float) -> bool:
        return now - sent.at > self._settle_s and self._ready_beats - sent.beats > self._settle_beats

    def _remember_sent(self, job: str, now: float) -> None:
        self._sent[job] = _Sent(now, self._ready_beats)
        if len(self._sent) > self._most:
            forgotten = next(iter(self._sent))
            del self._sent[forgotten]
            self._more.pop(forgotten, None)
