"""The small tree of errors overspill raises. Each message states the remedy."""

from bus.problems import Problem


class OverspillError(Exception):
    """The root: catch this to catch everything overspill raises on purpose."""


class ProblemError(OverspillError):
    """Something that ends a job with a problem answer."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.title}: {problem.detail} {problem.remedy or ''}".strip())
        self.problem = problem

    def __reduce__(self) -> tuple[type["ProblemError"], tuple[Problem]]:
        return type(self), (self.problem,)


class BadInput(ProblemError):
    """The caller's job can't be accepted as it is: answered with the problem, never retried."""


class JobFailed(ProblemError):
    """Raised in a client: the job was answered with this problem."""


class SetupError(OverspillError):
    """The machine, a setting or a service isn't as it must be; the message says how to mend it."""


class BusError(OverspillError):
    """Something between us and the broker."""


class Disconnected(BusError):
    """The connection was lost: whether the last publish arrived is unknown."""


class Unroutable(BusError):
    """The broker has no queue for this message; it was handed back (AMQP 312 NO_ROUTE)."""


class Refused(BusError):
    """The broker took no responsibility for the message (nack: queue full, or no quorum)."""


class AnswerTimeout(OverspillError):
    """No answer came within the time the caller allowed."""
