"""A server that is our own child: what a broker and an emulator have in common, started, waited for and stopped."""

import subprocess
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from bus.errors import SetupError
from ui.stack.processes import wait_until


class OwnServer(ABC):
    """One server; it ends with the thread that started it. Every `SetupError` says what to do."""

    title: ClassVar[str]
    """What messages call it."""
    speaks_amqp: ClassVar[bool] = False
    """Whether it is ready only once it answers AMQP; any other, once it takes connections."""

    def __init__(self, console: Path) -> None:
        """`console` is the file that takes what the server prints."""
        self._console = console
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The server's process. Raises SetupError before the first start."""
        if self._process is None:
            raise self._not_started()
        return self._process

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    @abstractmethod
    def port(self) -> int:
        """Its loopback port, the same over a restart. Raises SetupError before the first start."""

    @property
    @abstractmethod
    def log(self) -> Path:
        """Its log file."""

    @abstractmethod
    def spawn(self) -> None:
        """Start it without waiting. Raises SetupError when something is missing for it."""

    @abstractmethod
    def stop(self) -> None:
        """Stop it, and all that belongs to it."""

    def start(self, timeout_s: float = 90) -> None:
        """Start it and wait until it answers, `timeout_s` seconds at most."""
        try:
            self.spawn()
            self.wait_ready(timeout_s)
        except SetupError:
            self.stop()
            raise

    def wait_ready(self, timeout_s: float = 90) -> None:
        """Wait until it answers on its port; may be called from any thread."""
        if not wait_until(self.port, self.process, timeout_s=timeout_s, amqp=self.speaks_amqp):
            status = self.process.poll()
            state = f"did not answer within {timeout_s:.0f} s" if status is None else f"ended with status {status}"
            raise SetupError(f"The {self.title} {state}. Its log: {self.log}\n{self._said()}")

    def _not_started(self) -> SetupError:
        return SetupError(f"The {self.title} isn't started. Call start() first.")

    def _said(self) -> str:
        return "\n".join(self._console.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
