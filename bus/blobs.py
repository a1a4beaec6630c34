"""The blob store: pictures and results too large for a message, in a folder or any cloud's buckets (fsspec).

What lies there has a claim: `<kind>/<day>/<name>`. A claim is all that travels; who has it, and may use the store, may
read what it names.
"""

import asyncio
import contextlib
import logging
import re
import uuid
from collections.abc import Awaitable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, Self

import fsspec

from bus.errors import BadInput, OverspillError, SetupError
from bus.messages import CLAIM
from bus.problems import Kind, Problem
from bus.reach import stays_here
from bus.settings import MIB, Settings

log = logging.getLogger(__name__)

MOST_BYTES: Final = 64 * MIB
KEPT_S: Final = 86_400.0
PATIENCE_S: Final = 60.0
"""Seconds that the store has for one thing asked of it; a folder's answer may come later, but is not waited for."""
SIGNING_S: Final = 5.0
"""Seconds that it has to sign a link: some ask a server of the cloud's for it, and go on without an answer."""
SWEEP_S: Final = 600.0
"""Seconds that it has for removing a day of a kind."""
_LONGEST_LINK_S: Final = 7 * 86_400
"""What Google and Amazon allow a signed link."""
_EXTRAS: Final = {"gs": "gcs", "gcs": "gcs", "s3": "s3", "az": "azure", "abfs": "azure"}
_KINDS: Final = ("pictures", "results")
_DAY: Final = "%Y%m%d"


class BlobsDown(OverspillError):
    """The blob store does not answer, or refuses us: a passing fault, or one of the set-up."""


class Blobs:
    """One store. Methods may be called from any task of any loop."""

    def __init__(self, url: str, *, most_bytes: int = MOST_BYTES, kept_s: float = KEPT_S) -> None:
        """Open the store at `url`; nothing larger than `most_bytes` is put into it or read from it.

        What lies there can be relied on for `kept_s` seconds. Opening may ask a cloud's libraries for credentials, but
        asks nothing of the store. Raises SetupError when the URL is none of fsspec's, a package is missing for it, or
        there are no credentials.
        """
        self.url = url
        self.most_bytes = most_bytes
        self.kept_s = kept_s
        self._files, root = _opened(url)
        self._root = root.rstrip("/")
        if not self._root:
            raise SetupError(f"OVERSPILL_BLOBS is wrong: {url} names no bucket, container or folder.")

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """The store of the settings, or None where there is none."""
        if not settings.blobs:
            return None
        return cls(settings.blobs, most_bytes=settings.max_claim_bytes, kept_s=settings.blobs_kept_s)

    @property
    def on_site(self) -> bool:
        """Whether what lies there stays on the site, as `site: local` asks: of a folder alone that is known."""
        return stays_here(self.url)

    @property
    def endpoint(self) -> str | None:
        """The address at which the store answers, where its file system knows one: an emulator's, for instance."""
        told = getattr(self._files, "_location", None) or getattr(self._files, "endpoint_url", None)  # gcsfs, s3fs
        return told if isinstance(told, str) else None

    async def put(self, kind: Literal["pictures", "results"], body: bytes, name: str | None = None) -> str:
        """Store bytes under today's date, and `name` (32 hexadecimal digits) or a random one; returns their claim.

        Raises BadInput when there are more than `most_bytes`, BlobsDown when the store fails.
        """
        if len(body) > self.most_bytes:
            detail = f"There are {len(body):,} bytes; the blob store takes at most {self.most_bytes:,}."
            raise BadInput(too_much(detail, self.most_bytes))
        claim = f"{kind}/{datetime.now(UTC):{_DAY}}/{name or uuid.uuid4().hex}"
        path = self._path(claim)
        try:
            await self._ask("pipe_file", path, body)
        except FileNotFoundError:
            raise BlobsDown(
                f"the blob store {self.url} is not there: make the bucket or folder, or correct its name"
            ) from None
        return claim

    async def get(self, claim: str) -> bytes:
        """What a claim names. Raises BadInput when it is not there or too large, BlobsDown when the store fails."""
        size = await self.size(claim)
        with _missed(claim):
            # To its size and no further, whatever may have been put in its place meanwhile.
            body: bytes = await self._ask("cat_file", self._path(claim), 0, size) if size else b""
        return body

    async def size(self, claim: str) -> int:
        """How many bytes a claim names. Raises as `get` does, and fetches nothing."""
        with _missed(claim):
            size = int((await self._ask("info", self._path(claim)))["size"])
        if size > self.most_bytes:
            detail = f"The claim names {size:,} bytes; at most {self.most_bytes:,} are taken."
            raise BadInput(too_much(detail, self.most_bytes))
        return size

    async def link(self, claim: str, seconds: float | None = None) -> str | None:
        """A link by which anyone may read it, for so long (by default as long as it is kept; a week at the most).

        None where the store can't sign: a folder, a cloud whose credentials hold no key, one that takes too long.
        """
        path, expiration = self._path(claim), int(min(self.kept_s if seconds is None else seconds, _LONGEST_LINK_S))
        try:
            async with asyncio.timeout(SIGNING_S):
                link: str = await asyncio.to_thread(self._files.sign, path, expiration=expiration, **self._signature)
        except Exception as error:  # noqa: BLE001 (each cloud's library has errors of its own for having no key)
            log.debug("no link to %s (%s: %s)", claim, type(error).__name__, error)
            return None
        return link

    async def delete(self, claim: str) -> None:
        """Remove it; what is gone already is no fault. Raises BlobsDown."""
        with contextlib.suppress(FileNotFoundError):
            await self._ask("rm_file", self._path(claim))

    async def sweep(self, kept_s: float | None = None) -> int:
        """Remove what is older than `kept_s` seconds (by default what is not kept any more), by whole days.

        Returns how many days of a kind were removed. Several may sweep at a time. Raises BlobsDown.
        """
        kept = timedelta(seconds=self.kept_s if kept_s is None else kept_s)
        oldest = (datetime.now(UTC) - kept).strftime(_DAY)
        swept = 0
        for folder in [folder for kind in _KINDS for folder in await self._days(kind)]:
            day = folder.rstrip("/").rpartition("/")[2]
            if re.fullmatch("[0-9]{8}", day) and day < oldest:
                with contextlib.suppress(FileNotFoundError):  # another has swept it
                    await self._ask("rm", folder, within_s=SWEEP_S, recursive=True)
                    swept += 1
        return swept

    async def _days(self, kind: str) -> list[str]:
        with contextlib.suppress(FileNotFoundError):
            return list(await self._ask("ls", f"{self._root}/{kind}", detail=False))
        return []

    def _path(self, claim: str) -> str:
        # Whoever reads a claim off the wire has checked it already; a path is never built from anything else.
        if not re.fullmatch(CLAIM, claim):
            detail = f"claim: {claim[:80]!r} is none; it looks like pictures/20300131/ and 32 hexadecimal digits."
            raise BadInput(Problem.of(Kind.BAD_FIELD, detail, field="claim"))
        return f"{self._root}/{claim}"

    @property
    def _signature(self) -> dict[str, str]:
        """Google's older way to sign is what its library would choose."""
        return {"version": "v4"} if _scheme(self.url) in {"gs", "gcs"} else {}

    async def _ask(self, what: str, *arguments: Any, within_s: float | None = None, **options: Any) -> Any:
        """Have the file system do something. Raises FileNotFoundError, or BlobsDown for whatever else goes wrong."""
        with self._told():
            async with asyncio.timeout(within_s or PATIENCE_S):
                return await self._begin(what, arguments, options)

    def _begin(self, what: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Awaitable[Any]:
        if not self._files.async_impl:
            return asyncio.to_thread(getattr(self._files, what), *arguments, **options)
        # Its coroutines live on fsspec's own loop; there they end when we are cancelled, as no thread would.
        work = getattr(self._files, f"_{what}")(*arguments, **options)
        return asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._files.loop))

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except Exception as error:
            said = f"{type(error).__name__}: {error}".removesuffix(": ")
            raise BlobsDown(f"the blob store {self.url} fails ({said}); check that it can be reached") from error


def too_much(detail: str, most: int) -> Problem:
    """The problem of what is too large even for the store."""
    remedy = "Compress or scale the image; the operator may raise OVERSPILL_MAX_CLAIM_BYTES."
    return Problem.of(Kind.TOO_MANY_BYTES, detail, field="claim", limit=most, remedy=remedy)


@contextlib.contextmanager
def _missed(claim: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        detail = f"claim: nothing lies at {claim}; it was never stored, or its time is over."
        raise BadInput(Problem.of(Kind.NO_SUCH_CLAIM, detail, field="claim")) from None


def _scheme(url: str) -> str:
    return url.partition("://")[0]


def _opened(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it. Raises SetupError."""
    scheme = _scheme(url)
    try:
        if "://" not in url:
            raise ValueError(f"{url!r} is no URL")  # noqa: TRY301 (told as fsspec's own errors are)
        if scheme != "file" and scheme not in _EXTRAS:  # fsspec knows more, and connects to some at once
            raise ValueError(f"{scheme!r} is no kind of store")  # noqa: TRY301
        if scheme in {"gs", "gcs"}:
            return _google(url)
        # Listings are kept in memory for ever otherwise, whatever others put there or swept.
        options: dict[str, Any] = {"auto_mkdir": True} if scheme == "file" else {"use_listings_cache": False}
        files, path = fsspec.url_to_fs(url, **options)
    except ImportError:
        extra = _EXTRAS.get(scheme, scheme)
        raise SetupError(f"The blob store {url} needs a package: pip install 'overspill[{extra}]'.") from None
    except ValueError as error:
        raise SetupError(f"OVERSPILL_BLOBS is wrong: {error}. Use file://, gs://, s3:// or az://.") from None
    return files, path


def _google(url: str) -> tuple[Any, str]:
    """Google's buckets, or an emulator of them where STORAGE_EMULATOR_HOST names one.

    The plain class: the one that `gs://` stands for asks what kind each bucket is, of a service that emulators lack.
    """
    # It logs, with tracebacks, what it raises as well; and at its import, how it was built.
    logging.getLogger("gcsfs").setLevel(logging.CRITICAL)
    from gcsfs.core import GCSFileSystem  # noqa: PLC0415 (an optional dependency, and half a second)
    from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415

    options = {"use_listings_cache": False, "skip_instance_cache": True}
    files = GCSFileSystem(token="anon", **options)  # noqa: S106 (no secret: the word for having none)
    if files.on_google:
        try:
            # Left to itself it goes on without credentials, after seconds of looking for a machine of Google's.
            files = GCSFileSystem(token="google_default", **options)  # noqa: S106
        except GoogleAuthError as error:
            raise SetupError(f"The blob store {url} needs credentials: {error}") from None
    return files, files._strip_protocol(url)  # noqa: SLF001 (what fsspec's own `url_to_fs` calls)
