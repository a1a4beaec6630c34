"""A worker that has started, with a foreign client on the other side."""

from collections.abc import AsyncIterator

import pytest

from tests.consumers.desk import Desk, desk


@pytest.fixture
async def vm(amqp_url: str) -> AsyncIterator[Desk]:
    async with desk(amqp_url) as desk_:
        yield desk_
