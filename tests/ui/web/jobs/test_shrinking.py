import dataclasses
import io
import multiprocessing
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from PIL import Image, ImageCms

from tests.ui.web.jobs.office import picture
from ui.web.jobs.shrinking import MAX_JPEG_SCANS, Task, attempt, serve


def task(folder: Path, body: bytes, side: int = 100) -> Task:
    source = folder / "source"
    source.write_bytes(body)
    return Task(source, folder / "deep" / "small.webp", folder / "aside", side, 10_000_000)


def made(folder: Path, body: bytes, side: int = 100) -> Image.Image:
    wanted = task(folder, body, side)
    assert attempt(wanted) is None
    assert not wanted.aside.exists()
    with Image.open(wanted.target) as image:
        assert image.format == "WEBP"
        image.load()
    return image


def refusal(folder: Path, body: bytes) -> str:
    wanted = task(folder, body)
    said = attempt(wanted)
    assert said is not None
    assert not wanted.target.exists()
    assert not wanted.aside.exists()
    assert said.slug == "broken-image"
    return said.detail


def saved(image: Image.Image, kind: str, **more: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **more)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"])
def test_every_kind_is_made_smaller(tmp_path: Path, kind: str) -> None:
    small = made(tmp_path, picture(400, kind))
    assert small.size == (50, 100)
    colours = zip(small.convert("RGB").resize((1, 1)).tobytes(), (200, 120, 40), strict=True)
    assert all(abs(found - meant) < 12 for found, meant in colours)


def test_a_small_one_keeps_its_size(tmp_path: Path) -> None:
    assert made(tmp_path, picture(20)).size == (20, 40)


def test_transparency_is_kept(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (300, 300), (255, 0, 0, 0))
    assert made(tmp_path, saved(clear, "PNG")).getchannel("A").getextrema() == (0, 0)
    palette = Image.new("P", (300, 300), 1)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    assert made(tmp_path, saved(palette, "PNG", transparency=1)).getchannel("A").getextrema() == (0, 0)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "I;16", "CMYK", "LAB", "F"])
def test_every_mode_becomes_one_that_browsers_show(tmp_path: Path, mode: str) -> None:
    kind = "TIFF" if mode in {"CMYK", "LAB", "F"} else "PNG"
    small = made(tmp_path, saved(Image.new(mode, (300, 200)), kind))
    assert (small.size, small.mode in {"RGB", "RGBA"}) == ((100, 67), True)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_it_is_upright(tmp_path: Path, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for mode in ("RGB", "P") if kind == "TIFF" else ("RGB",):
        small = made(tmp_path, saved(Image.new(mode, (400, 200)), kind, exif=exif))
        assert small.size == (50, 100)


def test_a_profile_goes_along(tmp_path: Path) -> None:
    assert made(tmp_path, picture(200, "JPEG", icc_profile=b"profile" * 30)).info["icc_profile"] == b"profile" * 30


@pytest.mark.parametrize(("mode", "top"), [("F", 1.0), ("F", 255.0), ("I", 65535), ("I", 1 << 30)])
def test_deep_samples_are_seen_in_all_their_range(tmp_path: Path, mode: str, top: float) -> None:
    deep = Image.new(mode, (300, 300), 0)
    deep.paste(top, (0, 0, 150, 300))
    small = made(tmp_path, saved(deep, "TIFF")).convert("L")
    assert [small.getpixel((x, 50)) for x in (20, 80)] == pytest.approx([255, 0], abs=2)


def test_what_is_not_rgb_is_shown_by_its_own_profile(tmp_path: Path) -> None:
    lab = ImageCms.createProfile("LAB")
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), lab, "RGB", "LAB")
    violet = ImageCms.applyTransform(Image.new("RGB", (300, 300), (120, 60, 200)), to_lab)
    assert violet is not None
    small = made(tmp_path, saved(violet, "TIFF", icc_profile=ImageCms.ImageCmsProfile(lab).tobytes()))
    assert small.getpixel((50, 50)) == pytest.approx((120, 60, 200), abs=4)
    assert "icc_profile" not in small.info


def test_what_a_parser_grumbles_about_is_not_said(tmp_path: Path) -> None:
    wanted = task(tmp_path, saved(Image.new("P", (4, 4)), "PNG", transparency=b"\0\1\2"))
    wanted.source.write_bytes(picture(300, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff"))
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        assert attempt(wanted) is None
    assert heard == []


def test_what_is_refused_or_broken_says_why(tmp_path: Path) -> None:
    assert "JSON" in refusal(tmp_path, b"{}")
    assert "pixels" in refusal(tmp_path, picture(4000))
    assert "truncated" in refusal(tmp_path, picture(300, "JPEG")[:-200])
    assert "scans" in refusal(tmp_path, picture(300, "JPEG") + b"\xff\xda" * MAX_JPEG_SCANS)
    assert "cannot identify" in refusal(tmp_path, b"\x89PNG\r\n\x1a\n" + bytes(100))


def test_it_serves_until_the_other_end_goes(tmp_path: Path) -> None:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,))
    process.start()
    theirs.close()
    ours.send(task(tmp_path, picture(400)))
    assert ours.recv() is None
    ours.send(task(tmp_path, b"{}"))
    assert "JSON" in ours.recv().detail
    # Where memory runs out it goes before the page does.
    assert Path(f"/proc/{process.pid}/oom_score_adj").read_text() == "1000\n"
    ours.close()
    process.join()
    assert process.exitcode == 0
    process.close()


def test_one_that_takes_too_much_memory_is_not_called_broken(tmp_path: Path) -> None:
    wanted = task(tmp_path, saved(Image.new("1", (10_000, 10_000)), "PNG"))
    wanted = dataclasses.replace(wanted, most_pixels=100_000_000)
    program = (
        "import pickle, resource, sys; from ui.web.jobs.shrinking import attempt\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (200 << 20, 200 << 20))\n"
        "print(attempt(pickle.load(sys.stdin.buffer)).slug)"
    )
    told = subprocess.run([sys.executable, "-c", program], input=pickle.dumps(wanted), capture_output=True, check=True)
    assert told.stdout == b"out-of-memory\n"
