"""What is heard on the bus becomes what can be looked at."""

from bus.events import BridgeStatus, Heartbeat, JobEvent, RouterStatus
from telemetry.fleet import Fleet
from ui.fleet.heard import Heard

BEAT = Heartbeat(
    vm="vm1", session="s", started_ms=0, seq=1, at_ms=0, cpu_percent=1, ram_percent=1, cores=1, slots=1, worker="ready"
)
ROUTER = RouterStatus(router="router a 1", at_ms=0, routed=7)
STANDBY = RouterStatus(router="router b 2", at_ms=0, routed=0, active=False)
BRIDGE = BridgeStatus(bridge="bridge a 1", state="full", at_ms=0)


def test_a_look_holds_all_that_was_said_the_last_word_first() -> None:
    heard = Heard(Fleet())
    assert [change.state for change in heard.hear(BEAT, 10.0)] == ["joined", "ready"]
    for event in (ROUTER, STANDBY, BRIDGE, JobEvent(state="done", job="j", operation="sketch", at_ms=0)):
        assert heard.hear(event, 10.1) == []
    heard.hear(STANDBY, 10.2)
    look = heard.look({"dead": 1}, 10.5)
    assert [vm.name for vm in look.vms] == ["vm1"]
    assert look.routers == [STANDBY, ROUTER]
    assert (look.active, look.bridge, look.depths) == (ROUTER, BRIDGE, {"dead": 1})


def test_who_falls_silent_is_lost_or_forgotten() -> None:
    heard = Heard(Fleet())
    for event in (BEAT, ROUTER, BRIDGE):
        heard.hear(event, 10.0)
    look = heard.look({}, 14.1)
    assert [vm.state for vm in look.vms] == ["lost"]
    assert (look.active, look.bridge) == (None, None)
    assert [*heard.routers, *heard.bridges] == []


def test_the_routers_word_on_a_vm_counts() -> None:
    heard = Heard(Fleet())
    heard.hear(BEAT, 10.0)
    heard.hear(ROUTER.model_copy(update={"drained": ("vm1",)}), 10.0)
    assert [(vm.state, vm.drained) for vm in heard.look({}, 10.1).vms] == [("draining", True)]
