import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bus.errors import BadInput
from tests.ui.web.jobs.office import picture
from ui.web.jobs.pictures import check_kind, result_of, seen, type_of
from ui.web.jobs.record import Picture, Result

KINDS = [
    ("JPEG", "image/jpeg"),
    ("PNG", "image/png"),
    ("WEBP", "image/webp"),
    ("GIF", "image/gif"),
    ("TIFF", "image/tiff"),
    ("BMP", "image/bmp"),
    ("AVIF", "image/avif"),
]


def look(body: bytes, most_pixels: int = 10_000) -> Picture:
    return seen(io.BytesIO(body), len(body), most_pixels)


def refusal(body: bytes, most_pixels: int = 10_000) -> str:
    with pytest.raises(BadInput) as error:
        look(body, most_pixels)
    return error.value.problem.slug


@pytest.mark.parametrize(("kind", "type_"), KINDS)
def test_every_kind_of_picture_is_known_by_its_bytes(kind: str, type_: str) -> None:
    body = picture(16, kind)
    assert look(body) == Picture(bytes=len(body), type=type_, width=16, height=32)


def test_sides_are_as_the_picture_is_looked_at() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind in ("JPEG", "PNG"):
        turned = look(picture(16, kind, exif=exif))
        assert (turned.width, turned.height) == (32, 16)


def test_what_is_refused() -> None:
    assert refusal(b"") == "empty-image"
    assert refusal(b"<html><body>") == "not-an-image"
    assert refusal(b"%PDF-1.7") == "not-an-image"
    assert refusal(b"\0" * 100) == "not-an-image"
    assert refusal(picture(100)) == "too-many-pixels"


def test_a_header_that_tells_no_size_is_left_to_whoever_decodes_it() -> None:
    body = b"\xff\xd8\xff" + bytes(50)
    assert look(body) == Picture(bytes=53, type="image/jpeg")


def test_results() -> None:
    png = picture()
    assert result_of(png, is_caption=False) == Result(bytes=len(png), type="image/png")
    assert result_of(b"who knows", is_caption=False).type == "application/octet-stream"
    told = b'{"caption": "a cup"}'
    assert result_of(told, is_caption=True) == Result(bytes=len(told), type="application/json", caption="a cup")


def test_a_caption_can_be_written_down_whatever_it_holds() -> None:
    told = result_of(rb'{"caption": "half \ud83d, whole \ud83d\ude00"}', is_caption=True)
    assert told.caption == "half ?, whole \N{GRINNING FACE}"
    assert Result.model_validate_json(told.model_dump_json()) == told


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"caption": 3}', b"[" * 100_000, b'"a cup"'])
def test_what_is_no_caption(body: bytes) -> None:
    with pytest.raises(BadInput, match="caption"):
        result_of(body, is_caption=True)


@given(
    st.binary(max_size=200), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"RIFF1234WEBP"])
)
def test_no_bytes_surprise_it(rest: bytes, magic: bytes) -> None:
    body = magic + rest
    assert "/" in type_of(body)
    try:
        check_kind(body)
        assert look(body, 1 << 62).bytes == len(body)
    except BadInput as error:
        assert error.problem.slug in {"not-an-image", "empty-image"}  # noqa: PT017 (a property, not an example)
