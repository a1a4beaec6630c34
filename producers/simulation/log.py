"""What became of the jobs of one run: one element a job."""

from math import nan

from bus.events import JobEvent, RouterStatus, VmEvent


class Broken(RuntimeError):
    """The simulation went wrong: a job was lost, or ended twice. A fault of the router or of the simulator."""


class Log:
    """Seconds since the run began, not a number for what never happened."""

    def __init__(self, jobs: int) -> None:
        self.open = jobs
        self.last_end_s = 0.0
        self.cost = 0.0
        self.placed_s = [nan] * jobs
        self.began_s = [nan] * jobs
        self.ended_s = [nan] * jobs
        self.ran_s = [0.0] * jobs
        self.costs = [0.0] * jobs
        self.vm = [-1] * jobs
        self.placements = [0] * jobs
        self.end = [""] * jobs
        """`done` on a VM, `cloud`, or `refused`."""
        self.problems: dict[str, int] = {}
        self.forecasts: dict[int, tuple[float, float, float]] = {}
        """Job -> when it was first told an arrival, from when to when."""

    def placed(self, job: int, vm: int, now: float) -> None:
        """A job was sent to a VM."""
        self.placed_s[job], self.vm[job] = now, vm
        self.placements[job] += 1

    def began(self, job: int, now: float) -> None:
        """It is being computed."""
        self.began_s[job] = now

    def ran(self, job: int, vm: int, ran_s: float) -> None:
        """It was computed on a VM, in so many seconds."""
        self.vm[job], self.ran_s[job] = vm, ran_s

    def ran_in_cloud(self, job: int, ran_s: float, cost: float) -> None:
        """It was computed in the cloud, for so many US dollars."""
        self.ran_s[job], self.costs[job] = ran_s, cost
        self.cost += cost

    def ended(self, job: int, now: float, end: str, problem: str | None) -> None:
        """It was answered. Raises Broken when it was already."""
        if self.end[job]:
            raise Broken(f"job {job} ended twice: {self.end[job]}, then {end}")
        self.end[job], self.ended_s[job] = end, now
        self.last_end_s = now
        self.open -= 1
        if problem is not None:
            self.problems[problem] = self.problems.get(problem, 0) + 1

    def announced(self, event: JobEvent | VmEvent | RouterStatus, now: float) -> None:
        """The router told something; what it tells of jobs in line is kept."""
        if isinstance(event, JobEvent) and event.eta_s is not None:
            self.forecasts.setdefault(int(event.job), (now, *event.eta_s))
