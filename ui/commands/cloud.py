"""`overspill cloud init` and `cloud check`, and the processes of the overflow: `bridge` and `cloud-service`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from bus import settings
from bus.errors import SetupError
from telemetry import process
from ui.stack.processes import answers
from ui.stack.state import broker_url, joined

if TYPE_CHECKING:
    from bridge.pubsub.check import Finding

Seconds = Annotated[float, typer.Option(min=1, help="How long the answer to a trial job is waited for.")]
_GRANTS = "Google's own agent must be allowed to move dead jobs; once, as an owner of the project:"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="Set up and check what the overflow needs in the cloud.")
    group.command()(init)
    group.command()(check)
    app.add_typer(group, name="cloud")
    app.command()(bridge)
    app.command("cloud-service")(cloud_service)


def init() -> None:
    """Create or update topics and subscriptions on Pub/Sub, or its emulator; a second run changes nothing."""
    with _packages("bridge"):
        from bridge.pubsub import resources  # noqa: PLC0415 (no command waits for another's imports)
        from bridge.pubsub.setup import apply  # noqa: PLC0415
    chosen = _on_pubsub()
    console, wanted = Console(highlight=False, soft_wrap=True), resources.wanted(chosen)
    with _connected(chosen) as clients:
        for line in apply(clients, wanted):
            console.print(Text(line))
    if not chosen.cloud_services:
        console.print(
            Text("Nothing is pushed to yet: name the services in OVERSPILL_CLOUD_SERVICES, and run it again.")
        )
    if not chosen.pubsub_emulator_host:
        console.print(Text("\n  ".join((_GRANTS, *resources.grants(chosen)))))


def check(seconds: Seconds = 60.0) -> None:
    """Check topics and subscriptions, and send each service a trial job. Exit status 1 when anything is wrong."""
    with _packages("bridge"):
        from bridge.pubsub import resources  # noqa: PLC0415
        from bridge.pubsub.check import examine, trials  # noqa: PLC0415
    chosen = _on_pubsub()
    console, wanted = Console(highlight=False, soft_wrap=True), resources.wanted(chosen)
    with _connected(chosen) as clients:
        there = [_shown(console, finding) for finding in examine(clients, wanted)]
        # A trial of what is not there would only wait in vain.
        came = [_shown(console, finding) for finding in trials(clients, chosen, seconds)] if all(there) else []
    raise typer.Exit(0 if all(there + came) else 1)


def bridge() -> None:
    """Take what overflows to the cloud, and bring the answers home; start a second one for a standby."""
    with _packages("bridge"):
        from bridge.bridge import serve_bridge  # noqa: PLC0415
    from telemetry import observed  # noqa: PLC0415 (it brings pika, which few commands need)

    chosen = settings.load()
    observed.set_up(chosen, "bridge")
    url = broker_url(chosen)
    process.run(lambda stop: serve_bridge(joined(chosen), url, stop))


def cloud_service() -> None:
    """Run jobs as a service in the cloud does: pushed by Pub/Sub, or asked for over HTTP."""
    with _packages("service"):
        from bridge.cloudrun import serve_cloud  # noqa: PLC0415
    serve_cloud(settings.load())


def _on_pubsub() -> settings.Settings:
    chosen = joined(settings.load())
    if chosen.cloud != "pubsub":
        raise SetupError(
            f"OVERSPILL_CLOUD is {chosen.cloud}: nothing of Pub/Sub is used. Set it to pubsub, or leave it."
        )
    process.set_up_logs("ERROR")
    if chosen.pubsub_emulator_host and not answers(chosen.pubsub_emulator_host):
        raise SetupError(
            f"No emulator answers at {chosen.pubsub_emulator_host}: start it, or unset PUBSUB_EMULATOR_HOST."
        )
    return chosen


@contextmanager
def _connected(chosen: settings.Settings) -> Iterator[Any]:
    from bridge.pubsub.clients import Clients  # noqa: PLC0415

    clients = Clients(chosen)
    try:
        yield clients
    finally:
        clients.close()


@contextmanager
def _packages(extra: str) -> Iterator[None]:
    """Turn a package that is not installed into what to install."""
    try:
        yield
    except ImportError as error:
        raise SetupError(f"A package is missing ({error}): pip install 'overspill[{extra}]'.") from None


def _shown(console: Console, finding: "Finding") -> bool:
    mark = {True: ("ok  ", "green"), None: ("note", "yellow"), False: ("FAIL", "red")}[finding.good]
    console.print(Text.assemble(mark, f"  {finding.subject}: {finding.detail}"))
    if finding.remedy:
        console.print(Text(f"      -> {finding.remedy}"))
    return finding.good is not False
