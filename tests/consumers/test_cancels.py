"""Which jobs a cancel covers that was heard before they came."""

from bus.control import Cancel
from bus.messages import Job
from consumers.cancels import KEPT_MS, MOST, Cancels

HEARD_MS = 1_000_000


def job(received_ms: int | None = HEARD_MS - 1, *, user: str = "anna", name: str = "j1") -> Job:
    return Job(id=name, user=user, operation="sketch", body=b"", received_ms=received_ms)


def heard(*orders: Cancel) -> Cancels:
    cancels = Cancels()
    for order in orders or (Cancel(job="j1", user="anna"),):
        cancels.remember(order, HEARD_MS)
    return cancels


def test_nothing_is_cancelled_unasked() -> None:
    assert not Cancels().cover(job(), HEARD_MS)


def test_a_job_on_its_way_is_cancelled_every_time_it_comes() -> None:
    cancels = heard()
    assert [cancels.cover(job(), HEARD_MS + 5), cancels.cover(job(), HEARD_MS + 9)] == [True, True]
    assert cancels.cover(job(None), HEARD_MS)  # nobody says that it is newer


def test_another_users_and_another_id_are_other_jobs() -> None:
    assert not heard().cover(job(user="bert"), HEARD_MS)
    assert not heard().cover(job(name="j2"), HEARD_MS)


def test_a_job_sent_after_the_cancel_is_a_new_one_until_that_is_cancelled_too() -> None:
    cancels = heard()
    again = job(HEARD_MS + 1)
    assert not cancels.cover(again, HEARD_MS + 2)
    cancels.remember(Cancel(job="j1", user="anna"), HEARD_MS + 3)
    assert cancels.cover(again, HEARD_MS + 4)
    assert len(cancels) == 1


def test_a_cancel_is_forgotten_after_its_time() -> None:
    cancels = heard()
    assert cancels.cover(job(), HEARD_MS + KEPT_MS)
    assert not cancels.cover(job(), HEARD_MS + KEPT_MS + 1)
    cancels.remember(Cancel(job="j2"), HEARD_MS + KEPT_MS + 1)
    assert len(cancels) == 1


def test_no_more_are_remembered_than_allowed_and_the_oldest_go() -> None:
    orders = [Cancel(job=f"j{number}", user="anna") for number in range(MOST + 2)]
    cancels = heard(*orders)
    assert len(cancels) == MOST
    assert [cancels.cover(job(name=order.job), HEARD_MS) for order in orders[1:3]] == [False, True]
