"""Parcels: jobs go out and answers come back as they were, within Pub/Sub's bounds; anything else is bad input."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.envelope import (
    ATTRIBUTE_BYTES,
    LINK_BYTES,
    MOST_ATTRIBUTES,
    RESERVED,
    Parcel,
    answer_parcel,
    job_parcel,
    read_answer,
    read_job,
    read_push,
    returned_parcel,
)
from bus.answers import Answer
from bus.errors import BadInput
from bus.messages import LARGEST_BODY, Job
from bus.params import PARAMS_BYTES
from bus.problems import Kind, Problem
from bus.wire import MOST

TICKET = "0f" * 16
CLAIM = "pictures/20300131/" + "0a" * 16
NOW_MS = 1_800_000_000_000
JOB = Job(id="42", operation="sketch", body=b"\xff\xd8", user="ada", reply_to="answers", correlation_id="c")
ANSWER = Answer(job=TICKET, operation="sketch", content_type="image/png", body=b"\x89PNG")


def pushed(parcel: Parcel) -> Parcel:
    """A parcel as Pub/Sub pushes it, and as it is read again."""
    message: dict[str, Any] = {"attributes": dict(parcel.attributes), "messageId": "1", "message_id": "1"}
    if parcel.body:
        message["data"] = base64.b64encode(parcel.body).decode()
    return read_push(json.dumps({"message": message, "subscription": "projects/p/subscriptions/s"}).encode())


def keeps_the_bounds(attributes: Mapping[str, str]) -> bool:
    """Google's: 100 attributes, names of 256 bytes, values of 1,024, and no name that begins as theirs do."""
    return len(attributes) <= 100 and all(
        0 < len(name.encode()) <= 256 and len(value.encode()) <= 1024 and not name.startswith("goog")
        for name, value in attributes.items()
    )


def refused(read: Callable[[Parcel], object], **attributes: str) -> Problem:
    with pytest.raises(BadInput) as caught:
        read(Parcel(b"", attributes))
    return caught.value.problem


# A job goes out


def test_a_job_is_known_outside_by_its_ticket_alone() -> None:
    parcel = job_parcel(JOB, TICKET, sent_ms=NOW_MS)
    assert (parcel.kind, parcel.ticket, parcel.body) == ("job", TICKET, b"\xff\xd8")
    assert parcel.attributes == {
        "kind": "job",
        "ticket": TICKET,
        "operation": "sketch",
        "attempt": "0",
        "sent_ms": str(NOW_MS),
    }


def test_a_service_reads_the_job_as_nobodys() -> None:
    job, link = read_job(job_parcel(JOB, TICKET, sent_ms=NOW_MS))
    assert (job.id, job.user, job.reply_to, job.correlation_id) == (TICKET, "cloud", None, None)
    assert (job.operation, job.body, job.received_ms, link) == ("sketch", b"\xff\xd8", NOW_MS, None)


def test_long_params_travel_in_parts_of_plain_ascii() -> None:
    params = {"a": "é" * 500, "b": "x" * 100}
    parcel = job_parcel(JOB.model_copy(update={"params": params}), TICKET, sent_ms=NOW_MS)
    told = parcel.attributes
    assert [len(told[name]) for name in ("params", "params.1", "params.2")] == [1024, 1024, 1024]
    assert all(value.isascii() for value in told.values())
    assert "".join(told[name] for name in ("params", "params.1", "params.2", "params.3")) == json.dumps(params)


def test_params_as_large_as_they_may_be_survive() -> None:
    params = {"a": "x" * (PARAMS_BYTES - len('{"a": ""}'))}
    parcel = job_parcel(Job.model_validate({**JOB.model_dump(), "params": params}), TICKET, sent_ms=NOW_MS)
    assert keeps_the_bounds(parcel.attributes)
    assert read_job(pushed(parcel))[0].params == params


def test_a_signed_link_of_two_kilobytes_survives() -> None:
    link = "https://storage.googleapis.com/b/o?X-Goog-Signature=" + "0123456789abcdef" * 128
    parcel = job_parcel(JOB.model_copy(update={"body": b"", "claim": CLAIM}), TICKET, sent_ms=NOW_MS, link=link)
    job, told = read_job(pushed(parcel))
    assert (job.claim, job.body, told) == (CLAIM, b"", link)


def test_a_link_too_long_to_travel_is_left_out() -> None:
    def sent(link: str) -> str | None:
        return read_job(job_parcel(JOB, TICKET, sent_ms=NOW_MS, link=link))[1]

    assert sent("x" * LINK_BYTES) == "x" * LINK_BYTES
    assert sent("x" * (LINK_BYTES + 1)) is None


def test_the_largest_parcel_fits_a_pubsub_message() -> None:
    params = {"a": "x" * (PARAMS_BYTES - len('{"a": ""}'))}
    job = JOB.model_copy(update={"body": bytes(LARGEST_BODY), "params": params, "claim": CLAIM})
    parcel = job_parcel(job, TICKET, sent_ms=NOW_MS, link="x" * LINK_BYTES)
    # Protocol Buffers add ten bytes at the most to a pair of such length.
    assert parcel.bytes + 10 * len(parcel.attributes) < 10_000_000 - 1000


@pytest.mark.parametrize(
    ("parcel", "counts"), [(Parcel(b"", {}), 0), (Parcel(b"abc", {"a": "é", "ö": ""}), 3 + 1 + 2 + 2)]
)
def test_a_parcel_counts_as_its_body_its_names_and_its_values(parcel: Parcel, counts: int) -> None:
    assert parcel.bytes == counts


def test_a_parcel_of_nothing_has_neither_kind_nor_ticket() -> None:
    assert (Parcel(b"", {}).kind, Parcel(b"", {}).ticket) == ("", "")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"ticket": ""}, "id"),
        ({"ticket": "x" * 256}, "id"),
        ({"params": "{"}, "params"),
        ({"params": "[1]"}, "params"),
        ({"params": '{"a": NaN}'}, "params"),
        ({"params": "[" * 100_000}, "params"),
        ({"params": '{"a": "', "params.1": "x" * PARAMS_BYTES + '"}'}, "params"),
        ({"claim": "../../etc/passwd"}, "claim"),
        ({"operation": "x" * 256}, "operation"),
    ],
)
def test_a_parcel_that_is_no_job_is_bad_input(wrong: dict[str, str], field: str) -> None:
    assert refused(read_job, **{"ticket": TICKET, "operation": "sketch", **wrong}).field == field


@pytest.mark.parametrize("wrong", ["", "-1", "x", "1.5", "1e3", "٥", "9" * 20, "9" * 5000])
def test_a_number_that_is_none_is_read_as_absent(wrong: str) -> None:
    told = {"ticket": TICKET, "attempt": wrong, "sent_ms": wrong, "deadline_ms": wrong}
    job, _ = read_job(Parcel(b"", told))
    assert (job.attempt, job.received_ms, job.deadline_ms) == (0, None, None)


# An answer comes back


def test_a_result_comes_back_with_where_and_how_it_ran() -> None:
    sent = ANSWER.model_copy(update={"vm": "rev-1", "model": "u2netp", "ran_ms": 12})
    answer = read_answer(pushed(answer_parcel(sent, began_ms=NOW_MS)))
    assert (answer.ticket, answer.content_type, answer.body) == (TICKET, "image/png", b"\x89PNG")
    assert (answer.vm, answer.model, answer.ran_ms, answer.began_ms) == ("rev-1", "u2netp", 12, NOW_MS)
    assert answer.claim is None


def test_a_result_in_the_blob_store_comes_back_as_its_claim() -> None:
    claim = CLAIM.replace("pictures", "results")
    answer = read_answer(pushed(answer_parcel(ANSWER.model_copy(update={"body": b"", "claim": claim}))))
    assert (answer.claim, answer.body) == (claim, b"")


def test_a_problem_comes_back_as_it_was() -> None:
    service_job = read_job(job_parcel(JOB, TICKET, sent_ms=NOW_MS))[0]
    problem = Problem.of(Kind.NOT_AN_IMAGE, "The body is text — «ü».")
    parcel = answer_parcel(Answer.refusal(service_job, problem))
    answer = read_answer(pushed(parcel))
    assert (parcel.kind, answer.ticket, answer.content_type) == ("answer", TICKET, "application/problem+json")
    assert Problem.model_validate_json(answer.body).detail == "The body is text — «ü»."


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"ticket": ""}, "ticket"),
        ({"ticket": "x" * 256}, "ticket"),
        ({"content_type": ""}, "content_type"),
        ({"content_type": "x" * 256}, "content_type"),
        ({"ran_ms": "-1"}, "ran_ms"),
        ({"ran_ms": "soon"}, "ran_ms"),
        ({"ran_ms": "9" * 5000}, "ran_ms"),
        ({"began_ms": str(MOST + 1)}, "began_ms"),
        ({"claim": CLAIM}, "claim"),
        ({"claim": "results/../../etc/passwd"}, "claim"),
        ({"claim": "results/20300131/" + "0a" * 16 + "\n"}, "claim"),
    ],
)
def test_an_answer_that_amqp_or_the_bridge_could_not_carry_on_is_bad_input(wrong: dict[str, str], field: str) -> None:
    assert refused(read_answer, **{"ticket": TICKET, "content_type": "image/png", **wrong}).field == field


@pytest.mark.parametrize("missing", ["ticket", "content_type"])
def test_an_answer_must_say_whose_and_what_it_is(missing: str) -> None:
    told = {"ticket": TICKET, "content_type": "image/png"}
    del told[missing]
    assert refused(read_answer, **told).field == missing


# A job is given back


def test_a_job_that_can_not_be_served_comes_back_as_it_was_with_the_reason() -> None:
    sent = job_parcel(JOB.model_copy(update={"params": {"a": "é" * 1000}}), TICKET, sent_ms=NOW_MS)
    returned = pushed(returned_parcel(pushed(sent), "no weights for caption — put them there: " + "ü" * 2000))
    assert (returned.kind, returned.ticket, returned.body) == ("returned", TICKET, sent.body)
    assert returned.attributes["reason"].startswith("no weights for caption — put them there: ü")
    assert keeps_the_bounds(returned.attributes)
    assert read_job(returned) == read_job(sent)


def test_what_google_added_on_the_way_does_not_go_back() -> None:
    arrived = Parcel(b"", {"ticket": TICKET, "googclient_OpenTelemetrySpan": "1"})
    assert returned_parcel(arrived, "why").attributes == {"ticket": TICKET, "kind": "returned", "reason": "why"}


# What is pushed


@pytest.mark.parametrize(
    ("message", "parcel"),
    [
        ({}, Parcel(b"", {})),
        ({"data": None, "attributes": None}, Parcel(b"", {})),
        ({"data": "", "attributes": {}}, Parcel(b"", {})),
        ({"data": "AAH/"}, Parcel(b"\x00\x01\xff", {})),
        ({"attributes": {"a": "é"}, "deliveryAttempt": 2}, Parcel(b"", {"a": "é"})),
    ],
)
def test_a_push_may_leave_out_what_is_empty(message: dict[str, Any], parcel: Parcel) -> None:
    assert read_push(json.dumps({"message": message, "deliveryAttempt": 2}).encode()) == parcel


GARBAGE = [
    *(b"", b"\xff\xfe", b"null", b"[]", b"7", b'"message"', b"{}", b"[" * 100_000, b'{"a":' * 100_000),
    *(b'{"message": 7}', b'{"message": null}', b'{"message": []}'),
    *(b'{"message": {"data": 7}}', b'{"message": {"data": "?"}}', b'{"message": {"data": "A"}}'),
    *(b'{"message": {"attributes": []}}', b'{"message": {"attributes": {"a": 1}}}'),
    *(b'{"message": {"attributes": {"a": "\\ud800"}}}', b'{"message": {"attributes": {"a": null}}}'),
    '{"message": {}}'.encode("utf-16"),
    b"\xff\xd8 a picture, pushed unwrapped",
]  # fmt: skip


@pytest.mark.parametrize("text", GARBAGE, ids=lambda text: repr(text[:40]))
def test_a_push_that_is_none_is_bad_input_with_the_remedy(text: bytes) -> None:
    with pytest.raises(BadInput) as caught:
        read_push(text)
    assert caught.value.problem.status == 422
    assert caught.value.problem.remedy == "Push with the payload wrapped, as `overspill cloud init` sets it up."
    assert caught.value.problem.to_json()


# Properties

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
params = st.dictionaries(
    st.text(max_size=9), st.recursive(scalars, lambda inner: st.lists(inner, max_size=3)), max_size=6
)


def claims(kind: str) -> st.SearchStrategy[str]:
    return st.binary(min_size=16, max_size=16).map(lambda name: f"{kind}/20300131/{name.hex()}")


plain = st.text(st.characters(codec="utf-8"), max_size=60)
wide = st.text(st.sampled_from("aé€😀"), max_size=127)


def jobs() -> st.SearchStrategy[Job]:
    fields: dict[str, st.SearchStrategy[Any]] = {
        "id": plain.filter(bool),
        "operation": st.sampled_from(["sketch", "remove-background", "caption"]) | plain | wide.map(lambda s: s[:60]),
        "body": st.binary(max_size=300),
        "params": params | st.integers(0, PARAMS_BYTES - 20).map(lambda n: {"a": "x" * n}),
        "attempt": st.integers(0, MOST),
        "deadline_ms": st.none() | st.integers(0, MOST),
        "traceparent": st.none() | st.just("00-" + "a" * 32 + "-" + "b" * 16 + "-01") | plain | wide,
        "claim": st.none() | claims("pictures"),
        "reply_to": st.just("answers"),
    }
    return st.fixed_dictionaries(fields).map(Job.model_validate)


links = st.none() | st.integers(1, LINK_BYTES).map(lambda n: ("https://blobs/é€😀?" * 1000)[:n])


@given(jobs(), links, st.integers(0, MOST))
def test_any_job_survives_the_way_out(job: Job, link: str | None, sent_ms: int) -> None:
    parcel = job_parcel(job, TICKET, sent_ms=sent_ms, link=link)
    assert keeps_the_bounds(parcel.attributes)
    assert pushed(parcel) == parcel
    told, told_link = read_job(pushed(parcel))
    kept = {"operation", "params", "body", "attempt", "deadline_ms", "traceparent", "claim"}
    assert told.model_dump(include=kept) == job.model_dump(include=kept)
    assert (told.id, told.received_ms, told_link) == (TICKET, sent_ms, link)
    assert json.dumps(told.params) == json.dumps(job.params)


@given(jobs(), st.text(max_size=60) | st.text(st.characters(), max_size=60))
def test_any_job_survives_being_given_back(job: Job, reason: str) -> None:
    sent = job_parcel(job, TICKET, sent_ms=NOW_MS)
    returned = returned_parcel(sent, reason)
    assert keeps_the_bounds(returned.attributes)
    assert read_job(pushed(returned)) == read_job(sent)


@given(
    st.fixed_dictionaries(
        {
            "content_type": plain.filter(bool),
            "body": st.binary(max_size=300),
            "vm": st.none() | plain,
            "model": st.none() | plain,
            "ran_ms": st.none() | st.integers(0, MOST),
            "claim": st.none() | claims("results"),
        }
    ),
    st.none() | st.integers(0, MOST),
)
def test_any_answer_survives_the_way_home(told: dict[str, Any], began_ms: int | None) -> None:
    parcel = answer_parcel(ANSWER.model_copy(update=told), began_ms)
    assert keeps_the_bounds(parcel.attributes)
    answer = read_answer(pushed(parcel))
    assert answer.model_dump() == {**told, "ticket": TICKET, "began_ms": began_ms}


def told_or_refused(read: Callable[[], object]) -> object:
    """What is read, or the problem as it is sent; anything else that is raised fails the test."""
    try:
        return read()
    except BadInput as error:
        return error.problem.to_json()


names = st.sampled_from(
    ["kind", "ticket", "operation", "params", "params.1", "link", "claim", "attempt", "deadline_ms", "ran_ms", "vm"]
)


@given(st.binary(max_size=50), st.dictionaries(names | st.text(max_size=5), st.text(max_size=50), max_size=9))
def test_any_parcel_is_read_or_refused(body: bytes, attributes: dict[str, str]) -> None:
    assert told_or_refused(lambda: read_job(Parcel(body, attributes)))
    assert told_or_refused(lambda: read_answer(Parcel(body, attributes)))


json_values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner))


@given(
    st.binary(max_size=100)
    | json_values.map(lambda value: json.dumps(value).encode())
    | st.fixed_dictionaries({"message": st.fixed_dictionaries({"data": json_values, "attributes": json_values})}).map(
        lambda value: json.dumps(value).encode()
    )
)
def test_any_push_is_read_or_refused(text: bytes) -> None:
    assert told_or_refused(lambda: read_push(text))


def test_the_bounds_told_to_others_are_those_of_pubsub() -> None:
    assert (ATTRIBUTE_BYTES, MOST_ATTRIBUTES, RESERVED) == (1024, 100, "goog")
