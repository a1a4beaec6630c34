from dataclasses import replace

from producers.flight.disguise import disguised
from producers.flight.recording import RecordedJob, RecordedLoad, RecordedState

SALT = b"s" * 32
JOB = RecordedJob("holiday.jpg", "ada@example.org", "sketch", 5, vm="vm1", end="done")


def test_names_become_pseudonyms_and_all_else_stays() -> None:
    told = disguised(JOB, SALT)
    assert isinstance(told, RecordedJob)
    assert replace(told, id=JOB.id, user=JOB.user) == JOB
    assert told.user.startswith("user-")
    assert not {"holiday", "ada", "example"} & set(repr(told).replace(".", " ").replace("@", " ").split())


def test_the_same_name_is_the_same_pseudonym_in_one_recording_and_in_no_other() -> None:
    other = replace(JOB, id="second.jpg")
    assert disguised(JOB, SALT) == disguised(JOB, SALT)
    assert disguised(JOB, SALT).user == disguised(other, SALT).user  # type: ignore[union-attr]  # (both are jobs)
    assert disguised(JOB, SALT).id != disguised(other, SALT).id  # type: ignore[union-attr]
    assert disguised(JOB, SALT) != disguised(JOB, b"t" * 32)


def test_one_id_of_two_users_is_two_pseudonyms() -> None:
    theirs = replace(JOB, user="bob")
    assert disguised(JOB, SALT).id != disguised(theirs, SALT).id  # type: ignore[union-attr]  # (both are jobs)


def test_what_callers_wrote_themselves_goes() -> None:
    refused = replace(JOB, operation="please help ada", end="failed", problem="unknown-operation")
    assert disguised(refused, SALT).operation == "unknown"  # type: ignore[union-attr]  # (it is a job)
    assert disguised(RecordedState("vm1", 1, "lost", "job holiday.jpg hangs"), SALT) == RecordedState("vm1", 1, "lost")


def test_what_names_nobody_stays() -> None:
    load = RecordedLoad("vm1", 0, (1,), (2,), (3,))
    assert disguised(load, SALT) is load
