"""Copies of models are what the models would make themselves."""

from bus.copies import like
from bus.events import JobEvent
from bus.messages import Job


def test_a_copy_is_what_the_model_would_make_itself() -> None:
    job = Job(id="1", body=b"-", operation="sketch")
    assert like(job, id="2", attempt=1) == job.model_copy(update={"id": "2", "attempt": 1})
    assert job.id == "1"


def test_a_copy_is_written_as_the_model_would_be() -> None:
    event = JobEvent(state="done", job="0", operation="sketch", at_ms=0)
    assert like(event, ran_ms=5).model_dump_json(exclude_none=True) == event.model_copy(
        update={"ran_ms": 5}
    ).model_dump_json(exclude_none=True)
