import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.ui.web.jobs.office import picture
from ui.web.jobs.sides import orientation, sides_of

KINDS = {"JPEG": "JPEG", "TIFF": "TIFF", "PNG": "PNG", "WEBP": "WebP", "AVIF": "AVIF"}
"""Those that tell how they are held, by Pillow's name and by ours."""


def look(body: bytes, kind: str) -> tuple[int, int] | None:
    return sides_of(io.BytesIO(body), kind)


def held(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 7, 8])
def test_they_are_turned_as_the_picture_is_looked_at(kind: str, orientation: int) -> None:
    body = picture(16, kind, exif=held(orientation))
    assert look(body, KINDS[kind]) == ((16, 32) if orientation < 5 else (32, 16))


@pytest.mark.parametrize("kind", [*KINDS, "GIF", "BMP"])
def test_those_that_do_not_tell_are_upright(kind: str) -> None:
    assert look(picture(16, kind), KINDS.get(kind, kind)) == (16, 32)


def test_a_camera_s_notes_are_skipped_not_read() -> None:
    notes = b"".join(b"\xff\xe4\xff\xff" + bytes(65533) for _ in range(100))
    body = picture(16, "JPEG")
    assert look(body[:2] + notes + body[2:], "JPEG") == (16, 32)


def test_a_png_may_tell_it_behind_its_pixels() -> None:
    body = picture(16, exif=held(6))
    at = body.index(b"eXIf") - 4
    exif = body[at : at + 12 + struct.unpack_from(">I", body, at)[0]]
    end = body.index(b"IEND") - 4
    moved = body[:at] + body[at + len(exif) : end] + exif + body[end:]
    assert look(moved, "PNG") == (32, 16)


def test_of_a_png_of_countless_chunks_so_many_are_looked_at() -> None:
    body = picture(16, exif=held(6))
    at = body.index(b"eXIf") - 4
    empty = struct.pack(">I4sI", 0, b"teXt", 0)
    assert look(body[:at] + empty * 1_000 + body[at:], "PNG") == (32, 16)
    assert look(body[:at] + empty * 3_000 + body[at:], "PNG") == (16, 32)


def test_exif_may_have_a_name_before_it_and_either_order_of_bytes() -> None:
    for order, mark in (("<", b"II*\0"), (">", b"MM\0*")):
        block = mark + struct.pack(f"{order}IHHHIHxx", 8, 1, 0x0112, 3, 1, 6)
        assert orientation(block) == orientation(b"Exif\0\0" + block) == 6


@pytest.mark.parametrize(
    "exif",
    [
        b"",
        b"II*\0",
        b"II*\0" + struct.pack("<I", 4_000_000_000),
        b"II*\0" + struct.pack("<IHHHIHxx", 8, 1, 0x0112, 3, 1, 9),
        b"II*\0" + struct.pack("<IHHHII", 8, 1, 0x0112, 4, 1, 6),
        b"II*\0" + struct.pack("<IHHHI", 8, 1, 0x0112, 3, 1),
    ],
)
def test_exif_that_makes_no_sense_turns_nothing(exif: bytes) -> None:
    assert orientation(exif) == 1


@given(st.sampled_from(sorted(KINDS.values())), st.integers(0, 2000), st.binary(min_size=1, max_size=8))
def test_no_damage_surprises_it(kind: str, place: int, damage: bytes) -> None:
    name = {ours: theirs for theirs, ours in KINDS.items()}[kind]
    body = picture(16, name, exif=held(6))
    place %= len(body)
    sides = look(body[:place] + damage + body[place + len(damage) :], kind)
    assert sides is None or min(sides) > 0
    look(body[:place], kind)
