"""Log lines as a program reads them, with what was bound around them when they were written."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from telemetry.logs import json_lines


def said_by(logger: str, caplog: pytest.LogCaptureFixture) -> list[str]:
    """The messages of one module: pages and brokers' clients of other tests in this process log as well."""
    return [record.getMessage() for record in caplog.records if record.name == logger]


class Lines:
    """What has been logged."""

    def __init__(self) -> None:
        self.written = io.StringIO()

    @property
    def all(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.written.getvalue().splitlines()]

    def about(self, words: str) -> dict[str, Any]:
        """The line in whose message these words are."""
        (line,) = [line for line in self.all if words in line["message"]]
        return line


@contextmanager
def logged(logger: str) -> Iterator[Lines]:
    """The lines of a module, or of all under a name, from INFO on."""
    lines = Lines()
    handler = logging.StreamHandler(lines.written)
    handler.setFormatter(json_lines("test"))
    ours = logging.getLogger(logger)
    level = ours.level
    ours.addHandler(handler)
    ours.setLevel("INFO")
    try:
        yield lines
    finally:
        ours.removeHandler(handler)
        ours.setLevel(level)
