"""Which waiting jobs run together: those that may share one run, and how many. Pure.

A free process takes what is waiting now, and nobody waits for company.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from bus.messages import Job

MOST: Final = 8
"""Jobs in a batch at most: beyond it memory grows and the gain doesn't."""


@dataclass(frozen=True, slots=True)
class Batching:
    """What may run together.

    `operations` are those for which a batch was measured to be faster than its jobs one by one. `most_bytes` bounds
    the pictures of a batch together: a process gets no more to swallow than one job may bring.
    """

    operations: Collection[str]
    most_bytes: int
    most_attempts: int

    def choose(self, waiting: Sequence[Job], free: int) -> list[int]:
        """The places of the jobs to run next in one process, the first in line always among them.

        `free` is how many processes have nothing to do, at least 1; the waiting jobs are shared out among them.
        """
        first, wish = waiting[0], _wish(waiting[0])
        most = min(MOST, -(-len(waiting) // free)) if self._shares(first) else 1
        chosen, size = [0], len(first.body)
        for place, job in enumerate(waiting[1:], 1):
            fits = len(chosen) < most and size + len(job.body) <= self.most_bytes
            if fits and _wish(job) == wish and self._shares(job):
                chosen.append(place)
                size += len(job.body)
        return chosen

    def _shares(self, job: Job) -> bool:
        """Whether a job may run in company.

        When a run ends badly, nobody knows which of its jobs was to blame, and each is counted an attempt. So a job
        gets company once only, and never for its last attempt: the poison one is found out alone.
        """
        return job.operation in self.operations and job.attempt <= 1 < self.most_attempts


def _wish(job: Job) -> str:
    """What is asked for. As text, since in Python `True == 1`, and the two may be answered differently."""
    return json.dumps([job.operation, job.params], sort_keys=True, default=str)
