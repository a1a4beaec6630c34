"""Transcripts of who is heard: VMs speak, or don't, and time passes."""

from collections import deque

import pytest

from telemetry.attendance import TAKEN_HOME_S, Attendance
from telemetry.health import Progress
from telemetry.ledger import Ledger
from telemetry.vm_view import Vm
from tests.telemetry.beats import beat


def vm(name: str = "vm1") -> Vm:
    first = beat(1, vm=name)
    return Vm(first, 0.0, 0.0, ledger=Ledger(2, 2.0), readings=deque([10.0], maxlen=5), progress=Progress(0, 0.0))


def attended(*vms: Vm) -> Attendance:
    """VMs heard a second apart, from second 0 on, of which each counts as lost after three."""
    attendance = Attendance(3.0)
    for second, each in enumerate(vms):
        attendance.heard(each, float(second))
    return attendance


def test_the_longest_unheard_falls_silent_first() -> None:
    one, two = vm("vm1"), vm("vm2")
    attendance = attended(one, two)
    assert attendance.silent(3.0) is None
    assert attendance.silent(3.1) is one
    attendance.lose(one, "not heard from")
    assert (one.lost, attendance.is_present("vm1"), attendance.silent(3.1)) == ("not heard from", False, None)
    assert attendance.silent(4.1) is two


def test_who_is_heard_goes_to_the_end() -> None:
    one, two = vm("vm1"), vm("vm2")
    attendance = attended(one, two)
    attendance.heard(one, 2.0)
    assert (attendance.silent(4.0), attendance.silent(4.5)) == (None, two)


@pytest.mark.parametrize("asked_before", [True, False])
def test_to_ask_often_changes_nothing(asked_before: bool) -> None:
    one = vm()
    attendance = attended(one)
    if asked_before:
        assert [attendance.silent(tenth / 10) for tenth in range(31)] == [None] * 31
    assert attendance.silent(3.0 + 1e-9) is one


def test_nobody_there_is_nobody_silent() -> None:
    assert Attendance(3.0).silent(100.0) is None
    assert Attendance(3.0).longest_lost() is None


def test_who_is_lost_comes_back() -> None:
    one, two = vm("vm1"), vm("vm2")
    attendance = attended(one, two)
    attendance.lose(one, "no queue")
    attendance.lose(two, "no queue")
    assert attendance.longest_lost() is one
    attendance.heard(one, 5.0)
    assert (one.lost, one.heard_at, attendance.is_present("vm1")) == (None, 5.0, True)
    assert attendance.longest_lost() is two
    attendance.forget("vm2")
    assert attendance.longest_lost() is None


def test_while_the_listener_is_deaf_nobody_falls_silent_nor_soon_after() -> None:
    one = vm()
    attendance = attended(one)
    attendance.deaf()
    assert attendance.silent(1000.0) is None
    attendance.hears(1000.0)
    assert (attendance.silent(1003.0), attendance.silent(1003.1)) == (None, one)
    attendance.hears(2000.0)  # it heard already
    assert attendance.is_silent(one, 1003.1)


def test_the_one_to_spare_is_lost_and_holds_nothing() -> None:
    one, two = vm("vm1"), vm("vm2")
    attendance = attended(one, two)
    assert attendance.spare(1.0) is None
    attendance.lose(one, "no queue")
    attendance.lose(two, "no queue")
    assert attendance.spare(1.0) is None
    attendance.emptied(two)
    assert attendance.spare(1.0) is two
    attendance.heard(two, 2.0)
    assert attendance.spare(2.0) is None
    assert attendance.spare(TAKEN_HOME_S + 0.1) is one
