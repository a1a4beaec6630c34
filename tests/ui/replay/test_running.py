"""A recording is played as it was and as it might have been, in one process or two."""

import pytest

from producers.flight.known import NotPlayable
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
    shown: list[tuple[float, ...]] = []
    replayed = running.replay(recording, asked, lambda shares: shown.append(tuple(shares)))
    assert replayed.unchanged == play(recording, WhatIf())
    assert replayed.hypothetical == play(recording, asked)
    assert {len(shares) for shares in shown} == {2}
    assert shown == sorted(shown)
    assert shown[-1][1] > 0


def test_one_process_tells_how_far_it_is_with_one_and_with_the_other() -> None:
    shown: list[tuple[float, ...]] = []
    recording, asked = told(job(1, 10, 2.0), job(2, 90, 2.0)), WhatIf(policy="predictive")
    running.replay(recording, asked, lambda shares: shown.append(tuple(shares)))
    assert shown[0] == (0.005, 0.0)
    assert shown == sorted(shown)
    assert shown[-1] > (0.9, 0.9)


def test_what_can_not_be_played_is_refused_before_anything_is() -> None:
    with pytest.raises(NotPlayable, match="No VM and no cloud was recorded"):
        running.replay(told(job(1, 10, 2.0), vms=()), WhatIf(cloud=True))
