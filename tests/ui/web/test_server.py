"""The page's process, as `overspill page` starts it; and the loop in which it serves."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bus.errors import SetupError
from bus.settings import Settings
from tests.needed import need_package
from tests.ui.web.api.asking import PHOTO
from ui.stack.processes import die_with_us
from ui.web.server import Server, address, listen, serve_until


@pytest.fixture
def started(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A page without a broker."""
    need_package("nicegui", "page")
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith(("OVERSPILL_", "PYTEST_", "NICEGUI_"))
    }
    told = {"AMQP_URL": "amqp://127.0.0.1:1/", "OVERSPILL_PAGE_LOGIN": "open", "OVERSPILL_PAGE_PORT": "0"}
    with subprocess.Popen(
        die_with_us([sys.executable, "-m", "ui.cli", "page"]),
        env={**kept, **told, "OVERSPILL_STATE_DIR": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


def test_a_page_serves_without_a_broker_and_stops_at_once(started: "subprocess.Popen[str]") -> None:
    assert started.stderr is not None
    ready = next(line for line in started.stderr if "PAGE ready" in line)
    found = re.search(r"on (http://127\.0\.0\.1:\d+); login: open", ready)
    assert found, ready

    with httpx.Client(base_url=found[1], timeout=30) as client:
        assert client.get("/health").status_code == 200
        assert client.get("/ready").status_code == 503
        assert "text/html" in client.get("/").headers["content-type"]
        nowhere = client.get("/api/v1/nowhere")
        assert (nowhere.status_code, nowhere.headers["content-type"]) == (404, "application/problem+json")

        accepted = client.post("/api/v1/jobs", params={"operation": "sketch"}, content=PHOTO)
        assert (accepted.status_code, accepted.json()["state"]) == (202, "accepted")

        with client.stream("GET", "/api/v1/events") as stream:
            pieces = stream.iter_raw()
            assert next(pieces)
            started.send_signal(signal.SIGTERM)
            assert list(pieces) == []  # it ends whole, not cut off
    assert started.wait(20) == 0


def test_a_port_that_is_taken_is_told_with_the_remedy() -> None:
    with listen("127.0.0.1", 0) as taken, pytest.raises(SetupError, match="OVERSPILL_PAGE_PORT"):
        listen("127.0.0.1", taken.getsockname()[1])


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({}, "http://127.0.0.1:{port}"),
        ({"page_host": "::1"}, "http://[::1]:{port}"),
        ({"page_url": "https://pictures.example"}, "https://pictures.example"),
    ],
)
def test_people_are_told_where_it_is(given: dict[str, Any], where: str) -> None:
    with listen("127.0.0.1", 0) as port:
        assert address(Settings(**given), port) == where.format(port=port.getsockname()[1])


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Says yes to everything."""
    if scope["type"] == "lifespan":
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})
        return
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


async def test_what_fails_beside_it_ends_it() -> None:
    async def refused() -> None:
        raise SetupError("The broker won't have us.")

    stop = asyncio.Event()
    with pytest.raises(SetupError, match="won't have us"):
        await serve_until(stop, Server(app, "serving"), listen("127.0.0.1", 0), refused())
    assert stop.is_set()


async def test_it_serves_until_it_is_stopped() -> None:
    stop, port = asyncio.Event(), listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{port.getsockname()[1]}"
    serving = asyncio.create_task(serve_until(stop, Server(app, "serving"), port, _ever()))
    async with httpx.AsyncClient() as client:
        assert (await client.get(url)).status_code == 204
    stop.set()
    await asyncio.wait_for(serving, 10)
    with socket.socket() as free:
        free.bind(("127.0.0.1", int(url.rpartition(":")[2])))


async def _ever() -> None:
    await asyncio.Event().wait()


def test_answers_do_not_wait_for_acknowledgements() -> None:
    with listen("127.0.0.1", 0) as port:
        assert port.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
