"""Recordings as files: JSON lines, compressed where the file's name ends in `.gz`.

What was written before a recorder was killed can be read: the compressor is flushed every few seconds, and a file that
was cut off is used as far as it goes.
"""

import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from producers.flight.lines import BadRecording, Reading, end_text, header_text, last_ms, line_text
from producers.flight.recording import Header, Line, Recording

_GZIP: Final = b"\x1f\x8b"
_LEVEL: Final = 6
_LONGEST_LINE: Final = 2**24
"""Characters. A load's line has a few hundred."""


class Recorder:
    """A recording while it is written, a line at a time; a context manager that closes it as what it has become."""

    def __init__(self, file: IO[bytes], header: Header, *, compressed: bool = True) -> None:
        """`file` is open for writing, and stays its opener's to close."""
        self.header = header
        self._file = file
        self._out: gzip.GzipFile | IO[bytes] = file
        if compressed:
            self._out = gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=file, mtime=0)
        self._write(header_text(header))
        self.flush()

    def write(self, lines: Iterable[Line]) -> None:
        """Append lines."""
        for line in lines:
            self._write(line_text(line))

    def flush(self) -> None:
        """Hand everything over to the system, so that it outlives this process."""
        self._out.flush()
        self._file.flush()

    def close(self) -> None:
        """Write the last line, as `header` is by now."""
        self._write(end_text(self.header))
        if self._out is not self._file:
            self._out.close()
        self._file.flush()

    def _write(self, text: str) -> None:
        self._out.write(text.encode() + b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            self.header = replace(self.header, complete=False)
        self.close()


def write(path: Path, recording: Recording) -> None:
    """Write a whole recording to a file, over what was there. Raises OSError when it can't be written."""
    parts = (recording.vms, recording.routers, recording.clouds, recording.states, recording.loads, recording.jobs)
    with path.open("wb") as file, Recorder(file, recording.header, compressed=path.suffix == ".gz") as recorder:
        recorder.write(sorted(chain.from_iterable(parts), key=last_ms))


def read(path: Path) -> Recording:
    """Read a recording; `header.missing` says what of it could not be used.

    Raises BadRecording when the file is something else or of a later version, OSError when it can't be read.
    """
    reading = Reading()
    try:
        with path.open("rb") as file:
            _feed(reading, file)
        return reading.recording()
    except BadRecording as error:
        raise BadRecording(f"{path}: {error}") from None


def _feed(reading: Reading, file: io.BufferedReader) -> None:
    try:
        for line in _lines(file):
            if not line.endswith(b"\n"):
                reading.cut_off()
                break
            if not reading.feed(line.decode(errors="replace")):
                break
    except EOFError:
        pass  # the same, of a compressed file
    except (zlib.error, gzip.BadGzipFile) as error:
        reading.cut(f"the compressed data is damaged ({error})")


def _lines(file: io.BufferedReader) -> Iterator[bytes]:
    is_gzip = file.peek(2)[:2] == _GZIP
    source: gzip.GzipFile | io.BufferedReader = gzip.GzipFile(fileobj=file) if is_gzip else file
    while line := source.readline(_LONGEST_LINE):
        yield line
