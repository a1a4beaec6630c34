"""Hears which parts of a stack work: most say so on the bus, the cloud service when it is asked."""

import asyncio
import contextlib
import http.client
from collections.abc import Callable

from bus.errors import BadInput
from bus.events import read_event
from bus.rabbit import Bus, Delivery
from bus.topology import EVENTS, shared
from ui.stack import cloud
from ui.stack.plan import Readiness
from ui.stack.processes import LOOPBACK

Say = Callable[[str, str], None]

_BROKER_ANSWERS_WITHIN_S = 15.0
_ASK_EACH_S = 0.2
_KEYS = ("vm.heartbeat.*", "router.status", "bridge.*")


class Watch:
    """Waits for the parts of a stack, and says of each that it is ready."""

    def __init__(self, bus: Bus, readiness: Readiness, say: Say, *, service_port: int) -> None:
        """`bus` is not started yet, and closed by `run`."""
        self.works = asyncio.Event()
        """Set when jobs are answered, the cloud apart."""
        self.complete = asyncio.Event()
        self.readiness = readiness
        self._bus = bus
        self._say = say
        self._port = service_port

    @classmethod
    def of(cls, url: str, readiness: Readiness, say: Say, *, service_port: int, heartbeat_s: int) -> "Watch":
        """A watch on the broker at `url`."""
        bus = Bus(url, name="overspill up", topology=shared(), heartbeat_s=heartbeat_s)
        return cls(bus, readiness, say, service_port=service_port)

    async def run(self) -> None:
        """Listen until everything has said that it works. Raises SetupError when the broker does not take us."""
        asking = asyncio.create_task(self._ask_service())
        try:
            await self._bus.start(_BROKER_ANSWERS_WITHIN_S)
            await self._bus.listen([(EVENTS, key) for key in _KEYS], self._hear)
            await self.complete.wait()
        finally:
            asking.cancel()
            await self._bus.close()

    def _hear(self, delivery: Delivery) -> None:
        with contextlib.suppress(BadInput):
            self._tell(self.readiness.note(read_event(delivery.message.body)))

    async def _ask_service(self) -> None:
        while cloud.SERVICE in self.readiness.waiting:
            if await asyncio.to_thread(serves, self._port):
                self._tell(self.readiness.ready(cloud.SERVICE))
            await asyncio.sleep(_ASK_EACH_S)

    def _tell(self, part: str | None) -> None:
        if part is not None:
            self._say(part, "is ready")
        if self.readiness.works:
            self.works.set()
        if self.readiness.complete:
            self.complete.set()


def serves(port: int, timeout_s: float = 2.0) -> bool:
    """Whether the cloud service on a loopback port says that it is ready."""
    asked = http.client.HTTPConnection(LOOPBACK, port, timeout=timeout_s)
    with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(asked):
        asked.request("GET", "/ready")
        return asked.getresponse().status == http.HTTPStatus.OK
    return False
