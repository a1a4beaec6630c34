import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.errors import BadInput, SetupError
from tests.ui.web.jobs.office import PHOTO, picture, record
from ui.web.jobs.allowances import no_room
from ui.web.jobs.files import Files


class Counted:
    """Counts bytes, up to a bound."""

    def __init__(self, most: int = 1 << 30) -> None:
        self.size, self._most = 0, most

    def __call__(self, size: int) -> None:
        if self.size + size > self._most:
            raise BadInput(no_room("Enough."))
        self.size += size


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    made = Files(tmp_path)
    made.open()
    yield made
    made.close()


async def bring(files: Files, pieces: list[bytes], counted: Counted) -> None:
    async with files.incoming(1000, counted) as coming:
        for piece in pieces:
            await coming.write(piece)
        await coming.keep(files.picture_path(record()))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.name != "lock")


async def test_a_picture_that_is_accepted_is_kept(files: Files) -> None:
    counted = Counted()
    body = picture(1000, "BMP")
    path = files.picture_path(record())
    async with files.incoming(1 << 30, counted) as coming:
        for start in range(0, len(body), 100_000):
            await coming.write(memoryview(body)[start : start + 100_000])
        seen = await coming.seen(1 << 40)
        await coming.keep(path)
        coming.accept()
    assert (seen.bytes, seen.width, coming.size, counted.size) == (len(body), 1000, len(body), len(body))
    assert path.read_bytes() == body
    assert names(files.root) == ["a" * 32]
    assert files.root.stat().st_mode & 0o777 in {0o700, 0o755}
    assert path.parent.stat().st_mode & 0o077 == 0


async def test_what_is_not_accepted_leaves_nothing(files: Files) -> None:
    counted = Counted()
    async with files.incoming(1000, counted) as coming:
        await coming.write(PHOTO)
        assert counted.size == len(PHOTO)
    assert counted.size == 0
    assert names(files.root) == []


async def test_the_same_bytes_have_the_same_digest_however_they_came(files: Files) -> None:
    digests = []
    for size in (1, 7, 1000):
        async with files.incoming(1000, Counted()) as coming:
            for start in range(0, len(PHOTO), size):
                await coming.write(PHOTO[start : start + size])
            await coming.seen(10_000)
            digests.append(coming.digest)
    assert len(set(digests)) == 1


@pytest.mark.parametrize(
    ("pieces", "slug"),
    [
        ([b"<!doctype html>", b" " * 60], "not-an-image"),
        ([PHOTO, bytes(1000)], "too-many-bytes"),
        ([PHOTO, bytes(600)], "not-ready"),
    ],
)
async def test_a_picture_is_refused_as_it_comes(files: Files, pieces: list[bytes], slug: str) -> None:
    counted = Counted(500)
    with pytest.raises(BadInput) as error:
        await bring(files, pieces, counted)
    assert error.value.problem.slug == slug
    assert counted.size == 0
    assert names(files.root) == []


async def test_a_small_file_is_looked_at_when_it_is_whole(files: Files) -> None:
    async with files.incoming(1000, Counted()) as coming:
        await coming.write(b"<html>")
        with pytest.raises(BadInput, match="HTML"):
            await coming.seen(10_000)


async def test_a_full_disk_is_told_as_a_problem(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def broken(_handle: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    for fault, expected in ((full, BadInput), (broken, OSError)):
        monkeypatch.setattr(os, "fsync", fault)
        with pytest.raises(expected):
            await bring(files, [PHOTO], Counted())
        assert names(files.root) == []


async def test_results_shared_pictures_and_removal(files: Files) -> None:
    first, second = record("a" * 32), record("b" * 32)
    await files.keep_result(first.id, b"result")
    assert files.result_path(first).read_bytes() == b"result"
    files.picture_path(first).parent.mkdir()
    files.picture_path(first).write_bytes(PHOTO)
    await files.share(first, second.id)
    preview = files.preview_path(first, "picture", "thumbnail")
    preview.parent.mkdir()
    preview.write_bytes(b"small")
    await files.remove([first.id, "c" * 32])
    assert names(files.root) == [second.id]
    assert files.picture_path(second).read_bytes() == PHOTO
    with pytest.raises(FileNotFoundError):
        await files.share(first, "d" * 32)


async def test_where_there_are_no_links_a_picture_is_copied(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    def unable(_source: Path, _target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    files.picture_path(record()).parent.mkdir()
    files.picture_path(record()).write_bytes(PHOTO)
    monkeypatch.setattr(os, "link", unable)
    await files.share(record(), "b" * 32)
    assert files.path("pictures", "b" * 32).read_bytes() == PHOTO


def test_what_came_half_is_swept_and_what_is_there_is_listed(files: Files) -> None:
    files.aside().write_bytes(b"half")
    for name in ("aa1", "aa2", "bb1"):
        path = files.path("pictures", name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    preview = files.preview_path(record("aa1"), "result", "preview")
    preview.parent.mkdir()
    preview.write_bytes(b"x")
    files.sweep_incoming()
    assert list(files.ids()) == [["aa1", "aa2"], ["bb1"], ["aa1"]]
    assert list((files.root / "incoming").iterdir()) == []


def test_one_page_at_a_time_uses_it(files: Files) -> None:
    with pytest.raises(SetupError, match="Another page uses"):
        Files(files.root).open()
    files.close()
    after = Files(files.root)
    after.open()
    after.close()


def test_a_folder_that_can_not_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SetupError, match="OVERSPILL_PAGE_DIR"):
        Files(tmp_path / "file").open()
