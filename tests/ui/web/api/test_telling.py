from typing import Any

from ui.web.api.telling import why_of


def event(state: str, **given: Any) -> dict[str, Any]:
    return {"kind": "job", "state": state, "job": "j1", "operation": "sketch", "user": "anna", "at_ms": 1000, **given}


def test_the_latest_decision_is_the_receipt() -> None:
    first = event("routed", vm="vm1", placement="p1", policy="threshold")
    again = event("routed", vm="vm2", placement="p2", policy="threshold", at_ms=2000)
    why = why_of(
        [first, event("retried", placement="p1", reason="lost"), again, event("done", placement="p2", vm="vm2")]
    )

    assert why.receipt is not None
    assert why.receipt["vm"] == "vm2"
    assert [told["state"] for told in why.events] == ["routed", "retried", "routed", "done"]
    assert why.lines[0].startswith("Job j1 of anna: sketch, done")
    assert not any(line != line.rstrip() for line in why.lines)


def test_a_job_that_nobody_told_of_has_no_reasons_yet() -> None:
    why = why_of([])
    assert (why.lines, why.receipt, why.events) == ([], None, [])
    assert why_of([event("waiting", place=3)]).receipt is None
