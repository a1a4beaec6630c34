"""Results in one zip archive, made while it is sent: it is never whole on this side."""

import io
import time
import zlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated, BinaryIO, Final

from anyio import to_thread
from fastapi import FastAPI, Query
from starlette.responses import StreamingResponse

from ui.web.api.access import Caller
from ui.web.api.archive import Entry, Moment, directory
from ui.web.api.document import binary, header, problems
from ui.web.api.faults import NO_STORE, Gone
from ui.web.api.names import Unique, attachment, result_name
from ui.web.api.results import found
from ui.web.jobs.desk import Desk
from ui.web.jobs.record import Record
from ui.web.parts import Web

_PAGE: Final = 200
_CHUNK: Final = 256 * 1024
_ZIP: Final = "application/zip"
_Ids = Annotated[
    str | None,
    Query(
        description="Ids of jobs, with commas between; none are all that are done.",
        pattern=r"^[0-9a-f]{32}(,[0-9a-f]{32}){0,999}$",
    ),
]


def add_routes(app: FastAPI, web: Web) -> None:
    """Add the route."""

    async def archive(person: Caller, ids: _Ids = None) -> StreamingResponse:
        """The results of jobs as files in a zip archive, captions as text."""
        records = _done(web.desk, person.name) if ids is None else _each(await _named(web.desk, person.name, ids))
        headers = {**NO_STORE, "content-disposition": attachment("overspill.zip")}
        return StreamingResponse(zipped(web.desk, records), headers=headers, media_type=_ZIP)

    told = binary("The archive.", _ZIP, headers={"Content-Disposition": header("A name to save it under.")})
    app.add_api_route(
        "/zip",
        archive,
        methods=["GET"],
        tags=["results"],
        response_class=StreamingResponse,
        responses={200: told, **problems(404, 422)},
    )


async def _named(desk: Desk, user: str, ids: str) -> list[Record]:
    """The jobs of these ids, each once. Raises Gone for one that isn't theirs or has no result."""
    records = [await found(desk, user, job_id) for job_id in dict.fromkeys(ids.split(","))]
    for record in records:
        if record.result is None:
            raise Gone(f"Job {record.id} has no result: it is {record.state}.")
    return records


async def _each(records: list[Record]) -> AsyncIterator[Record]:
    for record in records:
        yield record


async def _done(desk: Desk, user: str) -> AsyncIterator[Record]:
    """All jobs of a user that are done, newest first: they may be very many, and few are in memory at a time."""
    before = None
    while page := await desk.page_of(user, state="done", limit=_PAGE, before=before):
        for record in page:
            yield record
        before = page[-1].number


async def zipped(desk: Desk, records: AsyncIterator[Record]) -> AsyncGenerator[bytes, None]:
    """The archive, piece by piece. What is removed meanwhile is left out."""
    entries: list[Entry] = []
    names = Unique()
    async for record in records:
        file = await to_thread.run_sync(_opened, desk, record)
        if file is None:
            continue
        with file:
            size, crc = await to_thread.run_sync(_measured, file)
            entry = Entry(names.of(_name(record)), size, crc, entries[-1].end if entries else 0, _moment(record))
            entries.append(entry)
            yield entry.header
            while piece := await to_thread.run_sync(file.read, _CHUNK):
                yield piece
    yield directory(entries)


def _name(record: Record) -> str:
    content_type = record.result.type if record.result and record.result.caption is None else "text/plain"
    return result_name(record.name, record.operation, content_type)


def _opened(desk: Desk, record: Record) -> BinaryIO | None:
    """The file, which can be removed now and still be read; None where it was removed already."""
    if record.result is not None and record.result.caption is not None:
        return io.BytesIO(f"{record.result.caption}\n".encode())
    try:
        return desk.files.result_path(record).open("rb")
    except FileNotFoundError:
        return None


def _measured(file: BinaryIO) -> tuple[int, int]:
    """Size and CRC-32, which the format wants before the bytes."""
    size = crc = 0
    while piece := file.read(_CHUNK):
        size, crc = size + len(piece), zlib.crc32(piece, crc)
    file.seek(0)
    return size, crc


def _moment(record: Record) -> Moment:
    made = time.localtime((record.ended_ms or record.updated_ms) / 1000)
    return made.tm_year, made.tm_mon, made.tm_mday, made.tm_hour, made.tm_min, made.tm_sec
