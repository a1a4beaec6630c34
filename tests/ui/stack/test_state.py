import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from bus.errors import SetupError
from bus.settings import Settings
from ui.stack import state


def test_a_stack_that_runs_is_found_with_its_addresses(tmp_path: Path) -> None:
    stack = replace(state.ours(), ready=True, environ={"AMQP_URL": "amqp://b"})

    state.write(tmp_path, stack)

    assert state.running(tmp_path) == stack
    assert stat.S_IMODE(state.state_file(tmp_path).stat().st_mode) == 0o600


def test_what_was_forgotten_is_not_found(tmp_path: Path) -> None:
    state.write(tmp_path, state.ours())

    state.forget(tmp_path)
    state.forget(tmp_path)

    assert state.running(tmp_path) is None


def test_another_process_with_the_pid_of_a_dead_supervisor_is_no_stack(tmp_path: Path) -> None:
    state.write(tmp_path, replace(state.ours(), created=1.0))

    assert state.running(tmp_path) is None


def test_a_dead_supervisor_is_no_stack(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)

    state.write(tmp_path, replace(state.ours(), pid=child))

    assert state.running(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"pid": 1, "colour": "red"}'])
def test_a_spoiled_file_is_no_stack(tmp_path: Path, text: str) -> None:
    state.state_file(tmp_path).write_text(text)

    assert state.running(tmp_path) is None


def test_the_broker_is_the_given_one_then_that_of_the_stack(tmp_path: Path) -> None:
    given = Settings(amqp_url="amqp://given", state_dir=tmp_path)
    ours = given.model_copy(update={"amqp_url": None})

    with pytest.raises(SetupError, match="make up"):
        state.broker_url(ours)
    state.write(tmp_path, state.ours())
    with pytest.raises(SetupError, match="make up"):
        state.broker_url(ours)
    state.write(tmp_path, replace(state.ours(), environ={"AMQP_URL": "amqp://stack"}))

    assert state.broker_url(ours) == "amqp://stack"
    assert state.broker_url(given) == "amqp://given"
