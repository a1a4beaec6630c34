"""`overspill replay`: from a file to words, JSON and pictures, and what is said where that can't be."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from bus.errors import OverspillError
from producers.flight.files import write
from tests.producers.flight.days import job, told
from ui.cli import app
from ui.commands.replay import weights_of

RUN = CliRunner()


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    path = tmp_path / "day.jsonl.gz"
    write(path, told(*(job(number, 10 + number, 2.0) for number in range(20))))
    return path


def test_a_recording_is_laid_beside_what_might_have_been(recorded: Path) -> None:
    said = RUN.invoke(app, ["replay", str(recorded), "--policy", "predictive", "--add-vm", "1"])
    assert said.exit_code == 0
    assert "played" in said.stdout
    assert "overflow" in said.stdout


def test_the_same_question_has_the_same_answer(recorded: Path) -> None:
    asked = ["replay", str(recorded), "--threshold", "0", "--cloud", "--money-per-day", "0.01", "--json"]
    first, second = (RUN.invoke(app, asked).stdout for _ in range(2))
    assert first == second
    plain = json.loads(first)
    assert plain["recorded"]["overflow"] == plain["unchanged"]["overflow"] == 0
    assert plain["hypothetical"]["overflow"] > 0.5
    assert plain["said"] == "CPU threshold 0 %, with a cloud, $0.01 a day"


def test_pictures_go_into_a_folder(recorded: Path, tmp_path: Path) -> None:
    asked = ["replay", str(recorded), "--remove-vm", "vm1", "--no-cloud", "--user-weights", "anna=2"]
    said = RUN.invoke(app, [*asked, "--plots", str(tmp_path / "plots")])
    assert said.exit_code == 0
    assert len(list((tmp_path / "plots").glob("*.svg"))) == 4


def test_what_cannot_be_read_or_written_is_told(recorded: Path, tmp_path: Path) -> None:
    missing = RUN.invoke(app, ["replay", str(tmp_path / "none")])
    assert isinstance(missing.exception, OverspillError)
    assert "name a file of `overspill record`" in str(missing.exception)
    unwritable = RUN.invoke(app, ["replay", str(recorded), "--plots", str(recorded)])
    assert "name another folder" in str(unwritable.exception)


def test_pictures_need_an_extra(recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.stack.extras.missing", lambda extra: ["matplotlib"])
    said = RUN.invoke(app, ["replay", str(recorded), "--plots", "plots"])
    assert "pip install 'overspill[lab]'" in str(said.exception)


def test_weights_are_read_as_the_setting_is() -> None:
    assert weights_of("") == {}
    assert weights_of("anna=2, ben=0.5") == {"anna": 2.0, "ben": 0.5}


@pytest.mark.parametrize("text", ["anna", "anna=", "=2", "anna=0", "anna=inf", "anna=x"])
def test_weights_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="must look like"):
        weights_of(text)
