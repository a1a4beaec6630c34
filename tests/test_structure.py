"""The shape of the project: what every module must have, what pure modules may not touch, what the docs must say."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from typer.main import get_command

from bus.settings import NAMED_BY_OTHERS, Settings
from tests.pure import PURE

ROOT = Path(__file__).parents[1]
PACKAGES = ("bus", "telemetry", "producers", "consumers", "bridge", "ui")
SOURCES = sorted(
    path.relative_to(ROOT)
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if "__pycache__" not in path.parts
)
MODULES = [path for path in SOURCES if path.name != "__init__.py"]

IMPURE = {
    "asyncio", "concurrent", "ctypes", "datetime", "google", "multiprocessing", "nicegui", "os", "pika", "psutil",
    "random", "secrets", "select", "signal", "socket", "ssl", "subprocess", "sys", "threading", "time", "torch", "uuid",
}  # fmt: skip
REAL = ("broker", "journey")
READS_THE_ENVIRONMENT = {"bus/settings.py"}


def parsed(path: Path) -> ast.Module:
    """A file's syntax tree; CPython 3.11 now and then loses count of its recursion in there, and may try again."""
    for _ in range(3):
        try:
            return ast.parse((ROOT / path).read_text(encoding="utf-8"))
        except SystemError:
            continue
    raise AssertionError(f"{path} can't be parsed")


def imports(path: Path) -> Iterator[str]:
    """The top-level packages that a file imports, anywhere in it."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = parsed(path)
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def tracked() -> list[Path]:
    """Every file that is, or is about to be, in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    names = listed.stdout.decode().split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


# What an operation is made of is tested from bytes to bytes, with the operation.
PARTS = {
    "captioner.py": "test_caption.py",
    "colour.py": "test_decoding.py",
    "cutter.py": "test_remove_background.py",
    "depth.py": "test_decoding.py",
    "describer.py": "test_caption.py",
    "drawing.py": "test_sketch.py",
    "sketcher.py": "test_sketch.py",
}


def found_for(module: Path) -> list[Path]:
    """The tests of a module: in its mirror, in a folder or a file of its package, or with the real services."""
    tests = ROOT / "tests"
    whole = PARTS.get(module.name, f"test_{module.name}")
    own = [tests / module.parent / whole, *(tests / folder / f"test_{module.name}" for folder in REAL)]
    package = tests / module.parent.with_name(f"test_{module.parent.name}.py")
    inside_a_package = len(module.parts) > 2
    several = [
        *(tests / module.with_suffix("")).glob("test_*.py"),
        *(tests / module.parent).glob(f"test_{module.stem}_*.py"),
    ]
    return [path for path in [*own, *several, *([package] if inside_a_package else [])] if path.exists()]


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_every_module_has_its_test(module: Path) -> None:
    assert found_for(module), f"{module} needs tests/{module.parent}/test_{module.name}"


@pytest.mark.parametrize("module", PURE)
def test_pure_modules_touch_nothing_outside(module: str) -> None:
    touched = set(imports(Path(module))) & IMPURE
    assert touched <= PURE[module].keys(), f"{module} is pure: pass in what {touched} would give"


@pytest.mark.parametrize("module", [module for module, allowed in PURE.items() if allowed])
def test_no_exception_outlives_its_need(module: str) -> None:
    assert PURE[module].keys() <= set(imports(Path(module)))


def test_one_package_speaks_amqp() -> None:
    assert {str(path.parent) for path in SOURCES if "pika" in imports(path)} == {"bus/rabbit"}


def test_one_module_reads_settings_from_the_environment() -> None:
    asks = re.compile(r"os\.environ(?:\.get\(|\[)[\"'](?:OVERSPILL_|AMQP_URL)|getenv\([\"'](?:OVERSPILL_|AMQP_URL)")
    found = {str(path) for path in SOURCES if asks.search((ROOT / path).read_text(encoding="utf-8"))}
    assert found <= READS_THE_ENVIRONMENT, "take the setting from bus.settings.Settings instead"


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_says_who_lives_there(package: str) -> None:
    docstring = ast.get_docstring(parsed(Path(package) / "__init__.py"))
    assert docstring
    assert len(docstring.splitlines()) >= 3


def test_functions_are_short() -> None:
    lengths = sorted(length(node) for path in SOURCES for node in functions(path))
    long = [f"{path}:{node.name} {length(node)}" for path in SOURCES for node in functions(path) if length(node) > 50]
    assert long == []
    assert lengths[len(lengths) * 95 // 100] <= 25


def test_every_setting_is_documented() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    names = {
        name.upper() if name.upper() in NAMED_BY_OTHERS else f"OVERSPILL_{name.upper()}"
        for name in Settings.model_fields
    }
    assert {name for name in names if f"| `{name}` |" not in page} == set()


def test_no_page_or_program_names_a_setting_that_is_not_there() -> None:
    known = {f"OVERSPILL_{name.upper()}" for name in Settings.model_fields} | {"OVERSPILL_CONFIG"}
    for path in (path for path in tracked() if path.suffix in {".md", ".py", ".yaml"} and "tests" not in path.parts):
        named = set(re.findall(r"\bOVERSPILL_[A-Z][A-Z_]*[A-Z]\b", path.read_text(encoding="utf-8")))
        assert named <= known | DEPLOYMENT, f"{path.relative_to(ROOT)} names {named - known - DEPLOYMENT}"


DEPLOYMENT = {"OVERSPILL_BROKER_PASSWORD", "OVERSPILL_BROKER_PORT", "OVERSPILL_MANAGEMENT_PORT"}
"""What only compose.yaml reads, before a program of ours starts."""


def commands() -> set[str]:
    """The names of the command's subcommands."""
    return set(getattr(get_command(import_module("ui.cli").app), "commands", {}))


def test_the_readme_names_only_commands_that_exist() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(?:sh|console|bash)\n(.*?)^```", readme, flags=re.DOTALL | re.MULTILINE)
    used = set(re.findall(r"overspill ([a-z][a-z-]*)", "\n".join(blocks)))
    assert used, "the README shows no command"
    assert used <= commands()


def test_the_readme_names_only_targets_that_make_has() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    used = set(re.findall(r"\bmake ([a-z][a-z-]*)", "\n".join(re.findall(r"`{1,3}[^`]+`{1,3}", readme))))
    assert used <= targets


def test_links_between_pages_lead_somewhere() -> None:
    for page in (path for path in tracked() if path.suffix == ".md"):
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if "://" not in target and not target.startswith("mailto:"):
                assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"


def test_decisions_are_numbered_once_and_say_why() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    numbers = [page.name[:4] for page in pages]
    assert len(numbers) == len(set(numbers))
    for page in pages:
        assert re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", page.name)
        assert page.read_text(encoding="utf-8").startswith("# ")


def test_every_dependency_has_its_decision() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(item for extra in project["optional-dependencies"].values() for item in extra),
    ]
    names = {re.split(r"[\[<>=!~ ;]", item)[0] for item in wanted}
    said = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "decisions").glob("*.md"))
    assert {name for name in names if f"`{name}`" not in said} == set()


# The brackets keep this file from finding itself.
FOREIGN = re.compile(r"[/]work/main|[/]tmp/v/|[.][.]/shared|DESIGN[.]md|FACTS[.]md|STYLE[.]md|\bthe lea[d]\b")
TEXT = {".py", ".md", ".toml", ".yaml", ".yml", ".sh", ".mjs", ""}


def test_the_project_speaks_of_itself_alone() -> None:
    for path in (path for path in tracked() if path.suffix in TEXT):
        found = FOREIGN.search(path.read_text(encoding="utf-8", errors="ignore"))
        assert found is None, f"{path.relative_to(ROOT)} says {found and found[0]!r}"
