"""`overspill submit`, in parts and for real."""

import io
import json
import shutil
import sys
from pathlib import Path

import pytest
import typer
from rich.console import Console
from rich.progress import Progress
from typer.testing import CliRunner

from bus.answers import Answer
from bus.errors import AnswerTimeout, JobFailed, SetupError
from bus.problems import Kind, Problem
from tests.ui.commands.conftest import Overspill
from ui.cli import app
from ui.commands import jobs
from ui.commands.pictures import Names

PHOTOGRAPHS = Path(__file__).parents[2] / "data" / "photographs"
ANSWER = Answer(job="1", operation="sketch", content_type="image/jpeg", body=b"", vm="vm2", waited_ms=10, ran_ms=1234)


def test_a_line_says_where_it_ran_and_how_long() -> None:
    result = jobs.success(Path("a.jpg"), Path("a-sketch.jpg"), ANSWER, None)
    assert result.words == "a.jpg -> a-sketch.jpg  (vm2, 1.23 s after waiting 0.01 s)"
    assert (result.facts["vm"], result.facts["ran_ms"]) == ("vm2", 1234)


def test_a_caption_is_told() -> None:
    answer = ANSWER.model_copy(update={"route": "cloud", "vm": None, "ran_ms": None})
    answer = answer.model_copy(update={"cost": 0.25})
    result = jobs.success(Path("a.jpg"), Path("a.txt"), answer, "a red circle")
    assert result.words.splitlines() == [
        "a.jpg -> a.txt  (somewhere in the cloud, ? s after waiting 0.01 s)",
        "  a red circle",
    ]
    assert (result.facts["caption"], result.facts["cost"]) == ("a red circle", 0.25)


def test_a_failure_says_why_and_what_to_do() -> None:
    problem = Problem.of(Kind.NOT_AN_IMAGE, "It begins with b'hell'.")
    result = jobs.failure(Path("a.txt"), JobFailed(problem))
    assert result.words.startswith("a.txt: This is not an image we read: It begins with b'hell'. Send JPEG")
    assert result.facts["problem"]["status"] == 415
    assert "job" not in result.facts
    assert "problem" not in jobs.failure(Path("a.txt"), AnswerTimeout("late")).facts


def test_a_failed_job_is_told_with_how_to_learn_more() -> None:
    problem = Problem.of(Kind.TIMED_OUT, "It ran for 60 s.", instance="urn:overspill:job:j1")
    result = jobs.failure(Path("a.jpg"), JobFailed(problem))
    assert result.facts["job"] == "j1"
    assert result.words.splitlines()[1] == "  `overspill why j1` tells its story."


def test_a_progress_bar_moves_and_lines_stand_above_it() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120, color_system=None)
    with Progress(console=console) as progress:
        task = progress.add_task("pictures", total=2)
        report = jobs.Report(console, progress, as_json=False)
        report.tell(jobs.success(Path("a.jpg"), Path("b.jpg"), ANSWER, None))
        report.tell(jobs.failure(Path("c.jpg"), AnswerTimeout("late")))
        assert progress.tasks[task].completed == 2
    assert "a.jpg -> b.jpg" in screen.getvalue()
    assert "c.jpg: late" in screen.getvalue()
    assert report.failed == 1


def test_a_result_that_cannot_be_written_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "a-sketch.jpg").mkdir()
    names = Names([Path("a.jpg")], "sketch", tmp_path)
    result = jobs.result_of(Path("a.jpg"), ANSWER, names)
    assert result.failed
    assert "can't be written (Is a directory). Choose another --out." in result.words


@pytest.mark.parametrize(
    "arguments",
    [["gone.jpg"], [], ["--param", "x", str(PHOTOGRAPHS)], ["--priority", "10", str(PHOTOGRAPHS)]],
    ids=" ".join,
)
def test_a_command_that_cannot_be_meant(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, ["submit", *arguments]).exit_code == 2


def test_without_the_packages_for_traces_it_says_so_and_submits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    monkeypatch.setattr(jobs, "CONNECT_WITHIN_S", 0.1)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("AMQP_URL", "amqp://guest:guest@127.0.0.1:1/")
    pictures = [str(path) for path in sorted(PHOTOGRAPHS.glob("*.jpg"))[:2]]
    ran = CliRunner().invoke(app, ["submit", *pictures, "--out", str(tmp_path)])
    assert ran.stderr.count("No trace is exported: OTEL_EXPORTER_OTLP_ENDPOINT is set") == 1
    assert "pip install 'overspill[traces]', or unset it." in ran.stderr
    assert isinstance(ran.exception, SetupError)  # it went on, to a broker that is not there
    assert "127.0.0.1:1" in str(ran.exception)


def test_an_order_is_read() -> None:
    order = jobs.order_of([str(PHOTOGRAPHS)], "sketch", ["format=png"])
    assert len(order.images) == 4
    assert order.params == {"format": "png"}
    with pytest.raises(typer.BadParameter, match="name=value"):
        jobs.order_of([str(PHOTOGRAPHS)], "sketch", ["png"])


@pytest.mark.journey
def test_without_a_broker_the_remedy_is_named(overspill: Overspill, tmp_path: Path) -> None:
    ran = overspill("submit", str(PHOTOGRAPHS / "coffee.jpg"))
    assert ran.returncode == 1
    assert ran.stderr.splitlines() == [
        "No stack runs here. Start one with `make up` or `overspill up`, or set AMQP_URL."
    ]
    assert not list(tmp_path.glob("*.jpg"))


@pytest.mark.journey
def test_photographs_become_sketches(overspill: Overspill, fleet: str, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(PHOTOGRAPHS / "coffee.jpg", other / "rocket.jpg")
    ran = overspill(
        "submit", str(PHOTOGRAPHS), "other/*.jpg", "-o", "sketch", "--out", "out", "--user", "ann", url=fleet
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    assert len(ran.stdout.splitlines()) == 5
    assert all("(vm1, " in line for line in ran.stdout.splitlines())
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert [name.split("-sketch.")[0] for name in written] == ["astronaut", "chelsea", "coffee", "rocket-2", "rocket"]
    assert (tmp_path / "out" / written[3]).read_bytes() != (tmp_path / "out" / written[4]).read_bytes()


@pytest.mark.journey
def test_one_bad_picture_is_told_and_stops_no_other(overspill: Overspill, fleet: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    shutil.copy(PHOTOGRAPHS / "coffee.jpg", tmp_path)
    ran = overspill("submit", "notes.txt", "coffee.jpg", url=fleet)
    assert ran.returncode == 1
    assert ran.stdout.startswith("coffee.jpg -> coffee-sketch.")
    assert ran.stderr.startswith("notes.txt: ")
    assert "Send JPEG, PNG" in ran.stderr


@pytest.mark.journey
def test_programs_get_a_json_object_a_line(overspill: Overspill, fleet: str, tmp_path: Path) -> None:
    shutil.copy(PHOTOGRAPHS / "coffee.jpg", tmp_path)
    ran = overspill("submit", "coffee.jpg", "-o", "swim", "--json", url=fleet)
    (told,) = [json.loads(line) for line in ran.stdout.splitlines()]
    assert (ran.returncode, told["image"], told["problem"]["status"]) == (1, "coffee.jpg", 404)


@pytest.mark.journey
def test_a_job_that_nobody_serves_ends_in_time(overspill: Overspill, fleet: str, tmp_path: Path) -> None:
    shutil.copy(PHOTOGRAPHS / "coffee.jpg", tmp_path)
    ran = overspill("submit", "coffee.jpg", "-o", "caption", "--timeout", "1", url=fleet)
    assert ran.returncode == 1
    assert "time to live ran out" in ran.stderr
