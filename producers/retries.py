"""How long a job waits before its next attempt: exponential, spread, and the same each time it is computed."""

import hashlib
from typing import Final

LONGEST_S: Final = 30.0
_STEPS: Final = 64
"""Doublings after which any delay that isn't 0 is long past the longest; keeps the power finite."""


def delay_s(attempt: int, base_s: float, key: str) -> float:
    """Seconds to wait after failed attempt number `attempt` (1 is the first) of the job `key`.

    The whole is `base_s`, doubled for each further attempt, 30 s at most; the delay is between half of it and all of
    it ("equal jitter": Brooker, Exponential Backoff And Jitter, 2015), so that jobs which failed together don't come
    back together. Where between is a hash of key and attempt and no dice: a recorded decision can be replayed.
    """
    whole = min(LONGEST_S, base_s * 2.0 ** min(attempt - 1, _STEPS))
    return whole * (0.5 + 0.5 * _share(f"{key}/{attempt}"))


def _share(key: str) -> float:
    """A number from 0 to 1, evenly spread over keys. A key may be anything a caller sent, lone surrogates included."""
    digest = hashlib.blake2b(key.encode(errors="surrogatepass"), digest_size=6).digest()
    return int.from_bytes(digest) / 2**48
