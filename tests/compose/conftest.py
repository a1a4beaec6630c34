"""compose.yaml, running: on the Docker engine that is reachable, else on a private one with stand-in images."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.compose.engine import Engine, Unavailable, private_engine, reachable, run, scratch
from tests.compose.images import make_stand_ins
from tests.needed import lacking

PROJECT = Path(__file__).parents[2]
OURS = ("router", "vm1", "vm2", "page", "bridge", "cloud-service")
# Of these a future RabbitMQ takes leave; refusing them today shows that nothing here needs them.
STRICT = """
deprecated_features.permit.transient_nonexcl_queues = false
deprecated_features.permit.global_qos = false
"""


@dataclass(frozen=True)
class Stack:
    """What compose.yaml started, from a copy of the project in `folder`."""

    folder: Path
    environment: Mapping[str, str]

    @property
    def amqp_url(self) -> str:
        """The broker, as clients on this machine reach it."""
        port = self.environment["OVERSPILL_BROKER_PORT"]
        return f"amqp://overspill:{self._password}@127.0.0.1:{port}/"

    @property
    def management_url(self) -> str:
        """The broker's management plugin."""
        return f"http://127.0.0.1:{self.environment['OVERSPILL_MANAGEMENT_PORT']}"

    @property
    def page_url(self) -> str:
        """The page."""
        return f"http://127.0.0.1:{self.environment['OVERSPILL_PAGE_PORT']}"

    @property
    def _password(self) -> str:
        return (self.folder / ".env").read_text().strip().removeprefix("OVERSPILL_BROKER_PASSWORD=")

    def compose(self, *arguments: str, timeout_s: float = 120) -> str:
        """What `docker compose ARGUMENTS` prints."""
        return run("docker", "compose", *arguments, environment=self.environment, timeout_s=timeout_s, cwd=self.folder)


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """A Docker engine with compose."""
    with scratch() as folder:
        if reachable(os.environ):
            yield Engine(os.environ, folder, private=False)
            return
        try:
            with private_engine(folder) as made:
                make_stand_ins(made)
                yield made
        except Unavailable as reason:
            lacking(f"compose.yaml can't be run: {reason}")


@pytest.fixture(scope="session")
def stack(engine: Engine) -> Iterator[Stack]:
    """Everything in compose.yaml, started as the documentation says, with a router to spare."""
    folder = engine.folder / "project"
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns(".*", "node_modules", "__pycache__"))
    shutil.copy(PROJECT / ".dockerignore", folder)
    (folder / "strict.conf").write_text(STRICT)
    (folder / "compose.test.yaml").write_text(yaml.safe_dump(_override(engine)))
    running = Stack(folder, {**engine.environment, **_pip_arguments(), **_surroundings()})
    up = (folder / "deploy/compose/up", "--scale", "router=2")
    try:
        run(*up, environment=running.environment, timeout_s=600)
        yield running
        sys.stderr.write(running.compose("logs", "--tail", "200", "--no-color", *OURS))
    finally:
        subprocess.run(
            ("docker", "compose", "down", "--volumes", "--timeout", "5", "--rmi", "local"),
            env=running.environment,
            cwd=folder,
            check=False,
        )


def _surroundings() -> dict[str, str]:
    """Names and ports that nobody else on this machine uses."""
    names = ("OVERSPILL_BROKER_PORT", "OVERSPILL_MANAGEMENT_PORT", "OVERSPILL_PAGE_PORT")
    with contextlib.ExitStack() as held:
        sockets = {name: held.enter_context(socket.socket()) for name in names}
        for one in sockets.values():
            one.bind(("127.0.0.1", 0))
        return {
            "COMPOSE_PROJECT_NAME": f"overspill-test-{os.getpid()}",
            "COMPOSE_FILE": "compose.yaml:compose.test.yaml",
            **{name: str(one.getsockname()[1]) for name, one in sockets.items()},
        }


def _override(engine: Engine) -> dict[str, Any]:
    """What differs from a user's stack: image names, a stricter broker, and how a private engine reaches the world."""
    images = {"router": "router", "vm1": "vm", "vm2": "vm", "page": "page", "bridge": "cloud", "cloud-service": "cloud"}
    services: dict[str, Any] = {name: {"image": f"overspill-test-{image}"} for name, image in images.items()}
    services["rabbitmq"] = {"volumes": ["./strict.conf:/etc/rabbitmq/conf.d/90-strict.conf:ro"]}
    if not engine.private:
        return {"services": services}
    for name in ("router", "vm1", "page", "bridge"):
        services[name]["build"] = {"network": "host"}
    bridges = {name: f"{engine.bridge}{name[0]}" for name in ("bus", "outside", "cloud")}
    option = "com.docker.network.bridge.name"
    return {
        "services": services,
        "networks": {name: {"driver_opts": {option: bridge}} for name, bridge in bridges.items()},
    }


def _pip_arguments() -> dict[str, str]:
    """This machine's package index, where pip is configured to use one that a container can reach too."""
    names = {"global.index-url": "PIP_INDEX_URL", "global.trusted-host": "PIP_TRUSTED_HOST"}
    listed = run(sys.executable, "-m", "pip", "config", "list", environment=os.environ, timeout_s=60)
    configured = dict(line.split("=", 1) for line in listed.splitlines())
    return {name: configured[key].strip("'\"") for key, name in names.items() if key in configured}
