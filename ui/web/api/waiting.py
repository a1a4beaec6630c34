"""Waiting for a job to end: as long as the caller asked for, and no longer than they or this process are there."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from fastapi import Request

from ui.web.api.streams import gone, stop_of
from ui.web.jobs.desk import Desk
from ui.web.jobs.record import Record


async def ended(request: Request, desk: Desk, record: Record, within_s: float) -> Record:
    """The job as soon as it has ended, or as it is after `within_s` seconds, or when the caller or this process goes.

    The request's body has been read.
    """
    waiting: Coroutine[Any, Any, Record] = desk.ended(record.user, record.id, within_s)
    tasks = [asyncio.ensure_future(each) for each in (waiting, stop_of(request).wait(), gone(request.receive))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        found, *_ = await asyncio.gather(*tasks, return_exceptions=True)
    if isinstance(found, Record):
        return found
    if isinstance(found, Exception):
        raise found
    return record
