"""What the cloud service says over HTTP when something is wrong: one table of statuses. docs/cloud-service.md tells it.

A problem whose type is `urn:overspill:problem:...` is the answer to a job; `about:blank` is about the request, or about
the service at this moment. `Retry-After` says that nothing was begun.
"""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from bridge.service.computing import Busy, Crashed
from bridge.service.identity import BadToken, CertificatesDown, Stranger
from bridge.service.publishing import ResultsDown
from bus.blobs import BlobsDown
from bus.errors import BadInput
from bus.problems import PROBLEM_JSON, Problem

log = logging.getLogger(__name__)

RETRY_AFTER_S: Final = 1
ALWAYS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
"""Headers of every response: what we send is made from strangers' bytes."""
_STATUSES: Final[Mapping[type[Exception], int]] = {
    BadToken: 401,
    Stranger: 403,
    Crashed: 500,
    BlobsDown: 503,
    ResultsDown: 503,
    CertificatesDown: 503,
    Busy: 503,
}
HANDLED: Final = (*_STATUSES, BadInput, HTTPException)
"""What `on_error` is for."""


async def on_error(_request: Request, error: Exception) -> Response:
    """The response to a request that ended in one of `HANDLED`."""
    if isinstance(error, BadInput):
        return problem_response(error.problem)
    if isinstance(error, HTTPException):
        return _about_blank(error.status_code, error.detail, error.headers)
    status = next(status for kind, status in _STATUSES.items() if isinstance(error, kind))
    log.log(logging.INFO if isinstance(error, Busy) else logging.WARNING, "refused with %d: %s", status, error)
    # What the store said names its address, which is nobody's business but the log's.
    detail = "The blob store fails." if isinstance(error, BlobsDown) else str(error)
    return _about_blank(status, detail, _headers_of(error))


async def on_surprise(_request: Request, _error: Exception) -> Response:
    """The response where nobody thought of the error, which the server logs."""
    return _about_blank(500, "The service met an error nobody thought of; its log tells which.")


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """A problem document."""
    # The connection stays open even where the body was too large: a close with bytes still on their way is a reset,
    # which takes the response with it. The server reads them and forgets them.
    return Response(problem.to_json(), problem.status, {**(headers or {}), **ALWAYS}, media_type=PROBLEM_JSON)


def _about_blank(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    problem = Problem(type="about:blank", title=HTTPStatus(status).phrase, status=status, detail=detail)
    return problem_response(problem, headers)


def _headers_of(error: Exception) -> dict[str, str]:
    if isinstance(error, BadToken):
        return {"www-authenticate": 'Bearer realm="overspill"'}
    return {"retry-after": str(RETRY_AFTER_S)} if isinstance(error, Busy) else {}
