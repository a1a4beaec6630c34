"""The command as a person runs it, in a folder of its own: in a process, or quicker in this one."""

import logging
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import Vhosts
from tests.journey.processes import Processes
from ui import cli

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


@contextmanager
def _levels_kept() -> Iterator[None]:
    """A command may set how much others log; the tests after it are not to feel it."""
    loggers = [each for each in logging.root.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    before = [(each, each.level) for each in (logging.root, *loggers)]
    try:
        yield
    finally:
        for logger, level in before:
            logger.setLevel(level)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Overspill:
    """As `overspill`, but in this process, which need not import everything again; for tests without a running loop."""
    for name in [name for name in os.environ if name.startswith(("OVERSPILL_", "AMQP_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OVERSPILL_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, url: str) -> "subprocess.CompletedProcess[str]":
        monkeypatch.setenv("AMQP_URL", url)
        monkeypatch.setattr(sys, "argv", ["overspill", *arguments])
        capfd.readouterr()
        with _levels_kept(), pytest.raises(SystemExit) as ended:
            cli.main()
        return subprocess.CompletedProcess(arguments, int(ended.value.code or 0), *capfd.readouterr())

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
