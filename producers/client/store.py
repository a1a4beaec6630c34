"""A client's side of claims: pictures too large for a message go through the blob store, and so do results."""

import asyncio

from bus.answers import Answer
from bus.blobs import MOST_BYTES, Blobs, BlobsDown
from bus.errors import BadInput, SetupError
from bus.links import read_link
from bus.messages import Message
from producers.client.request import Image, claimed, must_stay, read_image


class Store:
    """The blob store as a client uses it, or the lack of one."""

    def __init__(self, blobs: Blobs | None, max_inline: int) -> None:
        """A picture over `max_inline` bytes is sent by claim."""
        self._blobs = blobs
        self._max_inline = max_inline

    async def read(self, image: Image) -> bytes:
        """The picture's bytes. Raises BadInput when it can't be read, or is too large to be sent in any way."""
        most_stored = None if self._blobs is None else self._blobs.most_bytes
        return await asyncio.to_thread(read_image, image, self._max_inline, most_stored)

    async def sendable(self, message: Message, asked: bytes | None) -> Message:
        """The message as the broker takes it: with its picture, or with that one's claim.

        Raises BlobsDown, and BadInput when the picture must stay on the site and the store is not there.

        A job that is `asked` for once more, as its fingerprint says, has the same claim again, of the same day: by its
        picture a repeat is known.
        """
        if self._blobs is None or len(message.body) <= self._max_inline:
            return message
        if message.headers.get("site") == "local" and not self._blobs.on_site:
            raise must_stay(len(message.body), self._max_inline)
        return claimed(message, await self._blobs.put("pictures", message.body, asked.hex() if asked else None))

    async def whole(self, answer: Answer) -> Answer:
        """The answer with its body, which may lie in the store: fetched from there, or by the answer's link.

        Raises BadInput when it isn't there any more, BlobsDown when the store fails, SetupError when this client has
        neither a store nor a link.
        """
        if answer.claim is None:
            return answer
        return answer.model_copy(update={"body": await self._body(answer.claim, answer.link)})

    async def _body(self, claim: str, link: str | None) -> bytes:
        if self._blobs is not None:
            try:
                return await self._blobs.get(claim)
            except (BadInput, BlobsDown):
                if link is None:
                    raise
        if link is None:
            raise SetupError(
                f"The result lies in the system's blob store, at {claim}: name that store to the client "
                "(`blobs=`, OVERSPILL_BLOBS), then ask for the result again."
            )
        return await read_link(link, MOST_BYTES)
