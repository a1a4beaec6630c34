"""How a recording on a real broker ends; `tests/ui/commands/test_record.py` has what comes of it."""

import asyncio
from pathlib import Path

import pytest

from bus.clock import now_ms
from bus.errors import SetupError
from ui.record import taking
from ui.record.span import Span
from ui.record.taking import take
from ui.record.tape import Tape


@pytest.fixture
def tape(tmp_path: Path) -> Tape:
    return Tape(lambda: (tmp_path / "day.jsonl").open("xb"), Span(0, None, from_now=True), compressed=False)


def nothing() -> None: ...


@pytest.mark.broker
async def test_a_fault_while_it_goes_on_is_told(amqp_url: str, tape: Tape) -> None:
    def fails() -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        await take(amqp_url, Span(0, None, from_now=True), tape, asyncio.Event(), fails)


@pytest.mark.broker
async def test_it_ends_when_it_is_stopped(amqp_url: str, tape: Tape) -> None:
    stop = asyncio.Event()
    await take(amqp_url, Span(0, None, from_now=True), tape, stop, stop.set)
    assert tape.heard == 0


async def test_without_a_broker_it_does_not_begin(tape: Tape, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking, "CONNECT_WITHIN_S", 0.1)
    with pytest.raises(SetupError, match="No broker answers"):
        await take("amqp://127.0.0.1:1", Span(0, now_ms(), from_now=False), tape, asyncio.Event(), nothing)
