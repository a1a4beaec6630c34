"""How the fleet is, for operators: now, over the last 15 minutes, and as it changes."""

import asyncio
import gzip
from typing import Annotated, Any, Final

from fastapi import FastAPI, Header, Request
from starlette.responses import Response

from bus.wire import JSON
from ui.web.api.access import Operator
from ui.web.api.document import Responses, header
from ui.web.api.faults import NO_STORE
from ui.web.api.streams import EVENT_STREAM, EventStream, Places, still, stop_of
from ui.web.live.sample import History, Sample
from ui.web.parts import Web

MOST_STREAMS: Final = 256
"""Of one operator at a time: each costs little, and where the page is open everybody is the same one."""
_Encodings = Annotated[str, Header(alias="Accept-Encoding", include_in_schema=False)]


def add_routes(app: FastAPI, web: Web) -> None:
    """Add the routes."""
    fleet = _Fleet(web)
    told: dict[str, Any] = {"tags": ["fleet"], "methods": ["GET"], "response_class": Response}
    app.add_api_route("/fleet", fleet.now, responses={200: {"model": Sample}}, **told)
    app.add_api_route("/fleet/history", fleet.history, responses={200: {"model": History}}, **told)
    app.add_api_route("/fleet/events", fleet.events, responses=_STREAM, **{**told, "response_class": EventStream})


class _Fleet:
    """The routes."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._places = Places(MOST_STREAMS)

    async def now(self, _person: Operator) -> Response:
        """Every VM, queue and limit as it is now. What is not known is absent."""
        told = self._web.live.latest().model_dump_json(exclude_none=True)
        return Response(told, media_type=JSON, headers=NO_STORE)

    async def history(self, _person: Operator, encodings: _Encodings = "") -> Response:
        """The last 15 minutes in columns, a row a second."""
        headers = {**NO_STORE, "vary": "Accept-Encoding"}
        told = await self._web.live.history()
        if "gzip" in encodings.lower():
            headers["content-encoding"] = "gzip"
        else:
            told = await asyncio.to_thread(gzip.decompress, told)
        return Response(told, media_type=JSON, headers=headers)

    async def events(self, request: Request, person: Operator) -> Response:
        """The whole of it, then what changes, once a second and at once when a VM changes its state."""
        allowed = still(request, self._web.people, person)
        leave = self._places.take(person)
        return EventStream(self._web.live.subscribe(), stop_of(request), allowed, at_end=leave)


_STREAM: Final[Responses] = {
    200: {
        "description": "`state` (data: as `GET /fleet`) first, and whenever this reader was too slow; else `sample` "
        "(data: a JSON merge patch, RFC 7396, to what was told before).",
        "content": {EVENT_STREAM: {"schema": {"type": "string"}}},
        "headers": {"Cache-Control": header("`no-store`")},
    }
}
