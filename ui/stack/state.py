"""What a running stack leaves for other commands to find: who supervises it, and its addresses."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import psutil

from bus.errors import SetupError
from bus.service_addresses import services_of, services_text
from bus.settings import Settings
from ui.stack.processes import write_private

CONNECT_WITHIN_S: Final = 10.0
"""How long a command waits for the broker: a busy one takes seconds to let somebody in."""
NOT_RUNNING = "No stack runs here. Start one with `make up` or `overspill up`, or set AMQP_URL."


@dataclass(frozen=True, slots=True)
class Stack:
    """A supervisor, told from a later process with the same pid by when it was started."""

    pid: int
    created: float
    """When the process was created, as the system tells it: seconds since the epoch."""
    ready: bool = False
    environ: Mapping[str, str] = field(default_factory=dict)
    """Addresses, by the names of the environment variables that clients read."""
    lacking: list[str] = field(default_factory=list)
    """What it works without, and how to get it; a line each."""

    @property
    def alive(self) -> bool:
        """Whether this very supervisor still runs."""
        try:
            process = psutil.Process(self.pid)
            return process.create_time() == self.created and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


def ours() -> Stack:
    """This process as a supervisor."""
    return Stack(os.getpid(), psutil.Process().create_time())


def state_file(state_dir: Path) -> Path:
    """Where a stack writes down itself."""
    return state_dir / "stack.json"


def log_file(state_dir: Path) -> Path:
    """The merged log of a stack."""
    return state_dir / "logs" / "stack.log"


def write(state_dir: Path, stack: Stack) -> None:
    """Write down a stack, password included: for our eyes only."""
    write_private(state_file(state_dir), json.dumps(asdict(stack)))


def forget(state_dir: Path) -> None:
    """Take down what `write` wrote."""
    state_file(state_dir).unlink(missing_ok=True)


def running(state_dir: Path) -> Stack | None:
    """The stack that runs with this state folder, if one does."""
    try:
        stack = Stack(**json.loads(state_file(state_dir).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return stack if stack.alive else None


def joined(settings: Settings) -> Settings:
    """The settings, with the addresses that they leave open as the running stack tells them, where one runs.

    Whoever names a broker of their own means another system than the stack: then nothing is added. Whoever names a
    cloud has said all of it.
    """
    stack = running(settings.state_dir)
    if stack is None or settings.amqp_url not in {None, stack.environ.get("AMQP_URL")}:
        return settings
    told = stack.environ
    update: dict[str, object] = {
        "amqp_url": told.get("AMQP_URL"),
        "blobs": settings.blobs or told.get("OVERSPILL_BLOBS"),
    }
    if not (settings.cloud_project or settings.cloud_services or settings.pubsub_emulator_host):
        if "cloud" not in settings.model_fields_set:
            update["cloud"] = told.get("OVERSPILL_CLOUD", settings.cloud)
        update["cloud_project"] = told.get("OVERSPILL_CLOUD_PROJECT")
        update["cloud_services"] = services_of(told.get("OVERSPILL_CLOUD_SERVICES", ""))
        update["pubsub_emulator_host"] = told.get("PUBSUB_EMULATOR_HOST")
    return settings.model_copy(update=update)


def addresses(settings: Settings) -> dict[str, str]:
    """The addresses in the settings, by the names of the environment variables that say them; `joined` reads them."""
    said = {
        "AMQP_URL": settings.amqp_url,
        "OVERSPILL_CLOUD": None if settings.cloud == "pubsub" else settings.cloud,
        "PUBSUB_EMULATOR_HOST": settings.pubsub_emulator_host,
        "OVERSPILL_CLOUD_PROJECT": settings.cloud_project,
        "OVERSPILL_CLOUD_SERVICES": services_text(settings.cloud_services),
        "OVERSPILL_BLOBS": settings.blobs,
    }
    return {name: value for name, value in said.items() if value}


def broker_url(settings: Settings) -> str:
    """The broker to use: AMQP_URL's, else that of the running stack. Raises SetupError when there is neither."""
    url = joined(settings).amqp_url
    if not url:
        raise SetupError(NOT_RUNNING)
    return url
