"""The README's examples, run as they stand."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.journey, pytest.mark.broker]

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)


def run(command: list[str], url: str, folder: Path) -> str:
    """What `command` prints, run where the README's reader stands: in a folder that has the photographs."""
    shutil.copytree(ROOT / "tests" / "data" / "photographs", folder / "tests" / "data" / "photographs")
    environment = os.environ | {"AMQP_URL": url, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("program", blocks("python"), ids=["any client", "our client"])
def test_the_programs_print_where_each_photograph_was_drawn(stack: str, program: str, tmp_path: Path) -> None:
    said = run([sys.executable, "-W", "ignore::ResourceWarning", "-c", program], stack, tmp_path)
    assert re.search(r"\bvm[12]\b", said)


def test_the_command_writes_the_file_it_names(stack: str, tmp_path: Path) -> None:
    (line,) = (line for block in blocks("sh") for line in block.splitlines() if "overspill submit" in line)
    arguments = line.split()[1:]
    said = run([sys.executable, "-m", "ui.cli", *arguments], stack, tmp_path)
    assert re.fullmatch(
        r"tests/data/photographs/coffee.jpg -> coffee-sketch.jpg  \(vm[12], .* s after waiting .* s\)\n", said
    )
    assert (tmp_path / "coffee-sketch.jpg").stat().st_size > 1000
