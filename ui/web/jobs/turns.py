"""Whose job is sent next: users take turns, and each user's jobs go in the order they came. Pure."""

from collections import OrderedDict, deque


class Turns:
    """Jobs that wait to be sent, by user."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[str]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def add(self, user: str, job_id: str, *, first: bool = False) -> None:
        """Put a job behind its user's others, or (`first`) before them: one that was sent in vain."""
        theirs = self._waiting.setdefault(user, deque())
        if first:
            theirs.appendleft(job_id)
        else:
            theirs.append(job_id)

    def next(self) -> str | None:
        """The job whose turn it is; its user's next turn comes after everybody else's. None when nothing waits."""
        if not self._waiting:
            return None
        user, theirs = self._waiting.popitem(last=False)
        job_id = theirs.popleft()
        if theirs:
            self._waiting[user] = theirs
        return job_id
