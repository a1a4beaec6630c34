"""How many jobs and bytes a user may have here, and all users together. Pure."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from bus.errors import BadInput
from bus.problems import Kind, Problem
from ui.web.jobs.record import JOB_BYTES, Counts

_MIB: Final = 1 << 20
_JOBS_AGAIN_S: Final = 5.0
_DISK_AGAIN_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Most:
    """The bounds: jobs under way of a user, bytes of a user, bytes of all."""

    user_jobs: int
    user_bytes: int
    all_bytes: int


class Allowances:
    """What is taken of them, counted as it comes and goes."""

    def __init__(self, most: Most) -> None:
        self._most = most
        self._jobs: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()

    def counts(self, user: str) -> Counts:
        """What a user has."""
        return Counts(self._jobs[user], self._bytes[user])

    def check(self, user: str) -> None:
        """Raises BadInput when the user may have no further job now, or there is no disk left for one."""
        if self._jobs[user] >= self._most.user_jobs:
            detail = f"{self._jobs[user]:,} jobs are under way; a user may have {self._most.user_jobs:,} at a time."
            remedy = "Wait until some have ended, or cancel them; the operator may raise OVERSPILL_PAGE_USER_JOBS."
            more = {"limit": self._most.user_jobs, "remedy": remedy, "retry_after_s": _JOBS_AGAIN_S}
            raise BadInput(Problem.of(Kind.TOO_MANY_JOBS, detail, **more))
        self._check_bytes(user, JOB_BYTES)

    def begin(self, user: str) -> None:
        """Count a job, without its picture. Raises BadInput as `check` does."""
        self.check(user)
        self.count(user, jobs=1, size=JOB_BYTES)

    def undo(self, user: str) -> None:
        """Of a job that was begun, nothing is kept."""
        self.count(user, jobs=-1, size=-JOB_BYTES)

    def end(self, user: str) -> None:
        """A job is under way no more; it is still kept."""
        self.count(user, jobs=-1)

    def take(self, user: str, size: int) -> None:
        """Count bytes that a user wants to have kept. Raises BadInput when they are too many."""
        self._check_bytes(user, size)
        self.count(user, size=size)

    def count(self, user: str, *, jobs: int = 0, size: int = 0) -> None:
        """Count what is here whatever the bounds: results, and what was kept before a restart."""
        self._jobs[user] += jobs
        self._bytes[user] += size
        for counter in (self._jobs, self._bytes):
            if not counter[user]:
                del counter[user]

    def _check_bytes(self, user: str, size: int) -> None:
        if self._bytes[user] + size > self._most.user_bytes:
            detail = f"A user's pictures may take {self._most.user_bytes // _MIB:,} MiB."
            more = {"limit": self._most.user_bytes, "retry_after_s": _DISK_AGAIN_S}
            raise BadInput(Problem.of(Kind.TOO_MUCH_KEPT, detail, **more))
        if self._bytes.total() + size > self._most.all_bytes:
            raise BadInput(no_room("All pictures together take as much disk as they may."))


def no_room(detail: str) -> Problem:
    """The problem of a disk that is full, or counts as full."""
    remedy = "Try again in a minute; the operator may free some disk, or raise OVERSPILL_PAGE_DISK_MIB."
    return Problem.of(Kind.NOT_READY, detail, remedy=remedy, retry_after_s=_DISK_AGAIN_S)
