import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from bus.errors import SetupError
from tests.ui.stack import stand_in
from ui.commands import stack as commands
from ui.stack import state
from ui.stack.up import alone


@pytest.fixture(autouse=True)
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OVERSPILL_STATE_DIR", str(tmp_path))
    monkeypatch.delenv("AMQP_URL", raising=False)
    monkeypatch.setenv("OVERSPILL_PAGE_PORT", "0")
    monkeypatch.setattr(commands, "_OVERSPILL", stand_in.HERE)
    return tmp_path


@pytest.fixture
def supervisor(state_dir: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that is down in the books as a stack."""
    with subprocess.Popen(["sleep", "60"]) as process:
        state.write(state_dir, state.Stack(process.pid, psutil.Process(process.pid).create_time(), ready=True))
        yield process
        process.kill()


def test_down_stops_the_stack(supervisor: "subprocess.Popen[bytes]", capsys: pytest.CaptureFixture[str]) -> None:
    commands.down()

    assert supervisor.wait() == -signal.SIGTERM
    assert capsys.readouterr().out == "The stack has stopped.\n"


def test_down_without_a_stack_is_fine(capsys: pytest.CaptureFixture[str]) -> None:
    commands.down()

    assert "No stack runs" in capsys.readouterr().out


def test_up_beside_a_running_stack_says_so(state_dir: Path) -> None:
    with alone(state_dir), pytest.raises(SetupError, match="runs here already"):
        commands.up(wait=False)


def test_waiting_for_a_stack_that_is_ready_is_short(
    supervisor: "subprocess.Popen[bytes]", capsys: pytest.CaptureFixture[str]
) -> None:
    commands.up(wait=True)

    assert "runs already" in capsys.readouterr().out


def test_when_all_is_ready_it_is_said_where_the_page_is_unless_it_is_late(state_dir: Path) -> None:
    stack = replace(state.ours(), environ={"PAGE_URL": "http://127.0.0.1:1"})

    assert commands.what_is_ready(stack).startswith("The stack is ready; its page, http://127.0.0.1:1/, is not yet")
    assert commands.what_is_ready(state.ours()).startswith("The stack is ready. Try: .venv/bin/overspill submit")


def test_a_stack_that_does_not_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "_OVERSPILL", (sys.executable, "-c", "print('no luck today')"))

    with pytest.raises(SetupError, match=re.compile("did not start.*no luck today", re.DOTALL)):
        commands.up(wait=True)


def test_a_stack_that_is_never_ready_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "_OVERSPILL", (sys.executable, "-c", "import time; time.sleep(60)"))
    monkeypatch.setattr(commands, "_READY_WITHIN_S", 0.3)

    with pytest.raises(SetupError, match="not ready"):
        commands.up(wait=True)


@pytest.mark.broker
def test_up_in_the_background_returns_when_ready_and_down_ends_it(
    amqp_url: str, state_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AMQP_URL", amqp_url)
    monkeypatch.setenv("OVERSPILL_CLOUD", "none")

    commands.up(wait=True)
    stack = state.running(state_dir)
    assert stack is not None
    commands.env()
    commands.down()

    said = capsys.readouterr().out
    assert "no cloud: it is turned off (OVERSPILL_CLOUD=none)" in said
    assert f"AMQP_URL={amqp_url}\n" in said
    page = stack.environ["PAGE_URL"]
    assert f"PAGE_URL={page}\n" in said
    assert f"The stack is ready. Open {page}/, or try:" in said
    assert state.running(state_dir) is None
    assert replace(stack).alive is False
