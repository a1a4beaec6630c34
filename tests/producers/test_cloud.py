"""The cloud is open while somebody consumes `overflow`, no bridge objects and the budget lasts; else it says why."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.events import BridgeStatus, CloudSeen
from bus.messages import LARGEST_BODY
from bus.prices import Prices
from bus.settings import Settings
from producers.cloud import FREE, Cloud, Terms

TERMS = Terms(prices=Prices.of(Settings()))


def cloud(**terms: Any) -> Cloud:
    """A cloud that one bridge consumes for, not heard of yet, at the moment 0."""
    cloud = Cloud(replace(TERMS, **terms))
    cloud.consumers(1, now=0)
    return cloud


def status(bridge: str = "b1", state: Any = "ready", **told: Any) -> BridgeStatus:
    return BridgeStatus(bridge=bridge, state=state, at_ms=0, **told)


def hearing(*told: BridgeStatus, **terms: Any) -> Cloud:
    """A cloud of which bridges have told at the moment 0, all of them consuming."""
    heard = cloud(**terms)
    heard.consumers(len(told), now=0)
    for one in told:
        heard.heard(one, now=0)
    return heard


def look(cloud: Cloud, now: float = 0, **job: Any) -> CloudSeen:
    wanted: dict[str, Any] = {"operation": "sketch", "megapixels": 0.0, "size": 0} | job
    return cloud.seen(**wanted, now=now)


def send(cloud: Cloud, cost: float = 0.0, *, now: float = 0.0, place: str = "c1") -> None:
    cloud.sent(place, cost, 1.0, now)


# Alive


def test_nobody_consumes_and_nothing_overflows() -> None:
    empty = Cloud()
    assert look(empty).why == empty.said(0) == "no bridge is alive"
    assert not look(empty).open
    assert not empty.serves("sketch", 0)


def test_somebody_consumes_and_the_cloud_is_open() -> None:
    seen = look(cloud())
    assert (seen.open, seen.why) == (True, None)
    assert cloud().said(0) == "open"
    assert cloud().serves("sketch", 0)


def test_the_last_consumer_leaves() -> None:
    left = cloud()
    left.consumers(0, now=1)
    assert left.said(1) == "no bridge is alive"


def test_a_count_is_not_believed_for_long() -> None:
    assert cloud().said(3.5) == "open"
    assert cloud().said(3.6) == "no bridge is alive"


def test_a_bridge_that_stands_by_opens_nothing() -> None:
    standby = Cloud()
    standby.consumers(0, now=0)
    standby.heard(status(active=False), now=0)
    assert look(standby).why == "no bridge is active yet, one stands by"


def test_a_cloud_that_is_turned_off_stays_shut_whoever_consumes() -> None:
    off = hearing(status(), turned_off=Terms.of(Settings(cloud="none")).turned_off)
    assert look(off).why == off.said(0) == "the cloud is turned off (OVERSPILL_CLOUD)"
    assert not off.serves("sketch", 0)


# What the bridges say


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (status(), None),
        (status(state="full"), "full"),
        (status(state="broken", reason="403 from Pub/Sub"), "broken: 403 from Pub/Sub"),
        (status(state="draining"), "draining"),
        (status(capacity=5, in_flight=4), None),
        (status(capacity=5, in_flight=5), "full: 5 of 5 jobs are in the cloud"),
        (status(in_flight=999), None),
    ],
)
def test_a_bridge_may_hold_jobs_back(told: BridgeStatus, why: str | None) -> None:
    seen = look(hearing(told))
    assert (seen.open, seen.why) == (why is None, why)


def test_what_a_bridge_said_long_ago_no_longer_counts() -> None:
    heard = hearing(status(state="broken"))
    heard.consumers(1, now=3.5)
    assert heard.said(3.5) == "broken"
    assert heard.said(3.6) == "open"


def test_what_one_that_stands_by_says_holds_nothing_back() -> None:
    assert hearing(status("b1"), status("b2", "broken", active=False)).said(0) == "open"


def test_the_bridge_that_took_over_is_believed_and_not_the_dead_one() -> None:
    heard = hearing(status("dead", "broken", reason="no quota"))
    heard.heard(status("new", capacity=9), now=0.5)
    assert look(heard).open


def test_one_good_bridge_is_enough() -> None:
    heard = hearing(status("b1", "broken"), status("b2", capacity=2, in_flight=1))
    assert look(heard).open
    heard.heard(status("b2", "full"), now=1)
    assert look(heard, now=1).why == "full"


def test_an_operation_that_the_cloud_does_not_serve_stays() -> None:
    heard = hearing(status(operations=("sketch", "caption")))
    assert look(heard, operation="caption").open
    why = "the cloud does not serve remove-background, only caption, sketch"
    assert look(heard, operation="remove-background").why == why
    assert [heard.serves(name, 0) for name in ("sketch", "remove-background")] == [True, False]
    assert heard.said(0) == "open"


def test_what_a_full_cloud_serves_it_will_take_again() -> None:
    assert hearing(status(state="full", operations=("sketch",))).serves("sketch", 0)


# How many are on their way


def test_jobs_sent_since_a_bridge_spoke_fill_it() -> None:
    heard = hearing(status(capacity=3, in_flight=1))
    send(heard, place="c1")
    assert look(heard).open
    send(heard, place="c2")
    assert look(heard).why == "full: 3 of 3 jobs are in the cloud"
    heard.heard(status(capacity=3, in_flight=2), now=1)
    assert look(heard, now=1).open


def test_jobs_that_have_left_since_make_room() -> None:
    heard = hearing(status(capacity=2, in_flight=2))
    heard.ended("another router's", None)
    assert look(heard).open
    send(heard)
    assert not look(heard).open
    heard.came_home("c1")
    assert look(heard).open


def test_jobs_that_the_bridge_has_not_taken_yet_fill_it_too() -> None:
    heard = hearing(status(capacity=3, in_flight=1))
    heard.consumers(1, now=0, waiting=2)
    assert look(heard).why == "full: 3 of 3 jobs are in the cloud"


@pytest.mark.parametrize("heard", [cloud(in_flight=2), hearing(status(), in_flight=2)])
def test_a_bridge_that_tells_no_capacity_is_not_buried_in_jobs(heard: Cloud) -> None:
    for number in range(2):
        assert look(heard).open
        send(heard, place=f"c{number}")
    assert look(heard).why == "full: 2 jobs wait for a bridge to take them"
    heard.consumers(1, now=1)
    assert look(heard, now=1).open
    heard.consumers(1, now=2, waiting=2)
    assert not look(heard, now=2).open


def test_while_the_breaker_trickles_one_job_goes() -> None:
    heard = hearing(status(capacity=1))
    for _ in range(5):
        heard.ended("sent before it broke", None)  # late ends make no room for more
    assert look(heard).open
    send(heard)
    assert look(heard).why == "full: 1 of 1 jobs are in the cloud"


# Jobs that stay


def test_a_job_that_has_a_reason_to_stay_stays() -> None:
    assert look(cloud(), stays="it is kept on local machines").why == "it is kept on local machines"


def test_a_picture_too_large_for_a_message_stays() -> None:
    assert look(cloud(), size=LARGEST_BODY).open
    assert look(cloud(), size=LARGEST_BODY + 1).why == "9,500,001 bytes are more than the 9,500,000 the cloud takes"


@pytest.mark.parametrize(("told", "largest"), [(0, LARGEST_BODY), (16_000_000, 16_000_000), (262_144, 262_144)])
def test_a_bridge_tells_how_large_a_picture_may_be(told: int, largest: int) -> None:
    heard = hearing(status(largest_bytes=told))
    assert heard.largest_bytes(0) == largest
    assert look(heard, size=largest).open
    assert not look(heard, size=largest + 1).open
    assert heard.largest_bytes(9) == LARGEST_BODY  # by then it has been silent


# Time and price


def test_a_bridge_knows_best_how_long_the_cloud_takes() -> None:
    heard = cloud()
    guessed = [look(heard, operation=name).end_s for name in ("sketch", "remove-background", "caption", "new")]
    assert guessed == [2, 4, 6, 6]
    assert look(heard, megapixels=12, size=5_000_000).end_s == 2 + 1.2 + 2
    told = hearing(status("b1", seconds={"sketch": 0.8}), status("b2", seconds={"sketch": 0.9}), status("b3"))
    assert look(told, megapixels=12, size=5_000_000).end_s == 0.9
    assert look(told, operation="caption").end_s == 6


def test_a_slow_line_takes_its_time() -> None:
    assert look(cloud(uplink_mbit=1.0), size=1_000_000).end_s == 2 + 8


def test_a_thousand_jobs_of_three_seconds_cost_seventeen_cents() -> None:
    heard = hearing(status(seconds={"sketch": 3.0}))
    assert round(1000 * look(heard).cost, 2) == 0.17
    assert round(1000 * look(heard, size=200 << 10).cost, 2) == 0.20


def test_a_pool_of_ones_own_costs_nothing() -> None:
    terms = Terms.of(Settings(cloud="http", cloud_money_per_day=0.0))
    pool = cloud(prices=terms.prices, money_per_day=terms.money_per_day)
    assert terms.prices == FREE
    assert (look(pool, size=9_000_000).cost, look(pool).open) == (0.0, True)


def test_the_settings_give_the_terms() -> None:
    given = Settings(uplink_mbit=50, cloud_jobs_per_minute=7, cloud_money_per_day=2.5)
    assert Terms.of(given) == Terms(Prices.of(given), 50, 7, 2.5, given.cloud_in_flight, turned_off=False)


# Budgets


def test_jobs_a_minute_are_counted_over_the_last_sixty_seconds() -> None:
    capped = cloud(jobs_per_minute=2)
    send(capped, now=0.2)
    assert look(capped, now=1).open
    send(capped, now=1, place="c2")
    assert look(capped, now=1).why == capped.said(1) == "budget spent: 2 of 2 jobs this minute"
    capped.consumers(1, now=61)
    assert capped.said(60.9) == "budget spent: 2 of 2 jobs this minute"
    assert capped.said(61.0) == "open"


def test_a_cap_of_none_at_all_keeps_the_cloud_shut() -> None:
    assert cloud(jobs_per_minute=0).said(0) == "budget spent: 0 of 0 jobs this minute"
    assert cloud(money_per_day=0.0).said(0) == "budget spent: $0.00 of $0.00 a day"


def test_a_job_that_would_cost_more_than_is_left_stays() -> None:
    capped = cloud(money_per_day=1.0)
    send(capped, 0.9998)
    assert look(capped).open
    said = "the next job's estimated $0.00035 would pass the cap: $1.00 of $1.00 a day are spent"
    assert look(capped, operation="caption").why == said
    assert capped.said(0) == "open"


def test_money_comes_back_after_a_day() -> None:
    capped = cloud(money_per_day=1.0)
    send(capped, 1.0, now=30)
    capped.consumers(1, now=86_400)
    assert capped.said(86_399) == "budget spent: $1.00 of $1.00 a day"
    capped.consumers(1, now=86_460)
    assert capped.said(86_460) == "open"


def test_what_a_job_has_really_cost_counts() -> None:
    capped = cloud(money_per_day=1.0)
    send(capped, 1.0)
    capped.ended("c1", 0.25)
    assert look(capped).open
    send(capped, 0.75, place="c2")
    assert look(capped).why == "budget spent: $1.00 of $1.00 a day"


def test_what_comes_home_has_cost_nothing_and_gives_its_charge_back() -> None:
    capped = cloud(jobs_per_minute=1, money_per_day=1.0)
    send(capped, 1.0)
    assert not look(capped).open
    assert (capped.came_home("c1"), capped.came_home("c1")) == (1.0, 0.0)
    assert look(capped).open


def test_what_a_bridge_spent_counts_where_it_is_more() -> None:
    capped = hearing(status(spent_today=5.0, sent_last_minute=4), jobs_per_minute=6, money_per_day=5.0)
    assert look(capped).why == "budget spent: $5.00 of $5.00 a day"
    capped.heard(status(spent_today=1.0, sent_last_minute=5), now=1)
    assert look(capped, now=1).open
    send(capped, 0.1, now=1.5)  # the bridge can't have counted it
    assert look(capped, now=1.5).why == "budget spent: 6 of 6 jobs this minute"


def test_what_was_sent_since_a_bridge_spoke_is_added_to_what_it_spent() -> None:
    capped = hearing(status(spent_today=4.9), money_per_day=5.0)
    send(capped, 0.1)
    assert look(capped).why == "budget spent: $5.00 of $5.00 a day"


def test_two_bridges_that_share_their_books_do_not_spend_twice() -> None:
    told = [status(name, spent_today=3.0, sent_last_minute=3) for name in ("old", "new")]
    assert look(hearing(*told, jobs_per_minute=5, money_per_day=5.0)).open


def test_a_bridges_own_caps_hold_too() -> None:
    assert look(hearing(status(jobs_per_minute=0))).why == "budget spent: 0 of 0 jobs this minute"
    tight = hearing(status(spent_today=1.0, money_per_day=1.0), money_per_day=5.0)
    assert look(tight).why == "budget spent: $1.00 of $1.00 a day"


# For people


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (status(), "open"),
        (status(capacity=32, in_flight=3), "open (3 of 32 jobs are in the cloud)"),
        (status(money_per_day=5, spent_today=0.12), "open ($0.12 of $5.00 a day)"),
        (
            status(capacity=32, in_flight=3, money_per_day=5, spent_today=0.12),
            "open (3 of 32 jobs are in the cloud, $0.12 of $5.00 a day)",
        ),
        (status(capacity=5, in_flight=5), "full: 5 of 5 jobs are in the cloud"),
        (
            status(state="broken", reason="403 from Pub/Sub", capacity=5, money_per_day=5),
            "broken: 403 from Pub/Sub (0 of 5 jobs are in the cloud, $0.00 of $5.00 a day)",
        ),
        (status(money_per_day=5, spent_today=5), "budget spent: $5.00 of $5.00 a day"),
    ],
)
def test_people_are_told_how_it_stands(told: BridgeStatus, said: str) -> None:
    assert hearing(told).said(0) == said


# Whatever happens


@given(st.lists(st.tuples(st.floats(0, 20), st.integers(0, 5)), max_size=60), st.integers(0, 30))
def test_no_minute_has_more_jobs_than_the_cap(steps: list[tuple[float, int]], cap: int) -> None:
    capped, now, sent = Cloud(replace(TERMS, jobs_per_minute=cap)), 0.0, list[float]()
    for gap, wanted in steps:
        now += gap
        capped.consumers(1, now)
        for _ in range(wanted):
            if look(capped, now).open:
                send(capped, now=now, place=f"c{len(sent)}")
                sent.append(now)
    assert all(sum(start <= at <= start + 60 for at in sent) <= cap for start in sent)


statuses = st.builds(
    status,
    bridge=st.sampled_from(["b1", "b2"]),
    state=st.sampled_from(["ready", "ready", "full", "broken", "draining"]),
    active=st.booleans(),
    in_flight=st.integers(0, 9),
    capacity=st.integers(0, 9),
    spent_today=st.floats(0, 2),
    money_per_day=st.none() | st.floats(0, 2),
    operations=st.sampled_from([(), ("sketch",)]),
    seconds=st.dictionaries(st.just("sketch"), st.floats(0, 5000)),
    largest_bytes=st.sampled_from([0, 100]),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("hear"), statuses),
        st.tuples(st.just("send"), st.integers(0, 9_000_000)),
        st.tuples(st.just("end"), st.floats(0, 1)),
        st.tuples(st.just("home"), st.none()),
        st.tuples(st.just("wait"), st.sampled_from([1.0, 40.0, 3600.0, 43_000.0])),
    ),
    max_size=80,
)


@given(steps, st.floats(0, 1))
def test_no_24_hours_cost_more_than_the_cap_whatever_bridges_say(script: list[tuple[str, Any]], cap: float) -> None:
    capped, now = Cloud(replace(TERMS, money_per_day=cap)), 0.0
    costs: dict[str, tuple[float, float]] = {}  # placement -> when it was sent, what it costs as far as is known
    flying: list[str] = []
    for number, (kind, value) in enumerate(script):
        capped.consumers(1, now)
        if kind == "hear":
            capped.heard(value, now)
        elif kind == "wait":
            now += value
        elif kind == "send" and (seen := look(capped, now, size=value)).open:
            assert sum(cost for at, cost in costs.values() if at > now - 86_400) + seen.cost <= cap + 1e-6
            place = f"c{number}"
            capped.sent(place, seen.cost, 1.0, now)
            costs[place] = (now, seen.cost)
            flying.append(place)
        elif kind == "end" and flying:
            place = flying.pop()
            costs[place] = (costs[place][0], value)
            capped.ended(place, value)
        elif kind == "home" and flying:
            place = flying.pop()
            del costs[place]
            capped.came_home(place)


@given(statuses, st.sampled_from([lambda c: c.said(0), lambda c: look(c).why or "open"]))
def test_there_is_always_a_reason(told: BridgeStatus, ask: Callable[[Cloud], str]) -> None:
    assert ask(hearing(told))
