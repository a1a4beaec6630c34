"""A replay in words and as JSON."""

import json
from dataclasses import replace

from rich.console import Console

from producers.flight.what_if import WhatIf
from tests.producers.flight.days import SMALL, drawn, job, told
from ui.replay.report import Report, as_json, render, report
from ui.replay.running import replay


def of(what_if: WhatIf) -> Report:
    recording = told(*(job(number, 10 + 4 * number, 2.0) for number in range(20)))
    return report(recording, what_if, replay(recording, what_if))


def shown(told: Report, width: int = 110) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        console.print(render(told))
    return captured.get()


def test_the_figures_stand_side_by_side() -> None:
    text = shown(of(WhatIf(policy="p2c", add_vms=1)))
    lines = text.splitlines()
    assert lines[0] == "The rule that was in force: threshold, 40 % CPU, 90 % RAM."
    assert lines[1].split("  ")[-1] == "p2c, 1 more VM"
    assert next(line for line in lines if "jobs answered" in line).split()[-3:] == ["20", "20", "20"]
    assert next(line for line in lines if "to the answer" in line).count("2.00 / 2.00 / 2.00") == 3
    assert "Played unchanged it is off by: 50th +0." in text
    assert "! The recording is short: 20 jobs in 0.0 h." in text


def test_eighty_cells_hold_each_row_on_a_line() -> None:
    told = of(WhatIf(policy="predictive", cpu_threshold=60.0, add_vms=2))
    long = replace(told.recorded.answer, p50=9.996, p95=83.25, p99=1234.5)
    figures = replace(told.recorded, answer=long, by_operation={"remove-background": long})
    lines = shown(replace(told, recorded=figures, unchanged=figures, hypothetical=figures), 80).splitlines()
    rows = [line for line in lines if "/" in line and "%" not in line]
    assert [row.count("10.0 / 83.2 / 1234") for row in rows[:2]] == [3, 3]
    assert rows[1].startswith("  remove-background ")
    assert len(rows) == 3  # and the waiting


def test_a_threshold_that_the_policy_does_not_look_at_is_told() -> None:
    assert "! The policy predictive looks at no threshold of CPU: that changes nothing." in shown(
        of(WhatIf(policy="predictive", cpu_threshold=60.0))
    )
    assert "looks at no" not in shown(of(WhatIf(cpu_threshold=60.0, ram_threshold=80.0)))


def test_without_a_question_there_is_nothing_to_compare() -> None:
    told = of(WhatIf())
    assert [name for name, _ in told.columns] == ["recorded", "played unchanged"]
    assert as_json(told)["hypothetical"] is None


def test_as_json_what_is_not_known_is_null() -> None:
    told = of(WhatIf())
    nothing = replace(told.recorded.answer, p50=float("nan"))
    plain = as_json(replace(told, recorded=replace(told.recorded, answer=nothing, fairness=float("inf"))))
    assert json.loads(json.dumps(plain, allow_nan=False))["recorded"]["answer"]["p50"] is None
    assert plain["recorded"]["fairness"] is None
    assert plain["unchanged"]["jobs"] == 20
    assert plain["errors"]["overflow"] == 0.0


def test_what_never_ran_has_no_figures() -> None:
    text = shown(of(WhatIf(remove_vms=("vm1",))))
    assert "- / - / -" in text


def test_a_drawn_day_is_believed() -> None:
    recording = drawn(SMALL)
    told = report(recording, WhatIf(), replay(recording, WhatIf()))
    assert told.errors.large == ()
    assert told.warnings == ("The recording is short: 800 jobs in 0.1 h.",)
