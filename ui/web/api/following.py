"""Jobs as they change: server-sent events, of one job or of all that are the caller's."""

from typing import Annotated, Any, Final

from fastapi import FastAPI, Header, Query, Request
from starlette.responses import Response

from ui.web.api.access import Caller, JobId
from ui.web.api.changes import Feed
from ui.web.api.document import Responses, header, problems
from ui.web.api.results import found
from ui.web.api.streams import EVENT_STREAM, EventStream, Places, still, stop_of
from ui.web.parts import Web
from ui.web.people.person import Person

_NUMBER: Final = r"^[0-9]{1,18}$"
_LastHeader = Annotated[str | None, Header(alias="Last-Event-ID", pattern=_NUMBER, description="What was heard last.")]
_LastQuery = Annotated[str | None, Query(pattern=_NUMBER, description="The same, for who can't set headers.")]


def add_routes(app: FastAPI, web: Web) -> None:
    """Add the streams."""
    streams = _Streams(web)
    told: dict[str, Any] = {"tags": ["events"], "methods": ["GET"], "response_class": EventStream}
    app.add_api_route("/events", streams.all, responses=_STREAM, **told)
    app.add_api_route("/jobs/{job_id}/events", streams.one, responses={**_STREAM, **_OVER, **problems(404)}, **told)


class _Streams:
    """The routes."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._places = Places()

    async def all(
        self, request: Request, person: Caller, last: _LastHeader = None, last_event_id: _LastQuery = None
    ) -> Response:
        """All jobs of the caller, as they change from now on, or since the event that was heard last."""
        feed = Feed(self._web.desk, person.name, last=_number(last, last_event_id))
        return self._streamed(request, person, feed)

    async def one(
        self,
        request: Request,
        person: Caller,
        job_id: JobId,
        last: _LastHeader = None,
        last_event_id: _LastQuery = None,
    ) -> Response:
        """One job: how it is, then as it changes, to its end. 204 where the end was heard: don't come back."""
        record = await found(self._web.desk, person.name, job_id)
        number = _number(last, last_event_id)
        feed = Feed(self._web.desk, person.name, job_id, number)
        if record.ended and number is not None and not await feed.has_news():
            return Response(status_code=204)
        return self._streamed(request, person, feed)

    def _streamed(self, request: Request, person: Person, feed: Feed) -> Response:
        allowed = still(request, self._web.people, person)
        return EventStream(feed.events(), stop_of(request), allowed, at_end=self._places.take(person))


def _number(header: str | None, query: str | None) -> int | None:
    """What was heard last. A browser that comes back has the header from us; the query is as old as its page."""
    told = header or query
    return None if told is None else int(told)


_STREAM: Final[Responses] = {
    200: {
        "description": "`job` (data: the job), `removed` (data: its id), and `reset` where something was missed for "
        "good: look at the jobs anew. `id` is there to go on from.",
        "content": {EVENT_STREAM: {"schema": {"type": "string"}}},
        "headers": {"Cache-Control": header("`no-store`")},
    },
    **problems(422),
}
_OVER: Final[Responses] = {204: {"description": "The job has ended, and the caller heard so."}}
