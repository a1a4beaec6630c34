"""What may happen to a machine while people use the page."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from tests.journey.processes import Processes
from ui.stack.processes import die_with_us


@contextmanager
def frozen(processes: Processes, name: str) -> Iterator[None]:
    """A VM that takes jobs and gets nowhere with them, until the context ends."""
    children = psutil.Process(processes.pid(name)).children()
    assert children
    for child in children:
        child.suspend()
    try:
        yield
    finally:
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.resume()


@contextmanager
def busy_machine() -> Iterator[None]:
    """Every processor that we may use is busy, with work that lets others go first: who looks on sits elsewhere."""
    command = die_with_us([sys.executable, "-c", "import os; os.nice(10)\nwhile True: pass"])
    burning = [subprocess.Popen(command) for _ in os.sched_getaffinity(0)]
    try:
        yield
    finally:
        for process in burning:
            process.kill()
            process.wait()
