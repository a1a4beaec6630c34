"""The live view as the routes are given it, on a real broker."""

import gzip
import json
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from bus.control import Drain
from bus.rabbit import Bus
from bus.settings import Settings
from bus.topology import shared
from tests.bus.rabbit.foreign import eventually
from ui.web.live.live import Live
from ui.web.live.sample import History, Sample

pytestmark = pytest.mark.broker


@pytest.fixture
async def live(amqp_url: str) -> AsyncIterator[Live]:
    async with Bus(amqp_url, name="page", topology=shared()) as bus:
        live = Live(Settings(), bus)
        await live.start()
        yield live
        await live.close()


async def test_what_was_told_last_is_there_at_once(live: Live) -> None:
    first = live.latest()
    assert isinstance(first, Sample)
    await eventually(lambda: live.latest().second_ms > first.second_ms)


async def test_a_stream_begins_with_the_state_and_ends_with_the_page(live: Live) -> None:
    async with aclosing(live.subscribe()) as viewer:
        assert (await anext(viewer)).startswith(b"event: state\ndata: {")
        assert (await anext(viewer)).startswith(b"event: sample\ndata: {")
        await live.close()
        assert [told async for told in viewer] == []


async def test_the_history_is_made_once_however_many_ask(live: Live) -> None:
    def rows() -> int:
        return live.latest().second_ms

    second = rows()
    await eventually(lambda: rows() > second)
    first, again = await live.history(), await live.history()
    assert first is again
    history = History.model_validate(json.loads(gzip.decompress(first)))
    assert "done" in history.total


async def test_orders_and_letters_go_over_the_same_bus(live: Live) -> None:
    assert await live.orders.give(Drain(vm="vm1"), within_s=0.1) is None
    assert (await live.letters.list()).letters == ()
