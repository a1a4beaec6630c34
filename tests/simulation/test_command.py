"""The command answers each of its questions in a table, and draws what it says it draws."""

import sys
from pathlib import Path

import pytest

from tests.simulation.__main__ import main


@pytest.mark.parametrize(
    ("what", "drawn"),
    [("compare", {"tails.svg"}), ("scale", {"scale.svg"}), ("herding", {"herding.png"}), ("fairness", set())],
)
def test_a_question_is_answered(
    what: str, drawn: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = ["--vms", "2,3"] if what == "scale" else ["--vms", "2"]
    sizes += ["--jobs", "60", "--load", "0.7", "--policies", "threshold,predictive", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["simulation", what, *sizes])
    main()
    told = capsys.readouterr().out
    assert "| threshold " in told
    assert "| predictive " in told
    assert {path.name for path in tmp_path.iterdir()} == drawn


def test_several_seeds_are_summed_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = ["--vms", "5", "--jobs", "60", "--load", "0.7", "--policies", "predictive", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["simulation", "compare", "--seeds", "1,2", "--stragglers", *sizes])
    main()
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| 5 ")]
    assert len(rows) == 3, "one for each seed, and their mean"
    assert " / " in rows[-1]


def test_a_profile_names_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["simulation", "fairness", "--vms", "2", "--jobs", "30", "--profile"])
    main()
    assert "| producers/dispatcher.py " in capsys.readouterr().out
