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


CLOUD = {
    "PUBSUB_EMULATOR_HOST": "e:1",
    "OVERSPILL_CLOUD_PROJECT": "overspill",
    "OVERSPILL_CLOUD_SERVICES": "sketch=http://a,http://b",
    "OVERSPILL_BLOBS": "file:///blobs",
}


@pytest.fixture
def stack_dir(tmp_path: Path) -> Path:
    """The folder of a stack that runs."""
    state.write(tmp_path, replace(state.ours(), environ={"AMQP_URL": "amqp://stack", **CLOUD}))
    return tmp_path


@pytest.mark.parametrize("url", [None, "amqp://stack"], ids=["none named", "its own named"])
def test_the_addresses_that_the_settings_leave_open_are_the_stacks(stack_dir: Path, url: str | None) -> None:
    joined = state.joined(Settings(amqp_url=url, state_dir=stack_dir))

    assert state.addresses(joined) == {"AMQP_URL": "amqp://stack", **CLOUD}
    assert joined.cloud_services == (("sketch", "http://a"), ("", "http://b"))


@pytest.mark.parametrize(
    "named", [{"cloud_project": "p"}, {"cloud_services": "http://s"}, {"pubsub_emulator_host": "x:1"}]
)
def test_who_names_a_cloud_has_said_all_of_it(stack_dir: Path, named: dict[str, str]) -> None:
    given = Settings.model_validate({"state_dir": stack_dir, "blobs": "gs://b", **named})

    expected = {**state.addresses(given), "AMQP_URL": "amqp://stack"}
    assert state.addresses(state.joined(given)) == expected


def test_a_stack_without_google_says_so(tmp_path: Path) -> None:
    chosen = Settings(amqp_url="amqp://stack", cloud="http", cloud_services=(("", "http://pool"),))
    told = state.addresses(chosen)
    assert told["OVERSPILL_CLOUD"] == "http"
    state.write(tmp_path, replace(state.ours(), environ=told))

    joined = state.joined(Settings(state_dir=tmp_path))
    asked = state.joined(Settings(state_dir=tmp_path, cloud="none"))

    assert (joined.cloud, joined.cloud_services) == ("http", (("", "http://pool"),))
    assert asked.cloud == "none"


def test_who_names_another_broker_does_not_mean_the_stack(stack_dir: Path) -> None:
    given = Settings(amqp_url="amqp://another", state_dir=stack_dir)

    assert state.joined(given) == given


def test_without_a_stack_the_settings_are_as_they_are(tmp_path: Path) -> None:
    given = Settings(amqp_url=None, state_dir=tmp_path)

    assert state.joined(given) == given
    assert state.addresses(given) == {}
