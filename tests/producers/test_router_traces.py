"""What a router's spans and log lines tell of a job."""

import pytest

from tests.bus.rabbit.foreign import eventually
from tests.loglines import logged
from tests.producers.test_router import LIMIT, Site, site
from tests.tracing import CALLER, PARENT, TRACE, recorded

pytestmark = pytest.mark.broker
__all__ = ["site"]


async def test_a_placed_job_goes_on_under_the_router_s_span(site: Site) -> None:
    with recorded() as seen:
        await site.vm()
        site.job(headers={"user": "anna", "traceparent": PARENT})
        placed = await site.placed()
        assert (await site.told("routed")).traceparent == placed.headers["traceparent"]
    assert (seen.names, seen.parent("route"), seen.error("route")) == (["route"], CALLER, None)
    assert placed.headers["traceparent"] == f"00-{TRACE}-{seen.id('route')}-01"
    assert seen.told("route")["messaging.rabbitmq.destination.routing_key"] == "vm.vm1"
    took_ms = (seen.spans["route"].end_time or 0) - (seen.spans["route"].start_time or 0)
    assert took_ms >= 0


async def test_without_a_collector_a_job_goes_on_under_what_came(site: Site) -> None:
    await site.vm()
    site.job(headers={"user": "anna", "traceparent": PARENT})
    assert (await site.placed()).headers["traceparent"] == PARENT
    site.beat()
    site.job(message_id="j2", headers={"user": "anna", "traceparent": "garbage"})
    assert "traceparent" not in (await site.placed()).headers
    site.job(message_id="j3", priority=200, headers={"traceparent": "garbage"})
    assert "traceparent" not in (await site.foreign.get(site.replies)).headers


async def test_a_refusal_is_a_span_with_an_error_and_its_answer_hangs_under_it(site: Site) -> None:
    with recorded() as seen:
        site.job(body=b"x" * (LIMIT + 1), headers={"user": "anna", "traceparent": PARENT})
        answer = await site.foreign.get(site.replies)
        await site.told("failed")
        site.job(priority=200, headers={"traceparent": PARENT})
        unread = await site.foreign.get(site.replies)
        await site.told("failed")
    assert seen.names == ["route", "route"]
    assert (seen.error("route"), seen.parent("route")) == ("bad-field", CALLER)
    assert unread.headers["traceparent"] == f"00-{TRACE}-{seen.id('route')}-01"
    assert answer.headers["traceparent"].startswith(f"00-{TRACE}-")
    assert answer.headers["traceparent"] != PARENT


async def test_its_lines_about_a_job_tell_the_job_and_the_trace(site: Site) -> None:
    with logged("producers") as lines:
        site.job(reply_to=None, body=b"", headers={"user": "anna", "traceparent": PARENT})
        await site.told("unanswerable")
        site.beat("vm2")  # which has no queue
        site.job(message_id="j2", headers={"user": "anna", "traceparent": PARENT})
        await eventually(lambda: len(lines.all) == 2)
    buried, again = lines.about("goes to the dead queue"), lines.about("trying again")
    assert (buried["job"], buried["trace"]) == ("j1", TRACE)
    assert (again["job"], again["trace"]) == ("j2", TRACE)
