"""`python -m tests.simulation compare|scale|herding|fairness|day`: figures to standard output, plots to a folder."""

import argparse
import cProfile
import pstats
from collections.abc import Callable
from pathlib import Path

from producers.simulation.vms import VmSpec
from tests.simulation import day, experiments, plots, tables
from tests.simulation.workloads import Demand, unequal_vms


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("what", choices=sorted(QUESTIONS))
    parser.add_argument("--vms", type=_integers, default=[100], help="VMs; `scale` takes several: 2,10,100")
    parser.add_argument("--load", type=_floats, default=[0.8, 0.9, 0.95], help="shares of the fleet's capacity")
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--tail", choices=("lognormal", "pareto"), default="lognormal")
    parser.add_argument("--burst", type=float, default=1.0, help="rate in bursts over the mean rate")
    parser.add_argument("--policies", type=_words, default=list(experiments.POLICIES))
    parser.add_argument("--speeds", type=_floats, default=[0.5, 2.0], help="of the slowest VM, and of the fastest")
    parser.add_argument("--stragglers", action="store_true", help="a fifth of the VMs turns slow for 20 s (`compare`)")
    parser.add_argument("--seeds", type=_integers, default=[1], help="runs of their own; plots show the first one's")
    parser.add_argument(
        "--out", type=Path, default=Path("simulation"), help="folder for the plots, or the file of a day"
    )
    parser.add_argument("--hours", type=float, default=24.0, help="length of a recorded day")
    parser.add_argument("--no-cloud", action="store_true", help="record a day without a cloud")
    parser.add_argument("--profile", action="store_true", help="where the processor's time goes, by module")
    return parser.parse_args()


def _integers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _floats(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def _words(text: str) -> list[str]:
    return text.split(",")


def _demand(args: argparse.Namespace, load: float, zipf: float = 1.0, seed: int | None = None) -> Demand:
    seed = args.seeds[0] if seed is None else seed
    return Demand(args.jobs, load, users=args.users, zipf=zipf, tail=args.tail, burst=args.burst, seed=seed)


def _fleet(args: argparse.Namespace, seed: int | None = None) -> tuple[VmSpec, ...]:
    seed = args.seeds[0] if seed is None else seed
    return unequal_vms(args.vms[0], seed=seed, speeds=(args.speeds[0], args.speeds[1]))


def compare(args: argparse.Namespace) -> None:
    """Compare the policies at every load."""
    draw = experiments.straggling if args.stragglers else experiments.scenario
    runs = []
    for seed in args.seeds:
        demands = [_demand(args, load, seed=seed) for load in args.load]
        runs.append(experiments.compare(demands, _fleet(args, seed), args.policies, draw))
        _say(tables.measurements(runs[-1]))
    _say("\nThe 50th and the 99th percentile, seconds:\n")
    _say(tables.side_by_side([one for measured in runs for one in measured]))
    plots.tails(runs[0], args.out / "tails.svg")


def scale(args: argparse.Namespace) -> None:
    """Every policy on fleets of several sizes."""
    runs = [experiments.scale(_demand(args, args.load[0], seed=seed), args.vms, args.policies) for seed in args.seeds]
    measured = [one for run in runs for one in run]
    _say(tables.measurements(measured))
    _say("\nThe 50th and the 99th percentile, seconds:\n")
    _say(tables.side_by_side(measured))
    plots.growth(runs[0], args.out / "scale.svg")


def herding(args: argparse.Namespace) -> None:
    """What stale heartbeats do to a rule that believes them, and to ours."""
    policies = ["naive", *args.policies]
    measured = experiments.compare([_demand(args, args.load[0])], _fleet(args), policies)
    _say(tables.measurements(measured))
    plots.herds(measured, args.out / "herding.png")


def fairness(args: argparse.Namespace) -> None:
    """How an overloaded fleet is shared by users who all want more than there is."""
    demand = _demand(args, 1.5, zipf=0.0)
    _say(tables.shares(experiments.fairness(demand, _fleet(args), args.policies)))


def recorded_day(args: argparse.Namespace) -> None:
    """Write a day's recording to the file that --out names, for `overspill replay`."""
    spec = day.DaySpec(
        jobs=args.jobs,
        seconds=args.hours * 3600,
        vms=args.vms[0],
        policy=args.policies[0],
        cloud=not args.no_cloud,
        seed=args.seeds[0],
    )
    day.record(spec, args.out)
    _say(f"{args.out}: {args.jobs} jobs in {args.hours:g} hours, {args.out.stat().st_size / 1e6:.1f} MB")


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 (a program for the command line)


QUESTIONS: dict[str, Callable[[argparse.Namespace], None]] = {
    "compare": compare,
    "scale": scale,
    "herding": herding,
    "fairness": fairness,
    "day": recorded_day,
}


def main() -> None:
    """Answer the question on the command line."""
    args = _parsed()
    if not args.profile:
        QUESTIONS[args.what](args)
        return
    with cProfile.Profile() as profile:
        QUESTIONS[args.what](args)
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]  # typeshed doesn't know it
    _say(tables.by_module(stats))


if __name__ == "__main__":
    main()
