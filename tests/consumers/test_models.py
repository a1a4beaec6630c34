import hashlib
from pathlib import Path
from typing import get_args

from bus.topology import OPERATIONS
from consumers.models import CATALOGUE, File, Models, Weights, pull_hint, record
from consumers.operations.remove_background import Network

CONTENT = b"weights"
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
MD5 = "md5:" + hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


def toy(checksum: str | None) -> Weights:
    file = File("toy.bin", "https://example.org/toy.bin", checksum)
    return Weights("toy", "sketch", "CC0", "https://example.org", "toys/toy", 1, (file,))


def holding(folder: Path, content: bytes) -> Models:
    (folder / "toys/toy").mkdir(parents=True, exist_ok=True)
    (folder / "toys/toy/toy.bin").write_bytes(content)
    return Models(folder)


def test_an_empty_folder_misses_everything(tmp_path: Path) -> None:
    models = Models(tmp_path)
    assert models.missing(toy(SHA256)) == ["toy.bin"]
    assert models.faults(toy(SHA256)) == ["toy.bin is missing"]


def test_a_file_with_the_pinned_sum_has_no_fault(tmp_path: Path) -> None:
    models = holding(tmp_path, CONTENT)
    assert models.missing(toy(SHA256)) == []
    assert models.faults(toy(SHA256)) == models.faults(toy(MD5)) == []


def test_a_file_with_another_sum_is_not_trusted(tmp_path: Path) -> None:
    assert holding(tmp_path, b"other").faults(toy(SHA256)) == ["toy.bin is damaged or was changed"]


def test_without_a_published_sum_the_recorded_one_holds(tmp_path: Path) -> None:
    models = holding(tmp_path, CONTENT)
    assert models.faults(toy(None)) == ["toy.bin has no recorded sum"]
    record(tmp_path / "toys/toy")
    assert models.faults(toy(None)) == []
    holding(tmp_path, b"other")
    assert models.faults(toy(None)) == ["toy.bin is damaged or was changed"]


def test_the_sums_are_those_of_sha256sum(tmp_path: Path) -> None:
    holding(tmp_path, CONTENT)
    record(tmp_path / "toys/toy")
    record(tmp_path / "toys/toy")
    assert (tmp_path / "toys/toy/SHA256SUMS").read_text() == f"{SHA256[7:]}  toy.bin\n"


def test_the_catalogue_serves_operations_and_names_every_licence() -> None:
    for name, weights in CATALOGUE.items():
        assert name == weights.name
        assert weights.operation in OPERATIONS
        assert weights.licence in {"Apache-2.0", "MIT", "BSD-3-Clause"}
        assert all(file.url.startswith("https://") for file in weights.files)


def test_every_network_a_caller_may_name_is_in_it() -> None:
    networks = {weights.name for weights in CATALOGUE.values() if weights.operation == "remove-background"}
    assert set(get_args(Network)) == networks


def test_the_hint_is_a_command() -> None:
    assert pull_hint("u2netp") == "run: overspill models pull u2netp"
