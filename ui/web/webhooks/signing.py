"""The signature of a webhook, as the Standard Webhooks specification has it. Pure.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable
from typing import Final

SECRET_BYTES: Final = 32
_PREFIX: Final = "whsec_"


def secret_of(key: bytes) -> str:
    """A key as it is told to people: `whsec_` and base64."""
    return _PREFIX + base64.b64encode(key).decode()


def key_of(secret: str) -> bytes:
    """The key in a secret. Raises ValueError when it is none."""
    if not secret.startswith(_PREFIX):
        raise ValueError(f"A webhook's secret begins with {_PREFIX}; take it as it was shown.")
    return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)


def signature(secret: str, message_id: str, at_s: int, body: bytes) -> str:
    """`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`. `at_s`: seconds since the Unix epoch."""
    signed = b".".join((message_id.encode(), str(at_s).encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key_of(secret), signed, hashlib.sha256)).decode()


def signed_headers(secrets: Iterable[str], message_id: str, at_s: int, body: bytes) -> dict[str, str]:
    """The headers of one delivery. Several secrets, while one follows another, give several signatures."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(signature(secret, message_id, at_s, body) for secret in secrets),
    }
