import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ui import cli
from ui.stack import state


@pytest.fixture
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OVERSPILL_STATE_DIR", str(tmp_path))
    monkeypatch.delenv("AMQP_URL", raising=False)
    return tmp_path


def overspill(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    """Run the command; returns its exit status."""
    monkeypatch.setattr(sys, "argv", ["overspill", *arguments])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    return exit_.value.code


def test_an_error_raised_on_purpose_is_one_clean_line(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status = overspill(monkeypatch, "env")

    printed = capsys.readouterr()
    assert status == 1
    assert printed.out == ""
    assert printed.err.splitlines() == [state.NOT_RUNNING]


def test_env_prints_the_addresses_of_the_running_stack(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state.write(state_dir, replace(state.ours(), environ={"AMQP_URL": "amqp://b", "PAGE_URL": "http://p"}))

    status = overspill(monkeypatch, "env")

    assert status == 0
    assert capsys.readouterr().out.splitlines() == ["AMQP_URL=amqp://b", "PAGE_URL=http://p"]


def test_no_command_shows_the_help(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    overspill(monkeypatch)

    printed = capsys.readouterr()
    assert "Usage" in printed.out + printed.err
