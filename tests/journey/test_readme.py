"""The README's examples, run as they stand."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journey.processes import Processes
from tests.needed import need_package, need_program
from ui.stack.processes import free_port, serves

pytestmark = [pytest.mark.journey, pytest.mark.broker]

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)


def run(command: list[str], url: str, folder: Path, **told: str) -> str:
    """What `command` prints, run where the README's reader stands: in a folder that has the photographs."""
    shutil.copytree(ROOT / "tests" / "data" / "photographs", folder / "tests" / "data" / "photographs")
    environment = os.environ | {"AMQP_URL": url, "PYTHONPATH": str(ROOT)} | told
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("program", blocks("python"), ids=["any client", "our client"])
def test_the_programs_print_where_each_photograph_was_drawn(stack: str, program: str, tmp_path: Path) -> None:
    said = run([sys.executable, "-W", "ignore::ResourceWarning", "-c", program], stack, tmp_path)
    assert re.search(r"\bvm[12]\b", said)


@pytest.fixture
def page_url(stack: str, tmp_path: Path) -> Iterator[str]:
    """A page on the running overspill, open as that of `make up`."""
    need_package("nicegui", "page")
    port = free_port()
    own = {"OVERSPILL_PAGE_PORT": str(port), "OVERSPILL_PAGE_LOGIN": "open", "PYTHONPATH": str(ROOT)}
    processes = Processes(stack, tmp_path, **own)
    processes.start_page()
    url = f"http://127.0.0.1:{port}"
    while not serves(url):
        time.sleep(0.1)
    yield url
    processes.stop()


def test_a_program_gets_its_picture_from_the_page(stack: str, page_url: str, tmp_path: Path) -> None:
    need_program("curl", "install it from the system's packages")
    (block,) = (block for block in blocks("sh") if "curl" in block)
    folder = tmp_path / "reader"
    run(["bash", "-c", block], stack, folder, PAGE_URL=page_url)
    assert (folder / "cup.jpg").read_bytes()[:3] == b"\xff\xd8\xff"


def test_the_command_writes_the_file_it_names(stack: str, tmp_path: Path) -> None:
    (line,) = (line for block in blocks("sh") for line in block.splitlines() if "overspill submit" in line)
    arguments = line.split()[1:]
    said = run([sys.executable, "-m", "ui.cli", *arguments], stack, tmp_path)
    assert re.fullmatch(
        r"tests/data/photographs/coffee.jpg -> coffee-sketch.jpg  \(vm[12], .* s after waiting .* s\)\n", said
    )
    assert (tmp_path / "coffee-sketch.jpg").stat().st_size > 1000
