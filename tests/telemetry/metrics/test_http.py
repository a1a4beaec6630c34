from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import generate_latest
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Mount, Route

from telemetry.metrics.board import Board
from telemetry.metrics.http import MOST_ROUTES, Measured, route_of
from tests.telemetry.metrics.pages import values


async def echo(request: Request) -> Response:
    await request.body()
    return Response("here")


async def breaks(_request: Request) -> Response:
    raise RuntimeError("a fault of ours")


class Site:
    """An application with a mounted one, whose requests are counted."""

    def __init__(self) -> None:
        api = FastAPI(openapi_url=None)
        api.add_api_route("/jobs/{job_id}", lambda job_id: job_id)
        api.add_route("/openapi.json", echo)
        app = FastAPI(openapi_url=None)
        app.router.routes += [
            Route("/upload/{name}", echo, methods=["POST"]),
            Route("/breaks", breaks),
            Route("/events", self.stream),
            Mount("/api/v1", api),
        ]
        self.board: Board | None = Board("page")
        self.app = Measured(app, lambda: self.board)
        self.while_open: dict[str, float] = {}

    async def stream(self, _request: Request) -> Response:
        async def events() -> AsyncIterator[bytes]:
            yield b":\n\n"
            self.while_open = self.told("http_streams", "http_in_flight")
            yield b":\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    async def asked(self, method: str, path: str, content: bytes = b"") -> int:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return (await client.request(method, path, content=content)).status_code

    def told(self, *names: str) -> dict[str, float]:
        assert self.board is not None
        page = values(generate_latest(self.board.registry).decode())
        wanted = tuple(f"overspill_{name}" for name in names)
        return {name.removeprefix("overspill_"): value for name, value in page.items() if name.startswith(wanted)}


def requests(route: str, method: str, status: str) -> str:
    return f'http_requests_total{{method="{method}",route="{route}",status="{status}"}}'


async def test_requests_are_counted_by_the_pattern_of_their_route() -> None:
    site = Site()
    await site.asked("POST", "/upload/cup.jpg", b"12345")
    await site.asked("POST", "/upload/tea.jpg", b"678")
    await site.asked("GET", "/api/v1/jobs/7")
    await site.asked("GET", "/api/v1/jobs/8")
    await site.asked("GET", "/api/v1/openapi.json")
    assert site.told("http_requests", "http_received") == {
        requests("/upload/{name}", "POST", "200"): 2,
        requests("/api/v1/jobs/{job_id}", "GET", "200"): 2,
        requests("/api/v1/openapi.json", "GET", "200"): 1,
        "http_received_bytes_total": 8,
    }
    assert site.told('http_request_seconds_count{method="POST"') == {
        'http_request_seconds_count{method="POST",route="/upload/{name}"}': 2
    }


async def test_what_has_no_route_is_counted_together() -> None:
    site = Site()
    for number in range(20):
        await site.asked("GET", f"/wp-admin/{number}")
        await site.asked(f"X{number}", f"/{number}")
    assert site.told("http_requests") == {requests("none", "GET", "404"): 20, requests("none", "other", "404"): 20}


async def test_a_fault_is_counted_as_what_its_caller_sees() -> None:
    site = Site()
    assert await site.asked("GET", "/breaks") == 500
    assert site.told("http_requests", "http_in_flight") == {
        requests("/breaks", "GET", "500"): 1,
        "http_in_flight_requests": 0,
    }


async def test_an_event_stream_counts_while_it_is_open_and_not_as_a_slow_request() -> None:
    site = Site()
    await site.asked("GET", "/events")
    assert site.while_open == {"http_streams": 1, "http_in_flight_requests": 1}
    assert site.told("http_streams", "http_in_flight", "http_request_seconds_count") == {
        "http_streams": 0,
        "http_in_flight_requests": 0,
    }


async def test_without_metrics_requests_pass() -> None:
    site = Site()
    site.board = None
    assert await site.asked("GET", "/api/v1/jobs/7") == 200


async def test_what_is_no_request_passes() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    await Measured(app, lambda: Board("page"))({"type": "lifespan"}, _never, _never)
    assert seen == ["lifespan"]


async def _never(*_args: Any) -> Any:
    raise AssertionError("nobody asks")


async def test_a_caller_who_leaves_before_the_answer_has_no_status() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        pass

    board = Board("page")
    await Measured(app, lambda: board)({"type": "http", "method": "GET", "path": "/"}, _never, _never)
    assert values(generate_latest(board.registry).decode())[f"overspill_{requests('none', 'GET', 'none')}"] == 1


async def test_patterns_are_few_whatever_an_application_makes_of_its_routes() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["route"] = Mount(scope["path"], app=app)

    board = Board("page")
    measured = Measured(app, lambda: board)
    for number in range(MOST_ROUTES + 5):
        await measured({"type": "http", "method": "GET", "path": f"/{number}"}, _never, _never)
    page = values(generate_latest(board.registry).decode())
    assert page[f"overspill_{requests('other', 'GET', 'none')}"] == 5


@pytest.mark.parametrize(
    ("path", "base", "pattern"),
    [("/jobs", "/api", "/api/jobs"), ("/api", "/api", "/api"), ("/jobs", "", "/jobs"), ("", "/api", "none")],
)
def test_the_pattern_of_a_mounted_route_is_told_with_where_it_is_mounted(path: str, base: str, pattern: str) -> None:
    assert route_of({"route": Mount(path, app=_never), "root_path": base}) == pattern
    assert route_of({}) == "none"
