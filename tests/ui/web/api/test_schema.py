from ui.web.api.schema import Job, JobCounts
from ui.web.jobs.record import Picture, Record, Result

ID = "9f86d081884c7d659a2feaa0c55ad015"
RECORD = Record(
    id=ID,
    user="anna",
    operation="sketch",
    params={"style": "charcoal"},
    name="cup.jpg",
    picture=Picture(bytes=10, type="image/jpeg", width=4, height=3),
    created_ms=1,
    updated_ms=2,
    deadline_ms=3,
    expires_ms=4,
)


def test_a_job_that_waits() -> None:
    job = Job.of(RECORD).model_dump(mode="json")
    assert job["url"] == f"/api/v1/jobs/{ID}"
    assert job["page"] == f"/jobs/{ID}"
    assert job["picture"] == {
        "bytes": 10,
        "type": "image/jpeg",
        "width": 4,
        "height": 3,
        "url": f"/api/v1/jobs/{ID}/picture",
        "preview": f"/api/v1/jobs/{ID}/picture/preview",
        "thumbnail": f"/api/v1/jobs/{ID}/picture/thumbnail",
    }
    assert (job["result"], job["problem"], job["place"], job["ended_ms"]) == (None, None, None, None)
    assert not {"deadline_ms", "number", "step", "traceparent"} & job.keys()


def test_a_job_with_a_picture_for_a_result() -> None:
    done = RECORD.model_copy(update={"state": "done", "result": Result(bytes=5, type="image/png")})
    assert Job.of(done).model_dump()["result"] == {
        "bytes": 5,
        "type": "image/png",
        "url": f"/api/v1/jobs/{ID}/result",
        "preview": f"/api/v1/jobs/{ID}/result/preview",
        "thumbnail": f"/api/v1/jobs/{ID}/result/thumbnail",
        "caption": None,
    }


def test_a_caption_has_no_picture() -> None:
    done = RECORD.model_copy(update={"result": Result(bytes=5, type="application/json", caption="a cup")})
    told = Job.of(done).result
    assert told is not None
    assert (told.caption, told.preview, told.thumbnail) == ("a cup", None, None)


def test_jobs_are_counted_as_under_way_or_by_how_they_ended() -> None:
    assert JobCounts.of({}) == JobCounts()
    counted = JobCounts.of({"accepted": 1, "queued": 2, "running": 3, "done": 4, "cancelled": 5})
    assert counted == JobCounts(under_way=6, done=4, cancelled=5)
