"""`overspill bench`, on a real router and VM."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bus.errors import SetupError
from bus.rabbit import Bus
from bus.topology import EVENTS, shared
from tests.ui.commands.conftest import PROJECT, Overspill
from ui.cli import app
from ui.commands import bench
from ui.stack import extras


@pytest.mark.broker
def test_a_small_load_on_real_vms(overspill: Overspill, fleet: str, tmp_path: Path) -> None:
    ran = overspill(
        *("bench", "--rate", "20", "--jobs", "30", "--users", "3", "--megapixels", "0.05", "--warm-up", "0.5s"),
        *("--json", "figures.json", "--hgrm", "latency.hgrm", "--param", "sketch.format=webp"),
        url=fleet,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "latency, from when jobs were due" in ran.stdout
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["good"] == figures["offered"] == figures["rows"][0]["jobs"] > 0
    assert {row["place"] for row in figures["rows"]} == {"all", "vm"}
    assert figures["rows"][0]["latency"]["p99"] >= figures["rows"][0]["latency"]["p50"] > 0
    assert (tmp_path / "latency.hgrm").read_text().split()[:3] == ["Value", "Percentile", "TotalCount"]


async def a_job_is_done(url: str) -> None:
    done = asyncio.Event()
    async with Bus(url, name="test", topology=shared()) as bus:
        await bus.listen([(EVENTS, "job.done.*")], lambda _delivery: done.set())
        await asyncio.wait_for(done.wait(), 60)


@pytest.mark.broker
def test_ctrl_c_tells_what_there_is(fleet: str, tmp_path: Path) -> None:
    environment = os.environ | {"AMQP_URL": fleet, "PYTHONPATH": str(PROJECT), "OVERSPILL_STATE_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "ui.cli", "bench", "--rate", "20", "--megapixels", "0.01", "--warm-up", "0.01s"]
    with subprocess.Popen([*command, "--for", "1h", "--json", "-"], env=environment, stdout=subprocess.PIPE) as running:
        asyncio.run(a_job_is_done(fleet))
        running.send_signal(signal.SIGINT)
        assert running.stdout
        figures = json.loads(running.stdout.read())
    assert running.returncode == 0
    assert figures["offered"] > 0
    assert figures["seconds"] < 3600


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--mix", "skech"], "'skech' is no operation"),
        (["--param", "caption.length=3"], "which is not in the mix"),
        (["--for", "soon"], "'soon' is no length of time"),
        (["--for", "10s", "--warm-up", "10s"], "leaves nothing"),
        (["--find-capacity", "--slo", "fast"], "'fast' is no length of time"),
    ],
)
def test_what_can_t_be_meant_is_told_before_anything_is_sent(arguments: list[str], told: str) -> None:
    ran = CliRunner().invoke(app, ["bench", *arguments])
    assert ran.exit_code == 2
    assert told in " ".join(ran.output.replace("│", " ").split())


def test_without_its_packages_it_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "EXTRAS", {"lab": ("no_such_module",)})
    with pytest.raises(
        SetupError, match=r"more than is here: no_such_module not installed \(pip install 'overspill\[lab\]'\)"
    ):
        bench._check_installed()


@pytest.mark.parametrize(("said", "lasts_s", "warm_up_s"), [(None, 60, 5), (None, 10, 1), ("3s", 10, 3), ("0s", 10, 0)])
def test_the_warm_up_is_a_tenth_of_a_short_bench(said: str | None, lasts_s: float, warm_up_s: float) -> None:
    assert bench._warm_up_s(said, lasts_s) == warm_up_s


@pytest.mark.parametrize(
    ("said", "jobs", "for_s"), [(None, None, 60), ("2m", None, 120), (None, 100, None), ("2m", 100, 120)]
)
def test_a_number_of_jobs_alone_sets_no_time(said: str | None, jobs: int | None, for_s: float | None) -> None:
    assert bench._for_s(said, jobs, "60s") == for_s
