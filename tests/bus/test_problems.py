"""Every problem is an RFC 9457 document that names the field or the limit, and never repeats the picture."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError

from bus.problems import Kind, Problem, bad_field, too_many_pixels

NESTED: list[Any] = []
for _ in range(100_000):
    NESTED = [NESTED]


class Params(BaseModel):
    quality: int = Field(90, ge=1, le=100)
    name: str = Field("x", min_length=1, max_length=5)
    body: bytes = b""


class Strict(BaseModel):
    wanted: str
    body: bytes


def fault(**given: Any) -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        Params(**given)
    return caught.value


@pytest.mark.parametrize("kind", Kind)
def test_each_kind_makes_a_document(kind: Kind) -> None:
    problem = Problem.of(kind, "What happened.")
    document = json.loads(problem.to_json())
    assert document == {
        "type": f"urn:overspill:problem:{kind.value.slug}",
        "title": kind.value.title,
        "status": kind.value.status,
        "detail": "What happened.",
        "remedy": kind.value.remedy,
    }
    assert problem.slug == kind.value.slug
    assert kind.value.remedy.endswith(".")


@pytest.mark.parametrize(
    ("kind", "status", "remedy"),
    [
        (Kind.TOO_MANY_JOBS, 429, "retry_after_s"),
        (Kind.TOO_FAST, 429, "retry_after_s"),
        (Kind.CANCELLED, 499, "another id"),
    ],
)
def test_what_a_user_brought_about_has_a_status_of_its_own(kind: Kind, status: int, remedy: str) -> None:
    problem = Problem.of(kind, "What happened.")
    assert (problem.status, remedy in (problem.remedy or "")) == (status, True)


def test_slugs_are_unique() -> None:
    assert len({kind.urn for kind in Kind}) == len(Kind)


def test_a_better_remedy_replaces_the_kinds_own() -> None:
    problem = Problem.of(Kind.EXPIRED, "Late.", remedy="Start a VM.", limit=5.5, retry_after_s=2.0)
    assert (problem.remedy, problem.limit, problem.retry_after_s) == ("Start a VM.", 5.5, 2.0)
    assert Problem.model_validate_json(problem.to_json()) == problem


@pytest.mark.parametrize(
    ("given", "field", "limit"),
    [
        ({"quality": 0}, "quality", 1),
        ({"quality": 101}, "quality", 100),
        ({"name": ""}, "name", 1),
        ({"name": "123456"}, "name", 5),
        ({"quality": "many"}, "quality", None),
    ],
)
def test_a_wrong_field_is_named_with_its_limit(given: dict[str, Any], field: str, limit: int | None) -> None:
    problem = bad_field(fault(**given))
    assert (problem.field, problem.limit, problem.status) == (field, limit, 422)
    assert problem.detail.startswith(f"{field}: ")
    assert problem.detail.endswith(f"(given {next(iter(given.values()))!r}).")


def test_the_place_of_the_field_is_put_before_its_name() -> None:
    assert bad_field(fault(quality=0), "params").field == "params.quality"


def test_a_field_is_called_what_the_sender_calls_it() -> None:
    assert bad_field(fault(quality=0), names={"quality": "q"}).field == "q"


def test_a_missing_field_does_not_drag_the_rest_along() -> None:
    with pytest.raises(ValidationError) as caught:
        Strict.model_validate({"body": b"the whole picture"})
    assert bad_field(caught.value).detail == "wanted: Field required."


def test_a_picture_a_little_over_the_limit_does_not_look_as_if_it_were_not() -> None:
    told = too_many_pixels(7072, 7072, 50_000_000)
    assert told.detail == "It is 7,072 x 7,072 pixels, 50,013,184 in all; at most 50,000,000 are taken."


def test_a_fault_of_the_whole_document_is_one_of_the_body() -> None:
    with pytest.raises(ValidationError) as caught:
        Params.model_validate_json(b"\xff{not json")
    problem = bad_field(caught.value)
    assert problem.field == "body"
    assert problem.detail.startswith("body: Invalid JSON")


@pytest.mark.parametrize(
    "huge", [b"\xff" * 10_000_000, "x" * 10_000_000, NESTED, {"a": NESTED}, list(range(10**6)), 10**4000]
)
def test_huge_and_deep_values_are_shown_shortly(huge: Any) -> None:
    problem = bad_field(fault(quality=huge))
    assert len(problem.detail) < 300
    assert Problem.model_validate_json(problem.to_json()) == problem


def test_short_bytes_are_shown_whole() -> None:
    assert bad_field(fault(quality=b"abc")).detail.endswith("(given b'abc').")


@given(st.integers(400, 599), st.text(), st.none() | st.text(), st.none() | st.integers(-(2**53), 2**53))
def test_a_document_reads_back_as_it_was(status: int, detail: str, field: str | None, limit: int | None) -> None:
    problem = Problem(type="about:blank", title="t", status=status, detail=detail, field=field, limit=limit)
    assert Problem.model_validate_json(problem.to_json()) == problem
