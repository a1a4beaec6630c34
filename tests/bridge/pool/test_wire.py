import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.envelope import Parcel, read_answer
from bridge.pool.wire import (
    PARAMS_IN_A_HEADER,
    SOON_S,
    Answered,
    Failed,
    NotServed,
    NotTaken,
    Outcome,
    OutOfReach,
    Readiness,
    Response,
    outcome_of,
    read_ready,
    request_of,
    too_large,
)
from bus.errors import BadInput
from bus.problems import PROBLEM_JSON, Kind, Problem
from tests.bridge.cloud_suite import PICTURE, job

NOW_MS = 1_900_000_005_000
TRACE = f"00-{'1' * 32}-{'2' * 16}-01"
CLAIM = f"pictures/20300131/{'0' * 32}"


def came(status: int, body: bytes = b"", **headers: str) -> Outcome:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return outcome_of(job("ticket-1"), Response(status, told, body), NOW_MS)


def problem(kind: Kind) -> Problem:
    return Problem.of(kind, "It is so.")


def test_a_job_is_posted_as_bytes_with_headers() -> None:
    request = request_of(job("ticket-1", params={"format": "png"}, deadline_ms=7, traceparent=TRACE), "secret")
    assert (request.path, request.body, request.params, request.deadline_ms) == ("/v1/sketch", PICTURE, None, 7)
    assert request.headers == {
        "authorization": "Bearer secret",
        "content-type": "application/octet-stream",
        "params": '{"format": "png"}',
        "deadline-ms": "7",
        "traceparent": TRACE,
        "accept-encoding": "identity",
    }


def test_a_claimed_picture_travels_as_its_claim_and_link() -> None:
    request = request_of(job("ticket-1", link="https://blobs.example/p", body=b"", claim=CLAIM), None)
    assert (request.headers["claim"], request.headers["link"]) == (CLAIM, "https://blobs.example/p")
    assert "authorization" not in request.headers


@given(st.dictionaries(st.text(max_size=9), st.text(max_size=1200), max_size=6))
def test_params_survive_and_headers_stay_short_ascii(params: dict[str, str]) -> None:
    request = request_of(job("ticket-1", params=params), None)
    in_header = request.headers.get("params")
    assert json.loads(in_header or request.params or "{}") == params
    assert all(value.isascii() and value.isprintable() for value in request.headers.values())
    assert len(in_header or "") <= PARAMS_IN_A_HEADER
    assert (request.params is None) == ("content-type" in request.headers)


@given(st.text(max_size=128))
def test_a_trace_that_is_no_header_is_left_out(text: str) -> None:
    told = request_of(job("ticket-1", traceparent=text), None).headers.get("traceparent", "")
    assert told.isascii()
    assert told.isprintable() or not told


def test_a_link_too_long_for_a_header_stays_at_home() -> None:
    request = request_of(job("ticket-1", link="https://blobs.example/" + "s" * 5000, body=b"", claim=CLAIM), None)
    assert ("claim" in request.headers, "link" in request.headers) == (True, False)


def test_what_is_no_job_is_not_posted() -> None:
    with pytest.raises(BadInput):
        request_of(Parcel(b"", {"kind": "job"}), None)


def test_a_result_becomes_an_answer() -> None:
    told = {"x_overspill_vm": "rev-7", "x_overspill_model": "dodge", "x_overspill_ran_ms": "2000"}
    outcome = came(200, b"\xff\xd8", content_type="image/jpeg", **told)
    assert isinstance(outcome, Answered)
    answer = read_answer(outcome.parcel)
    assert (answer.ticket, answer.content_type, answer.body) == ("ticket-1", "image/jpeg", b"\xff\xd8")
    assert (answer.vm, answer.model, answer.ran_ms, answer.began_ms) == ("rev-7", "dodge", 2000, NOW_MS - 2000)


@pytest.mark.parametrize(("told", "known"), [(TRACE, TRACE), ("garbage", None)])
def test_the_span_of_a_run_comes_with_its_answer(told: str, known: str | None) -> None:
    outcome = came(200, b"{}", traceparent=told)
    assert isinstance(outcome, Answered)
    assert outcome.parcel.attributes.get("traceparent") == known


def test_what_a_result_does_not_tell_is_left_out() -> None:
    outcome = came(200, b"{}", x_overspill_ran_ms="soon")
    assert isinstance(outcome, Answered)
    assert outcome.parcel.attributes == {
        "kind": "answer",
        "ticket": "ticket-1",
        "operation": "sketch",
        "content_type": "application/octet-stream",
    }


def test_parameters_of_a_content_type_are_not_the_callers_concern() -> None:
    outcome = came(200, b"{}", content_type="Application/JSON; charset=utf-8")
    assert isinstance(outcome, Answered)
    assert outcome.parcel.attributes["content_type"] == "application/json"


OF_THE_SERVICE = frozenset({401, 403, 429, 503})
"""With these a service says something of itself, and nothing of the job; so does the page, whose problems they are."""


@pytest.mark.parametrize(
    "kind",
    [kind for kind in Kind if kind is not Kind.UNKNOWN_OPERATION and kind.value.status not in OF_THE_SERVICE],
)
def test_a_problem_of_ours_is_an_answer(kind: Kind) -> None:
    said = problem(kind)
    outcome = came(said.status, said.to_json(), content_type=PROBLEM_JSON)
    assert isinstance(outcome, Answered)
    answer = read_answer(outcome.parcel)
    assert (answer.content_type, Problem.model_validate_json(answer.body)) == (PROBLEM_JSON, said)


@pytest.mark.parametrize(
    ("status", "headers", "body", "outcome"),
    [
        (429, {"retry_after": "4"}, b"", NotTaken("has no room (it says 429)", 4.0)),
        (429, {"retry_after": "Fri, 31 Dec 2100"}, b"", NotTaken("has no room (it says 429)", SOON_S)),
        (503, {"retry_after": "4"}, b"", NotTaken("has no room (it says 503)", 4.0)),
        (503, {}, b"", Failed("failed: it says 503")),
        (500, {}, b"Internal Server Error", Failed("failed: it says 500")),
        (500, {"content_type": PROBLEM_JSON}, b'{"type": "about:blank"}', Failed("failed: it says 500")),
        (302, {"location": "https://elsewhere.example"}, b"", Failed("failed: it says 302")),
        (404, {"content_type": "text/html"}, b"<h1>Not Found</h1>", Failed("failed: it says 404")),
        (
            404,
            {"content_type": PROBLEM_JSON},
            problem(Kind.UNKNOWN_OPERATION).to_json(),
            NotServed("does not serve sketch"),
        ),
        (503, {"content_type": PROBLEM_JSON}, problem(Kind.OPERATION_FAILED).to_json(), Failed("failed: it says 503")),
        (
            422,
            {"content_type": PROBLEM_JSON},
            problem(Kind.BAD_FIELD).model_copy(update={"field": "claim"}).to_json(),
            OutOfReach("has no way to the blob store of its picture: set OVERSPILL_BLOBS there"),
        ),
    ],
)
def test_what_a_refusal_means(status: int, headers: dict[str, str], body: bytes, outcome: Outcome) -> None:
    assert came(status, body, **headers) == outcome


@pytest.mark.parametrize("status", [401, 403])
def test_a_closed_door_is_the_operators_to_open(status: int) -> None:
    outcome = came(status, problem(Kind.BAD_FIELD).to_json(), content_type=PROBLEM_JSON)
    assert isinstance(outcome, NotTaken)
    assert outcome.retry_after_s is None
    assert "OVERSPILL_SERVICE_TOKEN" in outcome.reason


def test_a_result_past_all_bounds_is_a_problem() -> None:
    answer = read_answer(too_large(job("ticket-1"), 1000).parcel)
    said = Problem.model_validate_json(answer.body)
    assert (answer.ticket, said.slug, said.limit) == ("ticket-1", "too-many-bytes", 1000)


@pytest.mark.parametrize(
    ("status", "headers", "body", "said"),
    [
        (200, {}, b'{"operations": ["sketch"], "not_served": {}}', Readiness(operations=("sketch",))),
        (200, {}, b'{"operations": ["sketch"], "slots": 2}', Readiness(operations=("sketch",), slots=2)),
        (503, {}, b"", NotTaken("is not ready yet, or no longer", SOON_S)),
        (503, {"retry-after": "9"}, b"", NotTaken("is not ready yet, or no longer", 9.0)),
        (404, {}, b"", NotTaken("is no overspill service (/ready says 404)")),
    ],
)
def test_what_ready_says(status: int, headers: dict[str, str], body: bytes, said: Readiness | NotTaken) -> None:
    assert read_ready(Response(status, headers, body)) == said


@pytest.mark.parametrize("body", [b"", b"OK", b"[]", b'{"operations": 3}', b'{"operations": [], "slots": 0}'])
def test_another_servers_ready_is_not_believed(body: bytes) -> None:
    said = read_ready(Response(200, {}, body))
    assert isinstance(said, NotTaken)
    assert said.retry_after_s is None
