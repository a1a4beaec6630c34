"""The command as a person runs it: in a process, in a folder of its own."""

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Vhosts
from tests.journey.processes import Processes

Overspill = Callable[..., "subprocess.CompletedProcess[str]"]
PROJECT = Path(__file__).parents[3]


@pytest.fixture
def overspill(tmp_path: Path) -> Overspill:
    """Run `overspill ARGUMENTS` with the broker `url` (None: with no broker anywhere)."""

    def run(*arguments: str, url: str | None = None) -> "subprocess.CompletedProcess[str]":
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("OVERSPILL_", "AMQP_"))}
        environment |= {"OVERSPILL_STATE_DIR": str(tmp_path / "state"), "PYTHONPATH": str(PROJECT), "COLUMNS": "200"}
        environment |= {"AMQP_URL": url} if url else {}
        command = [sys.executable, "-m", "ui.cli", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100, check=False
        )

    return run


@pytest.fixture(scope="module")
def fleet(vhosts: Vhosts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The AMQP URL of a router and one VM that serves sketches."""
    name = f"commands-{uuid.uuid4().hex[:12]}"
    processes = Processes(vhosts.add_vhost(name), tmp_path_factory.mktemp("commands"))
    processes.start_router()
    processes.start_vm("vm1")
    processes.wait_ready("vm1")
    yield processes.url
    processes.stop()
    vhosts.delete_vhost(name)
