from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from bus.errors import SetupError
from consumers.models import CATALOGUE, Models
from consumers.operations.caption import CaptionParams
from consumers.operations.remove_background import RemoveBackgroundParams
from ui.commands import models
from ui.stack import extras

app = typer.Typer()
models.register(app)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OVERSPILL_MODELS_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["models", *words])


def put(folder: Path, content: bytes) -> None:
    path = Models(folder).path(CATALOGUE["u2netp"])
    path.mkdir(parents=True)
    (path / "u2netp.onnx").write_bytes(content)


def test_list_names_every_model_its_licence_and_the_folder(folder: Path) -> None:
    said = run("list").output
    assert all(name in said for name in CATALOGUE)
    assert "u2netp (default)" in said
    assert "BSD-3-Clause" in said
    assert str(folder) in said
    assert "yes" not in said


def test_list_says_what_is_here(folder: Path) -> None:
    put(folder, b"")
    assert "yes" in run("list").output


def test_verify_finds_nothing_wrong_with_nothing(folder: Path) -> None:
    result = run("verify")
    assert result.exit_code == 0
    assert "run: overspill models pull u2netp" in result.output


def test_verify_names_what_is_damaged_and_the_remedy(folder: Path) -> None:
    put(folder, b"damaged")
    result = run("verify")
    assert result.exit_code == 1
    assert "u2netp: u2netp.onnx is damaged or was changed (run: overspill models pull u2netp)" in result.output


def test_pull_fetches_and_verify_then_agrees(folder: Path) -> None:
    """The real weights, from whichever source this machine reaches."""
    put(folder, b"damaged")
    assert "u2netp is here (Apache-2.0" in run("pull", "u2netp").output
    assert "u2netp: as published" in run("verify", "u2netp").output


def test_pull_leaves_out_what_has_no_packages_here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = dict.fromkeys(("remove-background", "caption"), ("no_such_module",))
    monkeypatch.setattr(extras, "EXTRAS", lacking)

    pulled = run("pull")

    assert pulled.exit_code == 0
    assert "u2netp is left out: remove-background is not installed" in pulled.output
    assert "blip-image-captioning-base is left out" in pulled.output
    assert "pip install 'overspill[caption]'" in pulled.output
    assert list(folder.iterdir()) == []


def test_pull_fetches_the_defaults_of_what_is_installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "EXTRAS", {"remove-background": (), "caption": ("no_such_module",)})

    said = run("pull").output

    assert "Fetching u2netp (5 MB) for remove-background ..." in said
    assert "u2netp is here" in said
    assert "Fetching" not in run("pull").output
    assert "blip-image-captioning-base is left out" in said


def test_pull_tells_what_it_could_not_have(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out_of_reach = CATALOGUE["silueta"].files[0].url
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    error = run("pull", "silueta").exception
    assert isinstance(error, SetupError)
    assert out_of_reach in str(error)


@pytest.mark.parametrize("command", ["pull", "verify"])
def test_an_unknown_name_is_answered_with_the_known_ones(folder: Path, command: str) -> None:
    error = run(command, "rmbg").exception
    assert isinstance(error, SetupError)
    assert "u2netp" in str(error)


def test_the_defaults_are_the_operations_own() -> None:
    assert (RemoveBackgroundParams().model, CaptionParams().model) == models.DEFAULTS
