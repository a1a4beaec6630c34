"""Whether the cloud is believed able: a circuit breaker (Nygard, Release It!, 2007) with a trial of one job. Pure.

*Closed*, all jobs may go. *Open*, none may, for a delay. Then it is *half-open*: one job goes as a trial. A success of
it closes the breaker, a failure opens it again for twice as long.

Verdicts come late: a lost job is known to be lost only when its answer is overdue. Nothing is sent while the breaker is
open, so a job sent before the middle of that time was sent before it opened: its verdict says nothing of the cloud of
now, neither for nor against. (The middle, since whoever tells when a job was sent may have read another clock.)
"""

import math
from collections import deque
from typing import Final, Literal

State = Literal["closed", "open", "half-open"]

REASON: Final = 300
"""Characters kept of a reason."""
_REMEMBERED: Final = 4096
"""Verdicts looked back on at the most; at a rate where that is less than the window, the latest say enough."""


class Breaker:
    """One cloud's breaker. All moments are seconds of one monotonic clock.

    It opens after `failures_to_open` failures without a success between them, or as soon as as many failures make up
    half of all verdicts; only those of the last `window_s` seconds count.

    Args:
        failures_to_open: The least failures that open it.
        window_s: How long a verdict counts, seconds.
        first_delay_s: How long it stays open at first, seconds; doubled at each failed trial.
        longest_delay_s: The longest it stays open, seconds.
        patience_s: A trial without a verdict counts as failed after this, seconds.
    """

    def __init__(
        self,
        failures_to_open: int = 5,
        window_s: float = 60.0,
        first_delay_s: float = 5.0,
        longest_delay_s: float = 300.0,
        *,
        patience_s: float = 1800.0,
    ) -> None:
        self._failures_to_open = failures_to_open
        self._window_s = window_s
        self._first_delay_s = first_delay_s
        self._longest_delay_s = longest_delay_s
        self._patience_s = patience_s
        self._verdicts: deque[tuple[float, bool]] = deque(maxlen=_REMEMBERED)
        self._delay_s = first_delay_s
        self._open_until: float | None = None
        self._trial: float | None = None
        self._news_from = -math.inf
        self.reason: str | None = None
        """Why it opened, by the latest failure that counted; None while closed."""

    def state(self, now: float) -> State:
        """`closed`, `open`, or `half-open`, also while the trial is out."""
        self._lose_patience(now)
        if self._open_until is None:
            return "closed"
        return "open" if now < self._open_until else "half-open"

    def may_send(self, now: float) -> bool:
        """Whether a job may go to the cloud: any while closed, one while half-open."""
        state = self.state(now)
        return state == "closed" or (state == "half-open" and self._trial is None)

    def sent(self, now: float) -> None:
        """A job goes to the cloud, as `may_send` allowed; told before its sending begins."""
        if self.state(now) == "half-open" and self._trial is None:
            self._trial = now

    def failed(self, reason: str, now: float, sent: float | None = None) -> None:
        """The cloud failed a job: did not take it, gave it up, or let its time pass.

        `sent` is when the job was sent; None when the failure is of this moment, and of no job.
        """
        state = self.state(now)
        if state == "open" or self._is_late(sent):
            return
        if state == "half-open":
            self._open(reason, now, min(2 * self._delay_s, self._longest_delay_s))
            return
        self._verdicts.append((now, False))
        if self._fails(now):
            self._open(reason, now, self._first_delay_s)

    def succeeded(self, now: float, sent: float | None = None) -> None:
        """The cloud answered a job, be it with a problem; `sent` as for `failed`."""
        state = self.state(now)
        if state == "open" or self._is_late(sent):
            return
        if state == "closed":
            self._verdicts.append((now, True))
            return
        self._open_until = self._trial = self.reason = None

    def undecided(self, now: float, sent: float | None = None) -> None:
        """A job ended without telling anything of the cloud: cancelled, say. If it was the trial, another may go."""
        if self.state(now) == "half-open" and not self._is_late(sent):
            self._trial = None

    def _is_late(self, sent: float | None) -> bool:
        return sent is not None and sent < self._news_from

    def _fails(self, now: float) -> bool:
        while self._verdicts[0][0] < now - self._window_s:
            self._verdicts.popleft()
        good = [verdict for _, verdict in self._verdicts]
        failures = good.count(False)
        if failures < self._failures_to_open:
            return False
        return 2 * failures >= len(good) or not any(good[-self._failures_to_open :])

    def _open(self, reason: str, now: float, delay_s: float) -> None:
        self._delay_s = delay_s
        self._open_until = now + delay_s
        self._news_from = now + delay_s / 2
        self._trial = None
        self._verdicts.clear()
        self.reason = reason[:REASON]

    def _lose_patience(self, now: float) -> None:
        # Reckoned from when patience ended, so that it does not matter when somebody asks.
        if self._trial is not None and now >= self._trial + self._patience_s:
            delay_s = min(2 * self._delay_s, self._longest_delay_s)
            self._open(f"no answer to a trial in {self._patience_s:g} s", self._trial + self._patience_s, delay_s)
