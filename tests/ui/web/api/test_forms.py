"""Forms as clients write them, in pieces of any size; and what is no form."""

from collections.abc import Iterable, Mapping
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.errors import BadInput
from ui.web.api.forms import Form, boundary_of

PICTURE = b"\xff\xd8 a picture \r\n--with-a-line-like-a-boundary\r\n"


def written(files: Any = None, data: Mapping[str, str] | None = None) -> tuple[bytes, bytes]:
    """A form as a client writes it, and its boundary."""
    made = httpx.Request("POST", "http://page.example/", files=files, data=data)
    boundary = boundary_of(made.headers["content-type"])
    assert boundary is not None
    return made.read(), boundary


def read(chunks: Iterable[bytes], boundary: bytes) -> tuple[bytes, Form]:
    form = Form(boundary)
    picture = b"".join(bytes(piece) for chunk in chunks for piece in form.feed(chunk))
    form.finish()
    return picture, form


def refused(body: bytes, boundary: bytes) -> str:
    with pytest.raises(BadInput) as caught:
        read([body], boundary)
    return f"{caught.value.problem.status} {caught.value.problem.detail}"


@given(st.data())
def test_a_form_reads_the_same_however_it_is_cut(data: st.DataObject) -> None:
    body, boundary = written(
        {"image": ("kaffee ☕.jpg", PICTURE, "image/jpeg")}, {"operation": "sketch", "params": "{}"}
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=12)))
    chunks = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]

    picture, form = read(chunks, boundary)

    assert picture == PICTURE
    assert form.file_name == "kaffee ☕.jpg"
    assert form.fields == {"operation": "sketch", "params": "{}"}


@given(st.binary(max_size=2000))
def test_any_bytes_come_through(picture: bytes) -> None:
    body, boundary = written({"image": ("x", picture)})
    assert read([body], boundary)[0] == picture


def test_a_picture_needs_no_file_name_and_other_fields_are_ignored() -> None:
    body, boundary = written({"image": (None, PICTURE), "other": (None, "text" * 100_000), "name": (None, "cup.jpg")})
    picture, form = read([body], boundary)
    assert (picture, form.file_name, form.fields) == (PICTURE, None, {"name": "cup.jpg"})


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([("image", ("a", PICTURE)), ("image", ("b", PICTURE))], "422 image: the form has more than one file."),
        ([("image", ("a", PICTURE)), ("more", ("b", PICTURE))], "422 image: the form has more than one file."),
        ([("photo", ("a", PICTURE))], "422 image: the form has no file of that name; it has 'photo'."),
        ([("name", (None, "cup"))], "422 image: the form has no file of that name."),
        ([("params", (None, "x" * 20_000))], "422 params: the field has more than 16,384 bytes."),
    ],
    ids=["two pictures", "another file", "another name", "no file", "a long field"],
)
def test_a_form_that_is_not_as_it_must_be_says_why(files: Any, said: str) -> None:
    assert refused(*written(files)) == said


def test_what_is_no_form_can_not_be_read() -> None:
    body, boundary = written({"image": ("a", PICTURE)})
    assert refused(body[:-10], boundary) == "400 The form can't be read: it ends in the middle."
    assert refused(b"garbage", boundary).startswith("400 The form can't be read: ")
    assert refused(b"", boundary).startswith("400 ")


@pytest.mark.parametrize("given", ["multipart/form-data", f"multipart/form-data; boundary={'x' * 71}"])
def test_a_form_needs_a_boundary(given: str) -> None:
    with pytest.raises(BadInput, match="boundary of 1 to 70"):
        boundary_of(given)


@pytest.mark.parametrize("given", ["", "image/jpeg", "application/octet-stream; boundary=x"])
def test_other_bodies_are_pictures_as_they_are(given: str) -> None:
    assert boundary_of(given) is None
