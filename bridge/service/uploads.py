"""Bodies of requests, bounded while they come in: nobody fills the memory, or holds a place for ever."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from bus.errors import BadInput
from bus.messages import PARAMS_BYTES
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


async def read_body(request: Request, most_bytes: int) -> bytes:
    """The whole body.

    Raises BadInput when it has more than `most_bytes`, before it is read where Content-Length tells so, and
    HTTPException 408 when it does not come.
    """
    async with _in_time():
        return await _bounded(request, most_bytes).body()


async def read_upload(request: Request, most_bytes: int) -> Upload:
    """A picture of at most `most_bytes`: the body as it is, or the field `image` of a multipart form.

    `params` are those of the form, else of the query, else of the header. Raises BadInput and HTTPException 408.
    """
    given = request.query_params.get(PARAMS, request.headers.get(PARAMS))
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return Upload(await read_body(request, most_bytes), given)
    async with _in_time():
        return await _from_form(request, most_bytes, given)


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


@contextlib.asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(UPLOAD_S):
            yield
    except TimeoutError:
        raise HTTPException(408, f"The body did not come within {UPLOAD_S:g} s.") from None
