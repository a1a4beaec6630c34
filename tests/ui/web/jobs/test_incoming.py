"""A picture that comes: in a file of its own until it is accepted, refused as soon as it can be."""

import asyncio
import errno
import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.errors import BadInput
from tests.ui.web.jobs.office import PHOTO, picture, record
from ui.web.jobs import incoming
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
            digests.append(await coming.digest())
        async with files.incoming(1000, Counted(0), is_kept=False) as compared:
            for start in range(0, len(PHOTO), size):
                await compared.write(PHOTO[start : start + size])
            digests.append(await compared.digest())
    assert set(digests) == {hashlib.sha256(PHOTO).digest()}
    assert names(files.root) == []


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


async def test_a_disk_that_takes_less_than_all_at_a_time_gets_all_of_it(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    for most in (1, 5, 8, 100):
        monkeypatch.setattr(os, "writev", lambda handle, pieces, most=most: write(handle, b"".join(pieces)[:most]))
        monkeypatch.setattr(os, "write", lambda handle, rest: write(handle, rest[:3]))
        path = files.aside()
        with incoming.opened(path) as file:
            incoming.write_all(file.fileno(), [b"abcde", memoryview(b"fgh"), b"", b"ij"])
        assert path.read_bytes() == b"abcdefghij"


async def test_few_bytes_at_a_time_are_written_before_there_are_many_pieces(files: Files) -> None:
    async with files.incoming(1000, Counted()) as coming:
        for _ in range(300):
            await coming.write(b"\x89" if coming.size == 0 else PHOTO[coming.size : coming.size + 1] or b"x")
        assert len(coming._pieces) < 256
        assert coming._path.stat().st_size + len(coming._pieces) == 300


async def test_what_a_caller_leaves_in_the_middle_of_writing_is_removed(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even when the file is opened only after its caller has gone."""
    opening, go_on = threading.Event(), threading.Event()
    opened, counted = incoming.opened, Counted()

    def slowly(path: Path) -> object:
        opening.set()
        go_on.wait(10)
        return opened(path)

    monkeypatch.setattr(incoming, "opened", slowly)

    async def come() -> None:
        async with files.incoming(1000, counted) as coming:
            await coming.write(PHOTO)
            await coming.seen(10_000)

    gone = asyncio.ensure_future(come())
    await asyncio.to_thread(opening.wait, 10)
    gone.cancel()
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.wait({gone})
    assert gone.cancelled()
    assert (counted.size, names(files.root)) == (0, [])


async def test_nothing_is_opened_for_a_caller_who_has_gone_before_there_was_a_thread(files: Files) -> None:
    coming = files.incoming(1000, Counted())
    await coming.write(PHOTO)
    await coming.drop()
    with pytest.raises(RuntimeError, match="dropped"):
        await coming.seen(10_000)
    assert names(files.root) == []
