"""One login at an OpenID provider, from the way there to the way back: authorization code, PKCE, state, nonce. Pure.

All that must be the same on the way back is made from one secret in a cookie. So nothing is kept here meanwhile, a
restart of the page ends no login, and only the browser that began one can end it.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from bus.reach import is_loopback
from ui.web.people.next_page import next_page

HOLDS_S: Final = 600
"""How long somebody may take at the provider, seconds."""
SCOPES: Final = "openid profile email"
CALLBACK: Final = "/login/oidc/callback"


class LoginFailed(Exception):
    """Why a login at the provider came to nothing, in words for people; never what a stranger wrote."""

    def __init__(self, why: str, status: int = 400) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True, slots=True)
class Flow:
    """One login: `secret` is 256 random bits in base64url, `next` the page to go to afterwards."""

    secret: str = field(repr=False)
    next: str

    @property
    def state(self) -> str:
        """Comes back with the code: the browser that asked is the one that answers."""
        return self._derived("state")

    @property
    def nonce(self) -> str:
        """Comes back in the ID token: the token was made for this login."""
        return self._derived("nonce")

    @property
    def verifier(self) -> str:
        """Goes to the provider with the code: who redeems it is who asked for it (RFC 7636)."""
        return self._derived("verifier")

    @property
    def challenge(self) -> str:
        """What of the verifier the provider is told at first."""
        return _base64url(hashlib.sha256(self.verifier.encode()).digest())

    def _derived(self, purpose: str) -> str:
        return _base64url(hmac.digest(self.secret.encode(), purpose.encode(), hashlib.sha256))

    def to_cookie(self) -> str:
        """The value of its cookie."""
        return f"{self.secret}.{_base64url(self.next.encode())}"

    @classmethod
    def from_cookie(cls, value: str | None) -> "Flow":
        """The login that a browser has begun. Raises LoginFailed when it has not."""
        secret, _, wished = (value or "").partition(".")
        if len(secret) != 43:
            raise LoginFailed("This login was not begun in this browser, or more than ten minutes ago.")
        try:
            wished = base64.urlsafe_b64decode(wished + "=" * (-len(wished) % 4)).decode()
        except ValueError:
            wished = ""
        return cls(secret, next_page(wished))


def cookie_name(*, secure: bool) -> str:
    """What the cookie of a login under way is called; over https no neighbouring host can set it for us."""
    return "__Host-overspill-login" if secure else "overspill-login"


def set_cookie(value: str, holds_s: int, *, secure: bool) -> str:
    """The value of the `Set-Cookie` header. Lax: it must come along when the provider sends the browser back."""
    only_https = "; Secure" if secure else ""
    name = cookie_name(secure=secure)
    return f"{name}={value}; Path=/; Max-Age={holds_s}; HttpOnly; SameSite=Lax{only_https}"


def way_there(endpoint: str, flow: Flow, client: str, callback: str) -> str:
    """Where the browser is sent to log in."""
    asked = {
        "response_type": "code",
        "client_id": client,
        "redirect_uri": callback,
        "scope": SCOPES,
        "state": flow.state,
        "nonce": flow.nonce,
        "code_challenge": flow.challenge,
        "code_challenge_method": "S256",
    }
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"


def code_of(query: Mapping[str, str], flow: Flow, issuer: str, *, names_itself: bool) -> str:
    """The code that a browser brings back. Raises LoginFailed.

    `names_itself`: the provider says in `iss` who it is (RFC 9207), so that no other's answer is taken for its own.
    """
    if not hmac.compare_digest(query.get("state", "").encode(), flow.state.encode()):
        raise LoginFailed("This login was not begun in this browser, or another one was begun after it.")
    told = query.get("iss")
    if told != issuer and (told is not None or names_itself):
        raise LoginFailed("The answer came from another provider than was asked.")
    if query.get("error") == "access_denied":
        raise LoginFailed("The provider did not let you in, or you stopped there.", 403)
    if "error" in query or not query.get("code"):
        raise LoginFailed("The provider did not say who you are. Whoever runs this page finds more in its log.", 502)
    return query["code"]


def checked_discovery(document: Mapping[str, Any], issuer: str) -> Mapping[str, Any]:
    """What a provider tells of itself, if it can be believed. Raises LoginFailed.

    All of it must be https, save for a provider on this very machine.
    """
    if document.get("issuer") != issuer:
        raise LoginFailed("The provider calls itself otherwise than OVERSPILL_PAGE_OIDC_ISSUER does.", 502)
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        if not is_fit(document.get(name), issuer):
            raise LoginFailed(f"The provider's {name} is missing or not https.", 502)
    return document


def is_fit(url: object, issuer: str) -> bool:
    """Whether secrets may go there: over https, or on this machine where the provider is on it too."""
    if not isinstance(url, str):
        return False
    return urlsplit(url).scheme == "https" or (is_loopback(url) and is_loopback(issuer))


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
