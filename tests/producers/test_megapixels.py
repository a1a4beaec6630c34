import io
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from producers.megapixels import MOST_BYTES, MOST_PIXELS, MOST_READS, _Glance, pixels_of

PHOTOGRAPHS = sorted((Path(__file__).parents[1] / "data" / "photographs").glob("*.jpg"))
FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"]
MEBIBYTE = 1 << 20


def saved(image_format: str, width: int = 120, height: int = 45, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, image_format, **options)
    return file.getvalue()


def box(kind: bytes, *inside: bytes) -> bytes:
    data = b"".join(inside)
    return struct.pack(">I4s", len(data) + 8, kind) + data


def avif(*inside: bytes) -> bytes:
    return box(b"ftyp", b"avif", bytes(4)) + box(b"meta", bytes(4), *inside)


def segment(size: int) -> bytes:
    """A JPEG's segment of a program's notes."""
    return b"\xff\xe1" + struct.pack(">H", size + 2) + bytes(size)


@pytest.mark.parametrize("image_format", FORMATS)
def test_every_format_that_is_taken_tells_its_size(image_format: str) -> None:
    assert pixels_of(saved(image_format)) == 120 * 45


@pytest.mark.parametrize("options", [{"lossless": True}, {"exact": True, "quality": 100}, {"exif": b"Exif\0\0"}])
def test_every_kind_of_webp_does(options: dict[str, Any]) -> None:
    assert pixels_of(saved("WEBP", **options)) == 120 * 45


@pytest.mark.parametrize("path", PHOTOGRAPHS, ids=lambda path: path.stem)
def test_photographs_do(path: Path) -> None:
    with Image.open(path) as image:
        assert pixels_of(path.read_bytes()) == image.width * image.height


def test_a_jpeg_tells_it_behind_megabytes_of_notes() -> None:
    whole = saved("JPEG")
    assert pixels_of(whole[:2] + segment(65_000) * 200 + whole[2:]) == 120 * 45


def test_a_tiff_tells_it_at_its_end() -> None:
    tags = b"".join(struct.pack("<HHII", tag, 4, 1, side) for tag, side in ((256, 4000), (257, 3000)))
    directory = struct.pack("<H", 2) + tags + bytes(4)
    assert pixels_of(struct.pack("<4sI", b"II*\0", 8 + MEBIBYTE) + bytes(MEBIBYTE) + directory) == 12_000_000


def test_a_picture_cut_short_still_tells_it() -> None:
    assert pixels_of(saved("PNG")[:64]) == 120 * 45


def test_a_huge_claim_counts_as_the_largest_picture_taken() -> None:
    claim = struct.pack(">II", 2**31 - 1, 2**31 - 1)
    assert pixels_of(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + claim + bytes(16)) == MOST_PIXELS


@pytest.mark.parametrize(("size", "guess"), [(0, 1_000_000), (3_000_000, 12_000_000), (16 * MEBIBYTE, 50_000_000)])
def test_what_tells_nothing_is_guessed_from_its_bytes(size: int, guess: int) -> None:
    assert pixels_of(b"?" * size) == guess


def test_a_size_of_nothing_is_no_size() -> None:
    assert pixels_of(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(64)) == 1_000_000


HOSTILE = {
    "fill bytes without end": b"\xff\xd8" + b"\xff" * MEBIBYTE,
    "zeros between segments": b"\xff\xd8" + bytes(MEBIBYTE),
    "empty segments": b"\xff\xd8" + segment(0) * (MEBIBYTE // 4),
    "restart markers": b"\xff\xd8" + b"\xff\xd0" * (MEBIBYTE // 2),
    "a TIFF of 65,535 tags": b"II*\0" + struct.pack("<IH", 8, 65_535) + b"\1" * MEBIBYTE,
    "a BigTIFF of 2^64 tags": b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 2**64 - 1) + b"\1" * MEBIBYTE,
    "a BigTIFF beyond any file": b"II+\0\x08\0\0\0" + struct.pack("<Q", 2**64 - 1),
    "boxes of nothing": avif() + box(b"free") * (MEBIBYTE // 8),
    "brands without end": box(b"ftyp", b"xxxx" * (MEBIBYTE // 4)),
    "4 billion properties": avif(box(b"iprp", box(b"ipma", bytes(4), b"\xff" * 4, b"\0\1\0" * (MEBIBYTE // 3)))),
    "properties of nothing": avif(box(b"iprp", box(b"ipco", box(b"free") * (MEBIBYTE // 8)))),
    "text": b"<svg " + b"width='" * MEBIBYTE,
    "digits without end": b"P6" + b"1" * MEBIBYTE,
    "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n" + box(b"free") * (MEBIBYTE // 8),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_hostile_bytes_are_guessed_at(body: bytes) -> None:
    assert pixels_of(body) == max(1_000_000, min(len(body) * 4, MOST_PIXELS))


def test_reads_come_to_an_end() -> None:
    glance = _Glance(bytes(MEBIBYTE))
    assert sum(1 for _ in iter(lambda: glance.read(1), b"")) == MOST_READS


@pytest.mark.parametrize("size", [-1, None, MEBIBYTE])
def test_bytes_read_come_to_an_end(size: int | None) -> None:
    glance = _Glance(bytes(MEBIBYTE))
    assert len(glance.read(size)) == MOST_BYTES
    assert glance.read(size) == b""


BEGINNINGS = [saved(image_format) for image_format in FORMATS] + [b"II+\0\x08\0\0\0", b"MM\0+", b"BM", b"RIFF", b""]


@given(st.sampled_from(BEGINNINGS), st.integers(0, 120), st.binary(max_size=200))
def test_any_bytes_have_a_sane_size(beginning: bytes, kept: int, rest: bytes) -> None:
    assert 1 <= pixels_of(beginning[:kept] + rest) <= MOST_PIXELS


@settings(deadline=None)  # a first AVIF loads its encoder
@given(st.sampled_from(FORMATS), st.integers(1, 200), st.integers(1, 200))
def test_any_size_is_told(image_format: str, width: int, height: int) -> None:
    assert pixels_of(saved(image_format, width, height)) == width * height
