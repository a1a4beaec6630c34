"""HTTP's first lines, bounded: a head that is endless, or never comes, ends its connection.

The server below bounds neither: without this anybody could hold memory and connections, and no application would ever
hear of it.
"""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES: Final = 64 * 1024
"""Request line and headers together; what came in one piece with an earlier request's end isn't counted."""
HEAD_S: Final = 20.0
"""How long the first head of a connection may take."""


class BoundedHead(HttpToolsProtocol):
    """uvicorn's protocol, that reads heads up to a bound."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Give the first head its time."""
        super().connection_made(transport)
        self._head: int | None = 0
        self._late = self.loop.call_later(HEAD_S, self._close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more comes."""
        self._late.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes while no head is whole."""
        if self._head is not None:
            self._head += len(data)
        super().data_received(data)
        # What came with the end of a head is a body's; a head that is still not whole is all head.
        if self._head is not None and self._head > HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The request's head is too large.")

    def on_message_begin(self) -> None:
        """A head begins."""
        self._head = 0 if self._head is None else self._head
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """It is whole."""
        self._head = None
        self._late.cancel()
        super().on_headers_complete()

    def _close(self, *_: Any) -> None:
        self.transport.close()
