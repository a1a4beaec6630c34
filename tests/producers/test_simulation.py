"""The world around the router's mind: that jobs, VMs, queues and clouds in it do as real ones do."""

from functools import partial
from math import inf

import pytest

from bus.events import AnyEvent, BridgeStatus, Heartbeat, JobEvent, VmEvent
from bus.messages import Job
from producers.admission import LEAD_S, Config
from producers.commands import Arrival, Bury
from producers.megapixels import pixels_of
from producers.placement import Rules
from producers.simulation.clouds import CloudSpec
from producers.simulation.engine import Engine
from producers.simulation.faults import Fault
from producers.simulation.log import Broken, Log
from producers.simulation.minds import dispatcher, mind
from producers.simulation.pace import ToldPace
from producers.simulation.pictures import picture
from producers.simulation.queues import Broker, Parcel
from producers.simulation.scenario import Scenario, capacity
from producers.simulation.tasks import Task
from producers.simulation.vms import VmSpec
from producers.simulation.world import World, run


def tasks(*works: float, **more: object) -> tuple[Task, ...]:
    """Sketches that come a second after one another, from the fifth on."""
    return tuple(Task(5.0 + n, "anna", "sketch", 1.0, work, **more) for n, work in enumerate(works))  # type: ignore[arg-type]


def test_events_run_in_order_and_those_that_fall_together_as_they_came() -> None:
    engine, said = Engine(), list[str]()
    engine.at(2.0, said.append, "late")
    engine.at(1.0, said.append, "first")
    engine.after(1.0, said.append, "second")
    for _ in range(3):
        engine.step()
    assert (said, engine.now) == (["first", "second", "late"], 2.0)
    with pytest.raises(IndexError):
        engine.step()


def test_without_jobs_nothing_happens() -> None:
    assert run(Scenario((), (VmSpec("vm1"),)), lambda: dispatcher("threshold")).open == 0


def test_an_idle_vm_runs_a_job_as_long_as_it_takes() -> None:
    log = run(Scenario(tasks(2.0, 4.0), (VmSpec("vm1", speed=2.0),)), lambda: dispatcher("threshold"))
    assert log.end == ["done", "done"]
    assert log.ran_s == pytest.approx([1.0, 2.0])
    assert log.ended_s == pytest.approx([6.0, 8.0], abs=0.01)


def test_a_vm_may_be_faster_at_one_operation_than_at_another() -> None:
    vm = VmSpec("vm1", factors={"sketch": 4.0})
    assert run(Scenario(tasks(2.0), (vm,)), lambda: dispatcher("threshold")).ran_s == pytest.approx([0.5])


def test_a_job_of_bad_input_is_refused_as_it_comes() -> None:
    heard = list[AnyEvent]()
    world = World(Scenario(tasks(2.0, refused="broken-image"), (VmSpec("vm1"),)), dispatcher("threshold"), heard.append)
    log = world.run()
    assert (log.end, log.problems, log.ended_s) == (["refused"], {"broken-image": 1}, [5.0])
    assert [event.problem for event in heard if isinstance(event, JobEvent)] == ["broken-image"]


def test_it_is_told_when_a_job_was_sent_and_when_a_router_took_it_up() -> None:
    heard = list[AnyEvent]()
    vms = (VmSpec("vm1", slots=1, look_ahead=0),)
    put = Scenario(tasks(4.0, 4.0, 4.0), vms, window=1, epoch_ms=0)
    World(put, mind(Config(lead_s=LEAD_S)), heard.append).run()
    routed = [event for event in heard if isinstance(event, JobEvent) and event.state == "routed"]
    assert [event.sent_ms for event in routed] == [5000, 6000, 7000]
    taken_up_s = [(event.at_ms - (event.waited_ms or 0)) / 1000 for event in routed]
    assert taken_up_s == pytest.approx([5.0, 6.0, 9.0], abs=0.05)


def test_a_listener_hears_what_is_said_on_the_bus() -> None:
    heard = list[AnyEvent]()
    cloud = CloudSpec(latency_s=0.5)
    vms = (VmSpec("vm1", slots=1, look_ahead=0),)
    world = World(Scenario(tasks(4.0, 4.0), vms, cloud=cloud), dispatcher("threshold"), heard.append)
    assert world.run().end == ["done", "cloud"]
    steps = [(event.job, event.state, event.route) for event in heard if isinstance(event, JobEvent)]
    assert [step for step in steps if step[0] == "0"] == [("0", step, "vm") for step in ("routed", "running", "done")]
    assert [step for step in steps if step[0] == "1"] == [("1", step, "cloud") for step in ("routed", "sent", "done")]
    assert {type(event) for event in heard} == {Heartbeat, JobEvent, VmEvent, BridgeStatus}
    moments = [event.at_ms for event in heard if isinstance(event, Heartbeat)]
    assert moments == sorted(moments)


def test_without_receipts_the_same_is_decided() -> None:
    vms = (VmSpec("vm1"), VmSpec("vm2", speed=0.5))
    put = Scenario(tasks(*(0.5 + n % 3 for n in range(30))), vms, cloud=CloudSpec())
    for config in (Config(rules=Rules(policy), lead_s=LEAD_S) for policy in ("threshold", "predictive")):
        told, quiet = (run(put, partial(mind, config, receipts=receipts)) for receipts in (True, False))
        assert told.ended_s == quiet.ended_s
        assert told.vm == quiet.vm


def test_just_in_time_a_vm_gets_its_next_job_when_a_slot_comes_free() -> None:
    one = (VmSpec("vm1", slots=1, look_ahead=1),)
    put = Scenario(tasks(3.0, 3.0, 3.0), one)
    log = run(put, lambda: mind(Config(lead_s=LEAD_S)))
    assert log.ended_s == pytest.approx([8, 11, 14], abs=0.1)
    assert log.placed_s[1] > 7.5, "it stayed in line, and was not bound to the VM while that was busy"


def test_what_runs_in_the_cloud_takes_what_is_known_of_it() -> None:
    cloud = CloudSpec(latency_s=0.0, operations=("sketch",))
    put = Scenario(tasks(2.0, cloud_s=7.0), (), cloud=cloud)
    log = run(put, lambda: dispatcher("threshold"))
    assert log.end == ["cloud"]
    assert log.ended_s == pytest.approx([12.0], abs=0.3)
    assert log.cost == log.costs[0] > 0


def test_a_bridge_that_is_not_there_takes_nothing() -> None:
    put = Scenario(tasks(2.0), (), cloud=CloudSpec(absent=((0.0, 60.0),)))
    assert run(put, lambda: dispatcher("threshold")).ended_s[0] > 60


def test_a_job_that_stays_local_waits_for_a_vm() -> None:
    put = Scenario(tasks(2.0, local=True), (VmSpec("vm1", joins_s=30.0),), cloud=CloudSpec())
    log = run(put, lambda: dispatcher("threshold"))
    assert (log.end, log.ended_s[0] > 30) == (["done"], True)


def test_jobs_that_nobody_will_do_are_given_up_or_a_fault() -> None:
    put = Scenario(tasks(2.0), (), gives_up=True)
    assert run(put, lambda: dispatcher("threshold")).open == 1
    with pytest.raises(Broken, match="1 jobs don't end"):
        run(Scenario(tasks(2.0), ()), lambda: dispatcher("threshold"))


def test_a_vm_that_leaves_for_good_leaves_its_jobs_to_others() -> None:
    vms = (VmSpec("vm1", speed=0.1), VmSpec("vm2", joins_s=20.0))
    put = Scenario(tasks(2.0), vms, faults=(Fault("crash", "vm1", 10.0, inf),))
    log = run(put, lambda: dispatcher("threshold"))
    assert (log.end, log.vm) == (["done"], [1])


def test_what_overflows_where_there_is_no_cloud_is_a_fault_of_the_router() -> None:
    world = World(Scenario(tasks(2.0), (VmSpec("vm1"),)), dispatcher("threshold"))
    with pytest.raises(Broken, match="nobody gave a reason"):
        world._do(Bury(1, "why"))


def test_when_all_has_come_that_is_to_come() -> None:
    faults = (Fault("drain", "vm1", 50.0, 10.0), Fault("crash", "vm1", 70.0, inf))
    assert Scenario(tasks(1.0), (VmSpec("vm1", joins_s=55.0),), faults).settled_s == 60.0
    assert Scenario((), ()).settled_s == 0.0
    assert capacity([VmSpec("vm1", speed=2.0, background=0.5)]) == 2.0


def test_a_recorded_vm_computes_evenly_and_shows_its_other_work() -> None:
    pace = ToldPace(2.0, [10.0, 20.0], from_s=100.0, own=60.0)
    assert pace.end(50.0, 3.0) == 51.5
    assert [pace.load(now, 0.5) for now in (99.0, 100.5, 101.0, 500.0)] == [40.0, 40.0, 50.0, 50.0]
    assert ToldPace(1.0, (), from_s=0.0, own=50.0).load(7.0, 1.0) == 50.0


def test_a_job_that_ends_twice_is_noticed() -> None:
    log = Log(1)
    log.ended(0, 1.0, "done", None)
    with pytest.raises(Broken, match="job 0 ended twice"):
        log.ended(0, 2.0, "done", None)


def test_a_picture_is_as_large_as_is_said() -> None:
    assert len(picture(2.0, 1_000_000)) == 1_000_000
    assert pixels_of(picture(2.0, 1_000_000)) == pixels_of(picture(2.0)) == pytest.approx(2e6, rel=0.05)
    assert pixels_of(picture(0.0)) < 1100


def test_the_router_holds_no_more_than_its_window() -> None:
    delivered: list[Arrival] = []
    broker = Broker(lambda arrival, job: delivered.append(arrival))
    for number in range(5):
        broker.put("lane.00", Parcel(Job(id=str(number), body=b"-", operation="sketch")))
    broker.consume("lane.00", 2)
    assert [arrival.ticket for arrival in delivered] == [0, 1]
    assert broker.ack(0).id == "0"
    broker.give_back(1)
    assert [arrival.returns for arrival in delivered] == [0, 0, 0, 1]
    assert len(broker) == 4
    with pytest.raises(KeyError):
        broker.ack(0)


def test_a_job_that_meets_a_cloud_that_has_just_gone_down_comes_home() -> None:
    heard = list[AnyEvent]()
    put = Scenario(tasks(2.0), (), cloud=CloudSpec(downs=((5.0, 5.9),)))
    log = World(put, dispatcher("threshold"), heard.append).run()
    states = [event.state for event in heard if isinstance(event, JobEvent) and event.route == "cloud"]
    assert states == ["routed", "retried", "routed", "sent", "done"]
    assert log.ended_s[0] > 9, "it stays for some seconds, until the bridge has told why"


def test_a_drained_vm_hands_back_what_it_has_not_begun() -> None:
    vms = (VmSpec("vm1", slots=1, look_ahead=1), VmSpec("vm2", joins_s=8.0, slots=2))
    put = Scenario(tasks(30.0, 2.0), vms, faults=(Fault("drain", "vm1", 10.0, 60.0),))
    log = run(put, lambda: dispatcher("threshold"))
    assert log.vm == [0, 1]
    assert log.ended_s == pytest.approx([35.0, 12.0], abs=1.0)
