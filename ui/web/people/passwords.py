"""Passwords: what they must be, how they are kept, and how one is checked without telling who has an account."""

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Final, TypeVar

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from bus.errors import BadInput
from bus.problems import Kind, Problem
from ui.web.people.person import TooMany

SHORTEST: Final = 10
LONGEST: Final = 1024
"""Characters: more would only be work."""
AT_A_TIME: Final = 2
"""Passwords being hashed at a time. Each takes 64 MiB and about 0.2 s of a processor."""
IN_LINE: Final = 32
"""Passwords that wait for it; a login beyond them is refused rather than late."""


def check_strength(password: str, name: str) -> None:
    """Raises BadInput for a password that would be guessed (NIST SP 800-63B: length counts, odd characters don't)."""
    detail = None
    if not SHORTEST <= len(password) <= LONGEST:
        detail = f"password: must have {SHORTEST} to {LONGEST} characters."
    elif password.lower() in {name.lower(), name.lower() * 2} or len(set(password)) < 4:
        detail = "password: is too easily guessed; take a few words that don't belong together."
    if detail:
        raise BadInput(Problem.of(Kind.BAD_FIELD, detail, field="password", remedy="Choose another password."))


_Result = TypeVar("_Result")


def new_password() -> str:
    """A password made up: 96 random bits, in four groups that can be read out."""
    digits = secrets.token_hex(12)
    return "-".join(digits[at : at + 6] for at in range(0, 24, 6))


class Passwords:
    """Hashes and checks passwords with Argon2id, on two threads of its own: the loop is never held up.

    Args:
        parameters: Those of RFC 9106 for little memory unless given (3 passes over 64 MiB, 4 lanes).
    """

    def __init__(self, parameters: argon2.Parameters = argon2.profiles.RFC_9106_LOW_MEMORY) -> None:
        self._hasher = argon2.PasswordHasher.from_parameters(parameters)
        self._threads = ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="passwords")
        self._in_line = 0

    @cached_property
    def nobodys(self) -> str:
        """The hash of nobody's password, with the same parameters: checking it takes as long as checking anybody's."""
        return self._hasher.hash(secrets.token_bytes(32))

    def close(self) -> None:
        """End the threads; a hash under way is finished first."""
        self._threads.shutdown(cancel_futures=True)

    async def hashed(self, password: str) -> str:
        """The hash to keep, with its salt and parameters in it. Raises TooMany when very many are in line."""
        return await self._apart(self.hash_now, password)

    async def is_right(self, kept: str | None, password: str) -> bool:
        """Whether a password is the one whose hash was kept; takes as long when none was.

        Raises TooMany when very many are in line.
        """
        return await self._apart(self._verify, kept, password)

    def is_outdated(self, kept: str) -> bool:
        """Whether a hash was made with other parameters than today's, and should be made anew."""
        return self._hasher.check_needs_rehash(kept)

    def hash_now(self, password: str) -> str:
        """The hash to keep, made on the caller's own thread."""
        return self._hasher.hash(password.encode(errors="surrogatepass"))

    def _verify(self, kept: str | None, password: str) -> bool:
        try:
            self._hasher.verify(kept or self.nobodys, password[: LONGEST + 1].encode(errors="surrogatepass"))
        except (VerificationError, InvalidHashError):
            return False
        return kept is not None

    async def _apart(self, function: Callable[..., _Result], *args: object) -> _Result:
        if self._in_line >= AT_A_TIME + IN_LINE:
            detail = "Very many people are logging in just now."
            raise TooMany(Problem.of(Kind.TOO_MANY_REQUESTS, detail, retry_after_s=5))
        self._in_line += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, function, *args)
        finally:
            self._in_line -= 1
