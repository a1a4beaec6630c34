import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress

import pytest

from bridge.pubsub import resources
from bus.settings import Settings
from tests.needed import need_package
from ui.stack.emulator import PubSubEmulator

need_package("google.cloud.pubsub_v1", "bridge")
from bridge.pubsub import pull as module  # noqa: E402 (what it needs may be missing)
from bridge.pubsub.clients import Clients  # noqa: E402
from bridge.pubsub.pull import Pull, Upkeep  # noqa: E402
from bridge.pubsub.setup import create  # noqa: E402
from bridge.pubsub.stream import LEASE_S, Received, Room  # noqa: E402

PATIENCE_S = 40


class Post:
    """A subscription of its own with a test at both ends."""

    def __init__(self, host: str) -> None:
        self.clients = Clients(Settings(pubsub_emulator_host=host))
        project = f"test-{uuid.uuid4().hex[:12]}"
        self.topic, self.name = f"projects/{project}/topics/letters", f"projects/{project}/subscriptions/box"
        self.came: asyncio.Queue[Received] = asyncio.Queue()
        self.mended = asyncio.Semaphore(0)
        self.failed = asyncio.Event()
        self._threads = ThreadPoolExecutor(2)

    def set_up(self) -> None:
        self.clients.publisher.create_topic(name=self.topic)
        create(self.clients, resources.Subscription(self.name, self.topic, ack_deadline_s=10, kept_s=600))

    async def publish(self, *bodies: bytes) -> None:
        for future in [self.clients.publisher.publish(self.topic, body) for body in bodies]:
            await asyncio.wrap_future(future)

    async def mend(self) -> None:
        self.mended.release()

    @asynccontextmanager
    async def pulling(self) -> AsyncIterator[Pull]:
        upkeep = Upkeep(mend=self.mend, failed=self.failed.set)
        pull = Pull(self.clients, self.name, self.came.put_nowait, upkeep, self._threads)
        pull.start()
        try:
            yield pull
        finally:
            await pull.stop()

    async def next(self) -> Received:
        return await asyncio.wait_for(self.came.get(), PATIENCE_S)

    async def all_there_is(self) -> list[Received]:
        """What comes until nothing has come for a second."""
        came = list[Received]()
        with suppress(TimeoutError):
            while True:
                came.append(await asyncio.wait_for(self.came.get(), 1))
        return came

    def close(self) -> None:
        self.clients.close()
        self._threads.shutdown()


@pytest.fixture
def post(pubsub_emulator: PubSubEmulator) -> Iterator[Post]:
    post = Post(pubsub_emulator.host)
    post.set_up()
    yield post
    post.close()


async def test_what_is_owed_when_it_stops_comes_to_the_next_at_once_and_what_is_done_never(post: Post) -> None:
    async with post.pulling() as pull:
        await post.publish(b"one", b"two")
        first, second = await post.next(), await post.next()
        pull.done(first)

    async with asyncio.timeout(LEASE_S / 2), post.pulling() as pull:  # before any lease ends by itself
        given_back = await post.next()
        pull.done(given_back)
        await post.publish(b"three")
        last = await post.next()
        pull.done(last)

    assert given_back.parcel == second.parcel
    assert last.parcel.body == b"three"


async def test_no_more_is_read_than_there_is_room_for(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Room.__init__, "__defaults__", (5, 1 << 30))
    pictures = [b"%d " % number + bytes(100_000) for number in range(40)]
    async with post.pulling() as pull:
        for picture in pictures:  # one by one: of what lies there already, the emulator sends ten megabytes at once
            await post.publish(picture)
        held = await post.all_there_is()
        assert len(held) < 20

        bodies = set[bytes]()
        while held:
            received = held.pop()
            bodies.add(received.parcel.body)
            pull.done(received)
            held += [] if len(bodies) == 40 or held else [await post.next()]
    assert bodies == {*pictures}


async def test_a_silent_stream_is_replaced_and_loses_nothing(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENCE_S", 0.3)
    async with post.pulling() as pull:
        await post.mended.acquire()
        await post.mended.acquire()
        async with asyncio.timeout(LEASE_S / 2):  # a stream left behind would keep some for a lease
            await post.publish(*(b"%d" % number for number in range(8)))
            received = [await post.next() for _ in range(8)]
        for each in received:
            pull.done(each)
    assert {each.parcel.body for each in received} == {b"%d" % number for number in range(8)}


async def test_a_lease_is_renewed_for_as_long_as_it_is_owed(post: Post) -> None:
    async with post.pulling() as pull:
        await post.publish(b"slow")
        received = await post.next()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(post.came.get(), LEASE_S + 1.5)
        pull.done(received)


def surprise(*_: object) -> None:
    raise RuntimeError("nobody thought of this")


@pytest.mark.parametrize("work", ["_until_ended", "_defer", "_acknowledge"], ids=["streams", "leases", "settling"])
async def test_whatever_ends_its_work_is_told(
    post: Post, work: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "RENEW_S", 0.05)
    async with post.pulling() as pull:
        with monkeypatch.context() as faulty:
            faulty.setattr(pull, work, surprise)
            await post.publish(b"letter")
            received = await post.next()
            if work == "_acknowledge":
                pull.done(received)
            await asyncio.wait_for(post.failed.wait(), PATIENCE_S)
    assert "box is not pulled any more" in caplog.text
    assert "nobody thought of this" in caplog.text


async def test_one_that_is_stopped_has_not_failed(post: Post) -> None:
    async with post.pulling():
        pass
    await asyncio.sleep(0)
    assert not post.failed.is_set()


async def test_a_subscription_that_is_gone_is_asked_for_again_and_told_once(
    post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    post.clients.subscriber.delete_subscription(subscription=post.name)
    async with post.pulling() as pull:
        for _ in range(3):
            await post.mended.acquire()
        create(post.clients, resources.Subscription(post.name, post.topic, ack_deadline_s=10, kept_s=600))
        await post.publish(b"back")
        received = await post.next()
        pull.done(received)
    assert received.parcel.body == b"back"
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(told) == 1
    assert "Run `overspill cloud init`" in told[0]
