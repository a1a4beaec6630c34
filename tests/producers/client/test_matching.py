"""Which answer belongs to which job."""

from producers.client.matching import Matcher


class Waiter:
    """Someone who waits."""


def test_an_answer_finds_its_waiter_once() -> None:
    matcher: Matcher[Waiter] = Matcher()
    ann, bob = Waiter(), Waiter()
    matcher.expect("a", ann)
    matcher.expect("b", bob)
    assert matcher.everyone() == [ann, bob]
    assert matcher.answered("b") is bob
    assert matcher.answered("b") is None
    assert matcher.waiting("b") is None
    assert matcher.waiting("a") is ann
    assert (matcher.duplicates, matcher.strangers) == (1, 0)


def test_an_answer_nobody_asked_for_is_counted_apart() -> None:
    matcher: Matcher[Waiter] = Matcher()
    assert matcher.answered("x") is None
    assert (matcher.duplicates, matcher.strangers) == (0, 1)


def test_a_waiter_let_go_of_waits_no_more() -> None:
    matcher: Matcher[Waiter] = Matcher()
    waiter = Waiter()
    matcher.expect("a", waiter)
    del waiter
    assert matcher.answered("a") is None
    assert matcher.strangers == 1


def test_an_id_may_be_asked_for_again() -> None:
    matcher: Matcher[Waiter] = Matcher()
    first, second = Waiter(), Waiter()
    matcher.expect("a", first)
    matcher.answered("a")
    matcher.expect("a", second)
    assert matcher.answered("a") is second


def test_only_the_latest_answered_ids_are_remembered() -> None:
    matcher: Matcher[Waiter] = Matcher(remembered=1)
    waiters = [Waiter(), Waiter()]
    for name, waiter in zip("ab", waiters, strict=True):
        matcher.expect(name, waiter)
        matcher.answered(name)
    matcher.answered("a")
    matcher.answered("b")
    assert (matcher.duplicates, matcher.strangers) == (1, 1)
