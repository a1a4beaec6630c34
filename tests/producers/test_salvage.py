"""Transcripts of what is taken home: VMs and bridges come and go, and queues are begun and ended."""

from bus.events import BridgeStatus
from producers.cloud import Cloud
from producers.commands import Collect
from producers.salvage import STANDBY_S, TAKEOVER_S, Salvage
from producers.stranded import SWEEP_S
from telemetry.fleet import Fleet
from tests.telemetry.beats import beat

NONE: frozenset[str] = frozenset()


class Desk:
    """A fleet of one VM that serves sketches, a cloud, and one bridge unless told otherwise."""

    def __init__(self, bridges: int = 1) -> None:
        self.fleet = Fleet()
        self.cloud = Cloud()
        self.salvage = Salvage(self.fleet, self.cloud)
        self.fleet.heard(beat(1), 0.0)
        self.salvage.bridges(bridges, 0.0, waiting=0)

    def later(self, now: float, *, paused: frozenset[str] = NONE) -> list[Collect]:
        self.fleet.tick(now)
        return self.salvage.plan(paused, now)


def test_what_the_fleet_serves_is_news_until_it_is_planned() -> None:
    desk = Desk()
    assert desk.salvage.is_news
    assert Collect("parked.sketch") in desk.later(0.1)
    assert not desk.salvage.is_news
    desk.fleet.heard(beat(2, operations=("sketch", "caption")), 0.2)
    assert desk.salvage.is_news


def test_a_lost_vms_queue_is_emptied_until_it_is_back() -> None:
    desk = Desk()
    desk.later(0.1)
    assert Collect("vm.vm1") in desk.later(4.0)
    desk.fleet.heard(beat(2), 5.0)
    assert desk.salvage.is_news
    assert Collect("vm.vm1", stop=True) in desk.later(5.0)


def test_what_is_paused_stays_parked() -> None:
    desk = Desk(bridges=0)
    assert desk.later(0.1, paused=frozenset({"sketch"})) == []
    assert desk.salvage.served == NONE
    assert desk.later(0.2) == [Collect("parked.sketch")]
    assert desk.salvage.served == {"sketch"}


def test_what_the_cloud_serves_is_looked_through_for_a_while() -> None:
    desk = Desk()
    assert Collect("parked.caption") in desk.later(0.1)
    desk.salvage.bridges(1, SWEEP_S, waiting=0)
    assert Collect("parked.caption", stop=True) in desk.later(SWEEP_S + 0.2)


def test_without_a_bridge_the_overflow_is_taken_home_after_some_seconds() -> None:
    desk = Desk(bridges=0)
    assert Collect("overflow") not in desk.later(TAKEOVER_S - 0.1)
    desk.salvage.bridges(0, TAKEOVER_S - 0.1, waiting=0)  # still none, since the same moment
    assert Collect("overflow") in desk.later(TAKEOVER_S)
    desk.salvage.bridges(1, TAKEOVER_S + 1, waiting=0)  # the one that consumes is ourselves
    assert Collect("overflow", stop=True) not in desk.later(TAKEOVER_S + 1)
    desk.salvage.bridges(2, TAKEOVER_S + 2, waiting=0)
    assert Collect("overflow", stop=True) in desk.later(TAKEOVER_S + 2)


def test_a_bridge_that_stands_by_is_given_time_to_take_over() -> None:
    desk = Desk(bridges=0)
    standing_by = BridgeStatus(bridge="b1", state="ready", at_ms=0, active=False)
    desk.cloud.heard(standing_by, STANDBY_S - 1)
    assert Collect("overflow") not in desk.later(STANDBY_S - 0.1)
    assert Collect("overflow") in desk.later(STANDBY_S)


def test_a_queue_that_was_not_there_is_asked_for_again() -> None:
    desk = Desk()
    desk.later(4.0)
    desk.salvage.missing("vm.vm1")
    assert desk.later(4.1) == [Collect("vm.vm1")]
