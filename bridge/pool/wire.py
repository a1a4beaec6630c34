"""A parcel as a request to a service's `POST /v1/<operation>`, and its response as a parcel. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pydantic import BaseModel, Field, ValidationError

from bridge.envelope import Parcel, answer_parcel, read_count, read_job
from bus.answers import Answer
from bus.problems import PROBLEM_JSON, Kind, Problem
from bus.trace_context import readable

PARAMS_IN_A_HEADER: Final = 4096
"""Longer `params` go as a form's field: servers bound the size of all headers together, often at 16 KiB."""
SOON_S: Final = 1.0
"""When to ask a busy service again that does not say."""
LINK_IN_A_HEADER: Final = 4096
"""A longer link stays at home; the service then fetches the claim from the store itself."""
_OURS: Final = frozenset(kind.urn for kind in Kind)


@dataclass(frozen=True, slots=True)
class Request:
    """What is posted: `body` as it is, or with `params` as a form of fields `image` and `params`."""

    path: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    params: str | None = None
    deadline_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """What came back; names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answered:
    """A result or a problem, on its way home."""

    parcel: Parcel


@dataclass(frozen=True, slots=True)
class NotTaken:
    """The service did not begin: out of reach, busy, going away, or we may not enter. Another may."""

    reason: str
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class NotServed:
    """The service does not serve this operation."""

    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The service may have begun, and came to nothing: what it ran may be the reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class OutOfReach:
    """The service has no way to the job's picture. Its set-up is to blame, not the claim: that was read at home."""

    reason: str


Outcome = Answered | NotTaken | NotServed | OutOfReach | Failed


class Readiness(BaseModel):
    """What /ready says of a service that is."""

    operations: tuple[str, ...]
    slots: int | None = Field(None, ge=1, le=4096)


def request_of(parcel: Parcel, token: str | None) -> Request:
    """The request for a job. Raises BadInput when the parcel is none."""
    job, link = read_job(parcel)
    params = json.dumps(job.params) if job.params else None
    in_a_form = params is not None and len(params) > PARAMS_IN_A_HEADER
    headers = {
        "authorization": f"Bearer {token}" if token else None,
        "content-type": None if in_a_form else "application/octet-stream",
        "params": None if in_a_form else params,
        "deadline-ms": None if job.deadline_ms is None else str(job.deadline_ms),
        "traceparent": job.traceparent,
        "claim": job.claim,
        "link": _plain(link) if link and len(link) <= LINK_IN_A_HEADER else None,
        # A result is compressed as it is; unpacking another's bytes would need a bound of its own.
        "accept-encoding": "identity",
    }
    return Request(
        path=f"/v1/{job.operation}",
        headers={name: value for name, value in headers.items() if value is not None},
        body=job.body,
        params=params if in_a_form else None,
        deadline_ms=job.deadline_ms,
    )


def _plain(text: str | None) -> str | None:
    """Text that can be a header; other, which a caller may have sent, is left out."""
    return text if text and text.isascii() and text.isprintable() else None


def read_ready(response: Response) -> Readiness | NotTaken:
    """What a service said on /ready."""
    if response.status == 503:
        return NotTaken("is not ready yet, or no longer", _retry_after_s(response) or SOON_S)
    if response.status != 200:
        return NotTaken(f"is no overspill service (/ready says {response.status})")
    try:
        return Readiness.model_validate_json(response.body)
    except ValidationError:
        return NotTaken("is no overspill service: /ready must answer with JSON that lists its `operations`")


def outcome_of(parcel: Parcel, response: Response, now_ms: int) -> Outcome:
    """What a response to a job means."""
    status, problem = response.status, _problem_of(response)
    if status == 200:
        return Answered(_answer(parcel, response, now_ms))
    if status in {401, 403}:
        return NotTaken(f"does not let us in ({status}): set OVERSPILL_SERVICE_TOKEN to the same as there")
    if status == 429 or (status == 503 and "retry-after" in response.headers):
        return NotTaken(f"has no room (it says {status})", _retry_after_s(response) or SOON_S)
    not_from_there = None if problem is None else _not_from_there(parcel, problem)
    if not_from_there is not None:
        return not_from_there
    if problem is not None and problem.type in _OURS and status != 503:
        return Answered(_answer(parcel, response, now_ms))
    return Failed(f"failed: it says {status}")


def _not_from_there(parcel: Parcel, problem: Problem) -> Outcome | None:
    """What a problem means that another service, or a VM, would not have; None when it is the job's own."""
    if problem.type == Kind.UNKNOWN_OPERATION.urn:
        return NotServed(f"does not serve {parcel.attributes.get('operation', '')}")
    if problem.type == Kind.BAD_FIELD.urn and problem.field in {"claim", "link"}:
        return OutOfReach("has no way to the blob store of its picture: set OVERSPILL_BLOBS there")
    return None


def too_large(parcel: Parcel, limit: int) -> Answered:
    """The answer to a job whose result outgrew `limit` bytes: it would again, wherever it ran."""
    detail = f"The result has more than {limit:,} bytes."
    remedy = "Ask for a smaller format or size; the operator may raise OVERSPILL_MAX_CLAIM_BYTES."
    problem = Problem.of(Kind.TOO_MANY_BYTES, detail, limit=limit, remedy=remedy)
    return Answered(answer_parcel(_of(parcel, PROBLEM_JSON, problem.to_json())))


def _answer(parcel: Parcel, response: Response, now_ms: int) -> Parcel:
    headers = response.headers
    ran_ms = read_count(headers.get("x-overspill-ran-ms", ""))
    answer = _of(parcel, _media_type(response) or "application/octet-stream", response.body)
    told = {"vm": headers.get("x-overspill-vm"), "model": headers.get("x-overspill-model"), "ran_ms": ran_ms}
    told["traceparent"] = readable(headers.get("traceparent"))
    # When it began is told by our own clock: the service's may be another.
    return answer_parcel(answer.model_copy(update=told), None if ran_ms is None else now_ms - ran_ms)


def _of(parcel: Parcel, content_type: str, body: bytes) -> Answer:
    operation = parcel.attributes.get("operation", "")
    return Answer(job=parcel.ticket, operation=operation, content_type=content_type, body=body)


def _problem_of(response: Response) -> Problem | None:
    """The problem that a response is, or None when it is none."""
    if _media_type(response) != PROBLEM_JSON:
        return None
    try:
        return Problem.model_validate_json(response.body)
    except ValidationError:
        return None


def _media_type(response: Response) -> str:
    return response.headers.get("content-type", "").partition(";")[0].strip().lower()


def _retry_after_s(response: Response) -> float | None:
    seconds = read_count(response.headers.get("retry-after", ""))
    return None if seconds is None else float(seconds)
