"""One recording while it is made: events in, lines to a file, and what to say of it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from math import inf
from types import TracebackType
from typing import IO, Final, Self

from bus.errors import BadInput
from bus.events import AnyEvent, read_event
from producers.flight.credible import is_of_now
from producers.flight.disguise import disguised
from producers.flight.files import Recorder
from producers.flight.notes import Notes, tells_time
from producers.flight.recording import Header, Line
from ui.commands.wording import short
from ui.record.span import Span
from ui.record.summary import Summary

_FLUSH_S: Final = 5.0
"""Each time costs some bytes, since the compressor begins anew."""
_LATE_MS: Final = 10_000
Opened = Callable[[], AbstractContextManager[IO[bytes]]]


class Tape:
    """A context manager that ends the recording, as one that is not complete when it is left by an error.

    Nothing is opened before the first event: what has nothing to tell takes no other file's place.
    """

    def __init__(self, opened: Opened, span: Span, *, compressed: bool, salt: bytes | None = None) -> None:
        """`opened` opens the file; with `salt` the names of users and jobs become pseudonyms."""
        self.summary = Summary()
        self.heard = 0
        """Events so far."""
        self._opened = opened
        self._span = span
        self._compressed = compressed
        self._salt = salt
        self._notes = Notes()
        self._files = ExitStack()
        self._recorder: Recorder | None = None
        self._missing: list[str] = []
        self._unread = self._untrue = 0
        self._flush_at_s = -inf
        self._from_ms = self._latest_ms = span.since_ms

    @property
    def header(self) -> Header:
        """What the recording says of itself by now."""
        unread = [f"messages that are no events: {self._unread:,}"] if self._unread else []
        untrue = [f"events told with a time that can't be true: {self._untrue:,}"] if self._untrue else []
        missing = (*self._missing, *unread, *untrue)
        return Header(self._from_ms, self._to_ms, missing=missing, anonymous=self._salt is not None)

    @property
    def _to_ms(self) -> int:
        latest_ms = max(self._from_ms, self._notes.now_ms or self._latest_ms)
        return latest_ms if self._span.until_ms is None else min(latest_ms, self._span.until_ms)

    @property
    def span_ms(self) -> int:
        """How much time it covers by now, milliseconds."""
        return self._to_ms - self._from_ms

    @property
    def is_over(self) -> bool:
        """Whether what it is to cover has been told, by the clock of routers and bridges."""
        return self._span.is_past(self._notes.now_ms)

    def hear(self, body: bytes, now_ms: int) -> None:
        """What came on `events`."""
        try:
            event = read_event(body)
        except BadInput:
            self._unread += 1
            return
        # One false word of what time it is would end all of it; a VM's clock may be wrong.
        if not is_of_now(event.at_ms, now_ms, exact=tells_time(event)):
            self._untrue += 1
            return
        if self._recorder is None:
            self._recorder = self._begin(event, now_ms)
        self.heard += 1
        self._latest_ms = event.at_ms
        self._write(self._recorder, self._notes.hear(event))

    def gap(self, messages: int) -> None:
        """So many messages were dropped before they could be read."""
        self._missing.append(f"about {messages:,} events that the history dropped before they were read")

    def flush(self, now_s: float) -> None:
        """Call this now and then: what was heard some seconds ago is to outlive a recorder that is killed."""
        if self._recorder is not None and now_s >= self._flush_at_s:
            self._recorder.flush()
            self._flush_at_s = now_s + _FLUSH_S

    def _begin(self, event: AnyEvent, now_ms: int) -> Recorder:
        if not self._span.from_now:
            self._from_ms = max(self._span.since_ms, min(event.at_ms, now_ms))
            late_ms = self._from_ms - self._span.since_ms
            if self._span.since_ms and late_ms > _LATE_MS:
                why = "nothing is known of them; the history keeps a day, of a busy system less"
                self._missing.append(f"the first {short(late_ms / 1000)}: {why}")
        return Recorder(self._files.enter_context(self._opened()), self.header, compressed=self._compressed)

    def _write(self, recorder: Recorder, lines: list[Line]) -> None:
        told = lines if self._salt is None else [disguised(line, self._salt) for line in lines]
        recorder.write(told)
        self.summary.add(told)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._files:
            if self._recorder is not None:
                self._write(self._recorder, self._notes.rest())
                self._recorder.header = replace(self.header, complete=kind is None)
                self._recorder.close()
