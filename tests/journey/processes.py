"""Real processes of an overspill on a real broker, for journeys and benchmarks."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from bus.events import Heartbeat, RouterStatus, read_event
from bus.rabbit import Bus, Delivery
from bus.topology import EVENTS, shared
from ui.stack.processes import die_with_us

READY_TIMEOUT_S = 90


class Processes:
    """The processes of one overspill, each started as a user would start it; logs are kept in `folder`."""

    def __init__(self, url: str, folder: Path, **settings: str) -> None:
        """`settings` are environment variables, as `OVERSPILL_CPU_THRESHOLD="60"`."""
        self.url = url
        self._folder = folder
        self._environment = {
            key: value for key, value in os.environ.items() if not key.startswith(("OVERSPILL_", "PYTEST_"))
        }
        self._environment |= {"AMQP_URL": url, "OVERSPILL_STATE_DIR": str(folder / "state"), **settings}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start_router(self, name: str = "router") -> None:
        self._start(name, "router")

    def start_vm(self, name: str, slots: int = 1, operations: str = "sketch", **settings: str) -> None:
        """`settings` are this one's own, over those of all."""
        self._start(name, "vm", "--name", name, "--slots", str(slots), "--operations", operations, **settings)

    def start_bridge(self, name: str = "bridge", **settings: str) -> None:
        """`settings` are this one's own, over those of all."""
        self._start(name, "bridge", **settings)

    def start_service(self, name: str = "cloud") -> None:
        """A cloud service; `Site.settings` tells it where to listen."""
        self._start(name, "cloud-service")

    def start_page(self, name: str = "page") -> None:
        self._start(name, "page")

    def _start(self, name: str, *arguments: str, **settings: str) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                die_with_us([sys.executable, "-m", "ui.cli", *arguments]),  # also when the tests are killed
                env=self._environment | settings,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def pid(self, name: str) -> int:
        return self._running[name].pid

    def name_of(self, pid: int) -> str:
        return next(name for name, process in self._running.items() if process.pid == pid)

    def signal(self, name: str, number: signal.Signals) -> None:
        self._running[name].send_signal(number)

    def kill(self, name: str) -> None:
        """kill -9, and wait for the end."""
        process = self._running.pop(name)
        process.kill()
        process.wait(10)

    def stop(self, *names: str) -> None:
        """SIGTERM those named (else all), and wait until each is gone."""
        stopping = {name: self._running.pop(name) for name in names or tuple(self._running)}
        for process in stopping.values():
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for name, process in stopping.items():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
                raise AssertionError(f"{name} did not stop on SIGTERM:\n{self.log(name)}") from None

    def log(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text(errors="replace")

    def wait_ready(self, *vms: str, cloud: bool = False) -> None:
        """Wait until a router says it routes, to an open cloud if one is meant, and each of `vms` that it is ready."""
        asyncio.run(asyncio.wait_for(self._wait_ready(set(vms), cloud=cloud), READY_TIMEOUT_S))

    async def _wait_ready(self, missing: set[str], *, cloud: bool) -> None:
        routed = asyncio.Event()

        def on_event(delivery: Delivery) -> None:
            match read_event(delivery.message.body):
                case Heartbeat(worker="ready", vm=vm):
                    missing.discard(vm)
                case RouterStatus(active=True, cloud=said) if said.startswith("open") or not cloud:
                    routed.set()
                case _:
                    pass

        bus = Bus(self.url, name="test", topology=shared())
        await bus.start(30)
        try:
            await bus.listen([(EVENTS, "vm.heartbeat.*"), (EVENTS, "router.status")], on_event)
            deadline = time.monotonic() + READY_TIMEOUT_S
            while missing or not routed.is_set():
                for name, process in self._running.items():
                    assert process.poll() is None, f"{name} ended:\n{self.log(name)}"
                assert time.monotonic() < deadline, f"not ready: {missing}"
                await asyncio.sleep(0.05)
        finally:
            await bus.close()
