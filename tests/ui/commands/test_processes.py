"""`overspill router`, `vm` and `agent`, as they are started."""

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.ui.commands.conftest import Overspill
from ui.stack.processes import die_with_us

pytestmark = pytest.mark.journey


def test_an_agent_is_watched_and_given_no_jobs(overspill: Overspill, amqp_url: str) -> None:
    command = die_with_us([sys.executable, "-m", "ui.cli", "agent", "--name", "watched"])  # also when the test fails
    with subprocess.Popen(command, env={**os.environ, "AMQP_URL": amqp_url}, stderr=subprocess.DEVNULL) as agent:
        told: dict[str, list[dict[str, object]]] = {"vms": []}
        while not told["vms"]:
            told = json.loads(overspill("status", "--json", url=amqp_url).stdout)
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(30) == 0
    (vm,) = told["vms"]
    assert (vm["name"], vm["state"], vm["slots"], vm["operations"]) == ("watched", "joined", 0, [])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["vm", "--name", "Not A Name"], "OVERSPILL_VM_NAME"),
        (["worker", "--slots", "0"], "OVERSPILL_SLOTS"),
        (["vm", "--operations", ""], "OVERSPILL_OPERATIONS names no operation"),
        (["vm", "--slots", "1", "--name", "-"], "OVERSPILL_VM_NAME"),
    ],
    ids=["name", "slots", "operations", "several"],
)
def test_a_wrong_option_is_named(overspill: Overspill, amqp_url: str, arguments: list[str], said: str) -> None:
    ran = overspill(*arguments, url=amqp_url)
    assert ran.returncode == 1
    assert said in ran.stderr


@pytest.mark.parametrize("process", ["router", "vm", "agent"])
def test_without_a_broker_the_remedy_is_named(overspill: Overspill, process: str) -> None:
    ran = overspill(process)
    assert ran.returncode == 1
    assert "set AMQP_URL" in ran.stderr


@pytest.mark.parametrize("arguments", [["vm", "--help"], ["worker", "--help"]], ids=" ".join)
def test_a_vm_is_started_by_either_name(overspill: Overspill, arguments: list[str]) -> None:
    told = overspill(*arguments).stdout
    assert {"--name", "--slots", "--operations"} <= set(told.split())


@pytest.mark.parametrize("command", ["drain", "resume"])
def test_the_orders_about_a_vm_are_told_with_the_vm(overspill: Overspill, command: str) -> None:
    assert command in overspill("vm", "--help").stdout.split()
