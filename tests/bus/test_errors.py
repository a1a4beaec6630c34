"""The errors say what to do, travel between processes, and can be caught by their root."""

import inspect
import pickle

import pytest

from bus import errors
from bus.errors import BadInput, JobFailed, OverspillError, ProblemError
from bus.problems import Kind, Problem

EXPIRED = Problem.of(Kind.EXPIRED, "It had 5 s to live and waited 6 s.")
ALL = [value for value in vars(errors).values() if inspect.isclass(value) and value.__module__ == errors.__name__]


@pytest.mark.parametrize("error", ALL)
def test_the_root_catches_all(error: type[Exception]) -> None:
    assert issubclass(error, OverspillError)


@pytest.mark.parametrize("error", [ProblemError, BadInput, JobFailed])
def test_a_problem_error_reads_as_what_happened_and_what_to_do(error: type[ProblemError]) -> None:
    assert str(error(EXPIRED)) == (
        "The job's time to live ran out: It had 5 s to live and waited 6 s. Send it again with a longer expiration."
    )


def test_without_a_remedy_nothing_trails() -> None:
    problem = EXPIRED.model_copy(update={"remedy": None})
    assert str(JobFailed(problem)).endswith("waited 6 s.")


@pytest.mark.parametrize("error", [BadInput, JobFailed])
def test_a_problem_error_survives_the_way_out_of_a_child_process(error: type[ProblemError]) -> None:
    back = pickle.loads(pickle.dumps(error(EXPIRED)))  # noqa: S301 (our own bytes)
    assert type(back) is error
    assert back.problem == EXPIRED
