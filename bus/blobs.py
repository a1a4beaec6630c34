"""The blob store: pictures and results too large for a message, on a folder or any cloud's buckets (fsspec).

What lies there has a claim: `<kind>/<day>/<random>`. A claim is all that travels; who has it may read what it names.
"""

import asyncio
import contextlib
import logging
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, Self

import fsspec

from bus.errors import BadInput, OverspillError, SetupError
from bus.messages import CLAIM
from bus.problems import Kind, Problem
from bus.settings import Settings

log = logging.getLogger(__name__)

_EXTRAS: Final = {"gs": "gcs", "gcs": "gcs", "s3": "s3", "az": "azure", "abfs": "azure"}
_DAY: Final = "%Y%m%d"


class BlobsDown(OverspillError):
    """The blob store does not answer, or refuses us: a passing fault, or one of the set-up."""


class Blobs:
    """One store. Methods may be called from any task: each runs in a thread."""

    def __init__(self, url: str, *, most_bytes: int) -> None:
        """Open the store at `url`; nothing larger than `most_bytes` is read from it.

        Raises SetupError when the URL is none of fsspec's, or a package is missing for it.
        """
        self.most_bytes = most_bytes
        scheme = url.partition("://")[0]
        try:
            self._files, self._root = fsspec.url_to_fs(url, **({"auto_mkdir": True} if scheme == "file" else {}))
        except ImportError:
            extra = _EXTRAS.get(scheme, scheme)
            raise SetupError(f"The blob store {url} needs a package: pip install 'overspill[{extra}]'.") from None
        except ValueError as error:
            raise SetupError(f"OVERSPILL_BLOBS is wrong: {error}. Use file://, gs://, s3:// or az://.") from None

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """The store of the settings, or None where there is none."""
        return cls(settings.blobs, most_bytes=settings.max_claim_bytes) if settings.blobs else None

    async def put(self, kind: Literal["pictures", "results"], body: bytes) -> str:
        """Store bytes; returns their claim. Raises BlobsDown."""
        claim = f"{kind}/{datetime.now(UTC):{_DAY}}/{uuid.uuid4().hex}"
        await self._do(lambda: self._files.pipe_file(self._path(claim), body))
        return claim

    async def get(self, claim: str) -> bytes:
        """What a claim names. Raises BadInput when it is not there or too large, BlobsDown when the store fails."""
        path = self._path(claim)
        try:
            size = await self._do(lambda: self._files.info(path)["size"])
            if size > self.most_bytes:
                detail = f"The claim names {size:,} bytes; at most {self.most_bytes:,} are taken."
                raise BadInput(Problem.of(Kind.TOO_MANY_BYTES, detail, field="claim", limit=self.most_bytes))
            body: bytes = await self._do(lambda: self._files.cat_file(path))
        except FileNotFoundError:
            detail = f"claim: nothing lies at {claim}; it was never stored, or its time is over."
            raise BadInput(Problem.of(Kind.NO_SUCH_CLAIM, detail, field="claim")) from None
        return body

    async def link(self, claim: str, seconds: float) -> str | None:
        """A link by which anyone may read it for so long, or None where the store can't sign (a folder, say)."""
        with contextlib.suppress(NotImplementedError, AttributeError, BlobsDown):
            link: str = await self._do(lambda: self._files.sign(self._path(claim), expiration=int(seconds)))
            return link
        return None

    async def delete(self, claim: str) -> None:
        """Remove it; what is gone already is no fault. Raises BlobsDown."""
        with contextlib.suppress(FileNotFoundError):
            await self._do(lambda: self._files.rm_file(self._path(claim)))

    async def sweep(self, kept_s: float) -> int:
        """Remove what is older than `kept_s` seconds, to the day; returns how many days were removed.

        Raises BlobsDown.
        """
        oldest = (datetime.now(UTC) - timedelta(seconds=kept_s)).strftime(_DAY)
        swept: int = await self._do(lambda: self._sweep(oldest))
        return swept

    def _sweep(self, oldest: str) -> int:
        swept = 0
        for kind in ("pictures", "results"):
            with contextlib.suppress(FileNotFoundError):
                for folder in self._files.ls(f"{self._root}/{kind}", detail=False):
                    day = folder.rstrip("/").rpartition("/")[2]
                    if day.isdigit() and day < oldest:
                        self._files.rm(folder, recursive=True)
                        swept += 1
        return swept

    def _path(self, claim: str) -> str:
        # Whoever reads a claim off the wire has checked it already; a path is never built from anything else.
        if not re.fullmatch(CLAIM, claim):
            detail = f"claim: {claim[:80]!r} is none; it looks like pictures/20300131/ and 32 hexadecimal digits."
            raise BadInput(Problem.of(Kind.BAD_FIELD, detail, field="claim"))
        return f"{self._root}/{claim}"

    async def _do(self, work: Callable[[], Any]) -> Any:
        try:
            return await asyncio.to_thread(work)
        except (FileNotFoundError, NotImplementedError, AttributeError):
            raise
        except Exception as error:
            raise BlobsDown(f"the blob store fails ({type(error).__name__}: {error})") from error
