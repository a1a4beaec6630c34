"""Streams of changes, as a browser's EventSource hears them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx
import pytest

from tests.ui.web.api.asking import ended, submit
from tests.ui.web.api.house import House
from ui.web.people.person import Person


class Event(NamedTuple):
    kind: str
    number: str | None
    data: dict[str, Any]


@contextmanager
def stream(client: httpx.Client, url: str, **given: Any) -> Iterator[Iterator[Event]]:
    """The events of a stream that is open until the end of the context."""
    with client.stream("GET", url, **given) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        yield events(response.iter_lines())


def events(lines: Iterator[str]) -> Iterator[Event]:
    told: dict[str, str] = {}
    for line in lines:
        if not line and "event" in told:
            yield Event(told["event"], told.get("id"), json.loads(told["data"]))
        if not line:
            told = {}
        else:
            name, _, value = line.partition(": ")
            told[name] = value


def until_the_end(heard: Iterator[Event]) -> list[Event]:
    found = []
    for event in heard:
        found.append(event)
        if event.kind == "job" and event.data["ended_ms"] is not None:
            break
    return found


@pytest.fixture
def held(house: House) -> Iterator[House]:
    house.worker.holds = True
    yield house
    house.call(house.worker.release)


def test_a_jobs_stream_begins_with_how_it_is_and_ends_with_its_end(held: House, anna: httpx.Client) -> None:
    job = submit(anna).json()
    with stream(anna, f"{job['url']}/events") as heard:
        first = next(heard)
        assert (first.kind, first.data["id"]) == ("job", job["id"])
        assert first.data["state"] in {"accepted", "queued"}
        held.call(held.worker.release)
        rest = list(heard)
    assert rest[-1].data["state"] == "done"
    numbers = [int(event.number) for event in [first, *rest] if event.number]
    assert numbers == sorted(numbers)


def test_a_job_that_has_ended_says_so_once(anna: httpx.Client) -> None:
    job = ended(anna, submit(anna).json()["id"])
    with stream(anna, f"{job['url']}/events") as heard:
        (last,) = heard
    assert last.data["state"] == "done"
    # A browser comes back after each end, until it is told not to.
    again = anna.get(f"{job['url']}/events", headers={"last-event-id": str(last.number)})
    assert (again.status_code, again.content) == (204, b"")


def test_all_jobs_are_heard_from_now_on(anna: httpx.Client, ben: httpx.Client) -> None:
    before = ended(anna, submit(anna).json()["id"])
    with stream(anna, "/api/v1/events") as heard:
        submit(ben)
        job = submit(anna).json()
        found = until_the_end(heard)
    assert {event.data["id"] for event in found} == {job["id"]}
    assert before["id"] != job["id"]


def test_what_was_missed_is_heard_again(anna: httpx.Client) -> None:
    listed = anna.get("/api/v1/jobs").json()["last_event_id"]
    job = ended(anna, submit(anna).json()["id"])
    for given in ({"headers": {"last-event-id": str(listed)}}, {"params": {"last_event_id": listed}}):
        with stream(anna, "/api/v1/events", **given) as heard:
            assert until_the_end(heard)[-1].data["id"] == job["id"]


def test_the_header_is_newer_than_the_query(anna: httpx.Client) -> None:
    old = anna.get("/api/v1/jobs").json()["last_event_id"]
    ended(anna, submit(anna).json()["id"])
    new = anna.get("/api/v1/jobs").json()["last_event_id"]
    later = {"headers": {"last-event-id": str(new)}, "params": {"last_event_id": old}}
    with stream(anna, "/api/v1/events", **later) as heard:
        job = submit(anna).json()
        assert {event.data["id"] for event in until_the_end(heard)} == {job["id"]}


def test_a_job_that_is_removed_is_heard_of(anna: httpx.Client) -> None:
    job = ended(anna, submit(anna).json()["id"])
    with stream(anna, "/api/v1/events") as heard:
        anna.delete(job["url"])
        removed = next(heard)
    assert (removed.kind, removed.data) == ("removed", {"id": job["id"]})


def test_a_revoked_token_hears_nothing_more(house: House, anna: httpx.Client) -> None:
    name = anna.get("/api/v1/me").json()["name"]
    person = Person(name, "user", "session")
    revoked, secret = house.do(house.web.people.add_token(person, "revoked"))
    with house.client(secret) as program, stream(program, "/api/v1/events") as heard:
        first = submit(anna).json()
        assert next(heard).data["id"] == first["id"]
        until_the_end(heard)
        assert house.do(house.web.people.remove_token(person, revoked.id))
        submit(anna)
        assert list(heard) == []


def test_the_head_of_a_stream_ends(anna: httpx.Client) -> None:
    for _ in range(40):
        assert anna.head("/api/v1/events").headers["content-type"].startswith("text/event-stream")
    job = submit(anna).json()
    assert anna.head(job["url"]).status_code == 200


@pytest.mark.parametrize("number", ["-1", "x", "9" * 30])
def test_a_number_must_be_one(anna: httpx.Client, number: str) -> None:
    assert anna.get("/api/v1/events", headers={"last-event-id": number}).status_code == 422


def test_a_person_has_so_many_streams_and_no_more(house: House, anna: httpx.Client) -> None:
    responses = []
    try:
        for _ in range(32):
            request = anna.build_request("GET", "/api/v1/events")
            responses.append(anna.send(request, stream=True))
        assert {response.status_code for response in responses} == {200}
        refused = anna.get("/api/v1/events")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "15")
    finally:
        for response in responses:
            response.close()
