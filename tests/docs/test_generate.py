"""The pages made from the code are the ones committed."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from bus.problems import Kind
from bus.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generate = load()


@pytest.mark.parametrize("page", ["asyncapi.yaml", "metrics.md", "problems.md", "settings.md"])
def test_the_page_is_what_the_code_makes(page: str) -> None:
    committed = (DOCS / page).read_text(encoding="utf-8")
    assert committed == generate.PAGES[page](), f"docs/{page} is out of step: run `python docs/generate.py`"


def test_the_contract_reads_back_as_the_document_it_was_made_from() -> None:
    document = yaml.safe_load(generate.asyncapi_yaml())
    assert document == generate.asyncapi.document(document["info"]["version"])


def test_each_setting_has_a_row_with_all_its_cells() -> None:
    rows = [line for line in generate.settings_md().splitlines() if line.startswith("| `")]
    assert len(rows) == len(Settings.model_fields)
    for row in rows:
        assert [cell for cell in row.strip("|").split("|") if not cell.strip() or "None" in cell] == []


@pytest.mark.parametrize(
    "row",
    [
        "| `AMQP_URL` | text | unset |",
        "| `OVERSPILL_CPU_THRESHOLD` | number, at least 0 and at most 100 | `40.0` |",
        "| `OVERSPILL_SLOTS` | whole number, at least 1 and at most 256 | unset |",
        "| `OVERSPILL_OPERATIONS` | names with commas between | `sketch,remove-background,caption` |",
        "| `OVERSPILL_USER_WEIGHTS` | `name=number` with commas between | none |",
        "| `OVERSPILL_VM_NAME` | text | the host's name |",
    ],
)
def test_a_row_tells_type_bounds_and_default(row: str) -> None:
    assert row in generate.settings_md()


def test_each_problem_has_a_row() -> None:
    rows = [line for line in generate.problems_md().splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == [kind.value.slug for kind in Kind]


def test_running_it_writes_every_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "9.9.9"\n')
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    generate.main()
    assert {page.name for page in (tmp_path / "docs").iterdir()} == set(generate.PAGES)
    assert "version: 9.9.9" in (tmp_path / "docs" / "asyncapi.yaml").read_text()


def test_each_metric_has_a_row_with_all_its_cells() -> None:
    rows = [line for line in generate.metrics_md().splitlines() if line.startswith("| `")]
    assert len(rows) == len(generate.FAMILIES)
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {6}
