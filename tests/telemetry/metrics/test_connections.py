"""What a connection tells of itself, on a real broker: `bus.rabbit.observing` and what is made of it."""

import asyncio
from collections.abc import Iterator

import pytest
from prometheus_client import generate_latest

from bus.events import JobEvent, event_message
from bus.rabbit import Bus
from bus.rabbit.observing import OBSERVED, Observer
from bus.replies import bury
from bus.topology import EVENTS, shared
from telemetry.metrics.board import Board
from telemetry.metrics.connections import Connections
from tests.telemetry.metrics.pages import values

pytestmark = pytest.mark.broker
STEP = event_message(JobEvent(state="done", job="a", operation="sketch", at_ms=0), "job.done.sketch")


@pytest.fixture
def board() -> Iterator[Board]:
    board = Board("router")
    OBSERVED.by = Connections(board)
    yield board
    OBSERVED.by = Observer()


def told(board: Board) -> dict[str, float]:
    page = values(generate_latest(board.registry).decode())
    return {
        name.removeprefix("overspill_"): value
        for name, value in page.items()
        if name.startswith(("overspill_bus", "overspill_dead_buried")) and "_bucket" not in name and "_sum" not in name
    }


async def test_a_connection_tells_its_life_its_confirms_and_what_it_buried(board: Board, amqp_url: str) -> None:
    async with Bus(amqp_url, name="test", topology=shared()) as bus:
        await bus.publish(EVENTS, STEP)
        await bury(bus, STEP, "a fault of ours")
        working = {"bus_connected": 1, "bus_connects_total": 1, "bus_disconnects_total": 0, "bus_blocked": 0}
        counted = {"bus_confirm_seconds_count": 2, "bus_refused_total": 0, "dead_buried_total": 1}
        assert told(board) == working | counted
    assert told(board) == working | counted | {"bus_connected": 0}


async def test_one_that_is_lost_is_counted_and_blocked_no_longer(board: Board, amqp_url: str) -> None:
    bus = Bus(amqp_url, name="test", topology=shared())
    await bus.start(20)
    assert bus._session is not None
    bus._session._block(now=True)
    assert bus.blocked
    assert told(board)["bus_blocked"] == 1
    again = asyncio.Event()
    bus.on_connect = again.set
    bus._session.end(OSError("the line is cut"))
    await again.wait()
    await bus.close()
    assert {name: value for name, value in told(board).items() if value} == {
        "bus_connects_total": 2,
        "bus_disconnects_total": 1,
    }


async def test_while_any_connection_is_blocked_that_is_told(board: Board, amqp_url: str) -> None:
    async with Bus(amqp_url, name="one", topology=shared()) as one:
        async with Bus(amqp_url, name="other", topology=shared()) as other:
            for bus in (one, other, other):  # a broker may say it twice
                assert bus._session is not None
                bus._session._block(now=True)
            ended = other._session
        assert told(board)["bus_blocked"] == 1
        assert ended is not None
        ended._block(now=True)  # too late
        assert one._session is not None
        one._session._block(now=False)
        assert told(board)["bus_blocked"] == 0


def test_a_refused_message_is_counted(board: Board) -> None:
    OBSERVED.by.confirmed(0.5, taken=False)
    assert told(board)["bus_refused_total"] == told(board)["bus_confirm_seconds_count"] == 1


async def test_nobody_need_listen(amqp_url: str) -> None:
    assert type(OBSERVED.by) is Observer
    async with Bus(amqp_url, name="test", topology=shared()) as bus:
        await bury(bus, STEP, "a fault of ours")
        OBSERVED.by.blocked(now=True)
