"""Which events someone wants to see. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from pydantic_core import to_json

from bus.events import AnyEvent, JobEvent
from ui.tail.patterns import JOBS, QUIET, matcher

CHUNK_MS: Final = 5000
"""How much too early the reading of a stream may begin, and more."""


@dataclass(frozen=True)
class Choice:
    """Events by key, by user and by job; those of a user or a job are steps of jobs."""

    patterns: tuple[str, ...] = QUIET
    user: str | None = None
    job: str | None = None
    since_ms: int | None = None
    """From when on, milliseconds since the epoch; None is from now on."""

    @classmethod
    def of(cls, given: Sequence[str], user: str | None, job: str | None, since_ms: int | None) -> "Choice":
        """What was asked for; where no pattern was given, all that is not said once a second."""
        usual = QUIET if user is None and job is None else JOBS
        return cls(tuple(given) or usual, user, job, since_ms)

    def may_want(self, body: bytes) -> bool:
        """Whether an event with this body can be one of them; most are passed over without being read."""
        return all(mark in body for mark in self._marks)

    def wants_key(self, key: str) -> bool:
        """Whether the pattern of one matches."""
        return self._matches(key)

    def wants(self, event: AnyEvent) -> bool:
        """Whether this event is one of them, as far as its key does not tell.

        Events from well before `since_ms` are told by a clock that is slow: they are kept.
        """
        if self.since_ms is not None and self.since_ms - CHUNK_MS <= event.at_ms < self.since_ms:
            return False
        if self.user is None and self.job is None:
            return True
        return isinstance(event, JobEvent) and self.user in {None, event.user} and self.job in {None, event.job}

    @cached_property
    def _marks(self) -> list[bytes]:
        return [to_json(name) for name in (self.user, self.job) if name is not None]

    @cached_property
    def _matches(self) -> Callable[[str], bool]:
        return matcher(self.patterns)
