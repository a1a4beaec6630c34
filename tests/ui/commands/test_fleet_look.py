"""Listening to the fleet, on a real broker."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from bus.events import BridgeStatus, Heartbeat, RouterStatus, event_message
from bus.messages import Message
from bus.rabbit import Bus
from bus.settings import Settings
from bus.topology import EVENTS, HEARTBEATS, shared
from ui.commands.fleet_look import looks, page_seen, show_lines, show_table
from ui.fleet.look import PageSeen
from ui.stack import state

pytestmark = pytest.mark.broker
STANDBY = RouterStatus(router="router b 2", at_ms=0, routed=0, active=False)
BEAT = Heartbeat(vm="vm1", session="s", started_ms=0, seq=1, at_ms=0, cpu_percent=1, ram_percent=1, cores=1, slots=1)
STATUS = RouterStatus(router="router a 1", at_ms=0, routed=7, quarantined={"vm1": "its worker is stuck"})
BRIDGE = BridgeStatus(bridge="bridge a 1", state="full", at_ms=0, in_flight=3)


async def tell_everything(url: str) -> None:
    """Say on the bus, over and over, what a fleet would, and some garbage between."""
    async with Bus(url, name="teller", topology=shared()) as bus:
        for seq in range(10_000):
            bus.post(HEARTBEATS, event_message(BEAT.model_copy(update={"seq": seq}), "vm.heartbeat.vm1"))
            bus.post(HEARTBEATS, Message(b"garbage", "vm.heartbeat.vm1"))
            bus.post(EVENTS, event_message(STATUS, STATUS.key))
            bus.post(EVENTS, event_message(STANDBY, STANDBY.key))
            bus.post(EVENTS, event_message(BRIDGE, BRIDGE.key))
            await asyncio.sleep(0.05)


async def test_a_look_holds_all_that_is_said(amqp_url: str) -> None:
    telling = asyncio.create_task(tell_everything(amqp_url))
    seen = looks(Settings(beat_interval_s=0.2), amqp_url)
    first, second = await anext(seen), await anext(seen)
    await seen.aclose()
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)
    assert [vm.name for vm in first.vms] == ["vm1"]
    assert [vm.state for vm in second.vms] == ["quarantined"]
    assert sorted(router.router for router in second.routers) == ["router a 1", "router b 2"]
    assert second.active == STATUS
    assert second.bridges == [BRIDGE]
    assert first.depths["vm.vm1"] is None
    assert first.depths["lane.00"] == 0


def test_the_page_seen_is_that_of_the_stack_on_this_broker(tmp_path: Path) -> None:
    chosen = Settings(state_dir=tmp_path)
    assert page_seen(chosen, "amqp://stack") is None

    told = {"AMQP_URL": "amqp://stack", "PAGE_URL": "http://127.0.0.1:1"}
    state.write(tmp_path, replace(state.ours(), environ=told))

    assert page_seen(chosen, "amqp://stack") == PageSeen("http://127.0.0.1:1", ready=False)
    assert page_seen(chosen, "amqp://another") is None


@pytest.mark.parametrize("watch", [False, True])
async def test_lines_for_programs(amqp_url: str, capsys: pytest.CaptureFixture[str], *, watch: bool) -> None:
    chosen = Settings(beat_interval_s=0.1)
    showing = asyncio.create_task(show_lines(chosen, amqp_url, watch=watch))
    lines: list[str] = []
    while len(lines) < 1 + watch:
        await asyncio.sleep(0.1)
        lines += capsys.readouterr().out.splitlines()
    if not watch:
        await showing
    showing.cancel()
    await asyncio.gather(showing, return_exceptions=True)
    assert all(json.loads(line)["vms"] == [] for line in lines)


@pytest.mark.parametrize("watch", [False, True])
async def test_a_table_for_people(
    amqp_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *, watch: bool
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # what is watched is drawn as it changes on a terminal alone
    monkeypatch.setenv("TERM", "xterm")
    showing = asyncio.create_task(show_table(Settings(beat_interval_s=0.1), amqp_url, watch=watch))
    if not watch:
        await showing
    said = ""
    while "No router is heard" not in said:
        said += capsys.readouterr().out
        await asyncio.sleep(0.1)
    showing.cancel()
    await asyncio.gather(showing, return_exceptions=True)
