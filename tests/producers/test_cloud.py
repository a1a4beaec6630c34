"""The cloud is open while somebody consumes `overflow`, no bridge objects and the budget lasts; else it says why."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.events import BridgeStatus, CloudSeen
from producers.cloud import LARGEST_BYTES, Cloud


def cloud(**caps: Any) -> Cloud:
    """A cloud that one bridge consumes for, not heard of yet, at the moment 0."""
    cloud = Cloud(**caps)
    cloud.consumers(1, now=0)
    return cloud


def status(bridge: str = "b1", state: Any = "ready", **told: Any) -> BridgeStatus:
    return BridgeStatus(bridge=bridge, state=state, at_ms=0, **told)


def look(cloud: Cloud, now: float = 0, **job: Any) -> CloudSeen:
    wanted: dict[str, Any] = {"operation": "sketch", "megapixels": 0.0, "local": False, "size": 0} | job
    return cloud.seen(**wanted, now=now)


# Alive


def test_nobody_consumes_and_nothing_overflows() -> None:
    empty = Cloud()
    assert look(empty).why == empty.said(0) == "no bridge is alive"
    assert not look(empty).open


def test_somebody_consumes_and_the_cloud_is_open() -> None:
    seen = look(cloud())
    assert (seen.open, seen.why) == (True, None)
    assert cloud().said(0) == "open"


def test_the_last_consumer_leaves() -> None:
    left = cloud()
    left.consumers(0, now=1)
    assert left.said(1) == "no bridge is alive"


def test_a_count_is_not_believed_for_long() -> None:
    assert cloud().said(3.5) == "open"
    assert cloud().said(3.6) == "no bridge is alive"


# What the bridges say


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (status(), "open"),
        (status(state="full"), "full"),
        (status(state="broken", reason="403 from Pub/Sub"), "broken: 403 from Pub/Sub"),
        (status(state="draining"), "draining"),
        (status(capacity=5, in_flight=4), "open"),
        (status(capacity=5, in_flight=5), "full: 5 of 5 jobs are in the cloud"),
        (status(in_flight=999), "open"),
    ],
)
def test_a_bridge_may_hold_jobs_back(told: BridgeStatus, said: str) -> None:
    heard = cloud()
    heard.heard(told, now=0)
    assert heard.said(0) == said
    assert look(heard).why == (None if said == "open" else said)


def test_what_a_bridge_said_long_ago_no_longer_counts() -> None:
    heard = cloud()
    heard.heard(status(state="broken"), now=0)
    heard.consumers(1, now=3.5)
    assert heard.said(3.5) == "broken"
    assert heard.said(3.6) == "open"


def test_one_good_bridge_is_enough() -> None:
    heard = cloud()
    heard.heard(status("b1", "broken"), now=0)
    heard.heard(status("b2", "ready", capacity=2, in_flight=1), now=0)
    assert heard.said(0) == "open"
    heard.heard(status("b2", "full"), now=1)
    assert heard.said(1) == "full"


def test_jobs_sent_since_a_bridge_spoke_fill_it() -> None:
    heard = cloud()
    heard.heard(status(capacity=3, in_flight=1), now=0)
    heard.sent("sketch", 0.0, now=0.1)
    assert heard.said(0.1) == "open"
    heard.sent("sketch", 0.0, now=0.2)
    assert heard.said(0.2) == "full: 3 of 3 jobs are in the cloud"
    heard.heard(status(capacity=3, in_flight=2), now=1)
    assert heard.said(1) == "open"


# Jobs that stay


def test_a_job_kept_local_stays() -> None:
    assert look(cloud(), local=True).why == "the job is kept on local machines"


def test_a_picture_too_large_for_pubsub_stays() -> None:
    assert look(cloud(), size=LARGEST_BYTES).open
    assert look(cloud(), size=LARGEST_BYTES + 1).why == "9,500,001 bytes are more than the 9,500,000 Pub/Sub takes"


# Time and price


def test_a_bridge_knows_best_how_long_the_cloud_takes() -> None:
    heard = cloud()
    assert [look(heard, operation=name).end_s for name in ("sketch", "remove-background", "caption", "new")] == [
        2,
        4,
        6,
        6,
    ]
    assert look(heard, megapixels=12, size=5_000_000).end_s == 2 + 1.2 + 2
    heard.heard(status(seconds={"sketch": 0.8}), now=0)
    heard.heard(status("b2", seconds={"sketch": 0.9}), now=0)
    heard.heard(status("b3"), now=0)
    assert look(heard, megapixels=12, size=5_000_000).end_s == 0.9
    assert look(heard, operation="caption").end_s == 6


def test_a_thousand_jobs_of_three_seconds_cost_seventeen_cents() -> None:
    heard = cloud()
    heard.heard(status(seconds={"sketch": 3.0}), now=0)
    assert round(1000 * look(heard).cost, 2) == 0.17
    assert round(1000 * look(heard, size=200 << 10).cost, 2) == 0.20


# Budgets


def test_jobs_a_minute_are_counted_over_the_last_sixty_seconds() -> None:
    capped = cloud(jobs_per_minute=2)
    capped.sent("sketch", 0.0, now=0.2)
    assert look(capped, now=1).open
    capped.sent("sketch", 0.0, now=1)
    assert look(capped, now=1).why == capped.said(1) == "budget spent: 2 of 2 jobs this minute"
    capped.consumers(1, now=61)
    assert capped.said(60.9) == "budget spent: 2 of 2 jobs this minute"
    assert capped.said(61.0) == "open"


def test_a_cap_of_none_at_all_keeps_the_cloud_shut() -> None:
    assert cloud(jobs_per_minute=0).said(0) == "budget spent: 0 of 0 jobs this minute"
    assert cloud(money_per_day=0.0).said(0) == "budget spent: $0 of $0 a day"


def test_a_job_that_would_cost_more_than_is_left_stays() -> None:
    capped = cloud(money_per_day=1.0)
    capped.sent("sketch", 0.9998, now=0)
    assert look(capped).open
    assert look(capped, operation="caption").why == "budget spent: $0.9998 of $1 a day"
    assert capped.said(0) == "open"


def test_money_comes_back_after_a_day() -> None:
    capped = cloud(money_per_day=1.0)
    capped.sent("sketch", 1.0, now=30)
    capped.consumers(1, now=86_400)
    assert capped.said(86_399) == "budget spent: $1 of $1 a day"
    capped.consumers(1, now=86_460)
    assert capped.said(86_460) == "open"


def test_what_the_bridges_spent_counts_where_it_is_more() -> None:
    capped = cloud(jobs_per_minute=10, money_per_day=5.0)
    capped.sent("sketch", 1.0, now=0)
    capped.heard(status("b1", spent_today=3.0, sent_last_minute=4), now=1)
    capped.heard(status("b2", spent_today=2.5, sent_last_minute=5), now=1)
    assert capped.said(1) == "budget spent: $5.5 of $5 a day"
    capped.heard(status("b2", spent_today=1.0, sent_last_minute=5), now=2)
    assert capped.said(2) == "open"
    capped.sent("sketch", 0.1, now=2.5)  # neither bridge can have counted it
    assert capped.said(2.5) == "budget spent: 10 of 10 jobs this minute"


@given(st.lists(st.tuples(st.floats(0, 20), st.integers(0, 5)), max_size=60), st.integers(0, 30))
def test_no_minute_has_more_jobs_than_the_cap(steps: list[tuple[float, int]], cap: int) -> None:
    capped, now, sent = Cloud(jobs_per_minute=cap), 0.0, list[float]()
    for gap, wanted in steps:
        now += gap
        capped.consumers(1, now)
        for _ in range(wanted):
            if look(capped, now).open:
                capped.sent("sketch", 0.0, now)
                sent.append(now)
    assert all(sum(start <= at <= start + 60 for at in sent) <= cap for start in sent)
