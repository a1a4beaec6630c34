"""The `overspill` command."""

import typer
from rich.console import Console
from rich.text import Text

from bus.errors import OverspillError
from ui.commands import (
    bench,
    cloud,
    dead,
    doctor,
    fleet,
    jobs,
    models,
    orders,
    processes,
    record,
    replay,
    stack,
    tail,
    top,
    users,
    why,
)

app = typer.Typer(
    help="Image jobs on your own machines; what they can't hold spills into the cloud, and every answer comes back.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

# A new subject: a module in ui/commands with `register(app)`, and its name here.
for _module in (
    stack,
    processes,
    cloud,
    jobs,
    why,
    tail,
    top,
    dead,
    orders,
    fleet,
    doctor,
    models,
    users,
    bench,
    record,
    replay,
):
    _module.register(app)


def main() -> None:
    """Run the command; an error raised on purpose becomes red words and exit status 1."""
    try:
        app()
    except OverspillError as error:
        Console(stderr=True).print(Text(str(error), style="red"), soft_wrap=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
