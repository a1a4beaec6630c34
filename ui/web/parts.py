"""The parts of one page process: what routes and pages are given, begun in their order and ended in the other."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from bus.blobs import Blobs
from bus.rabbit import Bus
from bus.settings import Settings
from bus.topology import shared
from ui.web.api.schema import Job
from ui.web.jobs.desk import Desk
from ui.web.jobs.record import Record
from ui.web.live.live import Live
from ui.web.people.passwords import Passwords
from ui.web.people.people import People
from ui.web.storage import database_of
from ui.web.webhooks.webhooks import Options, Webhooks


@dataclass(frozen=True, slots=True)
class Web:
    """One page process."""

    settings: Settings
    bus: Bus
    desk: Desk
    people: People
    live: Live
    webhooks: Webhooks


@contextlib.asynccontextmanager
async def running(settings: Settings, url: str, passwords: Passwords | None = None) -> AsyncIterator[Web]:
    """The parts, at work; `url` is the broker's, which may be away. Raises SetupError naming what is wrong here.

    `passwords` hashes them in another way than a page does.
    """
    async with contextlib.AsyncExitStack() as stack:
        database = database_of(settings)
        await database.open()
        stack.push_async_callback(database.close)
        bus = Bus(url, name="page", topology=shared(), heartbeat_s=settings.amqp_heartbeat_s)
        stack.push_async_callback(bus.close)
        desk = Desk(settings, bus, database, Blobs.of(settings))
        people = People(settings, database, passwords=passwords)
        webhooks = Webhooks(database, desk, _shown, Options(private=_private(settings)))
        web = Web(settings, bus, desk, people, Live(settings, bus), webhooks)
        for part in (web.people, web.desk, web.live, web.webhooks):
            await part.start()
            stack.push_async_callback(part.close)
        yield web


async def connected(bus: Bus) -> None:
    """Stay connected to a broker that may come up later, until cancelled. Raises SetupError when it won't have us."""
    await bus.start()
    await asyncio.Event().wait()


def _shown(record: Record) -> dict[str, Any]:
    return Job.of(record).model_dump(mode="json")


def _private(settings: Settings) -> bool:
    """Whether webhooks may call addresses that are not public."""
    told = settings.page_webhooks_private
    return settings.page_login == "open" if told is None else told
