"""Reading what a signed link leads to: so much and no more, without credentials, and without being sent elsewhere."""

import asyncio
import http.client
import time
import urllib.error
import urllib.request
from typing import Final
from urllib.parse import urlsplit

from bus.blobs import BlobsDown, too_much
from bus.errors import BadInput
from bus.problems import Kind, Problem
from bus.reach import is_loopback

PATIENCE_S: Final = 60.0
"""Seconds for the whole of it."""
_SILENCE_S: Final = 10.0
"""Seconds without a byte."""
_PIECE: Final = 1 << 20
_PASSING: Final = frozenset({408, 425, 429})


async def read_link(link: str, most_bytes: int) -> bytes:
    """The bytes that a link leads to; whether to trust who gave it, the caller decides (`bus.reach.is_of_store`).

    Raises BadInput when it is neither https nor this machine's own http, leads to nothing (any more), or to more than
    `most_bytes`; BlobsDown when who holds it does not answer.
    """
    _check(link)
    return await asyncio.to_thread(_read, link, most_bytes)


def _check(link: str) -> None:
    try:
        scheme = urlsplit(link).scheme
        allowed = scheme == "https" or (scheme == "http" and is_loopback(link))
    except ValueError:
        allowed = False
    if not allowed:
        detail = f"link: {link[:80]!r} is not https."
        raise BadInput(Problem.of(Kind.BAD_FIELD, detail, field="link"))


def _read(link: str, most_bytes: int) -> bytes:
    where = urlsplit(link).hostname
    try:
        with _opener(link).open(link, timeout=_SILENCE_S) as response:
            return _bounded(response, most_bytes)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code < 500 and error.code not in _PASSING:  # each cloud has its own for a link that has expired
            detail = f"link: {where} gives nothing for it (HTTP {error.code}); perhaps its time is over."
            raise BadInput(Problem.of(Kind.NO_SUCH_CLAIM, detail, field="link")) from None
        raise BlobsDown(f"{where} answers a link with HTTP {error.code}") from None
    except (OSError, http.client.HTTPException) as error:
        raise BlobsDown(f"{where} does not give what a link leads to ({type(error).__name__}: {error})") from error


def _opener(link: str) -> urllib.request.OpenerDirector:
    """Opens http and https alone, and follows nothing: links of stores lead there at once."""
    opener = urllib.request.OpenerDirector()
    opener.add_handler(urllib.request.ProxyHandler(None if link.startswith("https:") else {}))
    opener.add_handler(urllib.request.HTTPHandler())
    opener.add_handler(urllib.request.HTTPSHandler())
    opener.add_handler(urllib.request.HTTPDefaultErrorHandler())
    opener.add_handler(urllib.request.HTTPErrorProcessor())
    return opener


def _bounded(response: http.client.HTTPResponse, most_bytes: int) -> bytes:
    """All of a response, unless it is too much, or takes too long. Raises BadInput or TimeoutError."""
    body, deadline_s = bytearray(), time.monotonic() + PATIENCE_S
    while piece := response.read(_PIECE):
        body += piece
        if len(body) > most_bytes:
            detail = f"link: there are more than the {most_bytes:,} bytes that are taken."
            raise BadInput(too_much(detail, most_bytes))
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"not whole after {PATIENCE_S:g} s")
    if response.length:
        raise http.client.IncompleteRead(bytes(body), response.length)
    return bytes(body)
