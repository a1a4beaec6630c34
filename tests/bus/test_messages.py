"""The wire contract, both ways: what a caller may send, what is refused and why, what comes back."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus import answers, messages
from bus.answers import Answer
from bus.attempts import HISTORY_KEPT, HISTORY_REASON, Attempt
from bus.errors import BadInput
from bus.messages import LONGEST_EXPIRATION_MS, Job, Message
from bus.problems import Problem

NOW_MS = 1_700_000_000_000
DEEP = "[" * 100_000
CLAIM = "pictures/20300131/" + "0f" * 16
JOB = Job(id="42", operation="sketch", body=b"\xff\xd8", received_ms=NOW_MS, reply_to="answers")


def sent(routing_key: str = "sketch", **properties: Any) -> Job:
    return Job.from_message(Message(body=b"\xff\xd8", routing_key=routing_key, **properties), NOW_MS)


def refused(**properties: Any) -> Problem:
    with pytest.raises(BadInput) as caught:
        sent(**properties)
    return caught.value.problem


# A job comes in


def test_the_least_a_caller_must_send_is_an_image_and_an_operation() -> None:
    job = sent()
    assert (job.operation, job.body, job.user, job.site, job.params) == ("sketch", b"\xff\xd8", "anonymous", "any", {})
    assert (job.reply_to, job.correlation_id, job.deadline_ms, job.attempt) == (None, None, None, 0)
    assert job.received_ms == NOW_MS
    assert len(job.id) == 32
    assert sent().id != job.id


TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("garbage", ["00-1-2-01", "x" * 500, f"{TRACE}\r\nx: y", "", b"\xff", 7, {"a": 1}])
def test_a_trace_that_is_none_is_ignored(garbage: object) -> None:
    assert sent(headers={"traceparent": garbage}).traceparent is None


def test_all_that_a_caller_may_say_is_heard() -> None:
    headers = {"user": "ada", "params": {"quality": 80}, "site": "local", "traceparent": TRACE, "x-own": 1}
    job = sent(headers=headers, message_id="7", correlation_id="c", reply_to="q", priority=5, content_type="image/png")
    assert (job.user, job.params, job.site, job.traceparent) == ("ada", {"quality": 80}, "local", TRACE)
    assert (job.id, job.correlation_id, job.reply_to, job.content_type) == ("7", "c", "q", "image/png")


@pytest.mark.parametrize(
    ("properties", "field", "says"),
    [
        ({"priority": 10}, "priority", "less than or equal to 9"),
        ({"headers": {"site": "mars"}}, "site", "'any' or 'local'"),
        ({"headers": {"user": ""}}, "user", "at least 1 character"),
        ({"headers": {"user": "x" * 129}}, "user", "at most 128 characters"),
        ({"headers": {"user": b"\xff"}}, "user", "unicode"),
        ({"headers": {"user": 7}}, "user", "string"),
        ({"headers": {"params": "{"}}, "params", "is not JSON"),
        ({"headers": {"params": b"\xff"}}, "params", "is not JSON"),
        ({"headers": {"params": "[1]"}}, "params", "must be a JSON object"),
        ({"headers": {"params": [1]}}, "params", "must be a JSON object"),
        ({"headers": {"params": '{"a": Infinity}'}}, "params", "Out of range"),
        ({"headers": {"params": {b"\xff": 1}}}, "params", "not text"),
        ({"headers": {"params": "null"}}, "params", "must be a JSON object"),
        ({"headers": {"params": DEEP}}, "params", "nested too deeply"),
        ({"headers": {"params": '{"a":' * 9 + "1" + "}" * 9}}, "params", "at most 8 levels"),
        ({"headers": {"params": {"a": "x" * 16_384}}}, "params", "at most 16384 bytes"),
        ({"message_id": "é" * 128}, "message_id", "at most 255 bytes"),
        ({"message_id": b"\xff"}, "message_id", "unicode"),
        ({"routing_key": "é" * 128}, "routing_key", "at most 255 bytes"),
        ({"reply_to": "x" * 256}, "reply_to", "at most 255 bytes"),
        ({"reply_to": "lane.03"}, "reply_to", "one of overspill's own queues"),
        ({"reply_to": "vm.vm1"}, "reply_to", "one of overspill's own queues"),
        ({"content_type": "x" * 256}, "content_type", "at most 255 bytes"),
        ({"headers": {"claim": CLAIM}}, "claim", "has a body as well"),
        ({"headers": {"claim": ""}}, "claim", "has a body as well"),
    ],
)
def test_what_is_wrong_is_named_as_the_caller_knows_it(properties: dict[str, Any], field: str, says: str) -> None:
    problem = refused(**properties)
    assert problem.slug == "bad-field"
    assert problem.field == field
    assert says in problem.detail


def test_a_picture_may_be_claimed_in_place_of_a_body() -> None:
    job = Job.from_message(Message(routing_key="sketch", headers={"claim": CLAIM}), NOW_MS, trusted=False)
    assert (job.claim, job.body) == (CLAIM, b"")
    assert Job.from_message(job.to_message("vm.vm1", NOW_MS), NOW_MS).claim == CLAIM
    assert "claim" not in JOB.to_message("vm.vm1", NOW_MS).headers


@pytest.mark.parametrize(
    "claim",
    [
        "",
        7,
        b"\xff",
        CLAIM.replace("pictures", "results"),
        CLAIM.replace("pictures", "faces"),
        CLAIM.upper(),
        CLAIM[:-1],
        f"{CLAIM}0",
        f"{CLAIM}\n",
        f"/{CLAIM}",
        f"../{CLAIM}",
        "https://store.example/picture",
    ],
)
def test_what_is_no_claim_of_a_picture_is_refused(claim: object) -> None:
    with pytest.raises(BadInput) as caught:
        Job.from_message(Message(routing_key="sketch", headers={"claim": claim}), NOW_MS)
    assert (caught.value.problem.slug, caught.value.problem.field) == ("bad-field", "claim")


@pytest.mark.parametrize(
    ("properties", "limit"),
    [
        ({"priority": 10}, 9),
        ({"message_id": "x" * 256}, 255),
        ({"headers": {"user": "x" * 129}}, 128),
        ({"headers": {"params": {"a": "x" * 16_384}}}, 16_384),
    ],
)
def test_the_broken_limit_is_given(properties: dict[str, Any], limit: int) -> None:
    assert refused(**properties).limit == limit


def test_an_empty_reply_to_is_none() -> None:
    assert sent(reply_to="").reply_to is None


def test_a_correlation_id_comes_through_even_when_it_is_not_text() -> None:
    assert sent(correlation_id=b"\xff\xfe").correlation_id == b"\xff\xfe"


@pytest.mark.parametrize("key", ["vm.vm1", "cloud", "parked.sketch", "overflow", "dead"])
def test_past_the_router_the_operation_is_in_its_header(key: str) -> None:
    assert sent(key, headers={"operation": "caption"}).operation == "caption"


def test_a_caller_names_the_operation_by_the_routing_key_alone() -> None:
    assert sent("sketch", headers={"operation": "caption"}).operation == "sketch"


@pytest.mark.parametrize("operation", [None, 7, {"a": DEEP}, b"sketch"])
def test_a_wrong_operation_header_leaves_the_key(operation: object) -> None:
    assert sent("vm.vm1", headers={"operation": operation}).operation == "vm.vm1"


def test_an_operation_header_is_cut_to_what_a_key_holds() -> None:
    assert sent("vm.vm1", headers={"operation": "é" * 1000}).operation == "é" * 127


@pytest.mark.parametrize("wrong", [-1, True, "5", 5.0, 2**63, None, {"a": 1}])
def test_a_wrong_hop_header_is_read_as_absent(wrong: object) -> None:
    job = sent(headers=dict.fromkeys(["received_ms", "deadline_ms", "attempt", "replays", "pixels"], wrong))
    assert (job.received_ms, job.deadline_ms, job.attempt, job.replays, job.pixels) == (NOW_MS, None, 0, 0, None)


def test_attempts_beyond_counting_are_read_as_none() -> None:
    assert sent(headers={"attempt": 2**31}).attempt == 2**31
    assert sent(headers={"attempt": 2**31 + 1}).attempt == 0


HOP = {
    "received_ms": 1,
    "deadline_ms": NOW_MS + 9,
    "attempt": 2,
    "placement": "p1",
    "replays": 1,
    "pixels": 5,
    "history": '[{"attempt": 1, "at_ms": 2, "reason": "lost"}]',
}


@pytest.mark.parametrize("key", ["sketch", "vm.vm1"])
def test_from_a_caller_hop_headers_are_read_as_absent_and_all_others_as_ever(key: str) -> None:
    own = {"user": "ada", "site": "local", "params": {"quality": 80}}
    message = Message(routing_key=key, headers={**HOP, **own, "operation": "caption"}, message_id="1", expiration="70")
    bare = Message(routing_key=key, headers=own, message_id="1", expiration="70")
    job = Job.from_message(message, NOW_MS, trusted=False)
    assert job == Job.from_message(bare, NOW_MS)
    assert (job.operation, job.received_ms, job.deadline_ms) == (key, NOW_MS, NOW_MS + 70)


def test_from_an_earlier_hop_its_headers_are_believed() -> None:
    job = sent(headers=HOP, expiration="70")
    assert (job.received_ms, job.deadline_ms, job.attempt, job.place, job.pixels) == (1, NOW_MS + 9, 2, "p1", 5)
    assert (job.replays, [told.reason for told in job.history]) == (1, ["lost"])


def test_how_often_an_operator_sent_it_again_is_told_at_every_hop() -> None:
    again = JOB.model_copy(update={"replays": 2}).to_message("vm.vm1", NOW_MS)
    assert Job.from_message(again, NOW_MS).replays == 2
    assert "replays" not in JOB.to_message("vm.vm1", NOW_MS).headers


@pytest.mark.parametrize(("priority", "interactive"), [(None, False), (0, False), (4, False), (5, True), (9, True)])
def test_someone_waits_for_a_job_of_priority_five_and_over(priority: int | None, interactive: bool) -> None:
    assert sent(priority=priority).interactive is interactive


def test_the_size_that_the_router_saw_is_known_at_every_hop() -> None:
    assert sent(headers={"pixels": 12_000_000}).pixels == 12_000_000
    assert "pixels" not in sent().to_message("vm.vm1", NOW_MS).headers


def test_a_job_is_counted_by_its_placement_else_by_its_id() -> None:
    assert (JOB.place, JOB.model_copy(update={"placement": "p1"}).place) == ("42", "p1")
    assert sent(headers={"placement": "x" * 65}).placement is None


# What came to nothing


def test_a_failed_attempt_is_told_at_the_next_hop() -> None:
    job = JOB.model_copy(update={"attempt": 2})
    failed = job.failed(at_ms=NOW_MS, reason="the child was killed", vm="vm1", problem="timed-out")
    told = Attempt(attempt=2, at_ms=NOW_MS, vm="vm1", problem="timed-out", reason="the child was killed")
    assert failed.history == (told,)
    assert job.history == ()
    assert Job.from_message(failed.to_message("vm.vm2", NOW_MS), NOW_MS).history == (told,)
    assert "history" not in job.to_message("vm.vm1", NOW_MS).headers


@pytest.mark.parametrize(
    ("expiration", "timestamp", "left_ms"),
    [
        (None, None, None),
        ("5000", None, 5000),
        ("soon", None, None),
        ("", None, None),
        ("5000", NOW_MS // 1000 - 3, 3000),  # sent three to two seconds ago: the caller is given the doubt
        ("5000", NOW_MS // 1000, 5000),
        ("5000", NOW_MS // 1000 - 60, 5000),  # a clock that is wrong by a minute
        ("5000", NOW_MS, 5000),  # a timestamp in milliseconds
    ],
)
def test_the_deadline_counts_from_when_the_caller_sent_it(
    expiration: str | None, timestamp: int | None, left_ms: int | None
) -> None:
    assert sent(expiration=expiration, timestamp=timestamp).left_ms(NOW_MS) == left_ms


def test_an_earlier_hops_deadline_holds() -> None:
    job = sent(headers={"deadline_ms": NOW_MS + 7}, expiration="5000")
    assert job.left_ms(NOW_MS) == 7
    assert job.left_ms(NOW_MS + 100) == 0


def test_each_hop_gives_the_message_what_is_left() -> None:
    job = sent(expiration="5000")
    assert job.to_message("vm.vm1", NOW_MS + 2000).expiration == "3000"
    assert job.to_message("vm.vm1", NOW_MS + 9000).expiration == "0"
    assert JOB.to_message("vm.vm1", NOW_MS).expiration is None


def test_a_far_deadline_stays_within_what_the_broker_takes() -> None:
    job = sent(headers={"deadline_ms": 2**60})
    assert job.deadline_ms == NOW_MS + LONGEST_EXPIRATION_MS
    assert job.to_message("vm.vm1", NOW_MS).expiration == str(2**32 - 1)
    assert sent(expiration="9" * 255).deadline_ms == NOW_MS + LONGEST_EXPIRATION_MS


# Round trips


def amqp_values() -> st.SearchStrategy[Any]:
    keys = st.text(max_size=9) | st.binary(max_size=3)
    scalars = (
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats()
        | st.text(max_size=300)
        | st.binary(max_size=300)
        | st.decimals(allow_nan=True)
        | st.datetimes(timezones=st.just(UTC))
    )
    return st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3))


def json_objects() -> st.SearchStrategy[dict[str, Any]]:
    scalars = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=20)
    )
    return st.dictionaries(st.text(max_size=9), scalars | st.lists(scalars, max_size=3), max_size=4)


def short(min_size: int = 0) -> st.SearchStrategy[str]:
    return st.text(min_size=min_size, max_size=60)


def queues() -> st.SearchStrategy[str]:
    return st.sampled_from(["answers", "amq.gen-Xa3", "amq.rabbitmq.reply-to.g1.2"])


ATTEMPTS = st.builds(
    Attempt,
    attempt=st.integers(0, 2**31),
    at_ms=st.integers(0, 2**53),
    vm=st.none() | st.text(max_size=63),
    problem=st.none() | st.text(max_size=30),
    reason=st.text(max_size=HISTORY_REASON),
)
_WITH_A_BODY = st.builds(
    Job,
    id=short(1),
    operation=st.sampled_from(["sketch", "remove-background", "caption"]),
    body=st.binary(max_size=50),
    correlation_id=st.none() | short() | st.binary(min_size=1, max_size=20).map(lambda tail: b"\xff" + tail),
    reply_to=st.none() | queues(),
    priority=st.integers(0, 9),
    content_type=st.none() | short(),
    user=st.text(min_size=1, max_size=128),
    params=json_objects(),
    site=st.sampled_from(["any", "local"]),
    traceparent=st.none() | st.text(max_size=128),
    received_ms=st.integers(0, 2**62 - 1),
    deadline_ms=st.none() | st.integers(0, 2**62 - 1),
    attempt=st.integers(0, 2**31),
    placement=st.none() | st.text(max_size=64),
    pixels=st.none() | st.integers(0, 2**62 - 1),
    history=st.lists(ATTEMPTS, max_size=HISTORY_KEPT).map(tuple),
)
JOBS = _WITH_A_BODY | _WITH_A_BODY.map(lambda job: job.model_copy(update={"body": b"", "claim": CLAIM}))


@given(JOBS, st.integers(0, 2**50))
def test_any_job_is_the_same_after_a_hop(job: Job, now_ms: int) -> None:
    message = job.to_message("vm.vm1", now_ms)
    if job.deadline_ms is not None:
        job = job.model_copy(update={"deadline_ms": min(job.deadline_ms, now_ms + 5 + LONGEST_EXPIRATION_MS)})
    assert Job.from_message(message, now_ms + 5) == job
    assert Job.from_message(job.to_message(job.operation, now_ms), now_ms + 5) == job


@given(JOBS)
def test_any_job_fits_the_frame_of_its_headers(job: Job) -> None:
    headers = job.to_message("vm.vm1", 0).headers
    assert sum(len(str(value).encode()) for value in headers.values()) < 32_768


PROPERTIES = ["message_id", "correlation_id", "reply_to", "content_type", "expiration", "routing_key"]
HEADERS = [
    *("user", "params", "site", "traceparent", "operation", "received_ms", "deadline_ms", "attempt", "other"),
    *("placement", "pixels", "history", "claim"),
]


@given(
    st.dictionaries(st.sampled_from(HEADERS), amqp_values(), max_size=12),
    # A client library hands over bytes where a short string is not UTF-8.
    st.dictionaries(st.sampled_from(PROPERTIES), short() | st.binary(max_size=255), max_size=6),
    st.none() | st.integers(0, 255),
    st.none() | st.integers(0, 2**64 - 1),
)
def test_garbage_is_a_job_or_bad_input_and_always_answered(
    headers: Mapping[str, Any], properties: dict[str, Any], priority: int | None, timestamp: int | None
) -> None:
    message = Message(headers=headers, priority=priority, timestamp=timestamp, **properties)
    try:
        job = Job.from_message(message, NOW_MS)
    except BadInput as error:
        answer = answers.unreadable(message, error.problem)
        assert answer is None or Answer.from_message(answer).problem is not None
    else:
        assert Job.from_message(job.to_message("vm.vm1", NOW_MS), NOW_MS).params == job.params


# Answers


def test_an_unknown_operation_is_told_which_there_are() -> None:
    problem = messages.operation_problem("blur", ("sketch", "caption"))
    assert problem.detail == "'blur' is not an operation; there are sketch, caption."
    assert (problem.slug, problem.field, problem.status) == ("unknown-operation", "routing_key", 404)


# Logs


def test_a_message_shows_no_picture_in_a_log() -> None:
    assert "JFIF" not in repr(JOB.model_copy(update={"body": b"JFIF"})) + repr(Message(body=b"JFIF"))
