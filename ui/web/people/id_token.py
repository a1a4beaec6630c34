"""What an ID token must say to be believed, and whom it speaks of (OpenID Connect Core 3.1.3.7). Pure."""

import hmac
import math
from collections.abc import Collection, Mapping
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from ui.web.people.oidc_flow import LoginFailed
from ui.web.people.person import folded

ALGORITHMS: Final = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519",
)  # fmt: skip
"""Signatures by a private key of the provider. None is unsigned, and none made with a secret that we could make too."""
LEEWAY_S: Final = 60
"""How much two clocks may differ."""
_LONGEST_SUBJECT: Final = 255


def read(token: str, keys: KeySet) -> dict[str, Any]:
    """The claims of a token signed with one of the keys. Raises LoginFailed."""
    registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
    try:
        return jwt.decode(token, keys, algorithms=ALGORITHMS, registry=registry).claims
    except (JoseError, ValueError, TypeError) as error:
        raise LoginFailed("The provider's ID token is not signed as it must be.", 502) from error


def check(claims: Mapping[str, Any], *, issuer: str, client: str, nonce: str, now_s: float) -> None:
    """Raises LoginFailed unless the token is the provider's, for us, for this login, and of now."""
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    authorized = claims.get("azp", client if len(audiences) == 1 else None)
    faults = {
        "is from another provider": claims.get("iss") != issuer,
        "is for another program": client not in audiences or authorized != client,
        "has expired": not _is_time(claims.get("exp")) or claims["exp"] + LEEWAY_S <= now_s,
        "is from the future": not _is_time(claims.get("iat")) or claims["iat"] > now_s + LEEWAY_S,
        "is not valid yet": "nbf" in claims and (not _is_time(claims["nbf"]) or claims["nbf"] > now_s + LEEWAY_S),
        "is of another login": not _same(claims.get("nonce"), nonce),
        "names nobody": not _is_subject(claims.get("sub")),
    }
    for fault, found in faults.items():
        if found:
            raise LoginFailed(f"The provider's ID token {fault}.", 502)


def wished_name(claims: Mapping[str, Any], operators: Collection[str]) -> str:
    """What somebody is to be called here, if nobody else is: by their own name, mail address or subject.

    An operator's name is given to those alone whose subject or verified mail address it is: what people call
    themselves at a provider is often theirs to choose.
    """
    subject = claims["sub"]
    address = claims.get("email") if claims.get("email_verified") is True else None
    for proven in (subject, address):
        if isinstance(proven, str) and folded(proven) in operators:
            return folded(proven)
    for told in (claims.get("preferred_username"), claims.get("email"), subject):
        if isinstance(told, str) and told.strip() and folded(told) not in operators:
            return folded(told)
    return "user"


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_subject(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_SUBJECT


def _same(told: object, wanted: str) -> bool:
    return isinstance(told, str) and hmac.compare_digest(told.encode(), wanted.encode())
