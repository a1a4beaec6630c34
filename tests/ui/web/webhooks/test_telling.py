import itertools
import json

import pytest

from tests.ui.web.webhooks.page import ended, shown
from ui.web.webhooks.hooks import Event, Hook
from ui.web.webhooks.telling import told, trial

NOW = 1_800_000_000_123


def hook(hook_id: str, *events: Event, switched_off: str | None = None) -> Hook:
    return Hook(hook_id, "anna", "https://h.example/", events, "whsec_", None, 0, 1, 0, switched_off)


def hooks_told(hooks: list[Hook], state: str) -> list[str]:
    ids = map(str, itertools.count())
    return [one.id for one, _ in told(hooks, ended("job-1", state, "anna"), NOW, shown, ids.__next__)]


@pytest.mark.parametrize(("state", "expected"), [("done", ["a", "b"]), ("failed", ["b"]), ("cancelled", [])])
def test_who_asked_for_such_an_end_is_told(state: str, expected: list[str]) -> None:
    hooks = [hook("a", "done"), hook("b", "done", "failed"), hook("c", "done", switched_off="It is gone.")]
    assert hooks_told(hooks, state) == expected


def test_nothing_is_made_for_nobody() -> None:
    assert hooks_told([], "done") == []


def test_all_are_told_the_same_under_ids_of_their_own() -> None:
    ids = map(str, itertools.count())
    hooks = [hook("a", "done"), hook("b", "done")]
    (_, first), (_, second) = told(hooks, ended("job-1", "done", "anna"), NOW, shown, ids.__next__)
    assert (first.id, second.id) == ("0", "1")
    assert first.body == second.body
    assert json.loads(first.body) == {
        "type": "job.done",
        "timestamp": "2027-01-15T08:00:00.123Z",
        "data": {"id": "job-1", "state": "done"},
    }


def test_a_trial_tells_of_the_webhook_itself() -> None:
    delivery = trial(hook("a", "done"), NOW, "msg_1")
    assert (delivery.id, delivery.event, delivery.job) == ("msg_1", "test", None)
    assert json.loads(delivery.body)["data"] == {"webhook": "a", "events": ["done"]}
