"""Hearing that a stack works, on a real broker and from a real HTTP service."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import HTTPServer

import pytest

from bus.events import BridgeStatus, Heartbeat, RouterStatus, event_message, heartbeat_key
from bus.messages import Message
from bus.rabbit import Bus
from bus.topology import EVENTS, HEARTBEATS, shared
from tests.ui.stack.stand_in import Service
from ui.stack.cloud import BRIDGE, SERVICE
from ui.stack.plan import Readiness
from ui.stack.processes import free_port, serves
from ui.stack.ready import Watch

BEATS = tuple(
    Heartbeat(
        vm=vm, session="s", started_ms=0, seq=1, at_ms=0, cpu_percent=1, ram_percent=1, cores=1, slots=1, worker="ready"
    )
    for vm in ("vm1", "vm2")
)
STATUS = RouterStatus(router="r", at_ms=0, routed=0)
BRIDGED = BridgeStatus(bridge="b", state="ready", at_ms=0)


class Quiet(Service):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name is the library's)
        pass


@contextmanager
def service() -> Iterator[int]:
    """A cloud service that is ready; gives its port."""
    with HTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


async def tell(url: str, *messages: tuple[str, Message]) -> None:
    """Say these on the bus, over and over."""
    async with Bus(url, name="teller", topology=shared()) as bus:
        while True:
            for exchange, message in messages:
                bus.post(exchange, message)
            await asyncio.sleep(0.02)


@pytest.mark.broker
async def test_a_stack_works_before_its_cloud_does_and_is_complete_after(amqp_url: str) -> None:
    said: list[str] = []
    readiness = Readiness(frozenset({SERVICE, BRIDGE}))
    works = [(EVENTS, event_message(STATUS, STATUS.key)), (EVENTS, Message(b"garbage", "router.status"))]
    works += [(HEARTBEATS, event_message(beat, heartbeat_key(beat.vm))) for beat in BEATS]
    with service() as port:
        watch = Watch.of(
            amqp_url,
            readiness,
            lambda name, text: said.append(f"{name} {text}"),
            asked={SERVICE: f"http://127.0.0.1:{port}"},
            heartbeat_s=5,
        )
        watching = asyncio.create_task(watch.run())
        telling = [asyncio.create_task(tell(amqp_url, *works))]
        await watch.works.wait()
        assert not watch.complete.is_set()

        telling.append(asyncio.create_task(tell(amqp_url, (EVENTS, event_message(BRIDGED, BRIDGED.key)))))
        await watching
        for task in telling:
            task.cancel()
        await asyncio.gather(*telling, return_exceptions=True)

    assert watch.complete.is_set()
    assert sorted(said) == [f"{part} is ready" for part in ("bridge", "cloud", "router", "vm1", "vm2")]


def test_a_service_is_ready_when_it_says_so() -> None:
    with service() as port:
        assert serves(f"http://127.0.0.1:{port}")
        assert serves(f"http://localhost:{port}")
        assert not serves(f"https://127.0.0.1:{port}")
    assert not serves(f"http://127.0.0.1:{free_port()}")
