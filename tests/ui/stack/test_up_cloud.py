"""The whole stack of one machine with its cloud, for real: what two VMs can't hold is answered by a service."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bus.errors import SetupError
from tests.needed import lacking, need_package
from ui.stack import emulator

ROOT = Path(__file__).parents[3]
PHOTOGRAPH = ROOT / "tests" / "data" / "photographs" / "coffee.jpg"
DRAWN = re.compile(
    r"\S+/coffee\.jpg -> \S*coffee-sketch\.jpg  \(cloud-1 in the cloud, [\d.]+ s after waiting [\d.]+ s\)"
)
OVERSPILL = (sys.executable, "-m", "ui.cli")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Of a machine where every VM counts as loaded."""
    try:
        emulator.find()
    except SetupError as error:
        lacking(str(error))
    need_package("google.cloud.pubsub_v1", "service")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("OVERSPILL_", "AMQP_", "PUBSUB_"))}
    chosen = {"OVERSPILL_CPU_THRESHOLD": "0", "OVERSPILL_OPERATIONS": "sketch", "OVERSPILL_STATE_DIR": str(tmp_path)}
    chosen["OVERSPILL_PAGE_PORT"] = "0"  # beside other tests the usual one may be taken at any moment
    return clean | chosen | {"PYTHONPATH": str(ROOT)}


@pytest.fixture
def up(environment: dict[str, str], tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A stack that is starting."""
    pipe = subprocess.PIPE
    command = [*OVERSPILL, "up"]
    with subprocess.Popen(command, env=environment, stdout=pipe, stderr=subprocess.STDOUT, text=True) as process:
        yield process
        process.kill()


def until(process: "subprocess.Popen[str]", words: str) -> str:
    """What is said up to and with the line that has `words` in it."""
    said: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line)
        if words in line:
            return "".join(said)
    raise AssertionError(f"{words!r} was never said:\n{''.join(said)}")


def submit(environment: dict[str, str], out: Path) -> str:
    """What `overspill submit` says of a photograph."""
    command = [*OVERSPILL, "submit", str(PHOTOGRAPH), "--out", str(out)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=True).stdout


def submit_until_it_overflows(environment: dict[str, str], out: Path) -> str:
    """The router hears within a second that the bridge is ready; a VM takes what comes before."""
    while "(vm" in (said := submit(environment, out)):
        pass
    return said


@pytest.mark.broker
@pytest.mark.journey
@pytest.mark.timeout(240)
def test_what_the_vms_cannot_hold_is_answered_by_the_cloud_also_after_the_emulator_was_killed(
    up: "subprocess.Popen[str]", environment: dict[str, str], tmp_path: Path
) -> None:
    said = until(up, "try  ")
    found = re.search(r"cloud    (127.0.0.1:\d+) -> http://127.0.0.1:\d+\n", said)
    assert found is not None, said

    assert DRAWN.fullmatch(submit_until_it_overflows(environment, tmp_path / "out").rstrip())
    assert (tmp_path / "out" / "coffee-sketch.jpg").read_bytes()[:3] == b"\xff\xd8\xff"

    (java,) = (child for child in psutil.Process(up.pid).children() if found[1].split(":")[1] in str(child.cmdline()))
    java.kill()
    until(up, "pubsub | killed")
    until(up, "Made on the emulator")
    assert DRAWN.fullmatch(submit_until_it_overflows(environment, tmp_path / "out").rstrip())

    family = psutil.Process(up.pid).children(recursive=True)
    up.send_signal(signal.SIGINT)
    until(up, "up     | stopped")
    assert up.wait() == 0
    _, alive = psutil.wait_procs(family, timeout=60)
    assert alive == []


def test_the_readme_shows_what_is_said_of_such_a_photograph() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if DRAWN.fullmatch(line)]) == 1
