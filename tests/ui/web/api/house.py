"""A running page on a real broker: its own loop in a thread, a foreign worker that answers, and people with tokens."""

import asyncio
import json
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
from argon2.profiles import CHEAPEST

from bus.answers import Answer
from bus.clock import now_ms
from bus.events import JobEvent, event_message
from bus.messages import Job
from bus.problems import Kind, Problem
from bus.rabbit import Bus, Delivery
from bus.replies import send_answer
from bus.settings import Settings
from bus.topology import EVENTS, LANES, lane, shared
from bus.wire import JSON
from ui.web.application import guarded, routes
from ui.web.parts import Web, connected, running
from ui.web.people import accounts
from ui.web.people.accounts import Account
from ui.web.people.passwords import Passwords
from ui.web.people.person import Person
from ui.web.server import Server, listen, serve_until

T = TypeVar("T")
AWAY = "127.0.0.1:1/"
"""Where no broker is: a page there is not waited for to connect."""
RESULT = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c6360606000000004000146"
    "a9a2c80000000049454e44ae426082"
)
"""A PNG of one pixel: what a sketch comes to here."""
CAPTION = "a red circle"
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients that speak plain HTTP: to read all certificates takes each of them longer than most tests."""


class Worker:
    """Answers every job that a page sends, in place of router and VMs; what is asked of it in `params` it does."""

    def __init__(self, url: str) -> None:
        self._bus = Bus(url, name="worker", topology=shared())
        self.held: list[tuple[Delivery, Job]] = []
        self.holds = False
        """Whether jobs are kept, for the test to answer."""

    async def run(self) -> None:
        for number in range(LANES):
            await self._bus.consume(lane(number), self._take, prefetch=50)
        await self._bus.start(20)
        try:
            await asyncio.Event().wait()
        finally:
            await self._bus.close()

    def _take(self, delivery: Delivery) -> None:
        job = Job.from_message(delivery.message, now_ms())
        if self.holds:
            self.held.append((delivery, job))
        else:
            self.answer(delivery, job)

    def release(self) -> None:
        """Answer what was kept, and keep nothing from now on."""
        self.holds = False
        while self.held:
            self.answer(*self.held.pop(0))

    def answer(self, delivery: Delivery, job: Job) -> None:
        self.tell(job, "routed")
        send_answer(self._bus, _answer(job).to_message(job.reply_to or ""))
        self._bus.ack(delivery)

    def tell(self, job: Job, state: Any) -> None:
        event = JobEvent(state=state, job=job.id, operation=job.operation, user=job.user, at_ms=now_ms(), vm="vm1")
        self._bus.post(EVENTS, event_message(event, event.key))


def _answer(job: Job) -> Answer:
    ran: dict[str, Any] = {"vm": "vm1", "route": "vm", "attempt": 1, "waited_ms": 1, "ran_ms": 2, "model": "by hand"}
    if job.params.get("quality") == 1:
        return Answer.refusal(job, Problem.of(Kind.BROKEN_IMAGE, "It is damaged."), **ran)
    if job.operation == "caption":
        return Answer.to(job, content_type=JSON, body=json.dumps({"caption": CAPTION}).encode(), **ran)
    return Answer.to(job, content_type="image/png", body=RESULT, **ran)


class House:
    """The page that is served at `url`, and the worker behind it."""

    def __init__(self, url: str, web: Web, worker: Worker, loop: asyncio.AbstractEventLoop) -> None:
        self.url, self.web, self.worker = url, web, worker
        self._loop = loop

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """What something gives that runs on the page's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def call(self, function: Callable[..., T], *given: Any) -> T:
        """What a function gives that is called on the page's loop."""

        async def called() -> T:
            return function(*given)

        return self.do(called())

    @contextmanager
    def client(self, token: str | None = None) -> Iterator[httpx.Client]:
        """A client, of somebody with this token."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        with httpx.Client(base_url=self.url, headers=headers, timeout=20, verify=PLAIN) as client:
            yield client

    def token(self, name: str, role: Any = "user") -> str:
        """The API token of a new account."""
        return self.do(self._token(name, role))

    async def _token(self, name: str, role: Any) -> str:
        await self.web.people._database.run(accounts.add, Account(name, role, None, None, None, now_ms()))
        return (await self.web.people.add_token(Person(name, role, "session"), "test"))[1]


@contextmanager
def open_house(amqp_url: str, folder: Path, **given: Any) -> Iterator[House]:
    """A page of its own, with accounts, until the end of the context."""
    settings = Settings(page_dir=folder, **{"page_login": "accounts", "page_port": 0, **given})
    opened: Future[House] = Future()
    stop: list[Callable[[], object]] = []
    thread = threading.Thread(target=asyncio.run, args=(_serve(settings, amqp_url, opened, stop),))
    thread.start()
    try:
        yield opened.result(60)
    finally:
        for each in stop:
            each()
        thread.join(30)
        assert not thread.is_alive()


async def _serve(settings: Settings, url: str, opened: "Future[House]", stops: list[Callable[[], object]]) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    stops.append(lambda: loop.call_soon_threadsafe(stop.set))
    worker = Worker(url)
    try:
        with listen("127.0.0.1", settings.page_port) as port:
            async with running(settings, url, Passwords(CHEAPEST)) as web:
                at = f"http://127.0.0.1:{port.getsockname()[1]}"
                house = House(at, web, worker, loop)
                server = Server(guarded(routes(web, stop), web), f"serving {at}")
                opening = asyncio.create_task(_open(house, opened))
                working = asyncio.create_task(worker.run())
                await serve_until(stop, server, port, connected(web.bus))
                for task in (opening, working):
                    task.cancel()
                await asyncio.gather(opening, working, return_exceptions=True)
    except BaseException as error:
        if not opened.done():
            opened.set_exception(error)
        raise


async def _open(house: House, opened: "Future[House]") -> None:
    away = house.web.bus.address.startswith(AWAY)
    while not (away or (house.web.bus.connected and house.worker._bus.connected)):  # noqa: ASYNC110 (two connections, one wait)
        await asyncio.sleep(0.02)
    opened.set_result(house)
