"""The OpenAPI document: what every route may answer, told once."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from bus.problems import PROBLEM_JSON, Kind, Problem
from ui.web.api.schema import Caption

Responses = dict[int | str, dict[str, Any]]

_PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}
_FASTAPIS: Final = ("HTTPValidationError", "ValidationError")
_SAID: Final = {
    400: "The request can't be read.",
    401: "Nobody is logged in.",
    403: "This caller may not do that, or the page that asks isn't ours.",
    404: "There is no such thing, or it is somebody else's.",
    405: "Not with this method.",
    408: "The body did not come in time.",
    409: "Not in its present state.",
    410: "The picture is not in the blob store any more.",
    413: "Too many bytes or pixels.",
    415: "Not an image we read.",
    416: "There is no such range.",
    422: "A field is wrong.",
    429: "Too much at a time; `Retry-After` tells when it may pass.",
    499: "The job was cancelled while it was waited for.",
    500: "A fault of ours, or of the operation.",
    503: "Not just now; `Retry-After` tells when it may pass.",
    504: "The job took, or waited, too long.",
}
_RETRY: Final = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}}
_EXAMPLES: Final = {
    401: Problem.of(Kind.NOT_LOGGED_IN, "This needs a login."),
    404: Problem.of(Kind.NOT_FOUND, "You have no such job."),
    413: Problem.of(Kind.TOO_MANY_BYTES, "The picture has more than 16,777,216 bytes.", limit=16_777_216),
    415: Problem.of(Kind.NOT_AN_IMAGE, "The body looks like HTML."),
    422: Problem.of(Kind.BAD_FIELD, "operation: no such operation.", field="operation"),
    429: Problem.of(Kind.TOO_MANY_REQUESTS, "Too many requests.", retry_after_s=2),
}


def problems(*statuses: int) -> Responses:
    """The documentation of these statuses as problems."""
    return {status: _problem(status) for status in statuses}


def _problem(status: int) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": _PROBLEM}
    example = _EXAMPLES.get(status)
    if example is not None:
        content["example"] = example.model_dump(exclude_none=True)
    told: dict[str, Any] = {"description": _SAID[status], "content": {PROBLEM_JSON: content}}
    return told | ({"headers": _RETRY} if status in {429, 503} else {})


EVERYWHERE: Final[Responses] = problems(400, 401, 403, 429, 500, 503)
"""What any route may answer."""


def binary(description: str, *types: str, headers: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The documentation of an answer that is a file of one of these types."""
    content = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in types}
    return {"description": description, "content": content, "headers": dict(headers or {})}


def header(description: str, kind: str = "string") -> dict[str, Any]:
    """The documentation of one header."""
    return {"description": description, "schema": {"type": kind}}


def describe(app: FastAPI) -> None:
    """Give `app` its document: made at the first request, and kept."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to have another document


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        tags=app.openapi_tags,
        servers=[{"url": "/api/v1"}],
    )
    schemas = document["components"]["schemas"]
    for model in (Problem, Caption):  # told by hand, where FastAPI sees no more than a response
        schemas[model.__name__] = model.model_json_schema(ref_template="#/components/schemas/{model}")
    for unused in _FASTAPIS:
        schemas.pop(unused, None)
    for operation in _operations(document):
        # Where parameters can be wrong FastAPI tells of an answer of its own; ours is a problem.
        if "application/json" in operation["responses"].get("422", {}).get("content", {}):
            operation["responses"]["422"] = _problem(422)
    return document


def _operations(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from path.values()
