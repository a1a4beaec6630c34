"""A small OpenID provider, as real as a test needs: it hands out codes for a consent, and redeems each once.

It checks what a provider must: the redirect, the client and its secret, the verifier of PKCE, and that a code is new.
"""

import asyncio
import base64
import contextlib
import hashlib
import json
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT = "overspill at pictures.example"
SECRET = "s3cret/with+odd characters"
KEY = RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})


@dataclass
class Provider:
    """What it says can be changed by a test: `claims` are put over the right ones, None leaves one out."""

    issuer: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    discovery: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    answer: dict[str, str] = field(default_factory=dict)
    """Put over what the browser brings back."""
    key: RSAKey = field(default_factory=lambda: KEY)
    algorithm: str = "RS256"
    redeemed: int = 0
    _asked: dict[str, dict[str, str]] = field(default_factory=dict)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/keys", self._keys),
                Route("/userinfo", self._userinfo),
            ]
        )

    async def _discovery(self, _request: Request) -> Response:
        told = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "authorization_response_iss_parameter_supported": True,
        }
        return JSONResponse({**told, **self.discovery})

    async def _authorize(self, request: Request) -> Response:
        """Somebody is logged in here already, and consents."""
        asked = dict(request.query_params)
        code = secrets.token_urlsafe(16)
        self._asked[code] = asked
        told = {"code": code, "state": asked["state"], "iss": self.issuer, **self.answer}
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(told)}", 303)

    async def _token(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        asked = self._asked.pop(form.get("code", ""), None)
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).rstrip(b"=").decode()
        right = (
            asked is not None
            and asked["code_challenge"] == challenge
            and asked["code_challenge_method"] == "S256"
            and asked["redirect_uri"] == form["redirect_uri"]
            and asked["client_id"] == CLIENT
            and form["grant_type"] == "authorization_code"
            and _who_asks(request, form) == (CLIENT, SECRET)
        )
        if not right or asked is None:
            return JSONResponse({"error": "invalid_grant"}, 400)
        self.redeemed += 1
        return JSONResponse(
            {"access_token": "access", "token_type": "Bearer", "id_token": self.id_token(asked["nonce"])}
        )

    def id_token(self, nonce: str) -> str:
        now = int(time.time())
        right = {
            "iss": self.issuer, "sub": "subject-1", "aud": CLIENT, "exp": now + 300, "iat": now, "nonce": nonce,
            "preferred_username": "Anna",
        }  # fmt: skip
        claims = {name: value for name, value in {**right, **self.claims}.items() if value is not None}
        if self.algorithm == "none":
            return f"{_part({'alg': 'none'})}.{_part(claims)}."
        return jwt.encode({"alg": self.algorithm, "kid": "first"}, claims, self.key, algorithms=[self.algorithm])

    async def _keys(self, _request: Request) -> Response:
        return JSONResponse(KeySet([KEY]).as_dict())

    async def _userinfo(self, request: Request) -> Response:
        known = request.headers["authorization"] == "Bearer access"
        return JSONResponse(self.userinfo if known else {}, 200 if known else 401)


def _who_asks(request: Request, form: dict[str, str]) -> tuple[str, str]:
    scheme, _, basic = request.headers.get("authorization", "").partition(" ")
    if scheme == "Basic":
        name, _, secret = base64.b64decode(basic).decode().partition(":")
        return unquote_plus(name), unquote_plus(secret)
    return form.get("client_id", ""), form.get("client_secret", "")


def _part(document: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


@contextlib.asynccontextmanager
async def serving(provider: Provider) -> AsyncIterator[Provider]:
    """The provider on a port of this machine."""
    server = uvicorn.Server(uvicorn.Config(provider.app(), port=0, log_config=None, lifespan="off", access_log=False))
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(20):
        while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
            await asyncio.sleep(0.01)
    provider.issuer = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield provider
    finally:
        server.should_exit = True
        await task
