"""Which jobs are cancelled: what a VM has heard, for those that come to it only afterwards. Pure."""

from collections import OrderedDict
from typing import Final

from bus.control import Cancel
from bus.messages import Job
from bus.problems import Kind, Problem

MOST: Final = 10_000
"""Cancels remembered at a time; the oldest go first."""
KEPT_MS: Final = 20 * 60_000
CANCELLED: Final = Problem.of(Kind.CANCELLED, "The caller, or an operator, cancelled the job.")


class Cancels:
    """The cancels that were heard lately, by this machine's clock."""

    def __init__(self) -> None:
        self._heard: OrderedDict[tuple[str, str], int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._heard)

    def remember(self, cancel: Cancel, now_ms: int) -> None:
        """Have the job cancelled should it come, or come again, in the next 20 minutes."""
        self._heard.pop((cancel.user, cancel.job), None)
        self._heard[(cancel.user, cancel.job)] = now_ms
        while len(self._heard) > MOST or next(iter(self._heard.values())) < now_ms - KEPT_MS:
            self._heard.popitem(last=False)

    def cover(self, job: Job, now_ms: int) -> bool:
        """Whether a job that comes now is cancelled.

        One that a router received only after the cancel was heard is another job, whose caller uses the id again.
        """
        heard_ms = self._heard.get((job.user, job.id))
        return heard_ms is not None and heard_ms >= now_ms - KEPT_MS and (job.received_ms or 0) <= heard_ms
