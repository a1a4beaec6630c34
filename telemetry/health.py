"""How well a VM does its work: the share of the jobs it earns, its first seconds, and whether its worker is stuck.

Pure: `now` is the listener's monotonic clock in seconds.
"""

import math
from dataclasses import dataclass

from bus.events import Heartbeat

SHARE_FLOOR = 0.1
SHARE_GAIN = 0.1
"""What one success gives back; a failure halves. Additive increase, multiplicative decrease (Chiu and Jain, 1989)."""
SLOW = 1.5
"""Times the fleet's typical from which slow answers cut the share."""
SLOWNESS_WEIGHT = 0.2
"""Of the latest answer in the moving average of slowness."""
SLOWEST = 10.0
"""Times typical that one answer can count as: a single freak says little."""
FAILURES = 3
"""Different jobs in a row, from which a VM is on probation: fewer may well be the jobs' own fault."""
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 60.0


@dataclass(slots=True)
class Health:
    """What is made of a VM's latest answers.

    Failures and slow answers cut its share. After three failures in a row it is on probation: it gets nothing for a
    while, then one job at a time, so that a machine that fails jobs fast, and is free again at once, can't swallow the
    fleet's. Each such job that fails doubles the while; the first success ends it. A failure that turns out to be its
    job's fault is taken back.
    """

    share: float = 1.0
    """Of its capacity that it may fill, over 0 to 1."""
    _trust: float = 1.0
    _slowness: float = 1.0
    _failures: int = 0  # in a row
    _trials: int = 0  # failed since the probation began
    _wait_until: float = -math.inf

    @property
    def on_probation(self) -> bool:
        """Whether it must succeed once before it gets more than one job at a time."""
        return self._failures >= FAILURES

    def judged(self, now: float, *, ok: bool, slowness: float | None = None) -> None:
        """A job ended there; `slowness` is its time against the fleet's typical for such a job, 1 is typical.

        Of one job's failures only the first is to be told.
        """
        if ok:
            self._succeeded()
        else:
            self._failed(now)
        if slowness is not None:
            self._slowness += SLOWNESS_WEIGHT * (min(slowness, SLOWEST) - self._slowness)
        self._weigh()

    def pardoned(self) -> None:
        """A failure told earlier was not its fault: it counts no more, and gives back what it took."""
        self._trust = min(1.0, 2 * self._trust)
        self._failures = max(0, self._failures - 1)
        self._trials = max(0, self._trials - 1) if self.on_probation else 0
        self._weigh()

    def capacity(self, full: int, ease: float, now: float) -> int:
        """Slots' worth of jobs that it may hold, of `full`; `ease` is the part that easing in allows, 0 to 1."""
        if self.on_probation:
            return 0 if now < self._wait_until else 1
        return max(1, math.ceil(full * ease * self.share - 1e-9))  # 1e-9: sums of tenths are a little off

    def _weigh(self) -> None:
        self.share = self._trust * min(1.0, SLOW / self._slowness) if self._slowness > SLOW else self._trust

    def _succeeded(self) -> None:
        self._trust = min(1.0, self._trust + SHARE_GAIN)
        self._failures = self._trials = 0

    def _failed(self, now: float) -> None:
        self._trust = max(SHARE_FLOOR, self._trust / 2)
        # Jobs sent before the probation fail in a bunch: that is one sign, not several.
        self._trials += self.on_probation and now >= self._wait_until
        self._failures += 1
        if self.on_probation:
            self._wait_until = now + min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0**self._trials)


@dataclass(slots=True)
class Progress:
    """Whether a worker gets on with its jobs, told from its agent's beats, which go on while it is stuck.

    Counted on the listener's clock from the first beat heard, so that nothing is held against a VM that was not seen.
    """

    done: int
    since: float
    """When a job was last seen to be finished."""
    idle_since: float | None = None
    """Since when it has held jobs and run none."""

    def heard(self, beat: Heartbeat, now: float, *, holds: bool) -> None:
        """Take in a beat; `holds` says whether the VM has jobs."""
        moved = beat.done != self.done
        if moved:
            self.done, self.since = beat.done, now
        idle = holds and beat.worker == "ready" and beat.running == 0
        if not idle:
            self.idle_since = None
        elif moved or self.idle_since is None:
            self.idle_since = now

    def stuck(self, beat: Heartbeat, now: float, after_s: float) -> str | None:
        """Why its worker counts as stuck: `after_s` seconds without an end that was due. None when it doesn't."""
        ran_s = beat.oldest_running_s or 0.0
        if ran_s > after_s and now - self.since > after_s:
            return f"its worker is stuck: one job has run for {ran_s:.0f} s and nothing was finished"
        if self.idle_since is not None and now - self.idle_since > after_s:
            return f"its worker is stuck: it has held jobs for {now - self.idle_since:.0f} s and runs none"
        return None


def ease(ready_for_s: float, ease_in_s: float) -> float:
    """The part of its capacity that a newcomer may fill: 0 to 1, growing evenly for `ease_in_s` seconds."""
    return min(1.0, ready_for_s / ease_in_s) if ease_in_s > 0 else 1.0
