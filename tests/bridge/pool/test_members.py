from hypothesis import given
from hypothesis import strategies as st

from bridge.pool.members import LONGEST_REST_S, Member, Members
from bus.topology import OPERATIONS

A, B = "https://a.example", "https://b.example"
ALL = frozenset(OPERATIONS)


def up(url: str, *, slots: int | None = 2, in_flight: int = 0, last_used: float = 0.0) -> Member:
    member = Member(url, ALL, in_flight=in_flight, last_used=last_used)
    member.ready(OPERATIONS, slots)
    return member


def test_an_address_named_twice_is_one_service_with_both_operations() -> None:
    members = Members.of((("sketch", A), ("", B), ("caption", A)))
    assert [(m.url, m.named) for m in members.all] == [(A, {"sketch", "caption"}), (B, ALL)]


def test_nobody_is_sent_a_job_before_it_has_said_that_it_is_ready() -> None:
    members = Members.of((("", A),))
    assert members.next("sketch", {}) is None
    assert members.troubles("sketch") == f"{A} has not been reached yet"
    members.all[0].ready(["sketch"], slots=None)
    assert members.next("sketch", {}) is members.all[0]


def test_the_least_busy_for_its_slots_gets_the_next_job() -> None:
    big, small = up(A, slots=4, in_flight=3), up(B, slots=1, in_flight=1)
    assert Members([small, big]).next("sketch", {}) is big


def test_among_equals_who_was_used_longest_ago_is_next() -> None:
    assert Members([up(A, last_used=5), rested := up(B, last_used=3)]).next("sketch", {}) is rested


def test_a_job_goes_to_who_was_not_tried_with_it_however_busy() -> None:
    idle, busy = up(A), up(B, in_flight=4)
    assert Members([idle, busy]).next("sketch", {A: 1}) is busy
    assert Members([idle, busy]).next("sketch", {A: 1, B: 2}) is idle


def test_what_a_service_says_it_serves_narrows_what_the_settings_give_it() -> None:
    members = Members.of((("sketch", A), ("caption", B)))
    for member in members.all:
        member.ready(["sketch", "remove-background"], slots=1)
    assert members.operations == ("sketch",)
    assert members.next("caption", {}) is None
    assert members.troubles("caption") == f"{B} does not serve caption"
    assert members.troubles("remove-background").startswith("no address in OVERSPILL_CLOUD_SERVICES")


def test_an_operation_lost_is_found_again_when_the_service_says_so() -> None:
    member = up(A)
    member.lost("sketch")
    assert not member.offers("sketch")
    member.ready(OPERATIONS, slots=2)
    assert member.offers("sketch")


def test_rests_double_with_each_failure_in_a_row_and_begin_anew_after_an_answer() -> None:
    member, now, rests = up(A), 100.0, []
    for _ in range(9):
        member.failed("broke off", now)
        rests.append(member.rests_until - now)
        now = member.rests_until
        member.ready(OPERATIONS, slots=2)
    assert rests == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    member.answered()
    member.failed("broke off", now)
    assert member.rests_until - now == 1


def test_what_fails_together_is_one_failure() -> None:
    member = up(A)
    for _ in range(32):
        member.failed("broke off", 100.0)
    assert (member.up, member.failures, member.rests_until) == (False, 1, 101.0)


def test_a_service_that_stays_away_is_left_alone_ever_longer() -> None:
    member = Member(A, ALL)
    member.failed("is out of reach", 100.0)
    member.failed("is out of reach", 101.0)
    assert member.rests_until == 103.0


def test_a_busy_service_rests_as_long_as_it_asks_for_within_reason() -> None:
    member = up(A)
    member.refused("has no room", 100.0, retry_after_s=7)
    assert (member.up, member.failures, member.rests_until) == (False, 0, 107.0)
    member.refused("has no room", 100.0, retry_after_s=None)
    assert member.rests_until == 107.0
    member.refused("has no room", 100.0, retry_after_s=86_400)
    assert member.rests_until == 100.0 + LONGEST_REST_S


def test_a_service_is_looked_at_now_and_then_and_when_its_rest_is_over() -> None:
    member = up(A)
    member.looked = 100.0
    assert [member.wants_look(now, every_s=5.0) for now in (104.9, 105.0)] == [False, True]
    member.failed("broke off", 105.0)
    assert [member.wants_look(now, every_s=5.0) for now in (105.9, 106.0)] == [False, True]


def test_room_is_two_jobs_a_slot_less_those_it_has() -> None:
    resting = up("https://c.example")
    resting.failed("broke off", 1.0)
    assert Members([up(A, slots=4, in_flight=3), up(B, slots=1, in_flight=5), resting]).room() == 5
    assert Members([resting]).room() == 0
    assert Members([up(A), up(B, slots=None)]).room() is None


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.integers(1, 4)), min_size=1, max_size=6),
    st.dictionaries(st.integers(0, 5), st.integers(1, 3)),
)
def test_whoever_is_chosen_is_up_and_nobody_up_was_tried_less(
    states: list[tuple[bool, int, int]], tried: dict[int, int]
) -> None:
    members = [up(str(i), slots=slots, in_flight=in_flight) for i, (_, in_flight, slots) in enumerate(states)]
    for member, (is_up, _, _) in zip(members, states, strict=True):
        member.up = is_up
    times = {str(i): count for i, count in tried.items()}
    chosen = Members(members).next("sketch", times)
    usable = [member for member in members if member.up]
    assert (chosen is None) == (not usable)
    if chosen is not None:
        assert chosen.up
        assert times.get(chosen.url, 0) == min(times.get(member.url, 0) for member in usable)
