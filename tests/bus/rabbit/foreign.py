"""The other side of the wire: a plain pika client without our code, and a network that can be cut."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple, Self, TypeVar
from urllib.parse import urlsplit

import pika
from pika.exceptions import ChannelClosedByBroker
from pika.spec import BasicProperties

PATIENCE_S = 30.0
"""How long a test waits for what must come; it ends as soon as it is there."""

T = TypeVar("T")


async def eventually(look: Callable[[], T]) -> T:
    """What `look` gives as soon as it is true; fails when it never is."""
    give_up = time.monotonic() + PATIENCE_S
    while not (seen := look()):
        assert time.monotonic() < give_up, "it never came true"
        await asyncio.sleep(0.02)
    return seen


class Got(NamedTuple):
    """A message as plain pika has it."""

    properties: BasicProperties
    body: bytes

    @property
    def headers(self) -> dict[str, Any]:
        return self.properties.headers or {}


class Foreign:
    """A caller or an operator with any AMQP client. Its calls block, for the moment that a broker takes."""

    def __init__(self, url: str) -> None:
        parameters = pika.URLParameters(url)
        parameters.heartbeat = 0  # it sits idle while a test waits
        self._connection = pika.BlockingConnection(parameters)
        self.channel = self._connection.channel()
        self.channel.confirm_delivery()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        with contextlib.suppress(pika.exceptions.AMQPError):
            self._connection.close()

    def publish(self, exchange: str, key: str, body: bytes = b"", **properties: Any) -> None:
        """Confirmed, mandatory and persistent."""
        given = BasicProperties(delivery_mode=2, **properties)
        self.channel.basic_publish(exchange, key, body, given, mandatory=True)

    def queue(self, name: str = "", **arguments: Any) -> str:
        """Declare a durable queue, or without a name an exclusive one; returns its name."""
        given = {key.replace("_", "-"): value for key, value in arguments.items()}
        declared = self.channel.queue_declare(name, durable=bool(name), exclusive=not name, arguments=given)
        queue: str = declared.method.queue
        return queue

    def listen(self, exchange: str, key: str = "") -> str:
        """A queue of our own, bound to an exchange."""
        queue = self.queue()
        self.channel.queue_bind(queue, exchange, key)
        return queue

    def taken(self, queue: str) -> Got | None:
        """The next message of a queue, acked."""
        method, properties, body = self.channel.basic_get(queue, auto_ack=True)
        return Got(properties, body) if method is not None else None

    async def get(self, queue: str) -> Got:
        """The next message of a queue, as soon as there is one."""
        got = await eventually(lambda: self.taken(queue))
        assert got is not None
        return got

    def depth(self, queue: str) -> int | None:
        """Messages ready in a queue; None where there is no such queue."""
        channel = self._connection.channel()
        try:
            count: int = channel.queue_declare(queue, passive=True).method.message_count
        except ChannelClosedByBroker:
            return None
        channel.close()
        return count

    def consumers(self, queue: str) -> int:
        count: int = self.channel.queue_declare(queue, passive=True).method.consumer_count
        return count


class Network:
    """A relay in front of the broker; `cut` ends every connection, and none gets through until `mend`."""

    def __init__(self, url: str) -> None:
        self._broker = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._up = True
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.url = ""

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        account = self._broker.netloc.rpartition("@")[0]
        self.url = self._broker._replace(netloc=f"{account}@127.0.0.1:{port}").geturl()

    def cut(self) -> None:
        self._up = False
        for writer in self._open:
            writer.transport.abort()

    def freeze(self) -> None:
        """Let nothing through and close nothing, as a cable that was pulled."""
        self._flowing.clear()

    def mend(self) -> None:
        self._up = True
        self._flowing.set()

    async def stop(self) -> None:
        self.cut()
        self._flowing.set()
        assert self._server is not None
        self._server.close()
        await asyncio.gather(*self._tasks)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        if not self._up:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection(self._broker.hostname, self._broker.port or 5672)
        self._open |= {writer, far_writer}
        if not self._up:  # cut meanwhile: nobody else would end these two
            self.cut()
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        self._open -= {writer, far_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(1 << 16):
                await self._flowing.wait()
                writer.write(piece)
                await writer.drain()
        writer.transport.abort()


@contextlib.asynccontextmanager
async def network(url: str) -> AsyncIterator[Network]:
    """A network between us and the broker at `url`."""
    between = Network(url)
    await between.start()
    try:
        yield between
    finally:
        await between.stop()
