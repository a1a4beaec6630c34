"""The jobs that wait on a VM for a process, in the order in which their pictures were here."""

import asyncio
from collections.abc import Callable, Iterator

from bus.blobs import BlobsDown
from bus.errors import BadInput
from bus.problems import Problem
from consumers.answers import Failed
from consumers.claims import Claims, store_problem
from consumers.settlement import Held


class Waiting:
    """Jobs in line, and behind them those whose picture is still on its way: no process waits for the blob store.

    Iterating gives those in line. All methods belong to the event loop's thread.
    """

    def __init__(
        self,
        claims: Claims,
        on_ready: Callable[[], object],
        on_refused: Callable[[Held, Problem], object],
        on_failed: Callable[[Held, Failed], object],
    ) -> None:
        """`on_ready` is called when a job joins the line.

        `on_refused` gets a job whose claim leads to no picture, `on_failed` one whose store failed; neither waits any
        more.
        """
        self._claims = claims
        self._on_ready = on_ready
        self._on_refused = on_refused
        self._on_failed = on_failed
        self._line: list[Held] = []
        self._fetching: dict[Held, asyncio.Task[None]] = {}

    def __iter__(self) -> Iterator[Held]:
        return iter(tuple(self._line))

    def __len__(self) -> int:
        return len(self._line)

    def add(self, held: Held) -> None:
        """Put a job into the line, once its picture is here."""
        if held.job.claim is not None and held.whole is None:
            self._fetching[held] = asyncio.create_task(self._fetch(held))
        else:
            self._line.append(held)
            self._on_ready()

    def remove(self, held: Held) -> None:
        """Take a job out, wherever it is; one that is not here is no fault."""
        if held in self._line:
            self._line.remove(held)
        elif (fetching := self._fetching.pop(held, None)) is not None:
            fetching.cancel()

    def clear(self) -> list[Held]:
        """Take out all of them, those in line first."""
        everyone = [*self._line, *self._fetching]
        for held in everyone:
            self.remove(held)
        return everyone

    async def _fetch(self, held: Held) -> None:
        try:
            held.whole = await self._claims.fetch(held.job)
        except BadInput as fault:
            del self._fetching[held]
            self._on_refused(held, fault.problem)
        except BlobsDown as error:
            del self._fetching[held]
            self._on_failed(held, Failed(store_problem(error)))
        else:
            del self._fetching[held]
            self.add(held)
