"""VMs that do nothing but beat, as a test tells them to, and letters for the dead queue: a fleet to look at."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bus.clock import now_ms
from bus.events import Heartbeat, event_message, heartbeat_key
from bus.messages import Job
from bus.rabbit import Bus
from bus.replies import bury
from bus.topology import HEARTBEATS, shared

BEAT_S = 0.5


class HandFleet:
    """The VMs by name, each as what its heartbeats say beyond the usual; who is taken out of `vms` falls silent."""

    def __init__(self, url: str) -> None:
        self.vms: dict[str, dict[str, Any]] = {}
        self._bus = Bus(url, name="fleet", topology=shared())
        self._beats = 0
        self._started_ms = now_ms()
        self._loop = asyncio.new_event_loop()

    def run(self, ready: threading.Event) -> None:
        """Beat, on a loop of its own in this thread, until `stop`."""
        self._loop.run_until_complete(self._bus.start(30))
        self._beating = self._loop.create_task(self._beat())
        ready.set()
        self._loop.run_until_complete(asyncio.wait([self._beating]))
        self._loop.run_until_complete(self._bus.close())
        self._loop.close()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._beating.cancel)

    def bury(self, reason: str, **told: Any) -> None:
        """Put a job into the dead queue."""
        usual = {"operation": "caption", "user": "anna", "reply_to": "anna.has.gone"}
        job = Job(id="cup", body=b"not a picture", **{**usual, **told})
        self._do(lambda: bury(self._bus, job.to_message(job.operation, now_ms()), reason))

    def _do(self, begin: "Callable[[], asyncio.Future[None]]") -> None:
        async def done() -> None:
            await begin()

        asyncio.run_coroutine_threadsafe(done(), self._loop).result(20)

    async def _beat(self) -> None:
        while True:
            self._beats += 1
            for name, told in dict(self.vms).items():
                self._bus.post(HEARTBEATS, event_message(self._heartbeat(name, told), heartbeat_key(name)))
            await asyncio.sleep(BEAT_S)

    def _heartbeat(self, name: str, told: dict[str, Any]) -> Heartbeat:
        usual: dict[str, Any] = {
            "cpu_percent": 20,
            "ram_percent": 50,
            "cores": 2,
            "slots": 4,
            "look_ahead": 2,
            "operations": ("sketch",),
            "worker": "ready",
        }
        usual |= {"vm": name, "session": name, "started_ms": self._started_ms, "seq": self._beats, "at_ms": now_ms()}
        return Heartbeat.model_validate(usual | told)


@contextmanager
def fleet_by_hand(url: str) -> Iterator[HandFleet]:
    """A fleet without VMs at first, until the end of the context."""
    fleet, ready = HandFleet(url), threading.Event()
    thread = threading.Thread(target=fleet.run, args=(ready,))
    thread.start()
    assert ready.wait(40)
    try:
        yield fleet
    finally:
        fleet.stop()
        thread.join(20)
        assert not thread.is_alive()
