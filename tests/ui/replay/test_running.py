"""A recording is played as it was and as it might have been, in one process or two."""

import pytest

from producers.flight.player import play
from producers.flight.what_if import WhatIf
from tests.producers.flight.days import job, told
from ui.replay import running


def test_without_a_question_it_is_played_unchanged_alone() -> None:
    replayed = running.replay(told(job(1, 10, 2.0)), WhatIf())
    assert replayed.hypothetical is None
    assert [round(each.took_s, 2) for each in replayed.unchanged.ended] == [2.0]
    assert [each.took_s for each in replayed.recorded.ended] == [2.0]


def test_two_processes_come_to_what_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    recording, asked = told(job(1, 10, 2.0), job(2, 11, 2.0)), WhatIf(cloud=True, cpu_threshold=0.0)
    monkeypatch.setattr(running, "WORTH_A_PROCESS", 1)
    replayed = running.replay(recording, asked)
    assert replayed.unchanged == play(recording, WhatIf())
    assert replayed.hypothetical == play(recording, asked)
