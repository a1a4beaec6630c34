"""The spans of a job: what each is called, where it hangs, and what it tells."""

from opentelemetry.trace import SpanKind

from bus.answers import Answer
from bus.messages import Job, Message
from telemetry import hops
from tests.tracing import CALLER, PARENT, TRACE, recorded

JOB = Job(
    id="j1",
    operation="sketch",
    body=b"x",
    user="anna",
    attempt=2,
    placement="p1",
    received_ms=1_000,
    traceparent=PARENT,
)
MESSAGE = Message(b"picture", "sketch", {"user": "anna", "traceparent": PARENT}, message_id="j1")
OF_THE_JOB = {
    "messaging.message.id": "j1",
    "overspill.job": "j1",
    "overspill.operation": "sketch",
    "overspill.user": "anna",
    "overspill.attempt": 2,
    "overspill.placement": "p1",
}
RABBITMQ = {"messaging.system": "rabbitmq"}


def test_every_hop_hangs_under_what_came_and_tells_of_its_job() -> None:
    with recorded() as seen:
        hops.submit(MESSAGE, 1_000).end()
        hops.route(JOB, "vm.vm1", 1_000).end()
        hops.run(JOB, "vm1", hops.RABBITMQ, waited_ms=5).end()
        hops.overflow(JOB).end()
        hops.answer(JOB).end()
        hops.receive(Answer.to(JOB, content_type="image/png", body=b"result", route="vm", vm="vm1")).end()
    assert seen.names == ["submit", "route", "run sketch", "overflow", "answer", "receive"]
    for name in seen.names:
        assert (seen.trace(name), seen.parent(name)) == (TRACE, CALLER)
        assert seen.told(name)["overspill.job"] == "j1"
    assert seen.told("route") == {
        **OF_THE_JOB,
        **RABBITMQ,
        "messaging.operation.type": "send",
        "messaging.destination.name": "vms",
        "messaging.rabbitmq.destination.routing_key": "vm.vm1",
    }
    ran = {"messaging.operation.type": "process", "overspill.route": "vm", "overspill.vm": "vm1"}
    assert seen.told("run sketch") == {**OF_THE_JOB, **RABBITMQ, **ran, "overspill.waited_ms": 5}
    assert seen.told("overflow") == {**OF_THE_JOB, "overspill.route": "cloud"}
    assert seen.told("submit")["messaging.message.body.size"] == 7
    assert seen.told("receive")["overspill.vm"] == "vm1"
    kinds = {SpanKind.PRODUCER: ("submit", "route", "overflow", "answer"), SpanKind.CONSUMER: ("run sketch", "receive")}
    for kind, names in kinds.items():
        assert {seen.spans[name].kind for name in names} == {kind}


def test_a_span_begins_when_its_work_did() -> None:
    with recorded() as seen:
        hops.submit(MESSAGE, 5_000).end()
        hops.route(JOB, "cloud", 6_000).end()
        hops.refuse(JOB, MESSAGE, "expired").end()
    assert seen.spans["submit"].start_time == 5_000_000_000
    assert seen.spans["route"].start_time == 1_000_000_000  # of the refusal: when it was taken up


def test_what_brings_a_job_to_a_service_is_told_where_there_is_a_word_for_it() -> None:
    with recorded() as seen:
        hops.run(JOB, "cloud-1", hops.PUBSUB).end()
        assert (seen.told("run sketch")["messaging.system"], seen.told("run sketch")["overspill.route"]) == (
            "gcp_pubsub",
            "cloud",
        )
        hops.run(JOB, "cloud-1", None).end()
        assert "messaging.system" not in seen.told("run sketch")
        hops.answer(JOB, system=hops.PUBSUB).end()
        assert seen.told("answer")["messaging.system"] == "gcp_pubsub"


def test_a_refusal_is_an_error_even_of_what_is_no_job() -> None:
    with recorded() as seen:
        hops.refuse(None, MESSAGE, "bad-field").end()
        assert (seen.error("route"), seen.parent("route")) == ("bad-field", CALLER)
        assert seen.told("route")["error.type"] == "bad-field"
        hops.refuse(None, Message(b"", "sketch", {"traceparent": 7}), "bad-field").end()
        assert seen.parent("route") is None


def test_an_answer_hangs_where_the_cloud_says_it_was_last() -> None:
    with recorded() as seen:
        hops.answer(JOB, f"00-{TRACE}-{'1' * 16}-01").end()
    assert seen.parent("answer") == "1" * 16
