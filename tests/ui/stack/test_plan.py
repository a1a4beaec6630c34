import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.events import BridgeStatus, Heartbeat, RouterStatus, VmEvent
from ui.stack import plan
from ui.stack.cloud import BRIDGE, SERVICE, Parts
from ui.stack.page import PAGE, Page
from ui.stack.plan import Readiness

ROUTER = RouterStatus(router="r", at_ms=0, routed=0)
BRIDGED = BridgeStatus(bridge="b", state="ready", at_ms=0)
ADDRESSES = {"AMQP_URL": "amqp://b", "PUBSUB_EMULATOR_HOST": "e:1"}


def beat(vm: str, worker: str = "ready") -> Heartbeat:
    return Heartbeat.model_validate(
        {
            "vm": vm,
            "session": "s",
            "started_ms": 0,
            "seq": 1,
            "at_ms": 0,
            "cpu_percent": 1,
            "ram_percent": 1,
            "cores": 1,
            "slots": 1,
            "worker": worker,
        }
    )


def test_a_stack_is_a_router_and_two_vms_on_one_broker() -> None:
    router, vm1, vm2 = plan.programs(["overspill"], ADDRESSES, 8, Parts(), 4000)

    assert router.command == ("overspill", "router")
    assert vm1.command == ("overspill", "vm", "--name", "vm1", "--slots", "4")
    assert vm2.command == ("overspill", "vm", "--name", "vm2", "--slots", "4")
    assert all(program.environ.items() >= ADDRESSES.items() for program in (router, vm1, vm2))


def test_its_cloud_is_a_service_of_one_slot_and_a_bridge() -> None:
    *_, service, bridge = plan.programs(["overspill"], ADDRESSES, 8, Parts(service=True, bridge=True), 4000)

    assert service.command == ("overspill", "cloud-service")
    assert service.environ.items() >= {*ADDRESSES.items(), ("PORT", "4000"), ("OVERSPILL_SLOTS", "1")}
    assert bridge.command == ("overspill", "bridge")
    assert bridge.environ.items() >= ADDRESSES.items()
    assert "PORT" not in bridge.environ


def test_its_page_is_told_its_port_and_who_may_use_it() -> None:
    at = "http://127.0.0.1:8600"
    *_, page = plan.programs(["overspill"], ADDRESSES, 8, Parts(), 4000, Page(8600, at, at, "open"))

    assert (page.name, page.command) == (PAGE, ("overspill", "page"))
    assert page.environ.items() >= {
        *ADDRESSES.items(),
        ("OVERSPILL_PAGE_PORT", "8600"),
        ("OVERSPILL_PAGE_LOGIN", "open"),
    }


@pytest.mark.parametrize(("cores", "slots"), [(1, "1"), (2, "1"), (3, "1"), (4, "2"), (16, "8")])
def test_the_vms_share_the_processors_and_have_a_slot_at_least(cores: int, slots: str) -> None:
    assert {program.command[-1] for program in plan.programs([], {}, cores, Parts(), 0)[1:]} == {slots}


def test_restarts_back_off_up_to_a_cap() -> None:
    assert [plan.restart_delay_s(failures) for failures in range(1, 8)] == [0.5, 1, 2, 4, 8, 15, 15]


@given(st.integers(min_value=1, max_value=10_000))
def test_a_restart_never_waits_less_than_the_one_before(failures: int) -> None:
    assert 0 < plan.restart_delay_s(failures) <= plan.restart_delay_s(failures + 1) <= 15


def test_a_long_run_makes_good_for_earlier_failures() -> None:
    assert plan.failures_after(5, ran_s=1) == 6
    assert plan.failures_after(5, ran_s=60) == 1


def test_an_end_is_told_in_words() -> None:
    assert plan.ended(-9) == "killed"
    assert plan.ended(-6) == "ended by signal 6"
    assert plan.ended(3) == "ended with status 3"


def test_everything_is_ready_when_the_router_and_both_vms_have_said_so() -> None:
    readiness = Readiness()

    assert readiness.note(beat("vm1", "starting")) is None
    assert readiness.note(beat("vm1")) == "vm1"
    assert readiness.note(beat("vm1")) is None
    assert readiness.note(beat("another")) is None
    assert readiness.note(VmEvent(state="ready", vm="vm2", at_ms=0)) is None
    assert readiness.note(ROUTER.model_copy(update={"active": False})) is None
    assert readiness.note(ROUTER) == "router"
    assert not readiness.works
    assert readiness.note(beat("vm2")) == "vm2"
    assert readiness.works
    assert readiness.complete


def test_jobs_are_answered_before_the_cloud_is_ready() -> None:
    readiness = Readiness(frozenset({BRIDGE, SERVICE}))
    for event in (ROUTER, beat("vm1"), beat("vm2")):
        readiness.note(event)

    assert (readiness.works, readiness.complete) == (True, False)
    assert readiness.note(BRIDGED.model_copy(update={"active": False})) is None
    assert readiness.note(BRIDGED.model_copy(update={"state": "draining"})) is None
    assert readiness.note(BRIDGED) == BRIDGE
    assert readiness.ready(SERVICE) == SERVICE
    assert readiness.ready(SERVICE) is None
    assert readiness.complete


@pytest.mark.parametrize("state", ["ready", "full", "broken"])
def test_a_bridge_that_holds_jobs_back_is_ready_all_the_same(state: str) -> None:
    readiness = Readiness(frozenset({BRIDGE}))

    assert readiness.note(BRIDGED.model_copy(update={"state": state})) == BRIDGE


def test_a_log_line_names_its_program_in_a_column() -> None:
    assert plan.log_line("vm1", "hello", None) == "vm1    | hello"
    assert plan.log_line("vm1", "hello", 32) == "\x1b[32mvm1    |\x1b[0m hello"


def test_a_json_line_is_what_a_program_told_with_its_name_or_its_words_as_an_object() -> None:
    told = plan.json_line("vm1", '{"message": "hello", "job": "7f3a"}', "now")
    assert json.loads(told) == {"message": "hello", "job": "7f3a", "process": "vm1"}
    for words in ("hello", "7", '{"cut'):
        assert json.loads(plan.json_line("broker", words, "now")) == {
            "time": "now", "severity": "INFO", "message": words, "program": "broker", "process": "broker",
        }  # fmt: skip


def test_the_welcome_says_what_to_try_and_whose_broker_it_is() -> None:
    ours = "\n".join(plan.welcome(Path("stack.log"), started_broker=True, amqp_url="amqp://b", others=["cloud x"]))
    theirs = "\n".join(plan.welcome(Path("stack.log"), started_broker=False, amqp_url="amqp://b"))

    assert "overspill submit photo.jpg -o sketch" in ours
    assert "amqp://b" in ours
    assert "cloud x" in ours
    assert "yours" not in ours
    assert "yours" in theirs
