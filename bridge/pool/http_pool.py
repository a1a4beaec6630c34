"""The overflow without a cloud's queues: jobs are posted straight to a pool of services, a second cluster say.

It keeps nothing. What is under way when we die is the broker's still, and is run again.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

import httpx

from bridge.cloud import Arrival, CloudDown
from bridge.envelope import Parcel
from bridge.pool.errand import End, Errand
from bridge.pool.members import Member, Members
from bridge.pool.memory import Memory
from bridge.pool.wire import (
    Answered,
    Failed,
    NotServed,
    NotTaken,
    Outcome,
    Request,
    Response,
    outcome_of,
    read_ready,
    request_of,
    too_large,
)
from bus.clock import now_ms
from bus.errors import SetupError
from bus.settings import Settings

log = logging.getLogger(__name__)

_READY_BYTES: Final = 65_536
_KEEPALIVE_S: Final = 4.0
"""Below the 5 s after which uvicorn closes an idle connection: a request on a closing one is lost."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the pool waits for what, seconds."""

    connect_s: float = 5.0
    over_s: float = 30.0
    """Beyond a job's longest run, for the transfer and the line before it; and for the answer's transfer again, when
    there had to be room for it first."""
    rest_s: float = 1.0
    look_s: float = 5.0
    tick_s: float = 0.25
    again_s: float = 1.0


class Brought:
    """An arrival: ours until it is done with, since nobody else keeps it."""

    def __init__(self, end: End, memory: Memory, later: "Callable[[Brought], None]") -> None:
        self.parcel = end.parcel
        self.dead = end.dead
        self._memory = memory
        self._later = later
        memory.keep(len(end.parcel.body))

    def done(self) -> None:
        """It takes no more room."""
        self._memory.forget(len(self.parcel.body))

    def again(self) -> None:
        """Let it come again after a moment."""
        self._later(self)


class _TooLarge(Exception):
    """A response outgrew its bound."""


class HttpPool:
    """A pool of services, as a Cloud."""

    keeps = False

    def __init__(self, settings: Settings, patience: Patience | None = None, memory: Memory | None = None) -> None:
        """A pool of the settings' services; `patience` and `memory` are for tests.

        Raises SetupError when there are none.
        """
        if not settings.cloud_services:
            raise SetupError(
                "OVERSPILL_CLOUD=http needs addresses: set OVERSPILL_CLOUD_SERVICES, as `https://all.example` or "
                "`sketch=https://a.example,caption=https://b.example`."
            )
        self._settings = settings
        self._patience = patience or Patience()
        self._memory = memory or Memory()
        self._members = Members.of(settings.cloud_services, self._patience.rest_s)
        self._client: httpx.AsyncClient | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._arrivals: asyncio.Queue[Arrival | None] = asyncio.Queue()
        self._changed = asyncio.Event()
        self.largest_bytes = settings.max_image_bytes
        self.operations = self._members.operations

    async def open(self) -> None:
        """Ask each service whether it is ready; who is not is asked again."""
        limits = httpx.Limits(keepalive_expiry=_KEEPALIVE_S, max_keepalive_connections=self._settings.cloud_in_flight)
        connecting = httpx.Timeout(None, connect=self._patience.connect_s)
        self._client = httpx.AsyncClient(limits=limits, timeout=connecting)
        await asyncio.gather(*(self._look(member) for member in self._members.all))
        for member in self._members.all:
            self._spawn(self._watch(member))

    async def send(self, parcel: Parcel) -> None:
        """Take a job up. Raises CloudDown when no service of its operation is up."""
        errand = Errand(parcel, self._settings.max_attempts)
        member = self._members.next(errand.operation, errand.tried)
        if self._client is None or member is None:
            raise CloudDown(f"The pool does not take it: {self._members.troubles(errand.operation)}.")
        self._spawn(self._run(errand, request_of(parcel, self._settings.service_token)))

    async def answers(self) -> AsyncIterator[Arrival]:
        """Answers, jobs that go home, and jobs given up, until the pool is closed."""
        while (arrival := await self._arrivals.get()) is not None:
            yield arrival

    def capacity(self) -> int | None:
        """Room by the slots that services tell on /ready; None when one does not tell, 0 while our memory is full."""
        return 0 if self._memory.full else self._members.room()

    async def close(self) -> None:
        """Let go of what is under way: the bridge holds those jobs' deliveries, and the broker gives them out again."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()
        self._client = None
        self._arrivals.put_nowait(None)

    async def _run(self, errand: Errand, request: Request) -> None:
        """Bring a job to its end. One that is overdue has none here: the bridge has answered for it by then."""
        try:
            with self._memory.job(len(request.body)):
                async with asyncio.timeout(self._left_s(request.deadline_ms)):
                    end = await self._end_or_home(errand, request)
        except TimeoutError:
            log.warning("a job of the pool is overdue after %d runs and refusals", errand.tried.total())
        else:
            self._arrivals.put_nowait(Brought(end, self._memory, self._later))

    async def _end_or_home(self, errand: Errand, request: Request) -> End:
        """A job's end; home when a fault of ours keeps it from the services: a VM does not have to meet it."""
        try:
            return await self._end_of(errand, request)
        except TimeoutError:
            raise
        except Exception:
            log.exception("a job could not be posted to the pool")
            return errand.home("it could not be posted; the bridge's log tells why")

    async def _end_of(self, errand: Errand, request: Request) -> End:
        while True:
            member = self._members.next(errand.operation, errand.tried)
            if member is not None:
                outcome = await self._post(member, errand.parcel, request)
                self._note(member, outcome, errand.operation)
                if (end := errand.after(member.url, outcome)) is not None:
                    return end
            elif errand.operation not in self.operations:
                return errand.home(self._members.troubles(errand.operation))
            else:
                await self._changed.wait()

    async def _post(self, member: Member, parcel: Parcel, request: Request) -> Outcome:
        member.in_flight += 1
        member.last_used = time.monotonic()
        most_s, most_bytes = self._settings.job_timeout_s + self._patience.over_s, self._settings.max_claim_bytes
        try:
            async with asyncio.timeout(most_s) as limit:
                response = await self._exchange(member.url, request, limit)
            return outcome_of(parcel, response, now_ms())
        except _TooLarge:
            return too_large(parcel, most_bytes)
        except TimeoutError:
            return Failed(f"did not answer in {most_s:g} s")
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            return NotTaken(_out_of_reach(error))
        except httpx.LocalProtocolError:
            raise  # a request that HTTP has no words for: ours
        except httpx.HTTPError as error:
            # The job's caller is told of it, and is no reader for what a library says of us and of our network.
            log.warning("%s broke off (%s: %s)", member.url, type(error).__name__, error)
            return Failed("broke off")
        finally:
            member.in_flight -= 1

    async def _exchange(self, url: str, request: Request, limit: asyncio.Timeout) -> Response:
        most_bytes = self._settings.max_claim_bytes
        async with self._posted(url, request) as answered:
            # The wait for room is ours, and no fault of the service's.
            limit.reschedule(None)
            async with self._memory.reading(min(_length(answered, most_bytes), most_bytes)):
                limit.reschedule(asyncio.get_running_loop().time() + self._patience.over_s)
                return await _whole(answered, most_bytes)

    def _posted(self, url: str, request: Request) -> contextlib.AbstractAsyncContextManager[httpx.Response]:
        if request.params is None:
            sent: dict[str, Any] = {"content": request.body}
        else:
            sent = {"data": {"params": request.params}, "files": {"image": ("image", request.body)}}
        return self._stream("POST", url + request.path, headers=request.headers, **sent)

    def _stream(self, method: str, url: str, **sent: Any) -> contextlib.AbstractAsyncContextManager[httpx.Response]:
        if self._client is None:
            raise httpx.ConnectError("the pool is closed")
        return self._client.stream(method, url, **sent)

    async def _watch(self, member: Member) -> None:
        """Ask a service now and then whether it is still ready, and one that rests when its rest is over."""
        while True:
            await asyncio.sleep(self._patience.tick_s)
            if member.wants_look(time.monotonic(), self._patience.look_s):
                await self._look(member)

    async def _look(self, member: Member) -> None:
        try:
            async with asyncio.timeout(self._patience.connect_s):
                async with self._stream("GET", f"{member.url}/ready") as answered:
                    said = read_ready(await _whole(answered, _READY_BYTES))
        except (TimeoutError, httpx.HTTPError, _TooLarge) as error:
            said = NotTaken(_out_of_reach(error))
        member.looked = time.monotonic()
        if isinstance(said, NotTaken):
            self._note(member, said, "")
            return
        if not member.up:
            log.info("%s is ready", member.url)
        member.ready(said.operations, said.slots)
        self._tell_change()

    def _note(self, member: Member, outcome: Outcome, operation: str) -> None:
        """Remember what an outcome says of the service."""
        now, was_up = time.monotonic(), member.up
        match outcome:
            case Answered():
                member.answered()
            case NotServed():
                member.lost(operation)
            case NotTaken(reason, retry_after_s) if retry_after_s is not None:
                member.refused(reason, now, retry_after_s)
            case NotTaken(reason) | Failed(reason):
                member.failed(reason, now)
        if was_up and not member.up:
            log.warning("%s %s: it rests for %.1f s", member.url, member.why, member.rests_until - now)
        self._tell_change()

    def _tell_change(self) -> None:
        """Wake who waits for a service: something may have come up, or be offered no more."""
        self.operations = self._members.operations
        self._changed.set()
        self._changed.clear()

    def _left_s(self, deadline_ms: int | None) -> float:
        left_s = self._settings.cloud_timeout_s
        return left_s if deadline_ms is None else min(left_s, deadline_ms / 1000 - time.time())

    def _later(self, arrival: "Brought") -> None:
        asyncio.get_running_loop().call_later(self._patience.again_s, self._arrivals.put_nowait, arrival)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _whole(response: httpx.Response, most_bytes: int) -> Response:
    """All of a response. Raises _TooLarge."""
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > most_bytes:
            raise _TooLarge
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Response(response.status_code, headers, bytes(body))


def _length(response: httpx.Response, otherwise: int) -> int:
    """How long a response says it is, bytes."""
    told = response.headers.get("content-length", "")
    return int(told) if told.isascii() and told.isdigit() and len(told) < 20 else otherwise


def _out_of_reach(error: Exception) -> str:
    return f"is out of reach ({type(error).__name__}: {error})"
