import asyncio

import pytest

from tests.ui.web.jobs.office import record
from ui.web.jobs.followers import MOST_WAITING, Followers
from ui.web.jobs.record import Change, Reset


def change(number: int | None, job_id: str, user: str = "anna") -> Change:
    return Change(number, user, job_id, record(job_id))


async def test_each_follower_gets_their_own_users_changes() -> None:
    followers = Followers()
    with followers.follow("anna") as all_of_it, followers.follow("anna", "two") as one, followers.follow("ben") as ben:
        followers.tell([change(1, "one"), change(2, "two"), change(3, "three", "ben")])
        assert [await anext(all_of_it), await anext(all_of_it)] == [change(1, "one"), change(2, "two")]
        assert await anext(one) == change(2, "two")
        assert await anext(ben) == change(3, "three", "ben")
    followers.tell([change(4, "one")])  # to nobody


async def test_who_waits_is_told_at_once() -> None:
    followers = Followers()
    with followers.follow("anna") as changes:
        waiting = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)
        followers.tell([change(1, "one")])
        assert await waiting == change(1, "one")


async def test_of_a_job_that_changes_quickly_a_slow_follower_gets_the_latest() -> None:
    followers = Followers()
    with followers.follow("anna") as changes:
        followers.tell([change(1, "one"), change(2, "two"), change(3, "one")])
        assert [await anext(changes), await anext(changes)] == [change(2, "two"), change(3, "one")]


async def test_a_follower_that_is_too_slow_begins_anew() -> None:
    followers = Followers()
    with followers.follow("anna") as changes:
        followers.tell(change(number, f"job{number}") for number in range(MOST_WAITING + 2))
        assert isinstance(await anext(changes), Reset)
        assert await anext(changes) == change(MOST_WAITING + 1, f"job{MOST_WAITING + 1}")


async def test_the_end_comes_after_what_waits() -> None:
    followers = Followers()
    with followers.follow("anna") as changes:
        followers.tell([change(1, "one")])
        followers.close()
        assert [told async for told in changes] == [change(1, "one")]
        with pytest.raises(StopAsyncIteration):
            await anext(changes)
