import base64
import hmac
import json
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from tests.ui.web.people.provider import KEY
from ui.web.people.id_token import LEEWAY_S, check, read, wished_name
from ui.web.people.oidc_flow import LoginFailed

NOW = 1_800_000_000
CLAIMS = {"iss": "https://a.example", "sub": "s1", "aud": "us", "exp": NOW + 60, "iat": NOW, "nonce": "n"}


def checked(**changed: Any) -> None:
    claims = {name: value for name, value in {**CLAIMS, **changed}.items() if value is not None}
    check(claims, issuer="https://a.example", client="us", nonce="n", now_s=NOW)


@pytest.mark.parametrize(
    "changed",
    [
        {}, {"aud": ["us"]}, {"aud": ["us", "them"], "azp": "us"}, {"azp": "us"}, {"exp": NOW - LEEWAY_S + 1},
        {"iat": NOW + LEEWAY_S}, {"nbf": NOW}, {"exp": NOW + 60.5}, {"sub": "x" * 255},
    ],
)  # fmt: skip
def test_a_token_for_us_and_of_now_is_believed(changed: dict[str, Any]) -> None:
    checked(**changed)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"iss": "https://a.example/"}, "another provider"),
        ({"iss": None}, "another provider"),
        ({"aud": "them"}, "another program"),
        ({"aud": None}, "another program"),
        ({"aud": []}, "another program"),
        ({"aud": ["us", "them"]}, "another program"),
        ({"azp": "them"}, "another program"),
        ({"aud": ["us", "them"], "azp": "them"}, "another program"),
        ({"exp": NOW - LEEWAY_S}, "expired"),
        ({"exp": None}, "expired"),
        ({"exp": "2100-01-01"}, "expired"),
        ({"exp": float("nan")}, "expired"),
        ({"exp": True}, "expired"),
        ({"iat": NOW + LEEWAY_S + 1}, "future"),
        ({"iat": None}, "future"),
        ({"nbf": NOW + LEEWAY_S + 1}, "not valid yet"),
        ({"nbf": "soon"}, "not valid yet"),
        ({"nonce": "of another"}, "another login"),
        ({"nonce": None}, "another login"),
        ({"nonce": 7}, "another login"),
        ({"sub": None}, "nobody"),
        ({"sub": ""}, "nobody"),
        ({"sub": "x" * 256}, "nobody"),
        ({"sub": 7}, "nobody"),
    ],
)
def test_any_other_is_not(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(LoginFailed, match=said):
        checked(**changed)


def test_the_providers_key_signs() -> None:
    token = jwt.encode({"alg": "RS256", "kid": "first"}, CLAIMS, KEY)
    assert read(token, KeySet([KEY])) == CLAIMS


def signed_with_the_public_key() -> str:
    """As an attacker would who hopes that the key is taken for a secret."""
    signed = ".".join(_part(part) for part in ({"alg": "HS256", "kid": "first"}, CLAIMS))
    digest = hmac.digest(KEY.as_pem(private=False), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def _part(document: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def test_nobody_elses_key_does_nor_none_nor_a_secret_that_anyone_could_have() -> None:
    keys = KeySet([KEY])
    stranger = RSAKey.generate_key(2048, {"kid": "first"})
    for token in (
        jwt.encode({"alg": "RS256", "kid": "first"}, CLAIMS, stranger),
        signed_with_the_public_key(),
        jwt.encode({"alg": "RS256", "kid": "another"}, CLAIMS, RSAKey.generate_key(2048, {"kid": "another"})),
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJzMSJ9.",
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJzMSJ9",
        "None",
        "",
    ):
        with pytest.raises(LoginFailed, match="not signed"):
            read(token, keys)


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"preferred_username": "Anna", "email": "a@b.example"}, "anna"),
        ({"preferred_username": " ", "email": "A@b.example"}, "a@b.example"),
        ({"email": "a@b.example", "email_verified": False}, "a@b.example"),
        ({"preferred_username": 7}, "s1"),
        ({}, "s1"),
    ],
)
def test_somebody_is_called_by_their_own_name_mail_address_or_subject(claims: dict[str, Any], name: str) -> None:
    assert wished_name({"sub": "S1", **claims}, ()) == name


@pytest.mark.parametrize(
    ("claims", "operators", "name"),
    [
        ({"preferred_username": "Root"}, {"root"}, "s1"),
        ({"preferred_username": "Root", "email": "root"}, {"root"}, "s1"),
        ({"preferred_username": "root", "email": "root", "email_verified": "true"}, {"root"}, "s1"),
        ({"preferred_username": "eve", "email": "boss@b.example"}, {"boss@b.example"}, "eve"),
        ({"preferred_username": "boss@b.example", "email": "eve@b.example", "email_verified": True},
         {"boss@b.example"}, "eve@b.example"),
        ({"preferred_username": "anna", "email": "Boss@b.example", "email_verified": True},
         {"boss@b.example"}, "boss@b.example"),
        ({"preferred_username": "anna"}, {"s1"}, "s1"),
    ],
)  # fmt: skip
def test_an_operators_name_is_for_those_alone_who_prove_it(
    claims: dict[str, Any], operators: set[str], name: str
) -> None:
    assert wished_name({"sub": "s1", **claims}, operators) == name


def test_who_says_nothing_of_themselves_is_called_user() -> None:
    assert wished_name({"sub": " "}, ()) == "user"
