"""Transcripts of a flood: anybody may beat under any name, and only so many are known at a time."""

import pytest

from producers.commands import Collect, Command
from tests.producers.desk import Desk, the, where

END = Collect("vm.vm1", stop=True)


@pytest.fixture(autouse=True)
def _three_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telemetry.fleet.MOST_VMS", 3)


def flood(desk: Desk, beats: int) -> list[Command]:
    """Beats of as many VMs as have never been heard of, and what comes of them."""
    return [command for _ in range(beats) for command in desk.beat(f"forged{desk.seq}", slots=0)]


def test_a_vm_more_than_are_known_gets_no_job() -> None:
    desk = Desk()
    flood(desk, 3)
    assert desk.beat("vm1") == []
    assert desk.job() == []


def test_a_lost_vms_queue_is_emptied_whoever_joins_meanwhile() -> None:
    desk = Desk("vm1")
    job = the(desk.job()).held.job
    assert Collect("vm.vm1") in desk.later(4)
    assert END not in [command for _ in range(10) for command in [*flood(desk, 5), *desk.later(4)]]
    headers = {"operation": "sketch", "attempt": 1, "placement": job.placement}
    assert where(desk.job("vm.vm1", routing_key="vm.vm1", message_id=job.id, headers=headers)) == [("j1", "sketch")]
    assert END in flood(desk, 5)
