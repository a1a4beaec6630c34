"""Bodies of requests, bounded while they come in: nobody fills the memory, or holds a place for ever."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from bridge.service.computing import Busy
from bus.errors import BadInput
from bus.params import PARAMS_BYTES
from bus.problems import Kind, Problem

UPLOAD_S: Final = 120.0
"""The longest a body may take to come, seconds."""
FORM_BYTES: Final = 65_536
"""What a form may have around its picture: boundaries, headers of parts, the parameters."""
IMAGE, PARAMS = "image", "params"


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture, and the parameters as they were given (JSON text, or None)."""

    body: bytes
    params: str | None


class Uploads:
    """The bodies that come to one service. All methods belong to the event loop's thread."""

    def __init__(self) -> None:
        self._coming: set[asyncio.Timeout] = set()
        self._stopped = False

    def stop(self) -> None:
        """Wait no longer for what has not come: the service goes away, and nothing of those jobs has begun."""
        self._stopped = True
        for limit in self._coming:
            with contextlib.suppress(RuntimeError):  # it has run out just now
                limit.reschedule(asyncio.get_running_loop().time())

    async def body(self, request: Request, most_bytes: int) -> bytes:
        """The whole body.

        Raises BadInput when it has more than `most_bytes`, before it is read where Content-Length tells so,
        HTTPException 408 when it does not come, and Busy when the service goes away meanwhile.
        """
        async with self._in_time():
            return await _bounded(request, most_bytes).body()

    async def upload(self, request: Request, most_bytes: int) -> Upload:
        """A picture of at most `most_bytes`: the body as it is, or the field `image` of a multipart form.

        `params` are those of the form, else of the query, else of the header. Raises what `body` does.
        """
        given = request.query_params.get(PARAMS, request.headers.get(PARAMS))
        if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
            return Upload(await self.body(request, most_bytes), given)
        async with self._in_time():
            return await _from_form(request, most_bytes, given)

    @contextlib.asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(0 if self._stopped else UPLOAD_S) as limit:
                self._coming.add(limit)
                try:
                    yield
                finally:
                    self._coming.discard(limit)
        except TimeoutError:
            if self._stopped:
                raise Busy("the service is going away") from None
            raise HTTPException(408, f"The body did not come within {UPLOAD_S:g} s.") from None


async def _from_form(request: Request, most_bytes: int, given: str | None) -> Upload:
    bounded = _bounded(request, most_bytes, around=FORM_BYTES)
    try:
        async with bounded.form(max_files=1, max_fields=4, max_part_size=PARAMS_BYTES) as form:
            body = await _image_of(form).read()
            params = form.get(PARAMS, given)
    except HTTPException as error:  # Starlette's, about the form
        raise BadInput(_bad_form(error.detail)) from None
    if len(body) > most_bytes:
        raise BadInput(_too_large(most_bytes))
    return Upload(body, params if isinstance(params, str) else given)


def _image_of(form: FormData) -> UploadFile:
    image = form.get(IMAGE)
    if not isinstance(image, UploadFile):
        raise BadInput(_bad_form("it has no file under that name"))
    return image


def _bounded(request: Request, most_bytes: int, around: int = 0) -> Request:
    """The request, with a body that ends in BadInput once it has more than `most_bytes` and what may be around them."""
    told = request.headers.get("content-length", "")
    if told.isascii() and told.isdigit() and (len(told) > 18 or int(told) > most_bytes + around):
        raise BadInput(_too_large(most_bytes))
    left = most_bytes + around

    async def counted() -> Any:
        nonlocal left
        message = await request.receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise BadInput(_too_large(most_bytes))
        return message

    return Request(request.scope, counted)


def _too_large(most_bytes: int) -> Problem:
    return Problem.of(Kind.TOO_MANY_BYTES, f"The body has more than {most_bytes:,} bytes.", limit=most_bytes)


def _bad_form(why: str) -> Problem:
    remedy = "Send the picture as the body itself, or as the file `image` of a multipart form beside the text `params`."
    return Problem.of(Kind.BAD_FIELD, f"image: the form can't be read: {why.rstrip('.')}.", field=IMAGE, remedy=remedy)
