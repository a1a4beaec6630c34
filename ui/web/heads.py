"""HTTP's first lines, bounded: a head that is endless, or never comes, ends its connection.

The server below bounds neither: without this anybody could hold memory and connections, and no application would ever
hear of it.
"""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bus.problems import PROBLEM_JSON, Kind, Problem

HEAD_BYTES: Final = 64 * 1024
"""Request line and headers together; what came in one piece with an earlier request's end isn't counted."""
HEAD_S: Final = 20.0
"""How long a head may take: the first one from when its connection is made, others from their first byte."""

STALL_S: Final = 60.0
"""How long an answer's reader may take nothing of what lies ready for them."""


class BoundedHead(HttpToolsProtocol):
    """uvicorn's protocol, that reads heads up to a bound, and gives up answers that nobody reads."""

    _head: int | None
    """Bytes of the head that is on its way; None while none is."""
    _beside = 0
    """Bytes since the head, or since the body's last, that are no part of the body: chunk sizes, trailers."""

    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Give the first head its time."""
        super().connection_made(transport)
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more comes."""
        self._late.cancel()
        self._flows()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The reader is behind: wait for them, but not for ever."""
        super().pause_writing()
        self._wait_for_reader(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """They have read."""
        self._flows()
        super().resume_writing()

    def _wait_for_reader(self, left: int) -> None:
        self._stalled = self.loop.call_later(STALL_S, self._look_again, left)

    def _look_again(self, before: int) -> None:
        """Give up who has taken nothing; closing would wait for them, too."""
        left = self.transport.get_write_buffer_size()
        if left < before:
            self._wait_for_reader(left)
        else:
            self.transport.abort()

    def _flows(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()

    def data_received(self, data: bytes) -> None:
        """Count what comes while no head is whole, and what comes beside a body."""
        if self._head is None and self._is_between():
            self._begin()
        if self._head is not None:
            self._head += len(data)
        self._beside += len(data)
        super().data_received(data)
        # What came with the end of a head is a body's; a head that is still not whole is all head.
        if self._head is not None and self._head > HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The request's head is too large.")
        if self._head is None and self._beside > HEAD_BYTES:
            self.transport.close()  # an answer may be on its way: it can't be told

    def send_400_response(self, msg: str) -> None:
        """Refuse what can't be read as a request, in the form of all our refusals; nothing more is read."""
        body = Problem.of(Kind.BAD_REQUEST, msg).model_dump_json(exclude_none=True).encode()
        head = (
            "HTTP/1.1 400 Bad Request",
            f"content-type: {PROBLEM_JSON}",
            f"content-length: {len(body)}",
            "connection: close",
        )
        self.transport.write("\r\n".join((*head, "", "")).encode() + body)
        self.transport.close()

    def on_message_begin(self) -> None:
        """A head begins."""
        if self._head is None:
            self._begin()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep it, unless it is a trailer: those would be kept without end, and nobody reads them."""
        if self._head is not None:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """It is whole."""
        self._head, self._beside = None, 0
        self._late.cancel()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Part of a body, which the application bounds."""
        self._beside = 0
        super().on_body(body)

    def _is_between(self) -> bool:
        """Whether the last request was answered: what comes now begins another, though it be line ends at first."""
        return self.cycle is not None and self.cycle.response_complete

    def _begin(self) -> None:
        self._head = 0
        self._late = self.loop.call_later(HEAD_S, self._close)

    def _close(self, *_: Any) -> None:
        self.transport.close()
