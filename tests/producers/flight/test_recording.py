from dataclasses import replace

from producers.flight.recording import Header, RecordedJob, RecordedState, recording


def test_lines_become_lists_in_order_of_time() -> None:
    header = Header(0, 10)
    late, early = (RecordedJob(name, "ada", "sketch", at_ms) for name, at_ms in (("late", 9), ("early", 1)))
    state = RecordedState("vm1", 3, "lost")
    made = recording(header, [late, state, early])
    assert (made.header, made.jobs, made.states) == (header, (early, late), (state,))
    assert (made.vms, made.loads, made.routers, made.clouds) == ((), (), (), ())


def test_a_job_that_was_written_off_and_ended_after_that_is_one_job() -> None:
    parked = RecordedJob("j1", "anna", "sketch", arrived_ms=5)
    done = replace(parked, routed_ms=9, ended_ms=10, end="done")
    other = replace(parked, id="j2")
    assert recording(Header(0, 20), [parked, other, done]).jobs == (other, done)
