"""Sending what is due: users side by side, each in turn, so that one slow receiver holds up its own user alone."""

import asyncio
import logging
import random
import sqlite3
from collections.abc import Callable
from typing import Final

from ui.web.jobs.database import Database
from ui.web.webhooks import deliveries
from ui.web.webhooks.calling import Caller
from ui.web.webhooks.deliveries import Delivery, ended_trial
from ui.web.webhooks.hooks import Hook
from ui.web.webhooks.retries import Outcome
from ui.web.webhooks.signing import signed_headers

log = logging.getLogger(__name__)

USERS_AT_A_TIME: Final = 16
EACH_AT_A_TIME: Final = 4
_LONGEST_S: Final = 60.0


class Rounds:
    """Sends due deliveries, and notes what came of them before anything else is sent."""

    def __init__(self, database: Database, caller: Caller, clock_ms: Callable[[], int]) -> None:
        self._database, self._caller, self._clock_ms = database, caller, clock_ms
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """There may be something due."""
        self._wake.set()

    async def run(self) -> None:
        """Send until cancelled."""
        try:
            while True:
                self._wake.clear()
                await self._wait(await self._begun())
        finally:
            for task in self._busy.values():
                task.cancel()
            await asyncio.gather(*self._busy.values(), return_exceptions=True)

    async def send_trial(self, hook: Hook, delivery: Delivery) -> Delivery:
        """Send once what somebody tries a webhook out with; if it arrives, a webhook switched off is on again."""
        ended = ended_trial(delivery, await self._posted(hook, delivery), self._clock_ms())
        await self._database.run(deliveries.keep_trial, ended)
        self.wake()
        return ended

    async def _sent(self, hook: Hook, delivery: Delivery) -> None:
        """Send one delivery once, and keep what came of it."""
        outcome = await self._posted(hook, delivery)
        chance = random.random()  # noqa: S311 (spreads retries, guards nothing)
        await self._database.run(deliveries.settle, delivery.id, outcome, self._clock_ms(), chance)

    async def _posted(self, hook: Hook, delivery: Delivery) -> Outcome:
        now_ms = self._clock_ms()
        signed = signed_headers(hook.secrets(now_ms), delivery.id, now_ms // 1000, delivery.body)
        return await self._caller.post(hook.url, {"content-type": "application/json", **signed}, delivery.body)

    async def _begun(self) -> float:
        """Begin what is due; seconds until there is more, unless something wakes us."""
        try:
            users, later_ms = await self._database.run(deliveries.agenda, self._clock_ms())
        except sqlite3.Error:
            log.exception("webhooks can't be read; trying again")
            return 5.0
        for user in users:
            if user not in self._busy and len(self._busy) < USERS_AT_A_TIME:
                self._busy[user] = asyncio.create_task(self._sent_to(user))
        return _LONGEST_S if later_ms is None else min(_LONGEST_S, max(0.0, (later_ms - self._clock_ms()) / 1000))

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _sent_to(self, user: str) -> None:
        try:
            pairs = await self._database.run(deliveries.due, user, self._clock_ms(), EACH_AT_A_TIME)
            await asyncio.gather(*(self._sent(hook, delivery) for hook, delivery in pairs))
        except Exception:
            log.exception("webhooks of a user can't be sent; trying again")
            await asyncio.sleep(5.0)
        finally:
            del self._busy[user]
            self.wake()
