"""The client for programs without an event loop: the same methods, on a loop of its own in a thread."""

import asyncio
import concurrent.futures
import itertools
import threading
from collections.abc import Coroutine, Generator, Iterable, Mapping
from functools import partial
from typing import Any, Self, TypedDict, TypeVar, Unpack

from bus.answers import Answer
from bus.blobs import Blobs
from producers.client.asynchronous import AsyncClient, JobHandle, Outcome
from producers.client.request import Image, JobOptions, Options, check_window

T = TypeVar("T")


class ClientOptions(TypedDict, total=False):
    """What `AsyncClient` takes besides its URL."""

    user: str
    connect_timeout_s: float
    accept_timeout_s: float
    max_image_bytes: int
    blobs: Blobs | str | None


class BlockingHandle:
    """One submitted job."""

    def __init__(self, client: "Client", handle: JobHandle) -> None:
        self._client = client
        self._handle = handle

    @property
    def id(self) -> str:
        """The job's id."""
        return self._handle.id

    @property
    def done(self) -> bool:
        """Whether the answer is here."""
        return self._handle.done

    def result(self, timeout_s: float | None = None) -> Answer:
        """The answer; waits and raises as `JobHandle.result`."""
        return self._client.run(self._handle.result(timeout_s))


class Client:
    """Submits jobs and matches their answers; may be used from several threads. Use it in a `with` statement."""

    def __init__(self, url: str, **options: Unpack[ClientOptions]) -> None:
        """The arguments are those of `AsyncClient`; raises as it does."""
        self._client = AsyncClient(url, **options)
        self._loop = asyncio.new_event_loop()
        # Daemonic: a program that forgets to close its client still ends.
        self._thread = threading.Thread(target=self._loop.run_forever, name="overspill client", daemon=True)

    def __enter__(self) -> Self:
        """Connect. Raises SetupError when no broker answers or it won't have us."""
        self._thread.start()
        try:
            self.run(self._client.__aenter__())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    @property
    def duplicates(self) -> int:
        """Answers that came a second time, and were ignored."""
        return self._client.duplicates

    @property
    def strangers(self) -> int:
        """Answers to jobs that nobody here waits for, ignored too."""
        return self._client.strangers

    def submit(
        self,
        image: Image,
        operation: str,
        params: Mapping[str, Any] | None = None,
        **options: Unpack[JobOptions],
    ) -> BlockingHandle:
        """Ask for `operation` on a picture; returns and raises as `AsyncClient.submit`."""
        return BlockingHandle(self, self.run(self._client.submit(image, operation, params, **options)))

    def map(
        self,
        operation: str,
        images: Iterable[Image],
        params: Mapping[str, Any] | None = None,
        *,
        window: int = 32,
        in_order: bool = False,
        timeout_s: float | None = None,
        **options: Unpack[Options],
    ) -> Generator[tuple[Image, Outcome], None, None]:
        """Run `operation` on many pictures, as `AsyncClient.map`; `images` is read on the caller's own thread."""
        outcome = partial(self._client.outcome, operation=operation, params=params, timeout_s=timeout_s, **options)
        check_window(window)
        waiting = iter(images)
        running: dict[concurrent.futures.Future[Outcome], Image] = {}
        try:
            while True:
                for image in itertools.islice(waiting, window - len(running)):
                    running[self._spawn(outcome(image))] = image
                if not running:
                    return
                first = [next(iter(running))] if in_order else list(running)
                done, _ = concurrent.futures.wait(first, return_when=concurrent.futures.FIRST_COMPLETED)
                for future in done:
                    yield running.pop(future), future.result()
        finally:
            for future in running:
                future.cancel()

    def close(self) -> None:
        """Delete the reply queue, disconnect, and end the thread."""
        try:
            self.run(self._client.close())
        finally:
            self._end()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the client's loop and wait for it; an interrupt cancels it."""
        future = self._spawn(work)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _spawn(self, work: Coroutine[Any, Any, T]) -> "concurrent.futures.Future[T]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
