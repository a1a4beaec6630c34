"""One file as a response: whole, a part of it, or the word that the caller has it already (RFC 9110)."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio.to_thread
from fastapi import Request
from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from bus.problems import Kind, Problem
from bus.wire import JSON
from ui.web.api.faults import Gone, problem_response
from ui.web.api.names import attachment
from ui.web.api.ranges import has_it, part_of

IMAGES: Final = ("image/jpeg", "image/png", "image/webp", "image/gif", "image/tiff", "image/bmp", "image/avif")
SMALL: Final = "image/webp"
"""The type of previews."""
_SANDBOX: Final = {"x-content-type-options": "nosniff", "content-security-policy": "sandbox; default-src 'none'"}


@dataclass(frozen=True, slots=True)
class File:
    """A file that never changes: its content type, the name to save it under, and a version of its own."""

    path: Path
    content_type: str
    name: str
    version: str


class _FileResponse(FileResponse):
    """All of a file, or the one part that is asked for."""

    chunk_size = 256 * 1024
    """Large enough that reading costs little, small enough that a slow reader holds little."""
    whole = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        if self.whole:
            scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] != b"range"]}
        await super().__call__(scope, receive, send)


async def give(request: Request, file: File) -> Response:
    """The file, as far as it is asked for. Raises Gone when it isn't there."""
    try:
        stat = await anyio.to_thread.run_sync(os.stat, file.path)
    except FileNotFoundError:
        raise Gone("It was removed.") from None
    headers = _headers(file.name, file.version)
    if has_it(request.headers.get("if-none-match"), headers["etag"]):
        return Response(status_code=304, headers=headers)
    part = part_of(_range_of(request, headers["etag"]), stat.st_size)
    if part == "nothing":
        detail = f"The file has {stat.st_size:,} bytes."
        return problem_response(Problem.of(Kind.NO_SUCH_RANGE, detail), {"content-range": f"bytes */{stat.st_size}"})
    response = _FileResponse(file.path, headers=headers, media_type=file.content_type, stat_result=stat)
    response.whole = part == "all"
    return response


def give_text(request: Request, text: bytes, name: str, version: str) -> Response:
    """A short JSON text, which nobody needs a part of."""
    headers = _headers(name, version)
    if has_it(request.headers.get("if-none-match"), headers["etag"]):
        return Response(status_code=304, headers=headers)
    return Response(text, headers=headers, media_type=JSON)


def _range_of(request: Request, etag: str) -> str | None:
    """The range asked for, unless it was meant for another version."""
    meant_for = request.headers.get("if-range", etag)
    return request.headers.get("range") if meant_for == etag else None


def _headers(name: str, version: str) -> dict[str, str]:
    return {
        **_SANDBOX,
        "etag": f'"{version}"',
        "content-disposition": attachment(name),
        # Kept, but asked for each time (a 304 costs little): in a browser that several people use, pictures are not to
        # be seen once their owner has logged out, or a login has ended in any other way.
        "cache-control": "private, no-cache",
    }
