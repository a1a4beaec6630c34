"""Where our own files are served, and that the address changes with what is in them."""

from pathlib import Path

import pytest

from ui.web.pages import assets


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(assets, "_WEB", tmp_path)
    (tmp_path / "a.css").write_text("a {}")
    return tmp_path


def test_the_address_changes_with_what_is_in_a_file(folder: Path) -> None:
    before = assets.fingerprint((folder,))
    (folder / "a.css").write_text("b {}")
    assert assets.fingerprint((folder,)) != before


def test_the_address_changes_with_the_name_of_a_file(folder: Path) -> None:
    before = assets.fingerprint((folder,))
    (folder / "a.css").rename(folder / "b.css")
    assert assets.fingerprint((folder,)) != before


def test_python_in_the_folder_does_not_matter(folder: Path) -> None:
    before = assets.fingerprint((folder,))
    (folder / "element.py").write_text("pass")
    assert assets.fingerprint((folder,)) == before


def test_samples_are_small_and_credited() -> None:
    samples = list((Path(assets.__file__).parents[1] / "static" / "samples").glob("*.jpg"))
    assert len(samples) == 3
    assert all(sample.stat().st_size <= 150_000 for sample in samples)
