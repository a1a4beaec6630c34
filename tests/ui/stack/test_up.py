import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from bus.errors import SetupError
from tests.ui.stack import stand_in
from ui.stack import state
from ui.stack.processes import listens, serves
from ui.stack.rabbitmq import PrivateBroker
from ui.stack.up import alone, merged_log

ROOT = Path(__file__).parents[3]
CHOSEN = {"OVERSPILL_CLOUD": "none", "OVERSPILL_PAGE_PORT": "0"}
"""Other tests run at the same time: two stacks that start at once would both find the usual port free."""


@contextmanager
def up(state_dir: Path, **environ: str) -> Iterator["subprocess.Popen[str]"]:
    inherited = {key: value for key, value in os.environ.items() if key != "AMQP_URL"} | CHOSEN
    process = subprocess.Popen(
        [*stand_in.HERE, "up"],
        env=inherited | {"OVERSPILL_STATE_DIR": str(state_dir), "PYTHONPATH": str(ROOT)} | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        yield process
        process.kill()


def until(process: "subprocess.Popen[str]", words: str) -> list[str]:
    """What is said up to and with the line that has `words` in it."""
    said: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line.rstrip())
        if words in line:
            return said
    raise AssertionError(f"{words!r} was never said:\n" + "\n".join(said))


def pids(said: list[str]) -> dict[str, int]:
    found = (re.match(r"(\w+) +\| my pid is (\d+)", line) for line in said)
    return {match[1]: int(match[2]) for match in found if match}


@pytest.mark.broker
def test_a_stack_gets_ready_mends_itself_and_leaves_nothing(amqp_url: str, tmp_path: Path) -> None:
    with up(tmp_path, AMQP_URL=amqp_url) as process:
        started = pids(until(process, "everything is ready"))
        assert started.keys() == {"router", "vm1", "vm2", "page"}
        stack = state.running(tmp_path)
        assert stack is not None
        told = {"AMQP_URL": amqp_url, "OVERSPILL_CLOUD": "none", "OVERSPILL_BLOBS": f"file://{tmp_path}/blobs"}
        measured = dict(each.split("=", 1) for each in stack.environ["METRICS_URLS"].split(","))
        assert measured.keys() == started.keys()
        assert len(set(measured.values())) == len(measured)
        assert stack.environ == told | {name: stack.environ[name] for name in ("PAGE_URL", "METRICS_URLS")}
        assert serves(stack.environ["PAGE_URL"])
        assert f"up     | page     {stack.environ['PAGE_URL']}/" in until(process, "page     ")

        os.kill(started["vm1"], signal.SIGKILL)
        assert any(line.startswith("vm1    | killed; starting it again") for line in until(process, "again in"))
        started |= pids(until(process, "my pid is"))

        with pytest.raises(SetupError, match="runs here already"), alone(tmp_path):
            pass

        process.send_signal(signal.SIGTERM)
        until(process, "up     | stopped")
        assert process.wait() == 0

    assert not [pid for pid in started.values() if psutil.pid_exists(pid)]
    assert not state.state_file(tmp_path).exists()
    assert "everything is ready" in state.log_file(tmp_path).read_text()


@pytest.mark.broker
def test_a_stack_without_cloud_and_page_says_so_and_one_with_a_cloud_where_it_is(amqp_url: str, tmp_path: Path) -> None:
    with up(tmp_path / "without", AMQP_URL=amqp_url, STAND_IN_LACKS="page") as process:
        said = until(process, "everything is ready")
        assert any("OVERSPILL_CLOUD=none" in line for line in said)
        assert (
            "up     | no page: no_such_module not installed (pip install 'overspill[page]'); the rest works without"
            in said
        )
        stack = state.running(tmp_path / "without")
        assert stack is not None
        assert "PAGE_URL" not in stack.environ
        process.send_signal(signal.SIGTERM)

    elsewhere = {"OVERSPILL_CLOUD": "http", "OVERSPILL_CLOUD_SERVICES": "http://pool.example"}
    with up(tmp_path / "with", AMQP_URL=amqp_url, **elsewhere) as process:
        said = until(process, "try  ")
        process.send_signal(signal.SIGTERM)

    assert "bridge | is ready" in said
    assert "up     | cloud    http://pool.example" in said


@pytest.mark.broker
def test_a_killed_supervisor_takes_its_children_with_it_and_the_next_finds_the_broker_as_it_was(
    private_broker: PrivateBroker, tmp_path: Path
) -> None:
    with up(tmp_path) as process:
        until(process, "everything is ready")
        stack = state.running(tmp_path)
        assert stack is not None
        family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        _, alive = psutil.wait_procs(family, timeout=60)
        assert alive == []
    assert state.running(tmp_path) is None

    with up(tmp_path) as process:
        until(process, "everything is ready")
        again = state.running(tmp_path)
        assert again is not None
        assert again.environ["AMQP_URL"] == stack.environ["AMQP_URL"]
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
    port = int(again.environ["AMQP_URL"].rpartition(":")[2].partition("/")[0])
    assert not listens(port)


@pytest.mark.broker
def test_a_stop_while_the_broker_starts_is_heeded(private_broker: PrivateBroker, tmp_path: Path) -> None:
    with up(tmp_path) as process:
        until(process, "starting a private RabbitMQ")
        process.send_signal(signal.SIGINT)
        until(process, "stopped")
        assert process.wait() == 0


@pytest.mark.broker
def test_a_broker_that_does_not_take_us_ends_the_start_with_the_reason(amqp_url: str, tmp_path: Path) -> None:
    with up(tmp_path, AMQP_URL=amqp_url.replace("@", "-wrong@")) as process:
        said = until(process, "SetupError")
        assert process.wait() == 1
    assert "AMQP_URL" in said[-1]


def test_lines_go_to_the_terminal_and_plain_with_the_time_to_the_log(tmp_path: Path) -> None:
    terminal: list[str] = []
    log = tmp_path / "logs" / "stack.log"

    with merged_log(log, terminal.append, colour=True) as say:
        say("vm1", "hello 100%")

    assert terminal == ["\x1b[32mvm1    |\x1b[0m hello 100%"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \S+ vm1    \| hello 100%\n", log.read_text())


def test_as_json_terminal_and_log_have_the_same_objects(tmp_path: Path) -> None:
    terminal: list[str] = []
    log = tmp_path / "stack.log"

    with merged_log(log, terminal.append, colour=True, as_json=True) as say:
        say("vm1", '{"message": "hello 100%"}')
        say("up", "stopped")

    assert [json.loads(line)["process"] for line in terminal] == ["vm1", "up"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", json.loads(terminal[1])["time"])
    assert log.read_text().splitlines() == terminal
