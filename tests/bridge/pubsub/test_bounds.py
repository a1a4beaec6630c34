import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.envelope import Parcel, job_parcel
from bridge.pubsub.bounds import MESSAGE_BYTES, unfit
from bus.messages import LARGEST_BODY, Job
from bus.params import PARAMS_BYTES


@pytest.mark.parametrize(
    ("body", "attributes", "said"),
    [
        (b"x" * MESSAGE_BYTES, {"kind": "job"}, "10,000,003|10,000,007 bytes are more"),
        (b"", {f"name{number}": "" for number in range(101)}, "101 attributes"),
        (b"", {"": "x"}, "attribute name ''"),
        (b"", {"n" * 257: "x"}, "not 1 to 256 bytes"),
        (b"", {"googclient": "x"}, "Google keeps to itself"),
        (b"", {"params": "x" * 1025}, "'params' is longer than 1024 bytes"),
        (b"", {"fine": "", "params": "é" * 513}, "'params' is longer than 1024 bytes"),
    ],
    ids=["bytes", "attributes", "no name", "long name", "reserved", "long value", "counted in bytes"],
)
def test_what_google_would_refuse_is_told(body: bytes, attributes: dict[str, str], said: str) -> None:
    why = unfit(Parcel(body, attributes))

    assert why is not None
    assert any(part in why for part in said.split("|"))


@given(
    size=st.integers(0, PARAMS_BYTES - 20),
    letter=st.characters(exclude_categories=["Cs"]),
    link=st.none() | st.text(max_size=4000),
)
def test_every_job_that_may_be_is_fit(size: int, letter: str, link: str | None) -> None:
    words = letter * (size // len(letter.encode("unicode_escape")) // 2)
    job = Job(id="job", operation="sketch", body=bytes(LARGEST_BODY), params={"words": words})

    assert unfit(job_parcel(job, "0" * 32, sent_ms=1_900_000_000_000, link=link)) is None
