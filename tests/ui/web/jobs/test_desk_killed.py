"""A page that is killed, again and again, while jobs come in and answers come back."""

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

from tests.bus.rabbit.foreign import eventually
from tests.producers.client.responder import Responder, twice
from tests.ui.web.jobs.office import book_of, desk_at

PAGE = """
import asyncio, sys
from pathlib import Path
from tests.ui.web.jobs.office import desk_at, hand_in

async def main():
    async with desk_at(Path(sys.argv[1]), sys.argv[2]) as desk:
        while True:
            print((await hand_in(desk)).record.id, flush=True)

asyncio.run(main())
"""


@contextlib.asynccontextmanager
async def page(folder: Path, url: str) -> AsyncIterator[Process]:
    """A page in a process of its own, which hands in jobs as fast as it can and tells their ids; it is killed."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", PAGE, str(folder), url, stdout=PIPE)
    try:
        yield process
    finally:
        process.kill()
        await process.communicate()


async def test_no_job_is_lost_and_none_ends_twice(amqp_url: str, tmp_path: Path) -> None:
    accepted: list[str] = []
    ends: Counter[str] = Counter()
    async with Responder(amqp_url, twice) as vms:
        for _ in range(2):
            async with page(tmp_path, amqp_url) as process:
                assert process.stdout is not None
                accepted += [(await process.stdout.readline()).decode().strip() for _ in range(25)]
        async with desk_at(tmp_path, amqp_url, connect=False) as desk:
            left = len(book_of(desk).under_way)
            kept = {job.id for job in await desk.page_of("anna", limit=10_000)}
            assert set(accepted) <= kept
        async with desk_at(tmp_path, amqp_url) as desk:
            desk.at_end(lambda _connection, job: ends.update([job.id]))
            await eventually(lambda: not book_of(desk).under_way)
            assert {job.state for job in await desk.page_of("anna", limit=10_000)} == {"done"}
            assert {job.id for job in vms.seen} == kept
    assert max(ends.values(), default=0) <= 1
    assert len(ends) <= left
