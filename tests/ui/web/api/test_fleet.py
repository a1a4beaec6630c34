"""The fleet over HTTP, for operators alone."""

import json
from collections.abc import Iterator

import httpx
import pytest

from tests.ui.web.api.house import House
from ui.web.live.sample import History, Sample

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def token(house: House) -> str:
    return house.token("fleet-operator", "operator")


@pytest.fixture
def operator(house: House, token: str) -> Iterator[httpx.Client]:
    with house.client(token) as client:
        yield client


def test_the_fleet_as_it_is_now(operator: httpx.Client) -> None:
    answer = operator.get("/api/v1/fleet")
    while not answer.json()["connected"]:
        answer = operator.get("/api/v1/fleet")
    assert answer.headers["cache-control"] == "no-store"
    assert Sample.model_validate(answer.json()).cpu_threshold == 40
    assert None not in answer.json().values()


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_the_history_compressed_for_who_takes_it(operator: httpx.Client, encoding: str) -> None:
    answer = operator.get("/api/v1/fleet/history", headers={"accept-encoding": encoding})
    assert answer.headers.get("content-encoding") == ("gzip" if encoding == "gzip" else None)
    assert answer.headers["vary"] == "Accept-Encoding"
    assert History.model_validate(answer.json()).step_ms == 1000


def test_the_stream_begins_with_the_state_and_goes_on_with_patches(operator: httpx.Client) -> None:
    with operator.stream("GET", "/api/v1/fleet/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        events: list[tuple[str, dict[str, object]]] = []
        kind = ""
        for line in answer.iter_lines():
            kind = line.removeprefix("event: ") if line.startswith("event: ") else kind
            if line.startswith("data: "):
                events.append((kind, json.loads(line.removeprefix("data: "))))
            if len(events) == 3:
                break
    assert [kind for kind, _ in events] == ["state", "sample", "sample"]
    assert "cpu_threshold" in events[0][1]
    assert "cpu_threshold" not in events[1][1]


@pytest.mark.parametrize("path", ["/fleet", "/fleet/history", "/fleet/events"])
def test_only_operators_see_it(house: House, anna: httpx.Client, path: str) -> None:
    assert anna.get(f"/api/v1{path}").status_code == 403
    with house.client() as stranger:
        assert stranger.get(f"/api/v1{path}").status_code == 401
