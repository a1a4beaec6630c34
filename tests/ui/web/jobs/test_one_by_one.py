import asyncio

import pytest

from ui.web.jobs.one_by_one import OneByOne


class Shop:
    """Customers, and the order in which they were served."""

    def __init__(self) -> None:
        self.line = OneByOne()
        self.served: list[str] = []
        self._inside = 0

    async def _visit(self, user: str, what: str) -> None:
        async with self.line.turn(user):
            self._inside += 1
            assert self._inside == 1
            await asyncio.sleep(0)
            self.served.append(what)
            self._inside -= 1

    async def come(self, user: str, what: str) -> "asyncio.Task[None]":
        """Begin a visit; it is in line when this returns."""
        visit = asyncio.create_task(self._visit(user, what))
        await asyncio.sleep(0)
        return visit


@pytest.fixture
def shop() -> Shop:
    return Shop()


async def test_one_who_asks_for_much_delays_others_by_one(shop: Shop) -> None:
    async with shop.line.turn("eve"):
        visits = [await shop.come("eve", f"eve {n}") for n in range(3)]
        visits += [await shop.come("anna", f"anna {n}") for n in range(2)]
    await asyncio.gather(*visits)
    assert shop.served == ["eve 0", "anna 0", "eve 1", "anna 1", "eve 2"]
    await (await shop.come("eve", "again"))
    assert shop.served[-1] == "again"


async def test_who_gives_up_is_passed_over(shop: Shop) -> None:
    async with shop.line.turn("eve"):
        gone, stays = await shop.come("anna", "gone"), await shop.come("anna", "stays")
        gone.cancel()
        await asyncio.wait({gone})
    await stays
    assert shop.served == ["stays"]
    assert len(shop.line) == 0


async def test_who_gives_up_when_called_passes_it_on(shop: Shop) -> None:
    async with shop.line.turn("eve"):
        gone, stays = await shop.come("anna", "gone"), await shop.come("bob", "stays")
    gone.cancel()
    await asyncio.wait({gone, stays})
    assert gone.cancelled()
    assert shop.served == ["stays"]


async def test_a_fault_inside_ends_the_turn(shop: Shop) -> None:
    with pytest.raises(ZeroDivisionError):
        async with shop.line.turn("eve"):
            raise ZeroDivisionError
    await (await shop.come("anna", "next"))
    assert shop.served == ["next"]


async def test_closing_sends_away_who_waits(shop: Shop) -> None:
    async with shop.line.turn("eve"):
        waits = await shop.come("anna", "never")
        shop.line.close()
        await asyncio.wait({waits})
    assert waits.cancelled()
    assert shop.served == []
