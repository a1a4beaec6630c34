"""Jobs: handed in, listed, looked at, called off, tried again, removed."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import FastAPI, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from bus.params import PARAMS_BYTES
from bus.topology import OPERATIONS
from bus.wire import JSON
from ui.web.api import waiting
from ui.web.api.access import Caller, JobId
from ui.web.api.document import Responses, binary, header, problems
from ui.web.api.faults import NO_STORE, problem_response
from ui.web.api.files import IMAGES
from ui.web.api.intake import take
from ui.web.api.preferences import wait_s
from ui.web.api.results import found, give_result
from ui.web.api.schema import Job, JobCounts, JobPage, Why
from ui.web.api.telling import why_of
from ui.web.jobs.record import Record, Site, State
from ui.web.parts import Web

_EXACT: Final = ConfigDict(extra="forbid")
"""A misspelt parameter is refused: as one that was not given, it would quietly do something else."""


class _Fields(BaseModel):
    """What is to be done, as far as the query tells it."""

    model_config = _EXACT

    operation: Annotated[str | None, Field(json_schema_extra={"enum": [*OPERATIONS, None]})] = None
    params: str | None = Field(None, max_length=PARAMS_BYTES, description="The operation's parameters: a JSON object.")
    site: Site | None = Field(None, description="`local` keeps the picture off the cloud.")
    priority: int | None = Field(None, ge=0, le=9, description="5 and over: somebody waits for it.")
    name: str | None = Field(None, max_length=1000, description="The picture's file name, to show.")


class _Wishes(BaseModel):
    """How it is to be answered."""

    idempotency_key: str | None = Field(
        None, min_length=1, max_length=255, description="The same request under the same key is the same job."
    )
    prefer: list[str] = Field([], description="`wait=30`: answer with the result, if it is there within 30 s.")


class _Filter(BaseModel):
    """Which jobs."""

    model_config = _EXACT

    state: State | None = None
    operation: str | None = Field(None, description="Of one operation.")
    limit: int = Field(50, ge=1, le=200, description="Jobs on a page.")
    cursor: str | None = Field(None, pattern=r"^[0-9]{1,18}$", description="`next` of the page before.")


def add_routes(app: FastAPI, web: Web) -> None:
    """Add the routes of jobs, but for their pictures and streams."""
    jobs = _Jobs(web)
    add = app.add_api_route
    told: dict[str, Any] = {"tags": ["jobs"]}
    add("/jobs", jobs.submit, methods=["POST"], status_code=202, openapi_extra=_BODY, responses=_SUBMITTED, **told)
    add("/jobs", jobs.page, methods=["GET"], response_model=JobPage, responses=problems(422), **told)
    add("/jobs/{job_id}", jobs.read, methods=["GET"], response_model=Job, responses=problems(404), **told)
    add("/jobs/{job_id}", jobs.remove, methods=["DELETE"], status_code=202, responses=_REMOVED, **told)
    add("/jobs/{job_id}/retry", jobs.retry, methods=["POST"], status_code=202, responses=_RETRIED, **told)
    add("/jobs/{job_id}/why", jobs.why, methods=["GET"], response_model=Why, responses=problems(404), **told)


class _Jobs:
    """The routes."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._desk = web.desk

    async def submit(
        self,
        request: Request,
        person: Caller,
        fields: Annotated[_Fields, Query()],
        wishes: Annotated[_Wishes, Header()],
    ) -> Response:
        """Hand in a picture, raw or as the file `image` of a form.

        The job is on the disk when this answers 202, and is done even where the broker is away just now. With
        `Prefer: wait=30` the answer is the result itself, if it is there in time.
        """
        given = {name: str(value) for name, value in fields.model_dump(exclude_none=True).items()}
        accepted = await take(request, self._web, person, given, idempotency_key=wishes.idempotency_key)
        within_s = wait_s(wishes.prefer)
        if within_s is None:
            return _job_response(accepted.record, 202 if accepted.is_new else 200)
        record = await waiting.ended(request, self._desk, accepted.record, within_s)
        return await self._outcome(request, record, within_s)

    async def _outcome(self, request: Request, record: Record, waited_s: int) -> Response:
        """The answer to who waited: the result, the problem, or the job as it is."""
        headers = {"preference-applied": f"wait={waited_s}", "x-overspill-job": record.id}
        if record.problem is not None:
            return problem_response(record.problem, headers)
        if record.result is None:
            return _job_response(record, 202, headers)
        response = await give_result(request, self._desk, record)
        response.headers.update({**headers, "content-location": Job.of(record).url + "/result"})
        return response

    async def page(self, person: Caller, response: Response, wanted: Annotated[_Filter, Query()]) -> JobPage:
        """The caller's jobs, newest first."""
        response.headers.update(NO_STORE)
        # Read before the jobs are: what changes meanwhile comes again in the stream rather than never.
        last = await self._desk.last_change(person.name)
        before = None if wanted.cursor is None else int(wanted.cursor)
        records = await self._desk.page_of(
            person.name, state=wanted.state, operation=wanted.operation, limit=wanted.limit, before=before
        )
        after = str(records[-1].number) if len(records) == wanted.limit else None
        counts = JobCounts.of(await self._desk.states(person.name))
        return JobPage(jobs=[Job.of(record) for record in records], next=after, counts=counts, last_event_id=last)

    async def read(self, person: Caller, job_id: JobId, response: Response) -> Job:
        """One job."""
        response.headers.update(NO_STORE)
        return Job.of(await found(self._desk, person.name, job_id))

    async def remove(self, person: Caller, job_id: JobId) -> Response:
        """Cancel a job that is under way, which ends `cancelled` soon (202); remove one that has ended (204)."""
        record = await found(self._desk, person.name, job_id)
        if record.ended:
            await self._desk.remove(person.name, job_id)
            return Response(status_code=204, headers=NO_STORE)
        return _job_response(await self._desk.cancel(person.name, job_id), 202)

    async def retry(self, person: Caller, job_id: JobId) -> Response:
        """Do the same to the same picture once more, as a new job. 409 while the job is under way."""
        await found(self._desk, person.name, job_id)
        self._web.people.count_job(person)
        return _job_response(await self._desk.retry(person.name, job_id), 202)

    async def why(self, person: Caller, job_id: JobId, response: Response) -> Why:
        """Why the job went where it went, from the router's own receipts."""
        response.headers.update(NO_STORE)
        record = await found(self._desk, person.name, job_id)
        return why_of(record, await self._desk.why(person.name, job_id))


def _job_response(record: Record, status: int, headers: Mapping[str, str] | None = None) -> Response:
    job = Job.of(record)
    told = {**NO_STORE, "location": job.url, **(headers or {})}
    return Response(job.model_dump_json(), status, told, media_type=JSON)


_FORM: Final = {
    "type": "object",
    "required": ["image"],
    "properties": {
        "image": {"type": "string", "format": "binary", "description": "The picture."},
        "operation": {"type": "string", "enum": list(OPERATIONS)},
        "params": {"type": "string", "description": "Parameters of the operation: a JSON object.", "examples": ["{}"]},
        "site": {"type": "string", "enum": ["any", "local"]},
        "priority": {"type": "integer", "minimum": 0, "maximum": 9},
        "name": {"type": "string"},
    },
}
_BYTES: Final = {"schema": {"type": "string", "format": "binary"}}
_BODY: Final = {
    "requestBody": {
        "required": True,
        "description": "The picture: JPEG, PNG, WebP, GIF, TIFF, BMP or AVIF. Fields of a form go before the query's.",
        "content": {
            "multipart/form-data": {"schema": _FORM},
            "application/octet-stream": _BYTES,
            **dict.fromkeys(IMAGES, _BYTES),
        },
    }
}
_JOB_SCHEMA: Final = {JSON: {"schema": {"$ref": "#/components/schemas/Job"}}}
_LOCATION: Final = {"Location": header("Where the job is.")}
_DONE: Final = binary(
    "With `Prefer: wait`, the result, of `caption` a JSON object; else the job that was accepted before under the same "
    "`Idempotency-Key`.",
    *IMAGES,
    headers={
        "Content-Location": header("Where the result is."),
        "Preference-Applied": header("How long was waited at most."),
        "x-overspill-job": header("The job's id."),
    },
)
_JOB_OR_CAPTION: Final = [{"$ref": f"#/components/schemas/{name}"} for name in ("Job", "Caption")]
_SUBMITTED: Final[Responses] = {
    200: {**_DONE, "content": {**_DONE["content"], JSON: {"schema": {"anyOf": _JOB_OR_CAPTION}}}},
    202: {"description": "Accepted: the job as it is now.", "content": _JOB_SCHEMA, "headers": _LOCATION},
    **problems(404, 408, 410, 413, 415, 422, 499, 504),
}
_REMOVED: Final[Responses] = {
    202: {"description": "It is asked to be cancelled.", "content": _JOB_SCHEMA},
    204: {"description": "It was removed, with its pictures."},
    **problems(404, 409),
}
_RETRIED: Final[Responses] = {
    202: {"description": "The new job.", "content": _JOB_SCHEMA, "headers": _LOCATION},
    **problems(404, 409, 413, 415, 422),
}
