"""Which time a recording is of. Pure."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Span:
    """From `since_ms` to `until_ms`, milliseconds since the epoch.

    From 0 on is all that there is; without an end it goes on until it is stopped.
    """

    since_ms: int
    until_ms: int | None
    from_now: bool
    """Whether nothing is asked of the past."""

    @classmethod
    def of(cls, now_ms: int, *, since_s: float | None, for_s: float | None, follow: bool) -> Self:
        """What was asked for, in seconds.

        A length is counted from the beginning, which may lie in the past. Without any of these it is all that there
        is, up to now. Raises ValueError for a length that is to have no end.
        """
        if for_s is not None and follow:
            raise ValueError("--for says when it ends, --follow that it does not: choose one.")
        from_now = since_s is None and (for_s is not None or follow)
        since_ms = now_ms - round(1000 * (since_s or 0)) if from_now or since_s is not None else 0
        if follow:
            return cls(since_ms, None, from_now)
        return cls(since_ms, now_ms if for_s is None else since_ms + round(1000 * for_s), from_now)

    def is_past(self, now_ms: int) -> bool:
        """Whether it has ended by then."""
        return self.until_ms is not None and self.until_ms <= now_ms
