"""What a bus can be asked, it can't be asked without a connection."""

from collections.abc import Awaitable, Callable

import pytest

from bus.errors import Disconnected
from bus.rabbit import Bus
from bus.topology import Topology


async def replayed(bus: Bus) -> object:
    return bus.replay("told", 0)


async def borrowed(bus: Bus) -> object:
    return bus.borrow("work")


QUESTIONS: list[Callable[[Bus], Awaitable[object]]] = [
    lambda bus: bus.depths(["work"]),
    lambda bus: bus.counts("work"),
    borrowed,
    replayed,
]


@pytest.mark.parametrize("question", QUESTIONS)
async def test_without_a_connection_it_says_so(question: Callable[[Bus], Awaitable[object]]) -> None:
    bus = Bus("amqp://127.0.0.1:1/lab", name="test", topology=Topology())
    with pytest.raises(Disconnected, match=r"no connection to the broker at 127\.0\.0\.1:1/lab"):
        await question(bus)
