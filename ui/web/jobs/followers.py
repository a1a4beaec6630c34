"""Who follows jobs: each follower has a short line of changes of its own, and never holds up anybody else."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable
from types import TracebackType
from typing import Final, Self

from ui.web.jobs.record import Change, Reset

MOST_WAITING: Final = 256
"""Jobs with changes that a slow follower has not taken yet."""


class Subscription:
    """One follower's changes. Of a job that changes faster than they are read only the latest change is given."""

    def __init__(self, followers: "Followers", user: str, job_id: str | None) -> None:
        self.user = user
        self.job_id = job_id
        self._followers = followers
        self._waiting: OrderedDict[str, Change] = OrderedDict()
        self._lost = False
        self._closed = False
        self._news = asyncio.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def __aiter__(self) -> AsyncIterator[Change | Reset]:
        return self

    async def __anext__(self) -> Change | Reset:
        while not (self._lost or self._waiting):
            if self._closed:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        if self._lost:
            self._lost = False
            return Reset()
        return self._waiting.popitem(last=False)[1]

    def close(self) -> None:
        """Follow no more; who waits for a change is told the end, after what waits already."""
        self._closed = True
        self._followers.forget(self)
        self._news.set()

    def tell(self, change: Change) -> None:
        """Put a change into the line."""
        if self.job_id not in {None, change.job_id}:
            return
        # A later one takes its place at the end, so that the numbers of changes only rise.
        self._waiting.pop(change.job_id, None)
        self._waiting[change.job_id] = change
        if len(self._waiting) > MOST_WAITING:
            self._waiting.clear()
            self._lost = True
        self._news.set()


class Followers:
    """All subscriptions, by user."""

    def __init__(self) -> None:
        self._of: dict[str, set[Subscription]] = {}

    def follow(self, user: str, job_id: str | None = None) -> Subscription:
        """A new subscription."""
        subscription = Subscription(self, user, job_id)
        self._of.setdefault(user, set()).add(subscription)
        return subscription

    def forget(self, subscription: Subscription) -> None:
        """Tell it nothing more."""
        theirs = self._of.get(subscription.user, set())
        theirs.discard(subscription)
        if not theirs:
            self._of.pop(subscription.user, None)

    def tell(self, changes: Iterable[Change]) -> None:
        """Pass changes on to whoever follows them."""
        for change in changes:
            for subscription in self._of.get(change.user, ()):
                subscription.tell(change)

    def close(self) -> None:
        """End every subscription."""
        for subscription in [each for theirs in self._of.values() for each in theirs]:
            subscription.close()
