"""Pictures and results on their way through the blob store, because they are too large for a cloud's message."""

import asyncio
import logging
from typing import Final, NamedTuple

from bus.blobs import Blobs, BlobsDown
from bus.errors import BadInput
from bus.messages import Job
from bus.problems import Kind, Problem
from consumers.answers import too_large

log = logging.getLogger(__name__)

LINK_SLACK_S: Final = 60.0
"""By which a link to a picture outlives the time in which the cloud is waited for."""
CLOSE_S: Final = 3.0
"""How long a store that hangs is waited for when the bridge ends."""


class Stowed(NamedTuple):
    """A job as it is sent, the link to its picture, and the claim that is ours to remove when it has ended."""

    job: Job
    link: str | None = None
    claim: str | None = None


class Result(NamedTuple):
    """A result as it is answered: inline, or with the headers `claim` and `link`; and what is removed after that."""

    body: bytes
    headers: dict[str, str | None]
    claim: str | None = None


class Pictures:
    """The blob store as the bridge uses it; `blobs` is None where there is none.

    Args:
        blobs: The store.
        largest_inline: The largest body of an AMQP message, bytes.
        link_s: How long the cloud is waited for, seconds.
    """

    def __init__(self, blobs: Blobs | None, *, largest_inline: int, link_s: float) -> None:
        self._blobs = blobs
        self._largest_inline = largest_inline
        self._link_s = link_s + LINK_SLACK_S
        self._removing: set[asyncio.Task[None]] = set()

    async def stow(self, job: Job, most: int) -> Stowed:
        """The job as a parcel can hold it: a body over `most` bytes goes into the store.

        Raises BlobsDown, also where there is no store and one is needed.
        """
        if job.claim is not None:
            return Stowed(job, await self._link(job.claim))
        if len(job.body) <= most:
            return Stowed(job)
        if self._blobs is None:
            raise BlobsDown(f"{len(job.body):,} bytes are too many for the cloud without a blob store")
        claim = await self._blobs.put("pictures", job.body)
        return Stowed(job.model_copy(update={"body": b"", "claim": claim}), await self._link(claim), claim)

    async def fetch(self, job: Job, claim: str | None) -> Job:
        """The job with the picture that was stowed under `claim`; as it is where none was.

        Raises BadInput when it is there no more, BlobsDown when the store fails.
        """
        if claim is None or self._blobs is None:
            return job
        return job.model_copy(update={"body": await self._blobs.get(claim), "claim": None})

    async def result(self, body: bytes, claim: str | None, name: str) -> Result:
        """A result that came as it is, or lies in the store.

        What is too large for a message goes into the store, under `name` (32 hexadecimal digits), so that a repeat
        takes no more room. Raises BadInput when it can't be had or is too large, BlobsDown when the store fails.
        """
        if claim is not None:
            return await self._stored(claim)
        if len(body) <= self._largest_inline:
            return Result(body, {})
        if self._blobs is None:
            raise BadInput(too_large(len(body), self._largest_inline))
        claim = await self._blobs.put("results", body, name)
        return await self._kept(self._blobs, claim)

    async def _stored(self, claim: str) -> Result:
        if self._blobs is None:
            detail = f"The result lies in a blob store, at {claim}, and the bridge was given none: set OVERSPILL_BLOBS."
            raise BadInput(Problem.of(Kind.NO_SUCH_CLAIM, detail))
        if await self._blobs.size(claim) > self._largest_inline:
            return await self._kept(self._blobs, claim)
        return Result(await self._blobs.get(claim), {}, claim)

    async def _kept(self, blobs: Blobs, claim: str) -> Result:
        """A result that the caller fetches, with a link for as long as it is kept."""
        return Result(b"", {"claim": claim, "link": await blobs.link(claim)})

    def remove(self, claim: str | None) -> None:
        """Remove what a claim names, on the side; what can't be removed is swept in a day."""
        if claim is not None and self._blobs is not None:
            task = asyncio.create_task(self._remove(self._blobs, claim))
            self._removing.add(task)
            task.add_done_callback(self._removing.discard)

    async def sweep(self, kept_s: float) -> None:
        """Remove what is older than `kept_s` seconds."""
        if self._blobs is not None:
            try:
                swept = await self._blobs.sweep(kept_s)
            except BlobsDown as error:
                log.warning("the blob store could not be swept: %s", error)
            else:
                log.info("swept %d days out of the blob store", swept)

    async def close(self, grace_s: float = CLOSE_S) -> None:
        """Wait for what is being removed, `grace_s` seconds at most; the rest is swept in a day."""
        if self._removing:
            _, hanging = await asyncio.wait(self._removing, timeout=grace_s)
            for task in hanging:
                task.cancel()
            await asyncio.gather(*hanging, return_exceptions=True)

    async def _link(self, claim: str) -> str | None:
        return None if self._blobs is None else await self._blobs.link(claim, self._link_s)

    async def _remove(self, blobs: Blobs, claim: str) -> None:
        try:
            await blobs.delete(claim)
        except BlobsDown as error:
            log.warning("%s stays in the blob store until it is swept: %s", claim, error)
