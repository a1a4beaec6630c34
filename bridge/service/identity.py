"""Whose token a request bears: Google's signed identity tokens (OpenID Connect), verified against its certificates."""

import asyncio
import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx
from google.auth import exceptions, jwt

from bus.errors import OverspillError

log = logging.getLogger(__name__)

ISSUERS: Final = frozenset({"accounts.google.com", "https://accounts.google.com"})
ALGORITHM: Final = "RS256"
"""What Google signs with. A token doesn't choose how it is verified."""
SKEW_S: Final = 10
"""How far Google's clock and ours may differ, seconds."""
FETCH_S: Final = 5.0
RETRY_S: Final = 30.0
"""Between two fetches at least: tokens with made-up key ids must not have us call Google for each."""
STALE_S: Final = 86_400.0
"""How long certificates are used past their time while new ones can't be had."""
SHORTEST_S, USUAL_S, LONGEST_S = 60.0, 3600.0, 86_400.0
"""Bounds of how long certificates are fresh, and what is taken when their server does not tell."""
_REMOVED: Final = ".SIGNATURE_REMOVED_BY_GOOGLE"
"""What Cloud Run leaves of a signature that it has checked itself: nobody can check it again."""
_REFUSED: Final = (ValueError, TypeError, RecursionError, exceptions.GoogleAuthError)


class BadToken(OverspillError):
    """The token is none that Google made for us, or its time is over."""


class Stranger(OverspillError):
    """The token is good, but somebody else's."""


class CertificatesDown(OverspillError):
    """There are no certificates to verify a token with: a passing fault."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token must say: made for one of `audiences`, in the name of the service account `email`."""

    audiences: tuple[str, ...]
    email: str

    def check(self, claims: Mapping[str, Any], now_s: float) -> None:
        """Judge the claims of a token whose signature, expiry and audience are right.

        `now_s` is in seconds since the epoch. Raises BadToken or Stranger.
        """
        if claims.get("iss") not in ISSUERS:
            raise BadToken("the token was not issued by accounts.google.com")
        begins_s = claims.get("nbf", 0)
        if not isinstance(begins_s, int | float) or begins_s > now_s + SKEW_S:
            raise BadToken("the token is not valid yet")
        if claims.get("email") != self.email or claims.get("email_verified") is not True:
            raise Stranger(f"the token is not of {self.email}; check OVERSPILL_CLOUD_PUSH_ACCOUNT on both sides")


class Certificates:
    """Google's certificates by key id, kept for as long as their server allows."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._clock = clock
        self._known: Mapping[str, str] = {}
        self._fresh_until = 0.0
        self._next_fetch = 0.0
        self._fetching = asyncio.Lock()

    async def named(self, key_id: str) -> str:
        """The certificate (PEM) of a key. Raises BadToken when Google has none, CertificatesDown when it is silent."""
        if self._lacks(key_id):
            async with self._fetching:  # who comes meanwhile waits, and finds what was fetched
                if self._lacks(key_id) and self._clock() >= self._next_fetch:
                    await self._fetch()
        if not self._known or self._clock() >= self._fresh_until + STALE_S:
            raise CertificatesDown(f"no certificates from {self._url}")
        if key_id not in self._known:
            raise BadToken("the token is signed by a key that Google does not have")
        return self._known[key_id]

    def _lacks(self, key_id: str) -> bool:
        return key_id not in self._known or self._clock() >= self._fresh_until

    async def _fetch(self) -> None:
        self._next_fetch = self._clock() + RETRY_S
        try:
            async with httpx.AsyncClient(timeout=FETCH_S) as client:
                response = (await client.get(self._url)).raise_for_status()
            self._known = _certificates(response.json())
        except (httpx.HTTPError, ValueError) as error:
            log.warning("no new certificates from %s (%s: %s)", self._url, type(error).__name__, error)
            return
        self._fresh_until = self._clock() + fresh_s(response.headers.get("cache-control", ""))


def _certificates(told: Any) -> dict[str, str]:
    if not isinstance(told, dict) or not all(isinstance(value, str) for value in told.values()):
        raise ValueError("they are not a JSON object of key ids and PEM certificates")
    return told


def fresh_s(cache_control: str) -> float:
    """Seconds that a response with this `Cache-Control` is fresh, within bounds."""
    told = re.search(r"(?:^|[\s,])max-age=([0-9]{1,9})\b", cache_control.lower())
    return min(LONGEST_S, max(SHORTEST_S, float(told[1]) if told else USUAL_S))


class Identity:
    """Verifies tokens."""

    def __init__(self, expected: Expected, certificates: Certificates) -> None:
        self._expected = expected
        self._certificates = certificates

    async def verify(self, token: str) -> None:
        """Return if the token is what is expected. Raises BadToken, Stranger or CertificatesDown."""
        key_id = _key_id(token)
        certificate = await self._certificates.named(key_id)
        try:
            claims = jwt.decode(  # type: ignore[no-untyped-call]  # google-auth types half of itself
                token,
                certs={key_id: certificate},
                audience=list(self._expected.audiences),
                clock_skew_in_seconds=SKEW_S,
            )
        except _REFUSED as error:
            # Its words tell what the token said: for our log, not for a stranger.
            log.warning("a token was refused: %s", str(error)[:300])
            raise BadToken("the token is not valid: its signature, time or audience is wrong") from None
        self._expected.check(claims, time.time())


def _key_id(token: str) -> str:
    if token.endswith(_REMOVED):
        raise BadToken(
            "Cloud Run checks tokens itself and removes their signatures, and this service asks for them: turn that "
            "check off (`gcloud run services update --no-invoker-iam-check`)"
        )
    try:
        header = jwt.decode_header(token)  # type: ignore[no-untyped-call]  # as above
    except _REFUSED:
        raise BadToken("the token can't be read") from None
    key_id = header.get("kid")
    if header.get("alg") != ALGORITHM or not isinstance(key_id, str):
        raise BadToken(f"the token is not signed as Google signs: {ALGORITHM} with a key id")
    return key_id
