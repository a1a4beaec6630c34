"""One attempt at one delivery: an HTTP POST to an address that was checked."""

import asyncio
import socket
import ssl
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

import httpx

from ui.web.webhooks.reach import Target, may_call, target_of
from ui.web.webhooks.retries import Outcome

TIMEOUT_S: Final = 10.0
"""For the whole attempt: name, connection, request and answer."""
MOST_READ: Final = 4096
"""Bytes of an answer that are read. They are thrown away: who sees them could read through us what we can reach."""
_ADDRESSES: Final = 3
"""How many addresses of one name are tried."""
_LOOKUPS: Final = 32
"""Names that are looked up at a time."""


class NotReachable(Exception):
    """The webhook leads to no address that may be called."""


class Caller:
    """Makes the calls. A connection is used once: a kept one would be taken for another name at the same address."""

    def __init__(self, *, private: bool, timeout_s: float = TIMEOUT_S, verify: ssl.SSLContext | None = None) -> None:
        """`private` allows addresses that are not public; `verify` is what certificates are checked with."""
        self._private = private
        self._timeout_s = timeout_s
        # Of its own: a name that its owner makes slow holds its thread for half a minute, and the loop's few threads
        # write pictures to the disk.
        self._lookups = ThreadPoolExecutor(_LOOKUPS, thread_name_prefix="names")
        self._client = httpx.AsyncClient(
            verify=verify if verify is not None else True,
            timeout=timeout_s,
            follow_redirects=False,
            trust_env=False,  # a proxy of the environment would resolve the name itself, unchecked
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def close(self) -> None:
        """Let go of all connections."""
        self._lookups.shutdown(wait=False, cancel_futures=True)
        await self._client.aclose()

    async def post(self, url: str, headers: dict[str, str], body: bytes) -> Outcome:
        """Send it once. Never raises for what the receiver does: the outcome tells."""
        started = time.monotonic()
        status, error = await self._tried(url, headers, body)
        return Outcome(status, error, round((time.monotonic() - started) * 1000))

    async def _tried(self, url: str, headers: dict[str, str], body: bytes) -> tuple[int | None, str | None]:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._sent(target_of(url), headers, body), None
        except (TimeoutError, httpx.TimeoutException):
            return None, f"No answer within {self._timeout_s:g} s."
        except httpx.ConnectError as failed:
            return None, f"No connection: {_shortly(failed)}"
        except httpx.HTTPError as failed:
            return None, f"The connection failed: {_shortly(failed)}"
        except (NotReachable, ValueError, OSError) as failed:
            return None, _shortly(failed)

    async def _sent(self, target: Target, headers: dict[str, str], body: bytes) -> int:
        addresses = _fit(await self._resolved(target), private=self._private)
        if not addresses:
            raise NotReachable(
                "The address is not public, so it isn't called; the operator may set OVERSPILL_PAGE_WEBHOOKS_PRIVATE."
            )
        failed: Exception | None = None
        for address in addresses[:_ADDRESSES]:
            try:
                return await self._posted(target, address, headers, body)
            except httpx.ConnectError as error:
                failed = error
        raise failed or NotReachable(target.host)

    async def _posted(self, target: Target, address: str, headers: dict[str, str], body: bytes) -> int:
        """The receiver's status. The name is in Host and in TLS, where the certificate is checked against it."""
        async with self._client.stream(
            "POST",
            target.at(address),
            headers={"user-agent": "overspill", "accept-encoding": "identity", **headers, "host": target.authority},
            content=body,
            extensions={"sni_hostname": target.host},
        ) as response:
            await _read_a_little(response)
            return response.status_code

    async def _resolved(self, target: Target) -> list[str]:
        look_up = partial(socket.getaddrinfo, target.host, target.port, type=socket.SOCK_STREAM)
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._lookups, look_up)
        except (OSError, UnicodeError):  # a part of the name may be longer than names can be
            raise NotReachable(f"No such host: {target.host}") from None
        return [str(address[4][0]) for address in found]


async def _read_a_little(response: httpx.Response) -> None:
    read = 0
    async for piece in response.aiter_raw():
        read += len(piece)
        if read >= MOST_READ:
            return


def _fit(addresses: Iterable[str], *, private: bool) -> list[str]:
    return [address for address in dict.fromkeys(addresses) if may_call(address, private=private)]


def _shortly(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:200]
