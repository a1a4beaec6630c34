"""A database with the tables of jobs, and a foreign client on the broker."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.bus.rabbit.foreign import Foreign
from tests.ui.web.jobs.office import database_at
from ui.web.jobs.database import Database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with database_at(tmp_path / "page.sqlite") as opened:
        yield opened


@pytest.fixture
def foreign(amqp_url: str) -> Iterator[Foreign]:
    with Foreign(amqp_url) as client:
        yield client
