"""Hears which parts of a stack work: most say so on the bus, the cloud service and the page when they are asked."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping

from bus.errors import BadInput
from bus.events import read_event
from bus.rabbit import Bus, Delivery
from bus.topology import EVENTS, shared
from ui.stack.plan import Readiness
from ui.stack.processes import serves

Say = Callable[[str, str], None]

_BROKER_ANSWERS_WITHIN_S = 15.0
_ASK_EACH_S = 0.2
_KEYS = ("vm.heartbeat.*", "router.status", "bridge.*")


class Watch:
    """Waits for the parts of a stack, and says of each that it is ready."""

    def __init__(self, bus: Bus, readiness: Readiness, say: Say, *, asked: Mapping[str, str]) -> None:
        """`bus` is not started yet, and closed by `run`; `asked` has the URLs of parts that say nothing there."""
        self.works = asyncio.Event()
        """Set when jobs are answered, by the VMs at least."""
        self.complete = asyncio.Event()
        self.readiness = readiness
        self._bus = bus
        self._say = say
        self._asked = asked

    @classmethod
    def of(cls, url: str, readiness: Readiness, say: Say, *, asked: Mapping[str, str], heartbeat_s: int) -> "Watch":
        """A watch on the broker at `url`."""
        bus = Bus(url, name="overspill up", topology=shared(), heartbeat_s=heartbeat_s)
        return cls(bus, readiness, say, asked=asked)

    async def run(self) -> None:
        """Listen until everything has said that it works. Raises SetupError when the broker does not take us."""
        asking = [asyncio.create_task(self._ask(part, url)) for part, url in self._asked.items()]
        try:
            await self._bus.start(_BROKER_ANSWERS_WITHIN_S)
            await self._bus.listen([(EVENTS, key) for key in _KEYS], self._hear)
            await self.complete.wait()
        finally:
            for task in asking:
                task.cancel()
            await self._bus.close()

    def _hear(self, delivery: Delivery) -> None:
        with contextlib.suppress(BadInput):
            self._tell(self.readiness.note(read_event(delivery.message.body)))

    async def _ask(self, part: str, url: str) -> None:
        while part in self.readiness.waiting:
            if await asyncio.to_thread(serves, url):
                self._tell(self.readiness.ready(part))
            await asyncio.sleep(_ASK_EACH_S)

    def _tell(self, part: str | None) -> None:
        if part is not None:
            self._say(part, "is ready")
        if self.readiness.works:
            self.works.set()
        if self.readiness.complete:
            self.complete.set()
