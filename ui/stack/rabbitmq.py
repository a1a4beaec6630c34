"""A private RabbitMQ node: our own child, from the system's packages, on loopback ports and a folder of its own.

It shares nothing with another RabbitMQ on the machine, neither epmd nor cookie, user, port or file, and ends with us.
"""

import fcntl
import json
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Self
from urllib.parse import quote

from bus.errors import SetupError
from bus.settings import MIB
from ui.stack import plugins
from ui.stack.erlang import SURVIVE_A_KILL, Control
from ui.stack.own_server import OwnServer
from ui.stack.processes import LOOPBACK, die_with_us, end, free_port, is_free, kill_group, wait_until, write_private

PLUGINS = ("rabbitmq_consistent_hash_exchange",)
_NODE = "overspill@localhost"
_HANDOVER_S = 20

# Debian's and Red Hat's own script; the one in their sbin turns itself into the user `rabbitmq` first.
_SCRIPT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_MISSING = (
    "RabbitMQ isn't installed. Run `make rabbitmq` (or `apt-get install rabbitmq-server`), "
    "or set AMQP_URL to a broker you have."
)


@dataclass(frozen=True, slots=True)
class Account:
    """What a node keeps from start to start: who may log in, and the loopback ports it answers on."""

    user: str
    password: str
    port: int
    distribution_port: int
    epmd_port: int

    @classmethod
    def new(cls) -> Self:
        """A random account on free ports."""
        return cls(
            f"overspill-{secrets.token_hex(4)}", secrets.token_urlsafe(24), free_port(), free_port(), free_port()
        )

    @classmethod
    def of(cls, path: Path) -> Self:
        """The account kept at `path`, on other ports where its own are taken; a new one where none is kept."""
        if not path.exists():
            return cls.new()
        kept = cls(**json.loads(path.read_text(encoding="utf-8")))
        ports = {name: getattr(kept, name) for name in ("port", "distribution_port", "epmd_port")}
        moved = {name: port if is_free(port) else free_port() for name, port in ports.items()}
        return cls(kept.user, kept.password, **moved)


def configuration(account: Account, max_message_bytes: int) -> str:
    """The node's rabbitmq.conf."""
    return "\n".join(
        (
            f"listeners.tcp.1 = {LOOPBACK}:{account.port}",
            f"default_user = {account.user}",
            f"default_pass = {account.password}",
            f"max_message_size = {max_message_bytes}",
            "vm_memory_high_watermark.relative = 0.4",
            # Quorum queues write to one log, which lies in memory until it is rolled over, by default at 512 MB;
            # a small machine misses that long before a queue does.
            "raft.wal_max_size_bytes = 67108864",
            "disk_free_limit.absolute = 200MB",
            "log.file.level = info",
            "log.file.rotation.size = 10485760",
            "log.file.rotation.count = 2",
            "",
        )
    )


def environment(folder: Path, account: Account) -> dict[str, str]:
    """The whole environment of the node and its epmd; nothing of ours or of the system's RabbitMQ leaks in."""
    loopback_only = "-kernel inet_dist_use_interface {127,0,0,1}"
    return {
        "PATH": os.defpath + os.pathsep + "/usr/local/bin:/opt/homebrew/bin",
        "LANG": "C.UTF-8",
        "HOME": str(folder / "home"),
        "ERL_EPMD_ADDRESS": LOOPBACK,
        "ERL_EPMD_PORT": str(account.epmd_port),
        "RABBITMQ_NODENAME": _NODE,
        "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
        "RABBITMQ_NODE_PORT": str(account.port),
        "RABBITMQ_DIST_PORT": str(account.distribution_port),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),  # .conf is appended
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "env.conf"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{loopback_only} -start_epmd false {SURVIVE_A_KILL}",
        "RUNNING_UNDER_SYSTEMD": "true",  # the script then becomes the node instead of waiting for it
    }


class PrivateBroker(OwnServer):
    """One RabbitMQ node in `folder`, which is made if need be and kept by `stop`.

    Start it from a thread that lasts, best the main one: the node ends with the thread that started it. Every
    `SetupError` says what to do.
    """

    title = "private RabbitMQ"
    speaks_amqp = True

    def __init__(self, folder: Path, *, max_message_bytes: int = 64 * MIB) -> None:
        """Messages over `max_message_bytes` have their channel closed by the broker.

        That is well above the largest image accepted, so that a larger one is answered instead.
        """
        super().__init__(folder.resolve() / "console.log")
        self.folder = folder.resolve()
        self._max_message_bytes = max_message_bytes
        self._account: Account | None = None
        self._lock: IO[str] | None = None
        self._epmd: subprocess.Popen[bytes] | None = None
        self._control: Control | None = None
        self._plugins: Path | None = None

    @property
    def port(self) -> int:
        """The loopback port on which the node answers AMQP. Raises SetupError before the first start."""
        return self.account.port

    @property
    def log(self) -> Path:
        """The node's log file."""
        return self.folder / "log" / f"{_NODE}.log"

    def url(self, vhost: str = "/") -> str:
        """The AMQP URL of a virtual host, password included."""
        account = self.account
        return f"amqp://{account.user}:{account.password}@{LOOPBACK}:{account.port}/{quote(vhost, safe='')}"

    def spawn(self) -> None:
        """Start the node without waiting. Raises SetupError when RabbitMQ is missing or the folder is in use."""
        script = server_script()
        self._take_folder()
        # A restart keeps its ports even where they look taken: clients wait for it there.
        account = self._account = self._account or Account.of(self.folder / "account.json")
        self._write_files(account)
        bundled = Path(script).resolve().parents[1] / "plugins"
        self._plugins = plugins.select(bundled, self.folder / "plugins")
        if self._epmd is None or self._epmd.poll() is not None:
            # Ours, in the foreground: the node would leave one behind as a daemon.
            self._epmd = self._child(["epmd", "-port", str(account.epmd_port), "-address", LOOPBACK])
            wait_until(account.epmd_port, self._epmd, timeout_s=10, amqp=False)
        self._process = self._child([script])

    def stop(self, grace_s: float = 20) -> None:
        """Stop the node, then its epmd; the folder and what it holds stay."""
        if self._control is not None:
            self._control.close()
            self._control = None
        for process in (self._process, self._epmd):
            if process is not None:
                end(process, grace_s)
        self._account = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def restart(self, *, kill: bool = False) -> None:
        """Stop (or `kill` -9) the node and start it again on the same ports and data."""
        if kill:
            kill_group(self.process.pid)
        end(self.process, 20)
        self.start()

    def add_vhost(self, name: str) -> str:
        """Add a virtual host of letters, digits and dashes; returns its URL."""
        self._controlled().call("add", name, self.account.user)
        return self.url(name)

    def delete_vhost(self, name: str) -> None:
        """Delete a virtual host with all it holds; its connections are closed."""
        self._controlled().call("delete", name)

    def _controlled(self) -> Control:
        if self._control is None:
            environ = environment(self.folder, self.account)
            self._control = Control(_NODE, environ)
        return self._control

    @property
    def account(self) -> Account:
        """Who may log in, and where. Raises SetupError before the first start."""
        if self._account is None:
            raise self._not_started()
        return self._account

    def _take_folder(self) -> None:
        """Make the folder ours alone.

        The node holds the lock too: after a kill -9 of its parent it needs a moment to close its files, and a second
        node on them would spoil them.
        """
        if self._lock is not None:
            return
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (self.folder / "lock").open("w", encoding="utf-8")
        if not _locked_within(lock, _HANDOVER_S):
            lock.close()
            raise SetupError(f"Another private RabbitMQ runs in {self.folder}. Stop it, or choose another folder.")
        self._lock = lock

    def _write_files(self, account: Account) -> None:
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        cookie = home / ".erlang.cookie"
        if not cookie.exists():
            write_private(cookie, secrets.token_hex(20))
        write_private(self.folder / "account.json", json.dumps(asdict(account)))
        write_private(self.folder / "rabbitmq.conf", configuration(account, self._max_message_bytes))
        write_private(self.folder / "enabled_plugins", f"[{','.join(PLUGINS)}].\n")
        write_private(self.folder / "env.conf", "")

    def _child(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        plugins_dir = {"RABBITMQ_PLUGINS_DIR": str(self._plugins)} if self._plugins else {}
        with self._console.open("ab") as console:
            return subprocess.Popen(
                die_with_us(command),
                env=environment(self.folder, self.account) | plugins_dir,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C in our terminal is ours to act on, in the right order
                pass_fds=[self._lock.fileno()] if self._lock else (),
            )


def server_script() -> str:
    """The path of RabbitMQ's start script. Raises SetupError when RabbitMQ isn't installed."""
    found = str(_SCRIPT) if _SCRIPT.exists() else shutil.which("rabbitmq-server")
    if found is None or shutil.which("epmd") is None:
        raise SetupError(_MISSING)
    return found


def _locked_within(file: IO[str], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.1)
        else:
            return True
