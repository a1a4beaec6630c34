"""Answers a worker keeps for a while, so that a repeated job is answered and not run twice. Pure."""

import hashlib
import json
from collections import OrderedDict
from typing import Any, NamedTuple

from bus.messages import Job


def identity(job: Job) -> str:
    """What makes two messages the same job: user, id, operation, parameters and the picture itself.

    The id alone is not enough: two callers who both number from 1 must never get each other's picture.
    """
    text = json.dumps([job.user, job.id, job.operation, job.params], sort_keys=True, default=str)
    return hashlib.blake2b(job.body, digest_size=20, key=hashlib.blake2b(text.encode()).digest()).hexdigest()


class Kept(NamedTuple):
    """An answer without its address: body, content type, and the headers that say where and how it ran."""

    body: bytes
    content_type: str
    headers: dict[str, Any]


class AnswerCache:
    """The latest answers by identity; the oldest go when their bodies exceed `most_bytes`."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[str, Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: str) -> Kept | None:
        """The answer kept under `key`."""
        return self._kept.get(key)

    def keep(self, key: str, answer: Kept) -> None:
        """Remember an answer; one larger than the whole memory is not kept."""
        self._bytes -= len(self._kept.pop(key, Kept(b"", "", {})).body)
        self._kept[key] = answer
        self._bytes += len(answer.body)
        while self._bytes > self._most_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= len(oldest.body)
