"""The options of `overspill bench` and their page."""

from pathlib import Path

from typer.main import get_command

from ui.cli import app

PAGE = (Path(__file__).parents[3] / "docs" / "bench.md").read_text(encoding="utf-8")


def test_every_option_is_documented_and_has_its_help() -> None:
    commands = getattr(get_command(app), "commands", {})
    options = {param.opts[0]: param.help for param in commands["bench"].params}
    assert "--rate" in options
    assert {name for name in options if f"`{name}" not in PAGE} == set()
    assert all(options.values())
