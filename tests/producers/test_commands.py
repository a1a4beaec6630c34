from bus.messages import Job
from producers.commands import Held
from producers.placement import Wish

JOB = Job(operation="sketch", id="j1", body=b"picture")


def test_a_held_job_that_goes_on_as_another_keeps_all_else() -> None:
    held = Held(1, "lane.03", JOB, Wish("sketch", 2.0), 3.0, 4.0, home="vm1", sent_ms=5, stays_s=6.0)
    assert len({repr(value) for value in held}) == len(Held._fields), "a field in another's place would not be seen"
    assert [name for name, value in Held._field_defaults.items() if getattr(held, name) == value] == []
    on = JOB.model_copy(update={"placement": "p1"})
    assert held.carrying(on) == held._replace(job=on) != held
