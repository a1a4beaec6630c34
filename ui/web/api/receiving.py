"""Pictures on their way in: streamed into the desk's folder, and refused as soon as it can be known that they must be.

The desk looks at a picture's first bytes and counts all of them; here the body is bounded, and a form taken apart as it
comes. How long a body may take is the guard's to say. Nothing holds more of a picture than what came last.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol

from starlette.requests import Request

from bus.errors import BadInput
from bus.problems import Kind, Problem
from ui.web.api.forms import FORM_BYTES, Form, boundary_of


class Sink(Protocol):
    """Where a picture goes: `ui.web.jobs.files.Incoming`."""

    async def write(self, piece: bytes | memoryview, /) -> None:
        """Take some bytes. Raises BadInput when the picture is refused."""


@dataclass(frozen=True, slots=True)
class Came:
    """What came beside the picture: its form's fields, and the name of its file."""

    fields: dict[str, str] = field(default_factory=dict)
    file_name: str | None = None


async def receive(request: Request, picture: Sink, most_bytes: int) -> Came:
    """Read the body, raw or the file `image` of a multipart form, into `picture`.

    Raises BadInput for what is larger or no form, what the picture's sink raises, and ClientDisconnect.
    """
    boundary = boundary_of(request.headers.get("content-type", ""))
    if boundary is not None:
        return await _from_form(request, Form(boundary), picture, most_bytes)
    async for chunk in _body(request, most_bytes):
        await picture.write(chunk)
    return Came()


async def _from_form(request: Request, form: Form, picture: Sink, most_bytes: int) -> Came:
    async for chunk in _body(request, most_bytes + FORM_BYTES):
        for piece in form.feed(chunk):
            await picture.write(piece)
    form.finish()
    return Came(form.fields, form.file_name)


async def _body(request: Request, most_bytes: int) -> AsyncIterator[bytes]:
    """The body as it comes, refused before it is read where its length tells. Raises ClientDisconnect when it ends."""
    told = request.headers.get("content-length", "")
    if told.isascii() and told.isdigit() and (len(told) > 18 or int(told) > most_bytes):
        raise BadInput(_too_large(most_bytes))
    left = most_bytes
    async for chunk in request.stream():
        left -= len(chunk)
        if left < 0:
            raise BadInput(_too_large(most_bytes))
        if chunk:
            yield chunk


def _too_large(most_bytes: int) -> Problem:
    return Problem.of(Kind.TOO_MANY_BYTES, f"The body has more than {most_bytes:,} bytes.", limit=most_bytes)
