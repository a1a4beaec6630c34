"""`overspill up`, `down` and `env`: the stack of one machine."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from bus import settings
from bus.errors import SetupError
from ui.stack import state
from ui.stack.page import ADDRESS
from ui.stack.processes import end, serves

_READY_WITHIN_S = 180.0
_GONE_WITHIN_S = 120.0
_OVERSPILL = (sys.executable, "-m", "ui.cli")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(up)
    app.command()(down)
    app.command()(env)


def up(
    *,
    wait: Annotated[
        bool, typer.Option("--wait", help="Start it in the background and return when everything is ready.")
    ] = False,
) -> None:
    """Start a broker, two VMs, a router, the page and a cloud to overflow into on this machine; Ctrl-C stops all of it.

    The cloud is the Pub/Sub emulator, a service and a bridge. What can't be had is said; the rest works without.
    """
    chosen = settings.load()
    if wait:
        _up_in_background(chosen.state_dir)
    else:
        _up_here(chosen)


def _up_here(chosen: settings.Settings) -> None:
    # Here, so that the other commands don't wait for these imports.
    from ui.stack.up import Up, alone, merged_log  # noqa: PLC0415

    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    log = state.log_file(chosen.state_dir)
    as_json = chosen.log_format == "json"
    with alone(chosen.state_dir), merged_log(log, _print, colour=colour, as_json=as_json) as say:
        asyncio.run(Up(chosen, os.environ, say, cores=_cores(), overspill=_OVERSPILL).run())


def _print(line: str) -> None:
    # A terminal that is gone must not stop the stack half-way through its own stopping.
    try:
        print(line, flush=True)
    except OSError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 (for the rest of the process)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _up_in_background(state_dir: Path) -> None:
    stack = state.running(state_dir)
    if stack is not None and stack.ready:
        print("The stack runs already.")
        return
    log = state.log_file(state_dir)
    log.parent.mkdir(parents=True, exist_ok=True)
    with (log.parent / "up.log").open("wb") as console:
        supervisor = _Lasting(
            [*_OVERSPILL, "up"],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # it stays when the terminal goes
        )
    _wait_until_ready(supervisor, state_dir)


class _Lasting(subprocess.Popen[bytes]):
    """A child that is meant to outlive us: Popen would warn of it."""

    def __del__(self) -> None:
        self.poll()


def _wait_until_ready(supervisor: "subprocess.Popen[bytes]", state_dir: Path) -> None:
    deadline = time.monotonic() + _READY_WITHIN_S
    print("Starting the stack ...", flush=True)
    while time.monotonic() < deadline:
        stack = state.running(state_dir)
        if stack is not None and stack.ready:
            print("\n".join([*stack.lacking, what_is_ready(stack)]))
            return
        # One that another `up --wait` started counts as well: ours then ends, and we wait for the other.
        if supervisor.poll() is not None and stack is None:
            raise SetupError(f"The stack did not start.\n{_last_lines(state_dir)}")
        time.sleep(0.1)
    end(supervisor, _GONE_WITHIN_S)
    raise SetupError(f"The stack was not ready within {_READY_WITHIN_S:.0f} s.\n{_last_lines(state_dir)}")


def what_is_ready(stack: state.Stack) -> str:
    """The line that ends `up --wait`."""
    at = stack.environ.get(ADDRESS)
    if at is not None and not serves(at):
        return f"The stack is ready; its page, {at}/, is not yet: `overspill doctor` says more."
    opened = f"Open {at}/, or try" if at else "Try"
    return f"The stack is ready. {opened}: .venv/bin/overspill submit photo.jpg -o sketch"


def _last_lines(state_dir: Path) -> str:
    console = state.log_file(state_dir).with_name("up.log")
    lines = console.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]
    return "\n".join([f"The end of {console}:", *lines])


def down() -> None:
    """Stop the running stack: what runs jobs finishes what it has begun, then the broker goes."""
    stack = state.running(settings.load().state_dir)
    if stack is None:
        print("No stack runs here.")
        return
    os.kill(stack.pid, signal.SIGTERM)
    deadline = time.monotonic() + _GONE_WITHIN_S
    while stack.alive and time.monotonic() < deadline:
        time.sleep(0.05)
    if stack.alive:
        raise SetupError(f"The stack does not stop. Its supervisor is process {stack.pid}; its children go with it.")
    print("The stack has stopped.")


def env() -> None:
    """Print the addresses of the running stack as KEY=value lines."""
    stack = state.running(settings.load().state_dir)
    if stack is None or not stack.environ:
        raise SetupError(state.NOT_RUNNING)
    for name, value in stack.environ.items():
        print(f"{name}={value}")
