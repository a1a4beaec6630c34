"""The examples of the documents: one of each event, readable, and the very ones that docs/telemetry.md shows."""

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from bus.event_examples import EXAMPLES
from bus.events import RECEIPT_BYTES, AnyEvent, JobEvent, event_message, read_event

PAGE = Path(__file__).parents[2] / "docs" / "telemetry.md"


def test_there_is_one_of_each_event() -> None:
    assert [type(event) for event in EXAMPLES.values()] == list(get_args(AnyEvent))


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_can_be_read_as_it_is_told(name: str) -> None:
    assert read_event(event_message(EXAMPLES[name], "key").body) == EXAMPLES[name]


def test_no_queue_that_somebody_forgot_keeps_an_event_for_longer_than_a_minute() -> None:
    assert {event_message(event, "key").expiration for event in EXAMPLES.values()} == {"60000"}


def test_a_receipt_is_no_longer_than_it_may_be() -> None:
    routed = EXAMPLES["jobEvent"]
    assert isinstance(routed, JobEvent)
    assert len(event_message(routed, routed.key).body) <= RECEIPT_BYTES


def test_the_page_shows_them_and_nothing_else() -> None:
    blocks = re.findall(r"^```json\n(.*?)^```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    shown = [read_event(block.encode()) for block in blocks]
    assert shown == list(EXAMPLES.values())
    # Members that the page leaves out have their defaults; none is there that an event doesn't have.
    for block, event in zip(blocks, EXAMPLES.values(), strict=True):
        assert json.loads(block).keys() <= event.model_dump().keys()
