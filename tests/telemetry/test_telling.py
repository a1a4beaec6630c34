import asyncio
from collections.abc import Iterator

import pytest

from bus.events import JobEvent, read_event
from bus.rabbit import Bus, Delivery
from bus.settings import Settings
from bus.topology import EVENTS, shared
from telemetry import metrics
from telemetry.logs import bound, plain_lines
from telemetry.telling import tell
from tests.telemetry.metrics.pages import served_page, values
from tests.tracing import PARENT, TRACE

DONE = JobEvent(state="done", job="a", operation="sketch", at_ms=0, route="vm", vm="vm1")
UNREACHABLE = Bus("amqp://127.0.0.1:1/", name="test", topology=shared())
COUNTED = 'overspill_jobs_total{operation="sketch",place="vm",state="done"}'


@pytest.fixture(autouse=True)
def counted() -> Iterator[None]:
    metrics.serve(Settings(metrics_port=0), "vm")
    yield
    metrics.stop()


@pytest.mark.broker
async def test_an_event_goes_to_whoever_listens_and_into_the_metrics(amqp_url: str) -> None:
    heard: asyncio.Future[Delivery] = asyncio.get_running_loop().create_future()
    async with Bus(amqp_url, name="test", topology=shared()) as bus:
        await bus.listen([(EVENTS, "job.done.*")], heard.set_result)
        assert tell(bus, DONE)
        assert read_event((await heard).message.body) == DONE
    assert values(served_page())[COUNTED] == 1


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines of `telling`, as people see them but without the time."""
    lines = plain_lines()
    return [lines.format(record)[9:] for record in caplog.records if record.name == "telemetry.telling"]


def test_each_job_that_ends_leaves_a_line_that_tells_how(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    ended = DONE.model_copy(
        update={"user": "anna", "attempt": 1, "waited_ms": 12, "ran_ms": 310, "traceparent": PARENT}
    )
    refused = JobEvent(state="failed", job="b", operation="knit", at_ms=0, problem="unknown-operation", reason="No.")
    with bound(job="a b c", trace=None):  # those that ran together
        for event in (DONE.model_copy(update={"state": "running"}), ended, refused):
            tell(UNREACHABLE, event)
    assert said(caplog) == [
        f"INFO    sketch done  job=a  user=anna  route=vm  vm=vm1  attempt=1  waited_ms=12  ran_ms=310  trace={TRACE}",
        "INFO    knit failed  job=b  user=anonymous  problem=unknown-operation  reason=No.",
    ]


def test_who_looks_closely_sees_every_step_but_the_repeated_waiting(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    for state in ("waiting", "routed", "running", "retried", "parked", "sent", "replayed", "unanswerable"):
        tell(UNREACHABLE, DONE.model_copy(update={"state": state}))
    assert [line.split("  job=")[0] for line in said(caplog)] == [
        "DEBUG   sketch routed",
        "DEBUG   sketch running",
        "DEBUG   sketch retried",
        "DEBUG   sketch parked",
        "DEBUG   sketch sent",
        "DEBUG   sketch replayed",
        "INFO    sketch unanswerable",
    ]


def test_it_is_counted_though_there_is_no_way_to_the_broker() -> None:
    assert not tell(UNREACHABLE, DONE)
    assert values(served_page())[COUNTED] == 1
