"""The simulator at a small size: what must hold in every run of the router's mind, and that the simulator is right."""

from random import Random

import numpy as np
import pytest

from producers.simulation.clouds import CloudSpec
from producers.simulation.faults import KINDS, Fault
from producers.simulation.minds import dispatcher
from producers.simulation.pace import SLOWED, DrawnPace
from producers.simulation.scenario import Scenario
from producers.simulation.vms import VmSpec
from producers.simulation.world import MESSAGE_S, World, run
from tests.simulation.experiments import POLICIES, compare, fairness, measure, scenario
from tests.simulation.faults import some_faults
from tests.simulation.naive import Naive
from tests.simulation.outcome import figures, herding, jain
from tests.simulation.workloads import Demand, unequal_vms, workload


def faulty(vms: int, jobs: int, seed: int, *, faults: int) -> Scenario:
    """A busy fleet on which much goes wrong, and a broker that now and then refuses."""
    fleet = unequal_vms(vms, seed=seed)
    put = scenario(Demand(jobs, 0.6, users=7, interactive=0.3, seed=seed), fleet)
    wrong = some_faults([vm.name for vm in fleet], faults, until_s=float(put.workload.arrival_s[-1]), seed=seed)
    return Scenario(put.workload.tasks(), fleet, wrong, refused=0.02, seed=seed)


# -- the router's mind, in a world where things break


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(("vms", "seed"), [(2, 1), (5, 2), (20, 3)])
def test_every_job_ends_exactly_once_whatever_fails(policy: str, vms: int, seed: int) -> None:
    log = run(faulty(vms, 60, seed, faults=2 * vms), lambda: dispatcher(policy))
    assert set(log.end) <= {"done", "refused"}
    assert set(log.problems) <= {"too-many-attempts"}


@pytest.mark.parametrize("kind", KINDS)
def test_one_fault_of_each_kind_loses_no_job(kind: str) -> None:
    vms = (VmSpec("vm0"), VmSpec("vm1"))
    put = scenario(Demand(60, 0.7, seed=4), vms, faults=[Fault(kind, "vm1", 7.0, 15.0)])  # type: ignore[arg-type]
    log = run(put.scenario, lambda: dispatcher("threshold"))
    assert log.end.count("done") == 60


def test_a_vm_that_joins_late_is_used() -> None:
    vms = (VmSpec("vm0"), VmSpec("vm1", joins_s=15.0))
    log = run(scenario(Demand(80, 0.8, seed=5), vms).scenario, lambda: dispatcher("predictive"))
    assert min(at for at, vm in zip(log.began_s, log.vm, strict=True) if vm == 1) > 15


def test_the_same_seed_gives_the_same_run() -> None:
    runs = [run(faulty(4, 60, 6, faults=5), lambda: dispatcher("p2c")) for _ in range(2)]
    assert runs[0].ended_s == runs[1].ended_s


def test_what_the_vms_cannot_hold_overflows_into_a_cloud() -> None:
    vms = unequal_vms(2)
    demand = Demand(200, 3.0, seed=7)
    alone, helped = (
        run(scenario(demand, vms, cloud=cloud).scenario, lambda: dispatcher("threshold"))
        for cloud in (None, CloudSpec())
    )
    assert alone.end.count("cloud") == 0
    assert 0 < helped.end.count("cloud") < 200
    assert max(helped.ended_s) < max(alone.ended_s)
    assert helped.cost > alone.cost == 0.0


@pytest.mark.parametrize("policy", POLICIES)
def test_a_cloud_that_is_small_and_fails_for_a_while_loses_no_job(policy: str) -> None:
    cloud = CloudSpec(latency_s=0.5, capacity=3, downs=((4.0, 12.0),))
    world = World(
        scenario(Demand(150, 4.0, users=5, seed=11), unequal_vms(2), cloud=cloud).scenario, dispatcher(policy)
    )
    ends = world.run().end
    assert set(ends) == {"done", "cloud"}
    assert world.cloud is not None
    assert 0 < world.cloud.most <= 3


def test_users_who_ask_for_the_same_get_the_same() -> None:
    (shares,) = fairness(Demand(400, 1.8, users=5, zipf=0.0, seed=8), unequal_vms(2), ["threshold"])
    assert shares.jain >= 0.95


def test_predictive_has_a_shorter_tail_than_threshold() -> None:
    put = scenario(Demand(300, 0.8, seed=9), unequal_vms(10, seed=9))
    threshold, predictive = (measure(policy, put, 0.8).figures.p99 for policy in ("threshold", "predictive"))
    assert predictive < threshold


def test_what_is_sent_between_beats_herds_no_more() -> None:
    vms = unequal_vms(8)
    naive, ours = compare([Demand(200, 0.7, seed=10)], vms, ["naive", "threshold"])
    assert herding(naive.sent) > 2 * herding(ours.sent)
    assert int(naive.sent.max()) > int(ours.sent.max())


# -- the simulator itself


def test_one_server_serves_as_the_theory_says() -> None:
    """Lindley's recursion (1952): a job waits for what is left of those before it."""
    put = scenario(Demand(300, 0.7, seed=11), (VmSpec("vm0", slots=1, look_ahead=0),))
    log = run(put.scenario, Naive)
    load, free_at, expected = put.workload, 0.0, []
    for arrival, work in zip(load.arrival_s, load.work_s, strict=True):
        free_at = max(free_at, float(arrival) + MESSAGE_S) + float(work)
        expected.append(free_at)
    assert log.ended_s == pytest.approx(expected)


def test_a_vm_with_other_work_takes_longer() -> None:
    assert DrawnPace(2.0, 0.0, Random(1)).end(100.0, 3.0) == pytest.approx(101.5)
    assert 101.5 < DrawnPace(2.0, 0.3, Random(1)).end(100.0, 3.0) < 130


def test_a_slowed_vm_catches_up_when_it_is_mended() -> None:
    slow = DrawnPace(1.0, 0.0, Random(1), [Fault("slow", "vm0", 100.0, 10.0)])
    assert slow.end(95.0, 10.0) == pytest.approx(110 + 10 - 5 - 10 * SLOWED)
    assert slow.end(120.0, 10.0) == pytest.approx(130)


def test_the_mean_load_is_what_was_asked_for() -> None:
    plain, bursts = (workload(Demand(20_000, 0.8, burst=burst), capacity=50.0) for burst in (1.0, 1.8))
    for load in (plain, bursts):
        span = float(load.arrival_s[-1] - load.arrival_s[0])
        assert float(load.work_s.sum()) / span / 50 == pytest.approx(0.8, rel=0.02)
    variances = [float(np.bincount(load.arrival_s.astype(int)).var()) for load in (plain, bursts)]
    assert variances[1] > 3 * variances[0]


def test_some_users_ask_for_more_than_others() -> None:
    even, skewed = (np.bincount(workload(Demand(5000, users=20, zipf=z), 1.0).user) for z in (0.0, 1.0))
    assert jain(even.astype(np.float64)) > 0.95
    assert skewed[0] == pytest.approx(20 * skewed[19], rel=0.4)


def test_figures_leave_out_what_was_never_told() -> None:
    put = scenario(Demand(40, 0.5), unequal_vms(4))
    of = figures(run(put.scenario, lambda: dispatcher("threshold")), put.workload, 8)
    assert 0 < of.p50 <= of.p95 <= of.p99 <= of.worst
    assert 0 < of.utilisation <= 1
    assert of.overflow == of.retried == 0
