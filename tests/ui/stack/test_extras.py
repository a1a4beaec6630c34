import tomllib
from pathlib import Path

import pytest

from ui.stack import extras


def test_what_is_here_is_not_missing() -> None:
    assert extras.missing("vm") == []


def test_what_is_not_here_is_named_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "EXTRAS", {"s3": ("json", "no_such_module", "no.such.package")})

    assert extras.missing("s3") == ["no_such_module", "no.such.package"]
    assert extras.remedy("s3") == "pip install 'overspill[s3]'"


def test_what_is_not_here_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "EXTRAS", {"page": ("no_a", "no_b"), "s3": ("json",)})

    assert extras.said_missing("page") == "no_a, no_b not installed (pip install 'overspill[page]')"
    assert extras.said_missing("s3") is None


def test_a_part_needs_the_parts_it_is_made_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "EXTRAS", {"bridge": ("no_a",), "vm": ("no_b",), "service": ("no_c",)})

    assert extras.missing("service") == ["no_a", "no_b", "no_c"]


def test_looking_for_modules_imports_none_of_them() -> None:
    assert "import_module" not in Path(extras.__file__).read_text()


def test_every_optional_part_is_known_and_where_it_is_needed() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    optional = set(project["project"]["optional-dependencies"]) - {"dev"}

    assert set(extras.EXTRAS) == set(extras.NEEDED) == optional
