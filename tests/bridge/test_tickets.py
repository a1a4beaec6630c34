"""Tickets as messages and back, and the book of what is in the cloud."""

from dataclasses import replace
from typing import Any

import pytest
from annotated_types import Le
from hypothesis import given
from hypothesis import strategies as st

from bridge.tickets import GRACE_MS, LONGEST_MS, Lately, Ticket, Tickets, due_ms, is_due
from bus.errors import BadInput
from bus.messages import Job
from bus.settings import Settings
from bus.topology import CLOUD_TICKETS

NOW = 1_900_000_000_000


def number(n: int) -> str:
    return f"{n:032x}"


def ticket(n: int = 1, *, due: int = NOW + 60_000, **job: Any) -> Ticket:
    given = {"id": f"j{n}", "operation": "sketch", "body": b"", "reply_to": "r", "user": "anna"} | job
    return Ticket(number=number(n), job=Job(**given), sent_ms=NOW, due_ms=due, bytes=100, cost=0.001)


texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)


@given(
    id=texts,
    reply_to=texts.map("r".__add__),
    correlation_id=st.none() | texts | st.binary(min_size=1, max_size=40),
    user=texts,
    deadline_ms=st.none() | st.integers(NOW, NOW + 10**6),
    attempt=st.integers(0, 100),
    params=st.dictionaries(texts, st.integers() | texts, max_size=4),
    placement=st.none() | texts,
    priority=st.integers(0, 9),
    claim=st.none() | st.just("pictures/20300131/" + 32 * "a"),
)
def test_a_ticket_survives_the_queue(**job: Any) -> None:
    written = ticket(received_ms=NOW - 5, **job).model_copy(
        update={"claim": "pictures/20300131/" + 32 * "b", "key": 40 * "c"}
    )
    message = written.to_message(NOW)
    assert (message.routing_key, message.expiration) == (CLOUD_TICKETS, None)
    assert Ticket.from_message(message, NOW + 10) == written


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b"\xff", b'{"number": "x", "sent_ms": 1, "due_ms": 2, "bytes": 3, "cost": 0}']
)
def test_garbage_is_no_ticket(body: bytes) -> None:
    with pytest.raises(BadInput):
        Ticket.from_message(replace(ticket().to_message(NOW), body=body), NOW)


def test_no_ticket_is_believed_to_be_due_later_than_any_may_be() -> None:
    (longest_s,) = [rule.le for rule in Settings.model_fields["cloud_timeout_s"].metadata if isinstance(rule, Le)]
    assert longest_s == LONGEST_MS / 1000
    far = ticket(due=NOW + LONGEST_MS + 1).to_message(NOW)
    assert Ticket.from_message(far, NOW).due_ms == NOW + LONGEST_MS
    assert Ticket.from_message(far, NOW + 1).due_ms == NOW + LONGEST_MS + 1


def test_a_ticket_hurries_for_its_jobs_own_deadline() -> None:
    assert not ticket().hurries
    assert not ticket(deadline_ms=NOW + 60_001).hurries
    assert ticket(deadline_ms=NOW + 60_000).hurries


def test_a_ticket_of_a_job_that_is_none_is_none() -> None:
    with pytest.raises(BadInput):
        Ticket.from_message(replace(ticket().to_message(NOW), priority=77), NOW)


def test_a_job_is_due_by_its_own_deadline_or_the_clouds() -> None:
    job = ticket().job
    assert due_ms(job, NOW, 300) == NOW + 300_000
    assert due_ms(job.model_copy(update={"deadline_ms": NOW + 5}), NOW, 300) == NOW + 5
    assert due_ms(job.model_copy(update={"deadline_ms": NOW + 400_000}), NOW, 300) == NOW + 300_000


def test_what_was_dealt_with_lately_is_remembered_and_the_oldest_forgotten() -> None:
    lately = Lately(most=2)
    lately.add("a", None, "b")
    lately.add("a")  # anew
    lately.add("c")
    assert [name in lately for name in ("a", "b", "c", None)] == [True, False, True, False]


def tickets(*held: Ticket) -> Tickets[str]:
    """A book of these, each with a delivery called after its job."""
    book: Tickets[str] = Tickets(Lately())
    for each in held:
        assert book.hold(each, f"d-{each.job.id}")
    return book


def test_a_job_ends_once_and_gives_what_there_is_to_settle() -> None:
    book = tickets(ticket(1), ticket(2))
    assert (len(book), number(1) in book, book.all()) == (2, True, [ticket(1), ticket(2)])
    assert book.take(number(1)) == ticket(1)
    assert (len(book), number(1) in book, book.is_ending(number(1))) == (1, False, True)
    assert book.take(number(1)) is None
    assert book.end(number(1)) == ["d-j1"]
    assert (book.is_ending(number(1)), book.end(number(1))) == (False, [])


def test_a_ticket_that_comes_after_its_answer_is_to_be_settled_at_once() -> None:
    book: Tickets[str] = Tickets(Lately())
    book.send(ticket(1))
    assert book.take(number(1)) == ticket(1)
    assert book.hold(ticket(1), "while it is being answered")
    assert book.take(number(1)) is None
    assert book.end(number(1)) == ["while it is being answered"]
    assert not book.hold(ticket(1), "too late")


def test_what_could_not_be_ended_is_there_again() -> None:
    book = tickets(ticket(1))
    book.take(number(1))
    book.put_back(number(1))
    assert (book.take(number(1)), book.is_ending(number(1))) == (ticket(1), True)
    book.put_back(number(7))
    assert len(book) == 0


def test_all_tickets_of_one_placement_end_together() -> None:
    one, other = ticket(1, placement="p1"), ticket(2, placement="p1")
    book = tickets(one, other, ticket(3, placement="p3"))
    assert book.of_placement("p1") == one
    assert book.of_placement("p9") is None
    assert book.of_placement(None) is None
    book.take(number(1))
    assert book.of_placement("p1") in (one, other)
    assert sorted(book.end(number(1))) == ["d-j1", "d-j2"]
    assert not book.hold(ticket(4, placement="p1"), "a third")
    assert book.all() == [ticket(3, placement="p3")]


def test_one_that_is_being_answered_ends_with_the_other_of_its_placement() -> None:
    book = tickets(ticket(1, placement="p1"), ticket(2, placement="p1"))
    book.take(number(1))
    assert sorted(book.end(number(2))) == ["d-j1", "d-j2"]
    assert not book.is_ending(number(1))


def test_tickets_without_a_placement_have_nothing_to_do_with_each_other() -> None:
    book = tickets(ticket(1), ticket(2))
    assert book.end(number(1)) == ["d-j1"]
    assert book.all() == [ticket(2)]


def test_tickets_are_due_unless_their_job_is_just_being_sent() -> None:
    book = tickets(ticket(1, due=NOW), ticket(2, due=NOW + 1))
    book.send(ticket(3, due=NOW))
    assert book.due(NOW - 1, 0) == []
    assert book.due(NOW, 0) == [ticket(1, due=NOW)]
    book.sent(number(3))
    assert book.due(NOW, 0) == [ticket(1, due=NOW), ticket(3, due=NOW)]


def test_what_a_predecessor_sent_is_listened_for_a_while_unless_its_own_time_is_over() -> None:
    began = NOW + 3_600_000
    late, hurried = ticket(due=NOW + 60_000), ticket(due=NOW + 60_000, deadline_ms=NOW + 60_000)
    assert [is_due(late, now, began) for now in (began, began + GRACE_MS - 1, began + GRACE_MS)] == [False, False, True]
    assert is_due(hurried, began, began)
    patient = ticket(due=began + GRACE_MS + 1)
    assert not is_due(patient, began + GRACE_MS, began)
    assert is_due(late, NOW + 60_000, NOW)  # sent by ourselves


def test_a_users_job_is_found_by_its_id() -> None:
    book = tickets(ticket(1), ticket(2, id="j1"), ticket(3, id="j1", user="ben"))
    assert [found.number for found in book.of_job("anna", "j1")] == [number(1), number(2)]


def test_a_job_is_known_by_what_a_repeat_of_it_would_be_until_it_has_ended() -> None:
    tickets: Tickets[str] = Tickets(Lately())
    tickets.send(ticket(1).model_copy(update={"key": "a"}))
    tickets.send(ticket(2))
    assert (tickets.has("a"), tickets.has("b")) == (True, False)
    tickets.take(number(1))
    assert tickets.has("a")
    tickets.end(number(1))
    assert not tickets.has("a")
