"""Hands out samples to any number of viewers: each is encoded once, and nobody waits for a slow one."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator
from typing import Any, Final

from ui.web.live.patch import difference
from ui.web.live.sample import Sample

MOST_WAITING: Final = 8
"""Patches that wait for a slow viewer; one more, and it is told the whole state instead of all of them."""


class Hub:
    """What is told now, and everyone who is told."""

    def __init__(self) -> None:
        self._state: dict[str, Any] = {}
        self._encoded: bytes | None = None
        self._viewers: set[_Viewer] = set()

    def __len__(self) -> int:
        """How many viewers there are."""
        return len(self._viewers)

    def publish(self, sample: Sample) -> None:
        """Tell every viewer what has changed."""
        state = sample.model_dump(mode="json", exclude_none=True)
        if self._viewers:
            event = _event("sample", difference(self._state, state))
            for viewer in self._viewers:
                viewer.give(event)
        self._state, self._encoded = state, None

    def close(self) -> None:
        """End every viewer's stream."""
        for viewer in self._viewers:
            viewer.end()

    def state(self) -> bytes:
        """The whole state, as an event; encoded when it is first asked for."""
        if self._encoded is None:
            self._encoded = _event("state", self._state)
        return self._encoded

    async def view(self) -> AsyncGenerator[bytes, None]:
        """One viewer's stream of whole server-sent events: the state, then what changes. Close it when they leave."""
        viewer = _Viewer()
        self._viewers.add(viewer)
        try:
            while await viewer.news():
                missed, patches = viewer.take()
                yield self.state() if missed else patches
        finally:
            self._viewers.discard(viewer)


class _Viewer:
    """What waits for one viewer; nothing does while it is behind, since the state holds it all."""

    def __init__(self) -> None:
        self._behind = True
        self._waiting: deque[bytes] = deque()
        self._ended = False
        self._news = asyncio.Event()
        self._news.set()

    def give(self, event: bytes) -> None:
        self._behind = self._behind or len(self._waiting) >= MOST_WAITING
        if self._behind:
            self._waiting.clear()
        else:
            self._waiting.append(event)
        self._news.set()

    def end(self) -> None:
        self._ended = True
        self._news.set()

    async def news(self) -> bool:
        """Wait until there is something to tell; False at the end."""
        await self._news.wait()
        return not self._ended

    def take(self) -> tuple[bool, bytes]:
        """What is to be told now: whether it must be the whole state, else the patches that waited."""
        behind, patches = self._behind, b"".join(self._waiting)
        self._behind = False
        self._waiting.clear()
        self._news.clear()
        return behind, patches


def _event(kind: str, document: dict[str, Any]) -> bytes:
    return f"event: {kind}\ndata: {json.dumps(document, separators=(',', ':'))}\n\n".encode()
