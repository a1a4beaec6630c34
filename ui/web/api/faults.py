"""What the API says when something is wrong: a problem document (RFC 9457), whoever found the fault."""

import logging
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from bus.errors import Disconnected, OverspillError, ProblemError
from bus.problems import PROBLEM_JSON, Kind, Problem

log = logging.getLogger(__name__)

NO_STORE: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
"""Headers of every answer that is not a picture: what we send is made from strangers' words."""
_KINDS: Final = {
    400: Kind.BAD_REQUEST,
    401: Kind.NOT_LOGGED_IN,
    403: Kind.NOT_ALLOWED,
    404: Kind.NOT_FOUND,
    405: Kind.BAD_METHOD,
    408: Kind.TOO_SLOW,
    409: Kind.NOT_NOW,
    413: Kind.TOO_MANY_BYTES,
    429: Kind.TOO_MANY_REQUESTS,
    503: Kind.NOT_READY,
}


class Gone(ProblemError):
    """There is no such thing for this caller: 404, also where it is somebody else's."""

    def __init__(self, detail: str) -> None:
        super().__init__(Problem.of(Kind.NOT_FOUND, detail))


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """The problem as a response, with the headers that belong to its status."""
    return Response(problem.to_json(), problem.status, headers_of(problem, headers), media_type=PROBLEM_JSON)


def headers_of(problem: Problem, headers: Mapping[str, str] | None = None) -> dict[str, str]:
    """The headers of an answer that tells of a problem, in whatever form; `headers` are more of them."""
    told = {**NO_STORE, **(headers or {})}
    if problem.retry_after_s is not None:
        told["retry-after"] = str(max(1, math.ceil(problem.retry_after_s)))
    if problem.status == 401:
        told["www-authenticate"] = 'Bearer realm="overspill"'
    return told


def problem_of(error: Exception) -> Problem:
    """The problem that an error raised on purpose means."""
    if isinstance(error, ProblemError):
        return error.problem
    if isinstance(error, RequestValidationError):
        return _invalid(error.errors()[0])
    if isinstance(error, HTTPException):
        return Problem.of(_KINDS.get(error.status_code, Kind.BAD_REQUEST), str(error.detail))
    if isinstance(error, Disconnected):
        detail = "The connection to the broker was lost: whether it was done is not known."
        remedy = "Look whether it was done, before you ask again."
        return Problem.of(Kind.NOT_READY, detail, remedy=remedy, retry_after_s=5)
    return Problem.of(Kind.NOT_READY, "Something behind this does not answer; the log tells what.", retry_after_s=5)


def add_handlers(app: FastAPI) -> None:
    """Have every error of `app` answered with its problem."""
    for kind in (ProblemError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _on_error)
    app.add_exception_handler(OverspillError, _on_trouble)
    app.add_exception_handler(ClientDisconnect, _on_leaving)
    app.add_exception_handler(Exception, _on_surprise)


async def _on_error(request: Request, error: Exception) -> Response:
    is_method = isinstance(error, HTTPException) and error.status_code == 405
    headers = {"allow": allowed(request.app.router.routes, request.scope)} if is_method else None
    return problem_response(problem_of(error), headers)


async def _on_trouble(request: Request, error: Exception) -> Response:
    log.warning("%s %s: %s", request.method, request.url.path, error)
    return problem_response(problem_of(error))


async def _on_leaving(_request: Request, _error: Exception) -> Response:
    # Nobody hears it, and no server logs it.
    return problem_response(Problem.of(Kind.BAD_REQUEST, "The body ended before its end."))


async def _on_surprise(_request: Request, _error: Exception) -> Response:
    return problem_response(Problem.of(Kind.SURPRISE, "Nobody thought of this; the log tells what it was."))


def allowed(routes: Iterable[BaseRoute], scope: Scope) -> str:
    """Every method of the path: a router itself looks no further than the first route that matches."""
    found = [route for route in routes if route.matches(scope)[0] is not Match.NONE]
    methods = {method for route in found for method in getattr(route, "methods", None) or ()}
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))


def _invalid(error: Mapping[str, Any]) -> Problem:
    """The first thing that is wrong with a request, by the name its sender gave it."""
    place, *names = [str(part) for part in error["loc"]]
    name = ".".join(names) or place
    if error["type"] == "json_invalid":
        return Problem.of(Kind.BAD_REQUEST, "The body is not JSON.", remedy="Send a JSON object.")
    said = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        said = "there is no such parameter"
    given = "" if error["type"] == "missing" else f" (given {str(error.get('input'))[:80]!r})"
    return Problem.of(Kind.BAD_FIELD, f"{name}: {said}{given}.", field=name)
