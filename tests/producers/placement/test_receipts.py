from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.events import RECEIPT_BYTES, CloudSeen, JobEvent
from producers.placement.choices import Overflow, Rules, ToVm, Wish
from producers.placement.decide import place
from producers.placement.policies import POLICIES
from producers.placement.receipts import candidate, fitted, replay
from producers.placement.scene import Known
from tests.producers.placement.scenes import (
    CLOSED,
    NOW,
    OPEN,
    asked,
    beat,
    choose,
    clouds,
    fill,
    fleets,
    known,
    offer,
    policies,
    routed,
    runs,
    wishes,
)

_ids = st.fixed_dictionaries(
    {"job": st.integers(1, 255).map("j".__mul__), "user": st.integers(1, 128).map("u".__mul__)},
    optional={"traceparent": st.just("0" * 55)},
)


def size(event: JobEvent) -> int:
    return len(event.model_dump_json(exclude_none=True).encode())


@given(fleets(), wishes, policies, clouds, st.floats(0, 100), _ids)
def test_a_receipt_gives_the_same_choice_again(
    vms: Known, wish: Wish, policy: str, cloud: CloudSeen, cpu: float, ids: dict[str, str]
) -> None:
    choice = place(wish, vms, Rules(policy, cpu_threshold=cpu), cloud, NOW)
    if not isinstance(choice, ToVm | Overflow):
        return
    event = routed(choice, **ids)
    chosen = choice.vm if isinstance(choice, ToVm) else "cloud"
    assert replay(JobEvent.model_validate_json(event.model_dump_json(exclude_none=True))) == chosen
    fit = fitted(event)
    assert size(fit) <= RECEIPT_BYTES
    assert replay(fit) == chosen
    assert (fit.job, fit.user, fit.vm) == (event.job, event.user, event.vm)


def longest(**fields: object) -> JobEvent:
    """A routed event in which everything is as long as it may be."""
    vms = known(*(beat(f"{n}{'v' * 62}", cpu_percent=33.3) for n in range(9)))
    choice = choose(vms, cloud=CloudSeen(open=False, end_s=12.345, cost=0.00017, why="the budget of the day is spent"))
    assert isinstance(choice, ToVm)
    known_fields = {"job": "j" * 255, "user": "u" * 128, "at_ms": 1_800_000_000_000, "attempt": 3, "pixels": 50_000_000}
    more = {"waited_ms": 3_600_000, "eta_s": (1.234, 56.789), "placement": "p" * 40, "traceparent": "0" * 55}
    return routed(choice, operation="remove-background", **(known_fields | more | fields))


def test_the_longest_names_leave_the_chosen_vm_in_its_receipt() -> None:
    event = longest()
    fit = fitted(event)
    assert size(event) > RECEIPT_BYTES >= size(fit)
    assert [told.vm for told in fit.candidates] == [event.vm]
    assert replay(fit) == event.vm


def test_the_last_candidates_go_first() -> None:
    choice = choose(known(*(beat(f"vm{n}", cpu_percent=n) for n in range(5))))
    assert isinstance(choice, ToVm)
    event = routed(choice, job="j" * 255, user="u" * 64)
    fit = fitted(event)
    assert size(event) > RECEIPT_BYTES >= size(fit)
    assert [told.vm for told in fit.candidates] == ["vm0", "vm1", "vm2"]
    assert fit.reason == event.reason


def test_a_long_reason_is_cut_rather_than_the_chosen_vm_left_out() -> None:
    fit = fitted(longest(job="j", reason="because " * 100))
    assert size(fit) <= RECEIPT_BYTES
    assert fit.reason is not None
    assert fit.reason.startswith("because because")
    assert fit.reason.endswith("…")
    assert replay(fit) == fit.vm


def test_letters_that_take_several_bytes_are_counted_as_bytes() -> None:
    fit = fitted(longest(job="j", user="ж" * 128, reason="потому что " * 60))
    assert size(fit) <= RECEIPT_BYTES
    assert replay(fit) == fit.vm


def test_the_receipt_goes_before_the_job_and_the_user_do() -> None:
    event = longest(user="图" * 128, traceparent="0" * 128)
    fit = fitted(event)
    assert size(fit) <= RECEIPT_BYTES
    assert (fit.job, fit.user, fit.vm, fit.candidates, replay(fit)) == (event.job, event.user, event.vm, (), None)


def test_an_event_whose_ids_alone_are_too_long_stays_so() -> None:
    event = longest(job="\x01" * 255)
    assert fitted(event).job == event.job
    assert size(fitted(event)) > RECEIPT_BYTES


def test_a_short_event_stays_as_it_is() -> None:
    choice = choose(known(beat()))
    assert isinstance(choice, ToVm)
    event = routed(choice)
    assert fitted(event) is event


def test_what_was_waited_for_is_kept_where_the_cloud_would_win_without_it() -> None:
    """A slow VM takes the job though the cloud is sooner, since a full VM is sooner still: that one must be shown."""
    slow, fast = "s" * 63, "f" * 63
    vms = known(beat(slow), beat(fast))
    runs(vms, slow, 2.0)
    runs(vms, fast, 0.7)
    fill(vms, fast, 3)
    choice = choose(vms, "predictive", CloudSeen(open=True, end_s=1.6), behind_s=0.5)
    assert isinstance(choice, ToVm)
    assert [told.vm for told in choice.candidates] == [slow, fast]
    fit = fitted(routed(choice, job="j" * 240, user="u" * 128, reason="r" * 200))
    assert [told.vm for told in fit.candidates] == [slow, fast]
    assert size(fit) <= RECEIPT_BYTES


def test_an_overflow_may_lose_all_its_candidates() -> None:
    vms = known(*(beat(f"{n}{'v' * 62}", cpu_percent=90) for n in range(9)))
    choice = choose(vms, cloud=OPEN)
    assert isinstance(choice, Overflow)
    fit = fitted(routed(choice, job="j" * 255, user="u" * 128, traceparent="0" * 128, reason="r" * 400))
    assert (replay(fit), fit.candidates) == ("cloud", ())


@pytest.mark.parametrize("policy", [None, "an older one"])
def test_without_a_policy_there_is_nothing_to_replay(policy: str | None) -> None:
    assert replay(JobEvent(state="done", job="j", operation="sketch", at_ms=0, policy=policy)) is None


def test_a_decision_to_wait_is_replayed_as_none() -> None:
    event = JobEvent(state="waiting", job="j", operation="sketch", at_ms=0, policy="threshold", cloud=CLOSED)
    assert replay(event) is None


def test_the_verdict_says_what_room_is_lacking() -> None:
    policy = POLICIES["threshold"]
    assert candidate(offer(held=3), asked(), policy).verdict == "no free slot"
    assert candidate(offer(held=2), asked(slots=2), policy).verdict == "room for 1 of 2 slots"
    assert candidate(offer(load=50.0), asked(), policy).verdict == "CPU over 40 %"


def test_the_receipt_in_the_docs_is_a_real_one() -> None:
    page = (Path(__file__).parents[3] / "docs" / "policies.md").read_text(encoding="utf-8")
    event = JobEvent.model_validate_json(page.split("```json\n")[1].split("```")[0])
    assert replay(event) == event.vm == "vm2"
    assert fitted(event) is event
