"""What a caller asks, as a message."""

import json
from pathlib import Path
from typing import Any

import pytest

from bus.errors import BadInput
from bus.messages import Job
from producers.client.request import (
    JobOptions,
    Request,
    check_window,
    claimed,
    fingerprint,
    job_message,
    must_stay,
    read_image,
    repeated_id,
)

NOW_MS = 1_700_000_000_123


def message_for(params: dict[str, Any] | None = None, **options: Any) -> Any:
    given: JobOptions = options  # type: ignore[assignment]  # wrong ones are what is tested
    return job_message(Request(b"jpeg", "sketch", params, given), "job-1", "replies.x", NOW_MS)


def test_a_plain_job() -> None:
    message = message_for()
    assert message.routing_key == "sketch"
    assert message.message_id == message.correlation_id == "job-1"
    assert message.reply_to == "replies.x"
    assert message.timestamp == 1_700_000_000
    assert (message.expiration, message.priority) == (None, 0)
    assert message.headers == {"params": "{}"}


TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_every_option_reaches_the_job() -> None:
    message = message_for({"strength": 0.5}, user="ann", site="local", priority=7, expiration_s=2.5, traceparent=TRACE)
    job = Job.from_message(message, NOW_MS)
    assert (job.user, job.site, job.priority, job.traceparent) == ("ann", "local", 7, TRACE)
    assert job.params == {"strength": 0.5}
    assert message.expiration == "2500"


def test_params_travel_as_json() -> None:
    message = message_for({"paper": Path("grey"), "tags": [1, None]})
    assert json.loads(message.headers["params"]) == {"paper": "grey", "tags": [1, None]}


def test_a_moment_is_not_rounded_to_nothing() -> None:
    assert message_for(expiration_s=0.0001).expiration == "1"


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"priority": 10}, "priority"),
        ({"user": ""}, "user"),
        ({"site": "moon"}, "site"),
        ({"expiration_s": 0}, "expiration_s"),
        ({"expiration_s": float("nan")}, "expiration_s"),
        ({"expiration_s": 5_000_000}, "expiration_s"),
        ({"params": {"x": float("inf")}}, "params"),
    ],
)
def test_what_the_contract_forbids_is_named_before_it_is_sent(options: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as caught:
        message_for(**options)
    assert caught.value.problem.field == field
    assert caught.value.problem.remedy


def test_a_fingerprint_tells_jobs_apart() -> None:
    same = [fingerprint(message_for({"a": 1}, user="ann")) for _ in range(2)]
    others = [fingerprint(message_for({"a": 2}, user="ann")), fingerprint(message_for({"a": 1}, user="bob"))]
    assert same[0] == same[1]
    assert len({*same, *others}) == 3


def test_pictures_come_as_bytes_or_files(tmp_path: Path) -> None:
    file = tmp_path / "photo.jpg"
    file.write_bytes(b"12345")
    assert read_image(file, 5) == read_image(b"12345", 5) == b"12345"


def test_a_picture_too_large_to_send_is_not_sent(tmp_path: Path) -> None:
    file = tmp_path / "photo.jpg"
    file.write_bytes(b"123456")
    for image in (file, b"123456"):
        with pytest.raises(BadInput, match="more than the 5 bytes") as caught:
            read_image(image, 5)
        assert caught.value.problem.limit == 5


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"gone\.jpg can't be read \(No such file"):
        read_image(tmp_path / "gone.jpg", 5)


def test_an_id_given_twice_is_named() -> None:
    assert repeated_id("a").problem.field == "message_id"


def test_a_window_without_room_is_refused() -> None:
    check_window(1)
    with pytest.raises(ValueError, match="window=0"):
        check_window(0)


def test_a_claim_takes_the_place_of_the_picture() -> None:
    claim = "pictures/20300131/" + "0" * 32
    message = claimed(message_for(user="ann"), claim)
    job = Job.from_message(message, NOW_MS, trusted=False)
    assert (job.claim, job.body, job.user) == (claim, b"", "ann")
    assert message.message_id == "job-1"


def test_a_picture_too_large_for_a_message_may_be_read_where_there_is_a_store() -> None:
    assert read_image(bytes(5), 4, 5) == bytes(5)
    assert read_image(bytes(4), 4, 3) == bytes(4)  # a store that takes less than a message does
    for most_stored, limit, remedy in ((None, 4, "OVERSPILL_BLOBS"), (5, 5, "OVERSPILL_MAX_CLAIM_BYTES")):
        with pytest.raises(BadInput, match=remedy) as raised:
            read_image(bytes(6), 4, most_stored)
        assert raised.value.problem.limit == limit


def test_what_must_stay_on_the_site_is_told_how() -> None:
    problem = must_stay(20, 10).problem
    assert (problem.slug, problem.limit) == ("too-many-bytes", 10)
    assert "a folder" in (problem.remedy or "")
