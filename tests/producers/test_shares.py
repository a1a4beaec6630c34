from collections import OrderedDict

from producers.shares import Entry, Offers, Queue, Standing, Tier, User


def waiting(tier: Tier, name: str, *, kind: str = "K", number: int = 1) -> Entry:
    """A user with one job of a second in `tier`."""
    user = User(name, 1.0)
    user.standings = [Standing(user, tier, tier.clock), Standing(user, Tier(), 0)]
    standing = user.standings[0]
    standing.join(number)
    entry = Entry(name, number, standing.open(kind, number), 1_000_000, 1_000_000)
    standing.put(entry)
    return entry


def first(tier: Tier, *closed: str) -> str | None:
    queue = Offers(tier).first(set(closed))
    return queue.standing.user.name if queue else None


def test_a_tag_that_has_grown_is_mended_when_it_comes_to_the_top() -> None:
    tier = Tier()
    anna, _bob = (waiting(tier, name, number=number) for number, name in enumerate(["anna", "bob"], start=1))
    assert first(tier) == "anna"
    anna.queue.standing.user.correct(5)
    assert first(tier) == "bob"


def test_correcting_back_gives_credit_and_leaves_the_tag() -> None:
    anna = waiting(Tier(), "anna").queue.standing
    anna.user.correct(-2)
    assert (anna.tag, anna.user.credit) == (0, 2_000_000)
    anna.user.pay(3_000_000, turn=9)
    assert (anna.tag, anna.turn, anna.user.credit) == (1_000_000, 9, 0)


def test_of_kinds_that_are_open_the_first_user_is_offered() -> None:
    tier = Tier()
    waiting(tier, "anna", kind="K", number=1)
    waiting(tier, "bob", kind="L", number=2)
    assert [first(tier), first(tier, "K"), first(tier, "K", "L")] == ["anna", "bob", None]


def test_the_last_to_leave_takes_the_clock_to_where_all_are_even() -> None:
    tier = Tier()
    entry = waiting(tier, "anna")
    tier.charge(entry, turn=2)
    assert (tier.clock, tier.finish) == (0, 1_000_000)
    entry.queue.standing.take_out(entry)
    assert (tier.clock, tier.waiting, tier.lines) == (1_000_000, {}, {})


def test_users_who_left_are_cleared_from_the_heap_before_they_outnumber_those_who_wait() -> None:
    tier = Tier()
    waiting(tier, "anna")
    for number in range(2, 1000):
        entry = waiting(tier, "bob", number=number)
        entry.queue.standing.take_out(entry)
        assert len(tier.lines["K"]._heap) <= 3
    assert first(tier) == "anna"


def test_the_head_of_a_queue_is_its_oldest_entry() -> None:
    standing = waiting(Tier(), "anna").queue.standing
    queue = Queue(standing, "K", OrderedDict())
    for number in (4, 7):
        standing.put(Entry("item", number, queue, 1, 1))
    assert queue.head.number == 4
    assert queue.rank == (0, 1, 4)
