"""The text of a recording: JSON lines. Pure.

The first line is a header, a JSON object that names the columns of each kind of line; then one JSON array a line, its
kind and its columns; the last line, an object again, says that the recorder ended well. So a reader of another version
finds what it knows by name, and what it does not know does no harm.
"""

import json
from dataclasses import asdict, dataclass, field, fields, replace
from operator import attrgetter
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from bus.errors import OverspillError
from bus.wire import MOST
from producers.flight.credible import LONGEST_MS, is_credible
from producers.flight.recording import (
    VERSION,
    Header,
    Line,
    RecordedCloud,
    RecordedJob,
    RecordedLoad,
    RecordedRouter,
    RecordedState,
    RecordedVm,
    Recording,
    recording,
)

KINDS: Final[dict[str, type[Line]]] = {
    "job": RecordedJob,
    "vm": RecordedVm,
    "state": RecordedState,
    "load": RecordedLoad,
    "router": RecordedRouter,
    "cloud": RecordedCloud,
}
COLUMNS: Final = {kind: tuple(column.name for column in fields(made)) for kind, made in KINDS.items()}
_NAMES: Final = {made: kind for kind, made in KINDS.items()}
_VALUES: Final = {kind: attrgetter(*columns) for kind, columns in COLUMNS.items()}
_READERS: Final[dict[str, TypeAdapter[Any]]] = {kind: TypeAdapter(made) for kind, made in KINDS.items()}
_HEADER: Final = TypeAdapter(Header)
_dumped: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


class BadRecording(OverspillError):
    """A file that is no recording, or one of a later version."""


def header_text(header: Header) -> str:
    """The first line of a recording that begins now, without its end."""
    told = {"overspill": "recording", "version": VERSION, "from_ms": header.from_ms, "anonymous": header.anonymous}
    return _dumped({**told, "columns": COLUMNS})


def line_text(line: Line) -> str:
    """One line, without its end."""
    kind = _NAMES[type(line)]
    return _dumped((kind, *_VALUES[kind](line)))


def end_text(header: Header) -> str:
    """The last line, without its end: what was not known when the first was written."""
    return _dumped({"to_ms": header.to_ms, "complete": header.complete, "missing": header.missing})


@dataclass(slots=True)
class Reading:
    """A recording while its lines are read, one `feed` each; `recording()` is what they made."""

    _from_ms: int = 0
    _anonymous: bool = False
    _columns: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _lines: list[Line] = field(default_factory=list)
    _end: dict[str, Any] | None = None
    _missing: list[str] = field(default_factory=list)
    _strange: int = 0
    _untrue: int = 0
    _count: int = 0
    _strings: dict[str, str] = field(default_factory=dict)

    def feed(self, text: str) -> bool:
        """Read the next line; False when it and what follows can't be used.

        Raises BadRecording for a first line that is not a recording's.
        """
        self._count += 1
        if self._count == 1:
            self._begin(text)
            return True
        try:
            self._read(json.loads(text))
        except (ValueError, TypeError, RecursionError) as error:
            self.cut(f"line {self._count} can't be read ({_said(error)})")
            return False
        return True

    def cut(self, why: str) -> None:
        """The rest is lost."""
        self._missing.append(f"{why}: what came after it is left out")

    def cut_off(self) -> None:
        """The next line has no end; of all but the first, the end that is missing too is what is told of.

        Raises BadRecording when it is the first: the file is something else, or was cut off before anything was in it.
        """
        if not self._count:
            raise _foreign("its first line has no end")

    def recording(self) -> Recording:
        """What was read. Raises BadRecording when that is nothing."""
        if not self._count:
            raise _foreign("it is empty")
        return recording(self._header(), self._lines)

    def _begin(self, text: str) -> None:
        try:
            told = json.loads(text)
            is_ours = isinstance(told, dict) and told.get("overspill") == "recording"
        except (ValueError, RecursionError):
            is_ours = False
        if not is_ours:
            raise _foreign("its first line is not a recording's")
        if told.get("version") != VERSION:
            detail = f"It is of version {told.get('version')!r}, this overspill reads version {VERSION}."
            raise BadRecording(f"{detail} Read it with the overspill that recorded it, or a later one.")
        try:
            self._from_ms, self._anonymous = _moment(told["from_ms"]), told.get("anonymous") is True
            self._columns = {kind: tuple(told["columns"][kind]) for kind in KINDS if kind in told["columns"]}
        except (KeyError, TypeError, ValueError, OverflowError):
            raise _foreign("its first line lacks the columns, or the moment it begins at") from None

    def _read(self, told: Any) -> None:
        if isinstance(told, dict):
            self._end = told
            return
        kind, *values = told
        columns = self._columns.get(kind)
        if columns is None:
            self._strange += 1
            return
        known = self._strings
        shared = [known.setdefault(value, value) if type(value) is str else value for value in values]
        line = _READERS[kind].validate_python(dict(zip(columns, shared, strict=True)))
        if is_credible(line, self._from_ms):
            self._lines.append(line)
        else:
            self._untrue += 1

    def _header(self) -> Header:
        missing = list(self._missing)
        if self._strange:
            missing.append(f"lines of kinds that this overspill does not know: {self._strange:,}")
        if self._untrue:
            missing.append(f"lines that can't be true, as times far off or sizes beyond all bounds: {self._untrue:,}")
        latest_ms = max(map(last_ms, self._lines), default=self._from_ms)
        base = Header(self._from_ms, latest_ms, complete=False, anonymous=self._anonymous)
        if self._end is None:
            cut = [] if self._missing else ["the end: the recorder was stopped before it could write it"]
            return replace(base, missing=(*missing, *cut))
        try:
            ended = _HEADER.validate_python({**asdict(base), **self._end})
        except ValidationError:
            return replace(base, missing=(*missing, "the end, which can't be read"))
        if not 0 <= ended.to_ms - self._from_ms <= LONGEST_MS:
            return replace(base, missing=(*missing, "the end, which can't be true"))
        whole = ended.complete and not missing
        return replace(base, to_ms=ended.to_ms, complete=whole, missing=(*ended.missing, *missing))


def last_ms(line: Line) -> int:
    """The last moment that a line tells of."""
    if isinstance(line, RecordedJob):
        return line.ended_ms or line.began_ms or line.routed_ms or line.arrived_ms
    if isinstance(line, RecordedLoad):
        return line.at_ms + 1000 * len(line.cpu)
    return line.at_ms


def _moment(told: Any) -> int:
    moment_ms = int(told)
    if not 0 <= moment_ms <= MOST:
        raise ValueError("no moment since the epoch")
    return moment_ms


def _foreign(why: str) -> BadRecording:
    return BadRecording(f"This is not a recording: {why}. `overspill record FILE` makes one.")


def _said(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return f"{type(error).__name__}: {error}"
