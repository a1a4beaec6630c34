"""What taking pictures in costs: `python -m tests.benchmarks.uploads [USERS [PICTURES]]`.

The page against two bare ASGI applications under the same server, one that writes the body to a file and one that only
reads it: CPU seconds of the server's process for each MB, in turn in one run, a raw body and a form. The broker is away
here: what sending jobs costs is not the upload's. Then USERS (50) send PICTURES (10) of 5 MB each at the same time to a
page with a broker of its own, which sends them on meanwhile; its memory is told, before and at the most.
"""

import asyncio
import io
import json
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
import uvicorn
from PIL import Image

from ui.stack.rabbitmq import PrivateBroker

MB: Final = 1_000_000
ROUNDS: Final = 7
EACH: Final = 10
"""Pictures of a round."""
NO_BROKER: Final = "amqp://127.0.0.1:1/"


def _picture() -> bytes:
    """A JPEG of 5 MB, the same each time: noise, and nothing after its end up to the size."""
    noise = Image.frombytes("RGB", (1200, 1000), random.Random(6).randbytes(1200 * 1000 * 3))
    made = io.BytesIO()
    noise.save(made, "JPEG", quality=95)
    return made.getvalue().ljust(5 * MB, b"\0")


PICTURE: Final = _picture()


# -- the servers, each a process of its own


async def read_only(scope: Any, receive: Any, send: Any) -> None:
    """Reads the body."""
    more = scope["type"] == "http"
    while more:
        more = (await receive()).get("more_body", False)
    await _done(send)


async def to_file(scope: Any, receive: Any, send: Any) -> None:
    """Writes the body to a file."""
    with (Path(sys.argv[3]) / uuid.uuid4().hex).open("wb") as file:
        more = scope["type"] == "http"
        while more:
            message = await receive()
            file.write(message.get("body", b""))
            more = message.get("more_body", False)
    await _done(send)


async def _done(send: Any) -> None:
    await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})


def serve(kind: str, folder: Path) -> None:
    """Serve until killed; the first line tells the address, and the tokens of users."""
    if kind == "page":
        _serve_page(folder)
    app = read_only if kind == "reads it" else to_file
    with socket.create_server(("127.0.0.1", 0)) as port:
        print(json.dumps({"port": port.getsockname()[1], "tokens": ["none"]}), flush=True)
        uvicorn.Server(uvicorn.Config(app, lifespan="off", access_log=False, log_level="error")).run([port])


def _serve_page(folder: Path) -> None:
    from tests.ui.web.api.house import open_house  # the bare servers need none of it

    with open_house(sys.argv[5], folder, page_user_rate=100_000) as house:
        tokens = [house.token(f"user{number}") for number in range(int(sys.argv[4]))]
        print(json.dumps({"port": int(house.url.rpartition(":")[2]), "tokens": tokens}), flush=True)
        time.sleep(3600)


# -- and who uploads to them


@dataclass(frozen=True, slots=True)
class Target:
    """A running server."""

    process: psutil.Process
    port: int
    tokens: list[str]

    @property
    def cpu_s(self) -> float:
        """What it has used so far."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    @property
    def now_mib(self) -> float:
        """The memory it has."""
        return float(self.process.memory_info().rss / (1 << 20))

    @property
    def peak_mib(self) -> float:
        """The most memory it has had."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(status.split("VmHWM:")[1].split()[0]) / 1024


@contextmanager
def target(kind: str, folder: Path, users: int, broker: str = NO_BROKER) -> Iterator[Target]:
    """A server for as long as the context lasts."""
    folder.mkdir()
    command = [sys.executable, "-m", "tests.benchmarks.uploads", "serve", kind, str(folder), str(users), broker]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        told = json.loads(server.stdout.readline())
        try:
            yield Target(psutil.Process(server.pid), told["port"], told["tokens"])
        finally:
            server.kill()


def request(port: int, token: str, body: bytes, content_type: str) -> bytes:
    """One upload as it goes over the wire."""
    head = (
        f"POST /api/v1/jobs?operation=sketch HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {token}\r\n"
        f"content-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def upload(port: int, sent: bytes, count: int) -> None:
    """Send it so many times on one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(count):
        writer.write(sent)
        await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        assert head.split()[1] == "202", head
        length = next(line for line in head.lower().split("\r\n") if line.startswith("content-length"))
        await reader.readexactly(int(length.split(":")[1]))
    writer.close()


def form() -> tuple[bytes, str]:
    """The picture in a form, as a browser sends it."""
    made = httpx.Request("POST", "http://page", files={"image": ("cup.jpg", PICTURE)})
    return made.read(), made.headers["content-type"]


def measure(server: Target, sent: bytes) -> float:
    """CPU seconds for each MB of picture."""
    before = server.cpu_s
    asyncio.run(upload(server.port, sent, EACH))
    return (server.cpu_s - before) / (EACH * len(PICTURE) / MB)


def side_by_side(servers: dict[str, Target]) -> None:
    """Tell what each costs, in turn."""
    forms, spent = form(), {}
    for kind, (body, content_type) in (("raw", (PICTURE, "image/jpeg")), ("form", forms)):
        told: dict[str, list[float]] = {name: [] for name in servers}
        for turn in range(ROUNDS + 1):
            for name, server in servers.items():
                cost = measure(
                    server, request(server.port, server.tokens[turn % len(server.tokens)], body, content_type)
                )
                told[name] += [cost] if turn else []
        spent[kind] = {name: statistics.median(costs) for name, costs in told.items()}
    for kind, costs in spent.items():
        for name, cost in costs.items():
            ratios = f"{cost / costs['reads it']:5.2f} x reading  {cost / costs['writes a file']:5.2f} x writing"
            print(f"{kind:4} {name:14} {cost * 1e3:7.2f} CPU ms/MB  {ratios}")


async def together(server: Target, pictures: int) -> None:
    """Everybody at the same time."""
    await asyncio.gather(
        *(upload(server.port, request(server.port, token, PICTURE, "image/jpeg"), pictures) for token in server.tokens)
    )


def crowd(folder: Path, users: int, pictures: int, broker: str) -> None:
    """Tell what everybody at the same time costs a page that sends the jobs on."""
    with target("page", folder / "crowd", users, broker) as page:
        before_mib, before, began = page.now_mib, page.cpu_s, time.monotonic()
        asyncio.run(together(page, pictures))
        took_s, sent_mb = time.monotonic() - began, users * pictures * len(PICTURE) / MB
        cost = (page.cpu_s - before) / sent_mb * 1e3
        print(f"{users} users x {pictures} pictures of 5 MB: {took_s:.1f} s, {cost:.2f} CPU ms/MB, jobs sent included")
        print(f"memory: {before_mib:.0f} MiB before, {page.peak_mib:.0f} MiB at the most")


def main() -> None:
    """Measure, and print."""
    users, pictures = (*(int(each) for each in sys.argv[1:3]), *(50, 10)[len(sys.argv) - 1 :])
    with tempfile.TemporaryDirectory(prefix="uploads-") as name:
        folder = Path(name)
        with (
            target("reads it", folder / "reads", 1) as reads,
            target("writes a file", folder / "writes", 1) as writes,
            target("page", folder / "page", 1) as page,
        ):
            side_by_side({"reads it": reads, "writes a file": writes, "page": page})
        broker = PrivateBroker(folder / "broker")
        try:
            broker.start()
            crowd(folder, users, pictures, broker.url())
        finally:
            broker.stop()


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2], Path(sys.argv[3]))
    else:
        main()
