"""`/sketch`, `/remove_bg` and `/caption`: a picture in, its result out, as programs written for a single service ask.

No ids and no second request: the answer is the result. The job is kept like any other.
"""

from typing import Final

from fastapi import Request
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response

from bus.errors import BadInput, OverspillError
from bus.problems import Kind, Problem
from ui.web.api import waiting
from ui.web.api.faults import NO_STORE, problem_of, problem_response
from ui.web.api.forms import boundary_of
from ui.web.api.intake import take
from ui.web.api.preferences import LONGEST_WAIT_S
from ui.web.api.results import give_result
from ui.web.parts import Web

PATHS: Final = {"/sketch": "sketch", "/remove_bg": "remove-background", "/caption": "caption"}


def add_routes(app: Starlette, web: Web) -> None:
    """Add the three paths."""

    async def answer(request: Request) -> Response:
        try:
            return await _answer(request, web, PATHS[request.url.path])
        except OverspillError as error:
            return _error(problem_of(error))

    for path in PATHS:
        app.add_route(path, answer, methods=["POST"])


async def _answer(request: Request, web: Web, operation: str) -> Response:
    """The result. Raises what stands in its way."""
    person = await web.people.of(request)
    if boundary_of(request.headers.get("content-type", "")) is None:
        raise BadInput(Problem.of(Kind.BAD_FIELD, "image: send a multipart form with the file `image`.", field="image"))
    accepted = await take(request, web, person, {}, decided={"operation": operation})
    record = await waiting.ended(request, web.desk, accepted.record, LONGEST_WAIT_S)
    if record.problem is not None:
        raise BadInput(record.problem)
    if record.result is None:
        detail = f"It is not done within {LONGEST_WAIT_S} s; it goes on as job {record.id}."
        raise BadInput(Problem.of(Kind.TIMED_OUT, detail, remedy=f"Ask for /api/v1/jobs/{record.id}."))
    response = await give_result(request, web.desk, record)
    response.headers["x-overspill-job"] = record.id
    return response


def _error(problem: Problem) -> Response:
    headers = {name: value for name, value in problem_response(problem).headers.items() if name in _TOLD}
    return JSONResponse({"error": f"{problem.title}: {problem.detail}"}, problem.status, {**NO_STORE, **headers})


_TOLD: Final = {"retry-after", "www-authenticate"}
