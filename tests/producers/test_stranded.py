"""Queues that nobody serves, and when somebody does again."""

from typing import Any

from bus.events import Heartbeat
from producers.commands import Collect
from producers.stranded import Stranded
from telemetry.fleet import Fleet

NOBODY: frozenset[str] = frozenset()


def beat(vm: str, seq: int = 1, **changes: Any) -> Heartbeat:
    figures: dict[str, Any] = {
        "cpu_percent": 5,
        "ram_percent": 5,
        "cores": 1,
        "slots": 1,
        "operations": ("sketch",),
        "worker": "ready",
    }
    return Heartbeat(**{"vm": vm, "session": "s", "started_ms": 1, "seq": seq, "at_ms": 1, **figures, **changes})


def fleet(*vms: str) -> Fleet:
    heard = Fleet()
    for vm in vms:
        heard.heard(beat(vm), 100)
    return heard


def test_what_was_parked_is_taken_once_a_vm_serves_it() -> None:
    stranded = Stranded()
    assert list(stranded.plan(fleet(), NOBODY, overflow=False)) == []
    assert list(stranded.plan(fleet("vm1"), NOBODY, overflow=False)) == [Collect("parked.sketch")]


def test_a_lost_vm_is_emptied_until_it_is_back() -> None:
    stranded, heard = Stranded(), fleet("vm1")
    list(stranded.plan(heard, NOBODY, overflow=False))
    heard.tick(200)
    lost = list(stranded.plan(heard, NOBODY, overflow=False))
    assert lost == [Collect("vm.vm1"), Collect("parked.sketch", stop=True)]
    assert stranded.collects("vm.vm1")
    heard.heard(beat("vm1", 2), 201)
    assert Collect("vm.vm1", stop=True) in list(stranded.plan(heard, NOBODY, overflow=False))


def test_nothing_changed_is_nothing_to_do() -> None:
    stranded, heard = Stranded(), fleet("vm1")
    assert list(stranded.plan(heard, NOBODY, overflow=False))
    assert list(stranded.plan(heard, NOBODY, overflow=False)) == []


def test_a_paused_operation_stays_parked() -> None:
    stranded, heard = Stranded(), fleet("vm1")
    assert list(stranded.plan(heard, frozenset({"sketch"}), overflow=False)) == []


def test_the_overflow_is_taken_back_while_no_bridge_is_alive() -> None:
    stranded, heard = Stranded(), fleet()
    assert list(stranded.plan(heard, NOBODY, overflow=True)) == [Collect("overflow")]
    assert list(stranded.plan(heard, NOBODY, overflow=False)) == [Collect("overflow", stop=True)]


def test_a_queue_that_was_not_there_is_asked_for_again() -> None:
    stranded, heard = Stranded(), fleet()
    list(stranded.plan(heard, NOBODY, overflow=True))
    stranded.missing("overflow")
    assert list(stranded.plan(heard, NOBODY, overflow=True)) == [Collect("overflow")]
