import gzip
import http.client
import itertools
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from bus.errors import SetupError
from telemetry.metrics import families as f
from telemetry.metrics.board import Board
from telemetry.metrics.endpoint import MOST_CALLERS, Endpoint
from tests.telemetry.metrics.pages import parsed


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    board = Board("vm")
    board.add(f.JOBS, "done", "sketch", "vm")
    endpoint = Endpoint("127.0.0.1", 0, board.registry)
    yield endpoint
    endpoint.close()


def asked(endpoint: Endpoint, path: str = "/metrics", **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", endpoint.server_port, timeout=10)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def test_metrics_come_as_text(endpoint: Endpoint) -> None:
    answer, body = asked(endpoint)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "overspill_jobs" in parsed(body.decode())


def test_and_as_openmetrics_to_who_wants_that(endpoint: Endpoint) -> None:
    answer, body = asked(endpoint, accept="application/openmetrics-text; version=1.0.0")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert "overspill_jobs" in parsed(body.decode(), is_openmetrics=True)


def test_and_compressed(endpoint: Endpoint) -> None:
    answer, body = asked(endpoint, **{"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert "overspill_jobs" in parsed(gzip.decompress(body).decode())


def test_elsewhere_there_is_nothing(endpoint: Endpoint) -> None:
    assert asked(endpoint, "/")[0].status == 404
    assert asked(endpoint, "/metrics?name[]=overspill_jobs_total")[0].status == 200


def test_scrapers_that_stall_leave_room_until_there_are_too_many(endpoint: Endpoint) -> None:
    silent = [socket.create_connection(("127.0.0.1", endpoint.server_port)) for _ in range(MOST_CALLERS - 1)]
    assert asked(endpoint)[0].status == 200
    silent += [socket.create_connection(("127.0.0.1", endpoint.server_port)) for _ in range(2)]
    assert b"503" in silent[-1].recv(100)
    for each in silent:
        each.close()


def test_callers_that_drip_are_cut_off(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telemetry.metrics.endpoint.WITHIN_S", 0.2)
    dripping = [socket.create_connection(("127.0.0.1", endpoint.server_port)) for _ in range(MOST_CALLERS)]
    for byte in itertools.cycle(b"GET /metrics?"):
        still = [each for each in dripping if is_taken(each, byte)]
        if not still:
            break
        time.sleep(0.05)  # well within SILENT_S
    assert asked(endpoint)[0].status == 200
    for each in dripping:
        each.close()


def is_taken(caller: socket.socket, byte: int) -> bool:
    try:
        caller.send(bytes([byte]))
    except OSError:
        return False
    return True


def test_a_caller_who_hangs_up_disturbs_nobody(endpoint: Endpoint, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_connection(("127.0.0.1", endpoint.server_port)) as rude:
        rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        rude.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
    assert asked(endpoint)[0].status == 200
    endpoint.handle_error(None, None)
    assert capfd.readouterr().err == ""


def test_a_port_that_is_taken_says_which_setting_mends_it(endpoint: Endpoint) -> None:
    with pytest.raises(SetupError, match="OVERSPILL_METRICS_PORT"):
        Endpoint("127.0.0.1", endpoint.server_port, Board("vm").registry)


def test_it_serves_under_its_address_until_it_is_closed() -> None:
    endpoint = Endpoint("::1", 0, Board("vm").registry)
    assert endpoint.url == f"http://[::1]:{endpoint.server_port}/metrics"
    endpoint.close()
    assert "metrics" not in {thread.name for thread in threading.enumerate()}
