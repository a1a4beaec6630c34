import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.errors import SetupError
from tests.ui.web.jobs.office import PHOTO, record
from ui.web.jobs.files import Files


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    made = Files(tmp_path)
    made.open()
    yield made
    made.close()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.name != "lock")


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
