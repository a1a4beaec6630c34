"""Google's own Pub/Sub emulator as a child of ours: on a loopback port, its state in memory alone, ending with us."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bus.errors import SetupError
from ui.stack.own_server import OwnServer
from ui.stack.processes import LOOPBACK, die_with_us, end, free_port

_REMEDY = (
    "Run `apt-get install default-jre-headless` and `gcloud components install pubsub-emulator`, "
    "or set PUBSUB_EMULATOR_HOST to an emulator you have."
)
# Quick to start, small, and one core is enough for it: the emulator is for trying things out. It keeps what it has ever
# been given; without memory its threads would end one by one and nobody would know, so all of it ends.
_JAVA = ("-Xmx1g", "-XX:+ExitOnOutOfMemoryError", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


@dataclass(frozen=True, slots=True)
class Program:
    """What the emulator runs from: the `java` command and the SDK's jar."""

    java: str
    jar: Path

    def command(self, port: int) -> list[str]:
        """The command that serves on a loopback port."""
        return [self.java, *_JAVA, "-jar", str(self.jar), f"--host={LOOPBACK}", f"--port={port}"]


def find() -> Program:
    """The emulator of the Google Cloud SDK whose `gcloud` is on the PATH, and Java.

    Raises SetupError, saying what is missing and how to get it.
    """
    java, jar = shutil.which("java"), jar_of(shutil.which("gcloud"))
    lacking = [
        name for name, there in (("Java", java), ("the emulator's jar in the Google Cloud SDK", jar)) if not there
    ]
    if java is None or jar is None:
        raise SetupError(f"The Pub/Sub emulator lacks {' and '.join(lacking)}. {_REMEDY}")
    return Program(java, jar)


def jar_of(gcloud: str | None) -> Path | None:
    """The emulator's jar in the SDK that the command `gcloud` belongs to, or None."""
    if gcloud is None:
        return None
    lib = Path(gcloud).resolve().parent.parent / "platform" / "pubsub-emulator" / "lib"
    return max(lib.glob("cloud-pubsub-emulator-*.jar"), default=None)


class PubSubEmulator(OwnServer):
    """One emulator; what it says goes into `folder`, which is made if need be.

    Start it from a thread that lasts, best the main one: it ends with the thread that started it. Each start is empty:
    topics, subscriptions and messages are kept in memory. Every `SetupError` says what to do.
    """

    title = "Pub/Sub emulator"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "emulator.log")
        self.folder = folder
        self._port: int | None = None

    @property
    def port(self) -> int:
        """Its loopback port, the same over a restart. Raises SetupError before the first start."""
        if self._port is None:
            raise self._not_started()
        return self._port

    @property
    def host(self) -> str:
        """The value for PUBSUB_EMULATOR_HOST. Raises SetupError before the first start."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def log(self) -> Path:
        """The file that takes what it says."""
        return self._console

    def spawn(self) -> None:
        """Start it without waiting. Raises SetupError when the emulator or Java is missing."""
        program = find()
        self.folder.mkdir(parents=True, exist_ok=True)
        # A restart keeps its port: clients wait for it there.
        self._port = self._port or free_port()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                die_with_us(program.command(self._port)),
                env={"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": str(self.folder)},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C in our terminal is ours to act on, in the right order
            )

    def stop(self, grace_s: float = 5) -> None:
        """Stop it; all it held is gone."""
        if self._process is not None:
            end(self._process, grace_s)

    def restart(self) -> None:
        """Stop it and start it again on the same port, empty."""
        self.stop()
        self.start()
