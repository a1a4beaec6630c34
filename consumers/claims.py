"""Pictures and results that travel by claim: fetched before a job is computed, put into the store after it."""

import logging
from typing import Self

from bus.blobs import MOST_BYTES, Blobs, BlobsDown
from bus.errors import BadInput
from bus.links import read_link
from bus.messages import Job
from bus.problems import PROBLEM_JSON, Kind, Problem
from bus.reach import is_of_store
from bus.settings import Settings
from consumers.answers import Failed, Kept, Outcome, too_large

log = logging.getLogger(__name__)


class Claims:
    """What a VM, or a service in the cloud, does with claims; `blobs` is its store, if it has one."""

    def __init__(
        self, blobs: Blobs | None, max_inline: int, most_bytes: int = MOST_BYTES, endpoint: str | None = None
    ) -> None:
        """A result over `max_inline` bytes is put into the store; by a link, up to `most_bytes` are fetched.

        Links are followed to the clouds' own stores, and to the one at `endpoint`, if it has an address of its own.
        """
        self.blobs = blobs
        self._endpoint = endpoint
        self._max_inline = max_inline
        self._most_bytes = most_bytes

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As the settings say. Raises SetupError when they name a store that can't be."""
        blobs = Blobs.of(settings)
        return cls(blobs, settings.max_image_bytes, settings.max_claim_bytes, blobs.endpoint if blobs else None)

    async def fetch(self, job: Job, link: str | None = None) -> Job:
        """The job with its picture: fetched by the link, else out of the store; as it is when it came with its picture.

        Raises BadInput when its claim leads to nothing, to too much, or nowhere from here; BlobsDown when the store
        fails.
        """
        if job.claim is None:
            return job
        return job.model_copy(update={"body": await self._picture(job.claim, link)})

    async def _picture(self, claim: str, link: str | None) -> bytes:
        if link is not None:
            try:
                return await self._by_link(link)
            except (BadInput, BlobsDown) as error:
                if self.blobs is None:
                    raise
                log.info("%s can't be had by its link, asking the store: %s", claim, error)
        if self.blobs is None:
            remedy = "Send the picture as the message's body; the operator may set OVERSPILL_BLOBS."
            detail = "claim: there is no blob store here."
            raise BadInput(Problem.of(Kind.BAD_FIELD, detail, field="claim", remedy=remedy))
        return await self.blobs.get(claim)

    async def _by_link(self, link: str) -> bytes:
        if not is_of_store(link, self._endpoint):
            remedy = "Leave it out and send the claim alone; the operator may set OVERSPILL_BLOBS to the same store."
            detail = f"link: {link[:80]!r} leads to no blob store that is known here."
            raise BadInput(Problem.of(Kind.BAD_FIELD, detail, field="link", remedy=remedy))
        return await read_link(link, self._most_bytes)

    async def stow(self, kept: Kept, most: int | None = None, site: str = "any") -> Kept:
        """The answer as it can be sent: with its body when that has at most `most` bytes (by default `max_inline`).

        A larger one is put into the store, and the answer tells its claim, and a link where the store gives one.
        Without a store, or when it is too large for that too, the answer is a problem; so it is when the job's `site`
        is `local`, and the store is not. Raises BlobsDown.
        """
        most = self._max_inline if most is None else most
        size = len(kept.body)
        if size <= most:
            return kept
        blobs = self.blobs if self.blobs is not None and (site != "local" or self.blobs.on_site) else None
        if blobs is None or size > blobs.most_bytes:
            problem = too_large(size, most if blobs is None else blobs.most_bytes)
            return Kept(problem.to_json(), PROBLEM_JSON, {})
        claim = await blobs.put("results", kept.body)
        link = await blobs.link(claim)
        told = {"claim": claim} | ({} if link is None else {"link": link})
        return kept._replace(body=b"", headers={**kept.headers, **told})

    async def stowed(self, outcome: Outcome, site: str = "any") -> Outcome:
        """What became of a run, its result as it can be sent; a store that fails has failed the run."""
        if isinstance(outcome, Failed):
            return outcome
        try:
            return outcome._replace(kept=await self.stow(outcome.kept, site=site))
        except BlobsDown as error:
            return Failed(store_problem(error), outcome.ran_ms)


def store_problem(error: BlobsDown) -> Problem:
    """The problem of a job that a failing store ended; where that is and how it fails is told in the log alone."""
    log.warning("%s", error)
    return Problem.of(Kind.OPERATION_FAILED, "The blob store did not give the picture, or did not take the result.")
