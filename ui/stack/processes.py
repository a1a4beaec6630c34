"""Child processes that never outlive us, ports of our own and files for our eyes only."""

import contextlib
import http.client
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from bus.errors import SetupError

LOOPBACK = "127.0.0.1"

# Below the kernel's ephemeral range (32768 and up): there, an outgoing connection could take the port of a broker that
# restarts, and a client that knocks meanwhile could even be connected to itself.
_PORTS = range(20_000, 32_000)


def die_with_us(command: Sequence[str]) -> list[str]:
    """`command`, sent SIGTERM by the kernel when we die, kill -9 included.

    The kernel watches the thread that starts the child: start it from one that lasts as long as we do. Where there is
    no `setpriv` (macOS) the command is left as it is.
    """
    setpriv = shutil.which("setpriv")
    return [*([setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []), *command]


def is_free(port: int) -> bool:
    """Whether nobody listens on this loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A loopback port that nobody listens on. Raises SetupError when a hundred tries find none."""
    for port in random.SystemRandom().sample(_PORTS, 100):
        if is_free(port):
            return port
    raise SetupError(f"No free port between {_PORTS.start} and {_PORTS.stop}. Stop what listens there.")


def free_ports(number: int, *, but: int) -> list[int]:
    """So many such ports, each another, and none of them `but`. Raises SetupError as `free_port` does."""
    found = {but}
    while len(found) <= number:
        found.add(free_port())
    return sorted(found - {but})


def write_private(path: Path, text: str) -> None:
    """Write a file that only we may read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def end(process: subprocess.Popen[bytes], grace_s: float) -> int:
    """Ask a child to stop, and its whole process group to go when it has not after `grace_s` seconds.

    The child must have been started in a session of its own. Returns its exit status.
    """
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace_s)
    kill_group(process.pid)
    return process.wait()


def kill_group(leader: int) -> None:
    """Kill what is left of the process group that `leader` led, if anything."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def listens(port: int, timeout_s: float = 1.0) -> bool:
    """Whether someone accepts connections on this loopback port."""
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout_s):
        return True
    return False


def answers(address: str, timeout_s: float = 3.0) -> bool:
    """Whether someone accepts connections at `address`, a `host:port`; False for what is no address."""
    host, _, port = address.rpartition(":")
    with contextlib.suppress(OSError, ValueError), socket.create_connection((host.strip("[]"), int(port)), timeout_s):
        return True
    return False


def serves(url: str, timeout_s: float = 2.0) -> bool:
    """Whether what is at this URL says that it is ready."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    asked = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(asked):
        asked.request("GET", "/ready")
        return asked.getresponse().status == http.HTTPStatus.OK
    return False


def speaks_amqp(port: int, timeout_s: float = 2.0) -> bool:
    """Whether an AMQP 0-9-1 broker on this loopback port answers our greeting with Connection.Start."""
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout_s) as peer:
        peer.sendall(b"AMQP\x00\x00\x09\x01")
        frame = peer.recv(11, socket.MSG_WAITALL)
        return frame[:1] == b"\x01" and frame[7:] == b"\x00\x0a\x00\x0a"  # a method frame: class 10, method 10
    return False


def wait_until(port: int, process: subprocess.Popen[bytes], *, timeout_s: float, amqp: bool) -> bool:
    """Wait until `process` answers on its port. False when it ended or `timeout_s` seconds passed first."""
    deadline = time.monotonic() + timeout_s
    answers = speaks_amqp if amqp else listens
    while process.poll() is None and time.monotonic() < deadline:
        if answers(port):
            return True
        time.sleep(0.02)
    return False
