"""Pictures and results on their way out: strangers' bytes, given in a way that no browser takes for a page of ours."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, get_args

from fastapi import FastAPI, Header, Request
from starlette.responses import Response

from bus.wire import JSON
from ui.web.api.access import Caller, JobId
from ui.web.api.document import Responses, binary, header, problems
from ui.web.api.faults import Gone
from ui.web.api.files import IMAGES, SMALL, File, give, give_text
from ui.web.api.names import picture_name, result_name
from ui.web.api.schema import Caption
from ui.web.jobs.desk import Desk
from ui.web.jobs.previews import SIDES, Of, Size
from ui.web.jobs.record import Record
from ui.web.parts import Web

Endpoint = Callable[..., Awaitable[Response]]

# Read from the request itself, and named here for the document.
_Range = Annotated[str | None, Header(alias="Range", description="One range of bytes; of several all is sent.")]
_Has = Annotated[str | None, Header(alias="If-None-Match", description="The `ETag` of what the caller has.")]


def add_routes(app: FastAPI, web: Web) -> None:
    """Add the pictures and results of jobs."""
    _add(app, "picture", _picture(web.desk), "The picture as it came", _whole("application/octet-stream"))
    _add(app, "result", _result(web.desk), "What came of the job", _whole(JSON))
    for which in get_args(Of):
        for size, most in SIDES.items():
            title = f"The {which}, {most} pixels at most"
            _add(app, f"{which}/{size}", _small(web.desk, which, size), title, _reduced())


def _add(app: FastAPI, path: str, endpoint: Endpoint, summary: str, responses: Responses) -> None:
    path = f"/jobs/{{job_id}}/{path}"
    told: dict[str, Any] = {"tags": ["results"], "summary": summary, "responses": responses}
    app.add_api_route(path, endpoint, methods=["GET"], response_class=Response, name=endpoint.__name__, **told)
    app.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False)


def _picture(desk: Desk) -> Endpoint:
    async def picture(
        request: Request, person: Caller, job_id: JobId, _range: _Range = None, _has: _Has = None
    ) -> Response:
        """The bytes as they were sent; the type is that of their first bytes, whatever the file was called."""
        record = await found(desk, person.name, job_id)
        name = picture_name(record.name, record.picture.type)
        file = File(desk.files.picture_path(record), record.picture.type, name, f"{record.id}.picture")
        return await give(request, file)

    return picture


def _result(desk: Desk) -> Endpoint:
    async def result(
        request: Request, person: Caller, job_id: JobId, _range: _Range = None, _has: _Has = None
    ) -> Response:
        """An image, or of `caption` a JSON object. 404 until the job is done."""
        return await give_result(request, desk, await found(desk, person.name, job_id))

    return result


def _small(desk: Desk, which: Of, size: Size) -> Endpoint:
    async def small(
        request: Request, person: Caller, job_id: JobId, _range: _Range = None, _has: _Has = None
    ) -> Response:
        """Made once, of the first picture where there are several; transparency is kept."""
        record = await found(desk, person.name, job_id)
        if which == "result" and (record.result is None or record.result.caption is not None):
            raise Gone(_no_result(record) if record.result is None else "A caption has no picture.")
        path = await desk.previews.path(record, which, size)
        name = picture_name(f"{record.name}-{size}", SMALL)
        return await give(request, File(path, SMALL, name, f"{record.id}.{which}.{size}"))

    small.__name__ = f"{which}_{size}"
    return small


async def found(desk: Desk, user: str, job_id: str) -> Record:
    """The user's job. Raises Gone where it isn't there, or isn't theirs."""
    record = await desk.get(user, job_id)
    if record is None:
        raise Gone("You have no such job.")
    return record


async def give_result(request: Request, desk: Desk, record: Record) -> Response:
    """The result of a job as a response. Raises Gone when there is none (yet)."""
    if record.result is None:
        raise Gone(_no_result(record))
    name = result_name(record.name, record.operation, record.result.type)
    if record.result.caption is not None:
        text = Caption(caption=record.result.caption).model_dump_json().encode()
        return give_text(request, text, name, f"{record.id}.result")
    file = File(desk.files.result_path(record), record.result.type, name, f"{record.id}.result")
    return await give(request, file)


def _no_result(record: Record) -> str:
    return f"The job has no result{'' if record.ended else ' yet'}: it is {record.state}."


_HEADERS: Final = {
    "ETag": header("The version of what is sent."),
    "Content-Disposition": header("A name to save it under."),
    "Accept-Ranges": header("`bytes`: a part of it can be asked for."),
}
_NOT_CHANGED: Final = {"description": "The caller has it already.", "headers": {"ETag": _HEADERS["ETag"]}}


def _whole(other: str) -> Responses:
    types = (*IMAGES, *(() if other == JSON else (other,)))
    part = binary("The part that was asked for.", *types, headers={"Content-Range": header("Which part.")})
    whole = binary("All of it.", *types, headers=_HEADERS)
    if other == JSON:
        whole["content"][JSON] = {"schema": {"$ref": "#/components/schemas/Caption"}}
    return {
        200: whole,
        206: part,
        304: _NOT_CHANGED,
        **problems(404, 416, 422),
    }


def _reduced() -> Responses:
    return _whole(SMALL) | problems(422)
