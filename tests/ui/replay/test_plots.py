"""Pictures of a replay: what is drawn, and that the same figures make the same file."""

from pathlib import Path

import pytest

from producers.flight.player import as_recorded
from tests.producers.flight.days import job, told
from ui.replay.plots import draw


def test_each_picture_shows_each_day(tmp_path: Path) -> None:
    day = as_recorded(told(*(job(number, number, 2.0 + number % 3) for number in range(50))))
    drawn = draw([("recorded", day), ("played unchanged", day), ("p2c", day)], tmp_path / "new")
    assert {path.name for path in drawn} == {"answer.svg", "p95.svg", "overflow.svg", "cost.svg"}
    for path in drawn:
        text = path.read_text()
        assert all(f">{name}<" in text for name in ("recorded", "played unchanged", "p2c"))


def test_the_same_figures_make_the_same_file(tmp_path: Path) -> None:
    day = as_recorded(told(job(1, 10)))
    first, second = (draw([("recorded", day)], tmp_path / name) for name in "ab")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_day_on_which_nothing_was_answered_is_drawn_empty(tmp_path: Path) -> None:
    day = as_recorded(told(job(1, 10, end=None)))
    assert len(draw([("recorded", day)], tmp_path)) == 4


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        draw([], tmp_path / "file" / "folder")
