"""Whatever goes wrong, the answer is a problem document."""

import httpx
import pytest
from fastapi import FastAPI

from bus.errors import BusError, Disconnected
from bus.problems import Kind, Problem
from ui.web.api.faults import Gone, add_handlers, problem_response


async def asked(method: str, path: str, body: bytes = b"") -> httpx.Response:
    """What an application says whose routes fail in every way."""
    app = FastAPI()
    add_handlers(app)

    async def gone() -> None:
        raise Gone("It was removed.")

    async def trouble() -> None:
        raise Disconnected("no connection to amqp://user:secret@broker")

    async def behind() -> None:
        raise BusError("it is full of secrets")

    async def surprise() -> None:
        raise RuntimeError("secret")

    async def number(n: int) -> int:
        return n

    for endpoint in (gone, trouble, behind, surprise):
        app.add_api_route(f"/{endpoint.__name__}", endpoint, methods=["GET"])
    app.add_api_route("/number/{n}", number, methods=["GET"])
    app.add_api_route("/number/{n}", number, methods=["DELETE"])
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://page.example") as client:
        return await client.request(method, path, content=body)


@pytest.mark.parametrize(
    ("method", "path", "status", "slug"),
    [
        ("GET", "/gone", 404, "not-found"),
        ("GET", "/nowhere", 404, "not-found"),
        ("POST", "/number/1", 405, "bad-method"),
        ("GET", "/number/one", 422, "bad-field"),
        ("GET", "/trouble", 503, "not-ready"),
        ("GET", "/behind", 503, "not-ready"),
        ("GET", "/surprise", 500, "surprise"),
    ],
)
async def test_every_error_is_a_problem(method: str, path: str, status: int, slug: str) -> None:
    answer = await asked(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    problem = answer.json()
    assert problem["type"] == f"urn:overspill:problem:{slug}"
    assert problem["status"] == status
    assert problem["remedy"]
    assert "secret" not in answer.text


async def test_a_wrong_method_is_told_all_right_ones() -> None:
    assert (await asked("POST", "/number/1")).headers["allow"] == "DELETE, GET, HEAD"


async def test_what_was_lost_on_its_way_may_have_been_done() -> None:
    problem = (await asked("GET", "/trouble")).json()
    assert "not known" in problem["detail"]
    assert "before you ask again" in problem["remedy"]


async def test_a_wrong_field_is_named() -> None:
    problem = (await asked("GET", "/number/one")).json()
    assert problem["field"] == "n"
    assert "given 'one'" in problem["detail"]


def test_when_it_may_pass_is_told_in_whole_seconds() -> None:
    told = problem_response(Problem.of(Kind.TOO_FAST, "Too fast.", retry_after_s=0.2)).headers
    assert told["retry-after"] == "1"
    assert problem_response(Problem.of(Kind.TOO_FAST, "Too fast.", retry_after_s=2.1)).headers["retry-after"] == "3"
