"""Logging in at an OpenID provider: what is asked of it over HTTP."""

import asyncio
import functools
import logging
import secrets
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote_plus

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from bus.settings import Settings
from ui.web.people.id_token import check, read, wished_name
from ui.web.people.oidc_flow import CALLBACK, Flow, LoginFailed, checked_discovery, code_of, is_fit, way_there

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 10.0
KEPT_S: Final = 3600.0
"""How long what the provider tells of itself is believed, seconds."""


@dataclass(frozen=True, slots=True)
class Known:
    """Whom the provider knows: `issuer` and `subject` are one person for ever, `wished` is what to call them."""

    issuer: str
    subject: str
    wished: str


class Oidc:
    """The provider that the settings name."""

    def __init__(self, settings: Settings) -> None:
        self._issuer = settings.page_oidc_issuer or ""
        self._client = settings.page_oidc_client or ""
        self._secret = settings.page_oidc_secret
        self._operators = settings.page_operators
        self._told: tuple[float, Mapping[str, Any]] | None = None
        self._one_asks = asyncio.Lock()

    async def begin(self, wished_page: str, page_url: str) -> tuple[Flow, str]:
        """A new login, and where to send the browser for it. Raises LoginFailed."""
        flow = Flow(secrets.token_urlsafe(32), wished_page)
        async with _client() as client:
            provider = await self._provider(client)
        return flow, way_there(provider["authorization_endpoint"], flow, self._client, page_url + CALLBACK)

    async def end(self, flow: Flow, query: Mapping[str, str], page_url: str) -> Known:
        """Who has logged in, by what the browser brings back. Raises LoginFailed."""
        async with _client() as client:
            provider = await self._provider(client)
            names_itself = provider.get("authorization_response_iss_parameter_supported") is True
            code = code_of(query, flow, self._issuer, names_itself=names_itself)
            tokens = await self._redeemed(client, provider, {"code": code, "redirect_uri": page_url + CALLBACK}, flow)
            claims = read(str(tokens.get("id_token")), await _keys(client, provider["jwks_uri"]))
            check(claims, issuer=self._issuer, client=self._client, nonce=flow.nonce, now_s=time.time())
            told = await self._more(client, provider, tokens, claims)
        return Known(self._issuer, claims["sub"], wished_name(told, self._operators))

    async def _provider(self, client: httpx.AsyncClient) -> Mapping[str, Any]:
        """What the provider tells of itself, asked once an hour."""
        async with self._one_asks:
            if self._told is None or time.monotonic() - self._told[0] > KEPT_S:
                url = self._issuer.rstrip("/") + "/.well-known/openid-configuration"
                document = checked_discovery(await _asked(client, "GET", url), self._issuer)
                self._told = (time.monotonic(), document)
            return self._told[1]

    async def _redeemed(
        self, client: httpx.AsyncClient, provider: Mapping[str, Any], grant: Mapping[str, str], flow: Flow
    ) -> dict[str, Any]:
        """What the provider gives for the code."""
        form = {"grant_type": "authorization_code", "code_verifier": flow.verifier, **grant}
        auth: httpx.BasicAuth | None = None
        methods = provider.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if self._secret and "client_secret_basic" in methods:
            auth = httpx.BasicAuth(_encoded(self._client), _encoded(self._secret))
        else:
            form |= {"client_id": self._client} | ({"client_secret": self._secret} if self._secret else {})
        return await _asked(client, "POST", provider["token_endpoint"], data=form, auth=auth)

    async def _more(
        self,
        client: httpx.AsyncClient,
        provider: Mapping[str, Any],
        tokens: Mapping[str, Any],
        claims: Mapping[str, Any],
    ) -> Mapping[str, Any]:
        """The claims, and where the token has no name in it what the provider tells when asked for one."""
        endpoint, token = provider.get("userinfo_endpoint"), tokens.get("access_token")
        named = "preferred_username" in claims or "email" in claims
        if named or not is_fit(endpoint, self._issuer) or not isinstance(token, str):
            return claims
        told = await _asked(client, "GET", str(endpoint), headers={"authorization": f"Bearer {token}"})
        return {**claims, **told} if told.get("sub") == claims["sub"] else claims


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(verify=_tls(), timeout=TIMEOUT_S, headers={"accept": "application/json"})


@functools.cache
def _tls() -> ssl.SSLContext:
    """What certificates are checked with; reading them all takes longer than a login."""
    return httpx.create_ssl_context()


async def _asked(client: httpx.AsyncClient, method: str, url: str, **asked: Any) -> dict[str, Any]:
    """The JSON object at a URL. Raises LoginFailed; what was answered instead goes to the log."""
    try:
        response = await client.request(method, url, **asked)
        document = response.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        log.warning("the OpenID provider does not answer at %s: %s", url, error or type(error).__name__)
        raise LoginFailed("The provider does not answer. Try again in a while.", 502) from error
    if response.status_code != 200 or not isinstance(document, dict):
        log.warning("the OpenID provider answers %s at %s: %.300r", response.status_code, url, response.text)
        raise LoginFailed("The provider refused. Log in again; if it goes on, tell whoever runs this page.", 502)
    return document


async def _keys(client: httpx.AsyncClient, url: str) -> KeySet:
    """The provider's keys, asked for at each login: one that it has replaced counts no more."""
    document = await _asked(client, "GET", url)
    try:
        return KeySet.import_key_set({"keys": document["keys"]})
    except (JoseError, KeyError, TypeError, ValueError) as error:
        raise LoginFailed("The provider's keys can't be read.", 502) from error


def _encoded(part: str) -> str:
    """As RFC 6749 2.3.1 has it: form-encoded before it is made into a Basic header."""
    return quote_plus(part)
