"""Waiting for a job's end, which others may put an end to."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from tests.ui.web.api.test_schema import RECORD
from ui.web.api.waiting import ended
from ui.web.jobs.record import Record

DONE = RECORD.model_copy(update={"state": "done"})


class Desk:
    """Waits for a job as long as the test says."""

    def __init__(self, outcome: Record | Exception | None) -> None:
        self._outcome = outcome

    async def ended(self, _user: str, _job_id: str, _within_s: float) -> Record:
        if self._outcome is None:
            await asyncio.Event().wait()
        if isinstance(self._outcome, Exception):
            raise self._outcome
        assert self._outcome is not None
        return self._outcome


async def waited(outcome: Record | Exception | None, *, stops: bool = False, leaves: bool = False) -> Record:
    stop = asyncio.Event()
    if stops:
        stop.set()
    left = asyncio.Event()
    if leaves:
        left.set()

    async def receive() -> dict[str, str]:
        await left.wait()
        return {"type": "http.disconnect"}

    request: Any = SimpleNamespace(app=SimpleNamespace(state=SimpleNamespace(stop=stop)), receive=receive)
    desk: Any = Desk(outcome)
    return await asyncio.wait_for(ended(request, desk, RECORD, 60), 5)


async def test_the_job_once_it_has_ended() -> None:
    assert await waited(DONE) is DONE


async def test_the_job_as_it_was_where_the_process_stops() -> None:
    assert await waited(None, stops=True) is RECORD


async def test_the_job_as_it_was_where_its_caller_has_left() -> None:
    assert await waited(None, leaves=True) is RECORD


async def test_what_stands_in_the_way_is_raised() -> None:
    with pytest.raises(LookupError):
        await waited(LookupError("removed meanwhile"))
