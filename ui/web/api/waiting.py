"""Waiting for a job to end: as long as the caller asked for, and no longer than they or this process are there."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from fastapi import Request

from ui.web.api.streams import stop_of
from ui.web.jobs.desk import Desk
from ui.web.jobs.record import Record


async def ended(request: Request, desk: Desk, record: Record, within_s: float) -> Record:
    """The job as soon as it has ended, or as it is after `within_s` seconds or when the process stops."""
    waiting: Coroutine[Any, Any, Record] = desk.ended(record.user, record.id, within_s)
    tasks = [asyncio.ensure_future(waiting), asyncio.ensure_future(stop_of(request).wait())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        found, _ = await asyncio.gather(*tasks, return_exceptions=True)
    if isinstance(found, Record):
        return found
    if isinstance(found, Exception):
        raise found
    return record
