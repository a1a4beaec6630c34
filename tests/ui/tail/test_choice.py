"""Choosing events, and passing over the rest unread."""

from hypothesis import given
from hypothesis import strategies as st

from bus.events import AnyEvent, Heartbeat, JobEvent, VmEvent
from ui.tail.choice import Choice


def step(job: str = "j1", user: str = "anna", at_ms: int = 10_000) -> JobEvent:
    return JobEvent(state="done", job=job, operation="sketch", user=user, at_ms=at_ms)


LOST = VmEvent(state="lost", vm="anna", at_ms=10_000)
BEAT = Heartbeat(
    vm="vm1", session="s", started_ms=1, seq=1, at_ms=1, cpu_percent=1, ram_percent=1, cores=2, slots=1, held=("j1",)
)


def chosen(choice: Choice, *events: AnyEvent) -> list[AnyEvent]:
    """Those that are wanted, and could not have been passed over by their bodies."""
    wanted = [event for event in events if choice.wants(event)]
    return [event for event in wanted if choice.may_want(event.model_dump_json().encode())]


def test_unless_something_is_asked_for_everything_comes_but_what_is_said_once_a_second() -> None:
    choice = Choice.of([], None, None, None)
    assert chosen(choice, step(), LOST) == [step(), LOST]
    assert choice.wants_key("job.done.sketch")
    assert choice.wants_key("vm.lost.vm1")
    assert not choice.wants_key("vm.heartbeat.vm1")


def test_a_pattern_takes_the_place_of_the_usual_ones() -> None:
    choice = Choice.of(["vm.heartbeat.*"], None, None, None)
    assert choice.wants_key("vm.heartbeat.vm1")
    assert not choice.wants_key("job.done.sketch")


def test_a_job_s_steps_are_its_own() -> None:
    choice = Choice.of([], None, "j1", None)
    assert choice.patterns == ("job.#",)
    assert chosen(choice, step(), step("j2"), step("j2", user="j1"), LOST, BEAT) == [step()]


def test_a_user_s_jobs_are_his_own() -> None:
    choice = Choice.of([], "anna", None, None)
    assert chosen(choice, step(), step(user="ben"), step("anna", user="ben"), LOST) == [step()]


def test_a_user_s_job_is_both() -> None:
    choice = Choice.of(["job.done.*"], "anna", "j1", None)
    assert choice.patterns == ("job.done.*",)
    assert chosen(choice, step(), step("j2"), step(user="ben")) == [step()]


@given(st.text(min_size=1, max_size=40))
def test_no_name_is_passed_over_however_json_writes_it(name: str) -> None:
    choice = Choice.of([], name, name, None)
    event = step(name, name)
    assert choice.may_want(event.model_dump_json().encode())
    assert choice.wants(event)


def test_what_a_stream_gives_too_early_is_left_out_and_what_a_slow_clock_told_is_not() -> None:
    choice = Choice.of([], None, None, 100_000)
    assert [at_ms for at_ms in (1, 94_999, 95_000, 99_999, 100_000, 200_000) if choice.wants(step(at_ms=at_ms))] == [
        1,
        94_999,
        100_000,
        200_000,
    ]
