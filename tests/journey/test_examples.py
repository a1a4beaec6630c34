"""The examples, run as a reader would run them, against a running stack: clients that we did not write."""

import asyncio
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.bus.rabbit.foreign import Network
from tests.conftest import Vhosts
from tests.journey.processes import Processes
from tests.needed import need_program

pytestmark = [pytest.mark.journey, pytest.mark.broker]

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
PHOTOGRAPH = ROOT / "tests" / "data" / "photographs" / "coffee.jpg"
PYTHON = sys.executable


@pytest.fixture(scope="module")
def url(vhosts: Vhosts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The broker of one stack, a router and two VMs, for all the examples."""
    name = f"examples-{uuid.uuid4().hex[:12]}"
    processes = Processes(vhosts.add_vhost(name), tmp_path_factory.mktemp("stack"))
    try:
        processes.start_router()
        processes.start_vm("vm1")
        processes.start_vm("vm2")
        processes.wait_ready("vm1", "vm2")
        yield processes.url
    finally:
        processes.stop()
        vhosts.delete_vhost(name)


@pytest.fixture(scope="module")
def node_examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The JavaScript examples with their client installed, in a folder that goes with the run."""
    need_program("npm", "apt-get install npm")
    folder = tmp_path_factory.mktemp("node")
    for path in (EXAMPLES / "package.json", *EXAMPLES.glob("*.mjs")):
        shutil.copy(path, folder)
    install = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock"]
    subprocess.run(install, cwd=folder, check=True, timeout=100, capture_output=True)
    return folder


@pytest.fixture(params=["submit_pika.py", "submit_py_amqp.py", "submit_amqplib.mjs", "submit.sh"])
def example(request: pytest.FixtureRequest) -> list[str]:
    """The command that runs one of the examples, without its arguments."""
    if request.param.endswith(".mjs"):
        return ["node", str(request.getfixturevalue("node_examples") / request.param)]
    if request.param.endswith(".sh"):
        need_program("amqp-publish", "apt-get install amqp-tools")
        return ["sh", str(EXAMPLES / request.param)]
    return [PYTHON, str(EXAMPLES / request.param)]


def run(command: list[str], amqp_url: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"AMQP_URL": amqp_url}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_a_photograph_comes_back_as_a_sketch(url: str, example: list[str], tmp_path: Path) -> None:
    out = tmp_path / "sketch.jpg"
    done = run([*example, str(PHOTOGRAPH), "sketch", str(out)], url)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip().startswith(f"{out}: ran on vm")
    assert done.stdout.strip().endswith("by way of vm")
    with Image.open(out) as sketch, Image.open(PHOTOGRAPH) as photograph:
        assert sketch.size == photograph.size


def test_a_text_is_refused_with_a_reason(url: str, example: list[str], tmp_path: Path) -> None:
    out = tmp_path / "sketch.jpg"
    refused = run([*example, str(ROOT / "LICENSE"), "sketch", str(out)], url)
    assert refused.returncode == 1
    assert "not an image" in refused.stderr
    assert not out.exists()


def test_an_operation_that_is_not_there_is_refused_with_the_ones_that_are(
    url: str, example: list[str], tmp_path: Path
) -> None:
    refused = run([*example, str(PHOTOGRAPH), "blur", str(tmp_path / "out")], url)
    assert refused.returncode == 1
    assert "'blur' is not an operation; there are sketch" in refused.stderr


@pytest.fixture(params=["listen_pika.py", "listen_amqplib.mjs"])
def listener(request: pytest.FixtureRequest) -> list[str]:
    """The command that runs one of the examples that listen, without its arguments."""
    if request.param.endswith(".mjs"):
        return ["node", str(request.getfixturevalue("node_examples") / request.param)]
    return [PYTHON, str(EXAMPLES / request.param)]


def submit(url: str, out: Path) -> None:
    done = run([PYTHON, str(EXAMPLES / "submit_pika.py"), str(PHOTOGRAPH), "sketch", str(out)], url)
    assert done.returncode == 0


async def test_a_listener_that_loses_its_connection_ends_in_a_sentence(url: str, listener: list[str]) -> None:
    network = Network(url)
    await network.start()
    ended = await asyncio.create_subprocess_exec(
        *listener, env=os.environ | {"AMQP_URL": network.url}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert ended.stderr is not None
    assert (await ended.stderr.readline()).startswith(b"listening for")
    network.cut()
    said = (await ended.stderr.read()).decode().splitlines()
    assert (await ended.wait(), len(said)) == (1, 1), said
    assert "the connection was lost" in said[0]
    await network.stop()


def test_a_listener_sees_a_job_pass_and_the_pulse_of_a_vm(url: str, listener: list[str], tmp_path: Path) -> None:
    patterns = ["job.done.sketch", "vm.heartbeat.vm1"]
    with subprocess.Popen(
        [*listener, "--count", "3", *patterns],
        env=os.environ | {"AMQP_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as listening:
        assert listening.stderr is not None
        assert listening.stderr.readline() == "listening for job.done.sketch vm.heartbeat.vm1\n"
        submit(url, tmp_path / "out.jpg")
        heard, complaint = listening.communicate(timeout=60)
    assert (listening.returncode, complaint) == (0, "")
    told = dict(line.split(" ", 1) for line in heard.splitlines())
    assert told["vm.heartbeat.vm1"].startswith('{"kind":"heartbeat","vm":"vm1"')
    assert told["job.done.sketch"].startswith('{"kind":"job","state":"done"')


def test_the_history_tells_what_a_listener_would_have_heard(url: str, tmp_path: Path) -> None:
    submit(url, tmp_path / "out.jpg")
    history = [PYTHON, str(EXAMPLES / "history_pika.py"), "--count", "1", '"state":"done"']
    number, key, told = run([*history, "--since", "60"], url).stdout.split(" ", 2)
    assert (key, told.startswith('{"kind":"job","state":"done"')) == ("job.done.sketch", True)
    again = run([*history, "--after", str(int(number) - 1)], url)
    assert (again.stdout, again.stderr) == (f"{number} {key} {told}", "")
