"""What bridges told they had spent, read out of the history."""

import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bridge.budget import Budget
from bridge.spending import last_word, restore
from bus.errors import BusError, Disconnected
from bus.events import BridgeStatus, event_message
from bus.messages import Message
from bus.prices import Prices
from bus.rabbit import Bus
from bus.topology import DEFAULT_EXCHANGE, EVENTS_HISTORY, Topology, shared
from tests.bridge.test_tickets import ticket

TOPOLOGY = Topology(queues=tuple(queue for queue in shared().queues if queue.name == EVENTS_HISTORY))


def status(bridge: str, spent: float, *, hour: int = 500000, at_ms: int = 1, **told: Any) -> Message:
    given = {"active": True, "spent_today": spent, "spent_by_hour": {str(hour): spent}, **told}
    return event_message(BridgeStatus(bridge=bridge, state="ready", at_ms=at_ms, **given), EVENTS_HISTORY)


@asynccontextmanager
async def history(amqp_url: str, *told: Message) -> AsyncIterator[Bus]:
    """A bus on which this was told."""
    async with Bus(amqp_url, name="test", topology=TOPOLOGY) as bus:
        for message in told:
            await bus.publish(DEFAULT_EXCHANGE, message)
        yield bus


@pytest.mark.broker
async def test_the_last_word_of_an_active_bridge_counts_whatever_its_name(amqp_url: str) -> None:
    words = [status("b1", 1.0), status("b2", 2.0), status("b4", 4.0), status("b5", 5.0, active=False)]
    async with history(amqp_url, *words, Message(b'{"kind":"bridge"?', EVENTS_HISTORY)) as bus:
        told = await last_word(bus, _now_ms(), us="b4", whole_day=False)
        assert told is not None
        assert (told.bridge, told.spent_by_hour) == ("b4", {"500000": 4.0})


@pytest.mark.broker
async def test_our_own_word_since_we_began_is_no_predecessors(amqp_url: str) -> None:
    began_ms = _now_ms()
    words = [status("b1", 1.0, at_ms=began_ms + 9), status("us", 2.0, at_ms=began_ms - 1)]
    async with history(amqp_url, *words, status("us", 0.0, at_ms=began_ms)) as bus:
        told = await last_word(bus, began_ms, us="us", whole_day=False)
        assert told is not None
        assert (told.at_ms, told.spent_by_hour) == (began_ms - 1, {"500000": 2.0})


@pytest.mark.broker
async def test_what_a_bridge_without_a_cap_has_forgotten_still_counts_for_one_with_a_cap(amqp_url: str) -> None:
    first = [status("b1", 4.0), status("b1", 3.0)]  # a price set right is not what it was before
    words = [*first, status("b2", 0.5), status("b2", 0.25, hour=500001)]
    async with history(amqp_url, *words) as bus:
        told = await last_word(bus, _now_ms(), us="us", whole_day=True)
        assert told is not None
        assert (told.bridge, told.spent_by_hour) == ("b2", {"500000": 3.0, "500001": 0.25})


def test_what_was_sent_after_the_last_word_is_counted_too() -> None:
    wall_s = 1_800_000_000.0
    word = BridgeStatus(
        bridge="b1", state="ready", at_ms=int(wall_s - 10) * 1000, sent_last_minute=7, spent_by_hour={"500000": 2.0}
    )

    def counted(told: BridgeStatus | None, *sent_s_ago: float, already: int = 0) -> tuple[int, float]:
        budget = Budget(Prices(0.0, 0.0, 0.0))
        for _ in range(already):
            budget.sent(0.0, 100.0, wall_s)
        tickets = [ticket().model_copy(update={"sent_ms": int((wall_s - ago) * 1000)}) for ago in sent_s_ago]
        restore(budget, told, tickets, 100.0, wall_s)
        return budget.sent_last_minute(100.0), round(budget.spent_today(wall_s), 6)

    assert counted(None) == (0, 0.0)
    assert counted(word) == (7, 2.0)
    assert counted(word, already=5) == (7, 2.0)  # some of those were its own
    assert counted(word, 11.0, 9.0) == (8, 2.001)
    assert counted(None, 11.0, 90_000.0) == (1, 0.001)
    assert counted(word.model_copy(update={"at_ms": int(wall_s - 60) * 1000})) == (0, 2.0)


@pytest.mark.broker
async def test_an_empty_history_tells_nothing(amqp_url: str) -> None:
    async with Bus(amqp_url, name="test", topology=TOPOLOGY) as bus:
        assert await last_word(bus, _now_ms(), us="us", whole_day=False) is None


@pytest.mark.broker
async def test_a_history_that_can_not_be_read_is_no_empty_one(amqp_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bus = Bus(amqp_url, name="test", topology=TOPOLOGY)
    with pytest.raises(Disconnected):
        await last_word(bus, _now_ms(), us="us", whole_day=True)

    async def silent(*_args: object) -> AsyncGenerator[Message, None]:
        raise TimeoutError("it does not answer")
        yield

    monkeypatch.setattr(bus, "replay", silent)
    with pytest.raises(BusError, match="does not answer"):
        await last_word(bus, _now_ms(), us="us", whole_day=True)


def _now_ms() -> int:
    return int(time.time() * 1000)
