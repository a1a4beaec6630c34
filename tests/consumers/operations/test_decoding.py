import io
import warnings
from collections.abc import Callable

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, ImageOps

from bus.errors import BadInput
from bus.problems import Problem
from consumers.operations.decoding import luma, rgb, rgb_and_alpha
from consumers.operations.operation import Limits
from tests.consumers.operations.pictures import (
    array,
    gradient,
    opened,
    photograph,
    png,
    png_chunk,
    saved,
    tiled_tiff,
    zeros,
)

LIMITS = Limits()
SRGB, LAB = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
EVERY_READER: list[Callable[[bytes, Limits], object]] = [luma, rgb, rgb_and_alpha]


def refusal(body: bytes, limits: Limits = LIMITS) -> Problem:
    """The problem every reader answers `body` with."""
    problems = []
    for read in EVERY_READER:
        with pytest.raises(BadInput) as caught:
            read(body, limits)
        problems.append(caught.value.problem)
    assert problems[0] == problems[1] == problems[2]
    return problems[0]


# What is refused, and in which words


def test_no_body() -> None:
    assert refusal(b"").slug == "empty-image"


def test_too_many_bytes_names_the_limit() -> None:
    problem = refusal(bytes(101), Limits(max_bytes=100))
    assert (problem.slug, problem.limit) == ("too-many-bytes", 100)


def test_a_huge_png_is_refused_by_its_header() -> None:
    problem = refusal(png(20_000, 20_000))
    assert (problem.slug, problem.limit) == ("too-many-pixels", 50_000_000)
    assert "20,000 x 20,000 pixels, 400,000,000 in all; at most 50,000,000 are taken." in problem.detail


@pytest.mark.parametrize(
    "body",
    [
        png(2**31 - 1, 2**31 - 1),
        png(60_000, 60_000),
        saved(Image.new("1", (9000, 9000)), "TIFF", compression="group4"),
        saved(Image.new("L", (9000, 9000)), "GIF"),
        saved(Image.new("L", (9000, 9000)), "JPEG"),
    ],
)
def test_a_bomb_of_pixels_is_refused_by_its_header(body: bytes) -> None:
    assert refusal(body).slug == "too-many-pixels"


def test_the_limit_itself_passes() -> None:
    body = saved(gradient(40, 30), "PNG")
    assert rgb(body, Limits(max_pixels=1200)).shape == (30, 40, 3)
    assert refusal(body, Limits(max_pixels=1199)).limit == 1199


def test_a_tiff_of_few_pixels_in_a_huge_tile_is_refused() -> None:
    assert rgb(tiled_tiff(side=16), LIMITS).shape == (8, 8, 3)
    problem = refusal(tiled_tiff(side=60_000))
    assert problem.slug == "too-many-pixels"
    assert "60,000 x 60,000" in problem.detail


@pytest.mark.parametrize(
    ("body", "looks_like"),
    [
        (b"Dear Sir or Madam,", "no image format"),
        (b"<html><body>404", "HTML"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
        (b"%PDF-1.7", "PDF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (saved(gradient(), "JPEG2000"), "JPEG 2000"),
        (saved(gradient(), "ICO"), "ICO"),
    ],
)
def test_what_is_no_image_we_read_is_named(body: bytes, looks_like: str) -> None:
    problem = refusal(body)
    assert problem.slug == "not-an-image"
    assert looks_like in problem.detail
    assert "JPEG, PNG" in (problem.remedy or "")


FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"]


@pytest.mark.parametrize("image_format", FORMATS)
def test_the_first_half_of_a_file_is_damaged(image_format: str) -> None:
    body = saved(opened(photograph()), image_format)
    assert refusal(body[: len(body) // 2]).slug == "broken-image"


@pytest.mark.parametrize("image_format", FORMATS)
def test_a_header_alone_is_damaged(image_format: str) -> None:
    assert refusal(saved(gradient(), image_format)[:14]).slug in {"broken-image", "not-an-image"}


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP"])
def test_a_bomb_in_png_metadata_does_not_go_off(kind: bytes) -> None:
    bomb = png_chunk(kind, b"name\0\0" + zeros(200_000_000))
    problem = refusal(png(8, 8, bomb, rows=bytes(72)))
    assert problem.slug == "broken-image"
    assert "too large" in problem.detail.lower()


def test_a_jpeg_of_endless_scans_is_refused() -> None:
    body = photograph()
    assert "500 scans" in refusal(body[:-2] + b"\xff\xda" * 501 + b"\xff\xd9").detail


def test_a_jpeg_with_a_second_header_is_refused() -> None:
    """What Pillow checked is what OpenCV decodes: it refuses a frame that is announced twice."""
    body = photograph()
    frame = body.index(b"\xff\xc0")
    length = int.from_bytes(body[frame + 2 : frame + 4], "big") + 2
    assert refusal(body[:frame] + body[frame : frame + length] * 2 + body[frame + length :]).slug == "broken-image"


def test_running_out_of_memory_is_not_the_pictures_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image.Image, "load", full)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", full)
    with pytest.raises(MemoryError):
        rgb(saved(gradient(), "BMP"), LIMITS)


# What is read, and how


@pytest.mark.parametrize("image_format", FORMATS)
def test_every_format_comes_out_alike(image_format: str) -> None:
    body = saved(gradient(), image_format)
    expected = array(opened(body).convert("RGB"))
    assert np.abs(rgb(body, LIMITS).astype(int) - expected).max() <= 2
    assert np.abs(luma(body, LIMITS).astype(int) - array(opened(body).convert("L"))).max() <= 3


def test_the_extension_or_type_told_does_not_matter_and_a_tail_is_left_alone() -> None:
    body = saved(gradient(), "PNG")
    assert np.array_equal(rgb(body + b"<script>PK\3\4", LIMITS), array(gradient()))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_orientation_is_turned_upright(image_format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    body = saved(gradient(), image_format, exif=exif)
    expected = ImageOps.exif_transpose(opened(body)).convert("RGB")
    assert np.abs(rgb(body, LIMITS).astype(int) - array(expected)).max() <= 2
    assert luma(body, LIMITS).shape == (expected.height, expected.width)


@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0MM\0*\0\0\xff\xff", b"Exif\0\0II*\0\x08\0\0\0\xff\xff"])
def test_broken_exif_is_no_reason_to_refuse(exif: bytes) -> None:
    assert rgb(saved(gradient(), "JPEG", exif=exif), LIMITS).shape == (30, 40, 3)


def test_huge_metadata_is_read_past() -> None:
    body = saved(gradient(), "JPEG")
    comments = (b"\xff\xfe\xff\xff" + b"x" * 65_533) * 40
    assert rgb(body[:2] + comments + body[2:], LIMITS).shape == (30, 40, 3)


@pytest.mark.parametrize("size", [(1, 1), (30_000, 1), (1, 30_000)])
@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
def test_extreme_shapes_are_read(size: tuple[int, int], image_format: str) -> None:
    body = saved(Image.new("RGB", size, (200, 100, 50)), image_format)
    assert rgb(body, LIMITS).shape == (size[1], size[0], 3)
    assert luma(body, LIMITS).shape == (size[1], size[0])


@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_an_animation_is_its_first_frame(image_format: str) -> None:
    first, second = Image.new("RGB", (8, 8), (255, 0, 0)), Image.new("RGB", (8, 8), (0, 0, 255))
    body = saved(first, image_format, save_all=True, append_images=[second], lossless=True)
    assert (rgb(body, LIMITS)[4, 4] - [250, 0, 0] < 8).all()


GREY = Image.fromarray(np.repeat(np.array([[30, 220]], np.uint8), 8, axis=1).repeat(8, axis=0))
"""A dark square and, on its right, a light one."""
SIXTEEN_BITS = array(GREY).astype(np.uint16) * 257
IN_EVERY_MODE = {
    "1": (GREY.convert("1", dither=Image.Dither.NONE), "PNG"),
    "P": (GREY.convert("P"), "PNG"),
    "PA": (GREY.convert("P").convert("PA"), "TIFF"),
    "I;16": (Image.fromarray(SIXTEEN_BITS), "PNG"),
    "I;16B": (Image.fromarray(SIXTEEN_BITS.astype(">u2")), "TIFF"),
    "I": (Image.fromarray(SIXTEEN_BITS.astype(np.int32)), "TIFF"),
    "F": (Image.fromarray(array(GREY).astype(np.float32) / 255), "TIFF"),
    "LAB": (ImageCms.profileToProfile(GREY.convert("RGB"), SRGB, LAB, outputMode="LAB"), "TIFF"),
    **{mode: (GREY.convert("RGB").convert(mode), "PNG") for mode in ("L", "LA", "RGB", "RGBA")},
    **{mode: (GREY.convert("RGB").convert(mode), "TIFF") for mode in ("CMYK", "YCbCr", "RGBX")},
    "CMYK JPEG": (GREY.convert("RGB").convert("CMYK"), "JPEG"),
}


@pytest.mark.parametrize("mode", IN_EVERY_MODE)
def test_every_mode_is_read(mode: str) -> None:
    picture, image_format = IN_EVERY_MODE[mode]
    assert picture is not None
    body = saved(picture, image_format)
    dark, light = (0, 255) if mode == "1" else (30, 220)
    for read in (luma(body, LIMITS), rgb(body, LIMITS)[:, :, 1]):
        assert read.shape == (8, 16)
        assert abs(int(read[4, 3]) - dark) <= 6, read
        assert abs(int(read[4, 12]) - light) <= 6, read


def test_opacity_comes_apart_and_colour_is_kept_under_it() -> None:
    half = gradient().copy()
    half.putalpha(128)
    colours, alpha = rgb_and_alpha(saved(half, "PNG"), LIMITS)
    assert np.array_equal(colours, array(gradient()))
    assert alpha is not None
    assert (alpha == 128).all()


def test_transparency_lies_on_white() -> None:
    body = saved(Image.new("RGBA", (4, 4), (0, 0, 0, 64)), "PNG")
    assert (rgb(body, LIMITS) == 191).all()
    assert (luma(body, LIMITS) == 191).all()


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_a_transparent_colour_counts_as_transparency(mode: str) -> None:
    picture = Image.new(mode, (4, 4), 0)
    _, alpha = rgb_and_alpha(saved(picture, "PNG", transparency=(0, 0, 0) if mode == "RGB" else 0), LIMITS)
    assert alpha is not None
    assert not alpha.any()


def test_an_opaque_picture_has_no_alpha() -> None:
    assert rgb_and_alpha(photograph(), LIMITS)[1] is None


@pytest.mark.parametrize(
    ("samples", "seen"),
    [
        ([0.0, 1.0], [0, 255]),
        ([0.0, 255.0], [0, 255]),
        ([0.0, 1000.0], [0, 4]),
        ([0.0, 1e6], [0, 255]),
        ([-1.0, 1.0], [0, 255]),
        ([-3.0, -3.0], [0, 0]),
        ([float("nan"), 1.0], [0, 255]),
        ([float("inf"), 0.5], [0, 128]),
    ],
)
def test_floats_are_scaled_not_clipped(samples: list[float], seen: list[int]) -> None:
    body = saved(Image.fromarray(np.array([samples], np.float32)), "TIFF")
    assert luma(body, LIMITS).tolist() == [seen]


def test_a_colour_profile_is_applied() -> None:
    violet = Image.new("RGB", (4, 4), (120, 60, 200))
    in_lab = ImageCms.profileToProfile(violet, SRGB, LAB, outputMode="LAB")
    assert in_lab is not None
    body = saved(in_lab, "TIFF", icc_profile=ImageCms.ImageCmsProfile(LAB).tobytes())
    assert np.abs(rgb(body, LIMITS).astype(int) - [120, 60, 200]).max() <= 3


@pytest.mark.parametrize("profile", [b"not a profile", ImageCms.ImageCmsProfile(LAB).tobytes()])
def test_a_profile_that_is_broken_or_does_not_fit_is_ignored(profile: bytes) -> None:
    assert np.array_equal(rgb(saved(gradient(), "PNG", icc_profile=profile), LIMITS), array(gradient()))


def test_no_warning_escapes() -> None:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        rgb(saved(Image.new("P", (4, 4)), "PNG", transparency=b"\0\1\2"), LIMITS)
        luma(png(6_000, 6_000, rows=bytes(6_001 * 6_000)), LIMITS)
    assert heard == []


def test_two_pictures_in_a_phones_file_are_the_first() -> None:
    file = io.BytesIO()
    gradient().save(file, "MPO", save_all=True, append_images=[Image.new("RGB", (40, 30))])
    assert np.abs(rgb(file.getvalue(), LIMITS).astype(int) - array(gradient())).max() <= 12
