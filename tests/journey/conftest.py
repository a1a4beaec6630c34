"""A running overspill: a router and two VMs as processes, on a virtual host of their own."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Vhosts
from tests.journey.processes import Processes


@pytest.fixture
def processes(amqp_url: str, tmp_path: Path) -> Iterator[Processes]:
    """Nothing started yet; whatever a test starts is stopped after it."""
    started = Processes(amqp_url, tmp_path)
    yield started
    started.stop()


@pytest.fixture
def running(processes: Processes) -> Processes:
    """A router, vm1 and vm2 with a slot each, ready, for this test alone to break."""
    _start(processes)
    return processes


@pytest.fixture(scope="module")
def stack(vhosts: Vhosts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The AMQP URL of a running overspill that a module's tests share and leave whole."""
    name = f"stack-{uuid.uuid4().hex[:12]}"
    started = Processes(vhosts.add_vhost(name), tmp_path_factory.mktemp("stack"))
    _start(started)
    yield started.url
    started.stop()
    vhosts.delete_vhost(name)


def _start(processes: Processes) -> None:
    processes.start_router()
    processes.start_vm("vm1")
    processes.start_vm("vm2")
    processes.wait_ready("vm1", "vm2")
