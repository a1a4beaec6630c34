"""Pub/Sub emulators that tests start and stop."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bus.errors import SetupError
from tests.needed import lacking
from ui.stack.emulator import PubSubEmulator


@contextmanager
def running(folder: Path) -> Iterator[PubSubEmulator]:
    """An emulator with its files in `folder`; without one the test is skipped, or in CI fails."""
    emulator = PubSubEmulator(folder)
    try:
        emulator.start()
    except SetupError as error:
        lacking(f"no Pub/Sub emulator. {error}")
    try:
        yield emulator
    finally:
        emulator.stop()
