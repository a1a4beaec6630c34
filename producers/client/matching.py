"""Which answer belongs to which job. Pure.

Answers may come twice (a crash on the way means a repeat, never a loss) or for jobs nobody waits for any more.
"""

from collections import OrderedDict
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

T = TypeVar("T")


class Matcher(Generic[T]):
    """Who waits for the answer to a job, by the job's id.

    A waiter is held weakly: one whose caller has let go of it waits no more. The last `remembered` answered ids are
    kept, to tell an answer that came again from one that was never asked for.
    """

    def __init__(self, remembered: int = 10_000) -> None:
        self.duplicates = 0
        """Answers that came again, and were ignored."""
        self.strangers = 0
        """Answers to jobs that nobody here waits for, ignored too."""
        self._remembered = remembered
        self._waiting: WeakValueDictionary[str, T] = WeakValueDictionary()
        self._answered: OrderedDict[str, None] = OrderedDict()

    def expect(self, job_id: str, waiter: T) -> None:
        """Let `waiter` have the next answer to this job."""
        self._answered.pop(job_id, None)
        self._waiting[job_id] = waiter

    def waiting(self, job_id: str) -> T | None:
        """Who waits for the answer to this job, if anyone."""
        return self._waiting.get(job_id)

    def everyone(self) -> list[T]:
        """All who wait."""
        return list(self._waiting.values())

    def answered(self, job_id: str) -> T | None:
        """The waiter that an answer to this job is for, once; None for an answer to ignore, which is counted."""
        waiter = self._waiting.pop(job_id, None)
        if waiter is None:
            if job_id in self._answered:
                self.duplicates += 1
            else:
                self.strangers += 1
            return None
        self._answered[job_id] = None
        if len(self._answered) > self._remembered:
            self._answered.popitem(last=False)
        return waiter
