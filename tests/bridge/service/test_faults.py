"""What is said over HTTP when something is wrong: a table of errors and statuses."""

import json
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from bridge.service.computing import Busy, Crashed
from bridge.service.faults import HANDLED, on_error, on_surprise
from bridge.service.identity import BadToken, CertificatesDown, Stranger
from bridge.service.publishing import ResultsDown
from bus.blobs import BlobsDown
from bus.errors import BadInput
from bus.problems import Kind, Problem

REQUEST = Request({"type": "http"})


def told(response: Response) -> dict[str, Any]:
    assert response.media_type == "application/problem+json"
    assert response.headers["x-content-type-options"] == "nosniff"
    document: dict[str, Any] = json.loads(bytes(response.body))
    assert document["status"] == response.status_code
    return document


@pytest.mark.parametrize(
    ("error", "status", "header"),
    [
        (BadToken("no token"), 401, ("www-authenticate", 'Bearer realm="overspill"')),
        (Stranger("not you"), 403, None),
        (CertificatesDown("no certificates"), 503, None),
        (Busy("the line is full"), 503, ("retry-after", "1")),
        (Crashed("signal 9"), 500, None),
        (BlobsDown("The blob store fails."), 503, None),
        (ResultsDown("the topic is gone"), 503, None),
        (HTTPException(404, "nothing here"), 404, None),
        (HTTPException(405, "only POST", {"allow": "POST"}), 405, ("allow", "POST")),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_a_fault_is_told_about_the_request_and_not_as_an_answer(
    error: Exception, status: int, header: tuple[str, str] | None
) -> None:
    assert isinstance(error, HANDLED)
    response = await on_error(REQUEST, error)
    document = told(response)
    assert (document["type"], document["status"]) == ("about:blank", status)
    detail = error.detail if isinstance(error, HTTPException) else str(error)
    assert document["detail"] == detail
    # Only who was not begun may be sent elsewhere without a second thought.
    assert ("retry-after" in response.headers) is isinstance(error, Busy)
    assert header is None or response.headers[header[0]] == header[1]


async def test_where_the_store_lies_is_told_in_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    response = await on_error(REQUEST, BlobsDown("the blob store gs://ours fails"))
    assert b"gs://ours" not in bytes(response.body)
    assert "gs://ours" in caplog.text


async def test_bad_input_is_told_as_its_problem() -> None:
    problem = Problem.of(Kind.TOO_MANY_PIXELS, "60,000 x 60,000.", limit=50_000_000)
    response = await on_error(REQUEST, BadInput(problem))
    assert told(response) == json.loads(problem.to_json())


async def test_what_nobody_thought_of_tells_nothing_of_our_insides() -> None:
    document = told(await on_surprise(REQUEST, RuntimeError("secret")))
    assert (document["type"], document["status"]) == ("about:blank", 500)
    assert "secret" not in document["detail"]
