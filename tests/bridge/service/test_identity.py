"""Tokens as Google signs them, and all that are not: with keys and certificates of our own."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from bridge.service.identity import (
    RETRY_S,
    STALE_S,
    BadToken,
    Certificates,
    CertificatesDown,
    Expected,
    Identity,
    Stranger,
    fresh_s,
)
from tests.bridge.tokens import ACCOUNT, AUDIENCE, Google, certificate, forged, google, key, tampered, token

EXPECTED = Expected((AUDIENCE, f"{AUDIENCE}/push"), ACCOUNT)
PUBLIC = (
    key("one").public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
)


@pytest.fixture(scope="module")
def certificates_server() -> Iterator[Google]:
    with google() as server:
        yield server


@pytest.fixture
def identity(certificates_server: Google) -> Identity:
    return Identity(EXPECTED, Certificates(certificates_server.url))


GOOD: dict[str, Callable[[int], str]] = {
    "plain": lambda now: token(),
    "the other issuer": lambda now: token(iss="accounts.google.com"),
    "the other audience": lambda now: token(aud=f"{AUDIENCE}/push"),
    "our clock is fast": lambda now: token(exp=now - 3),
    "our clock is slow": lambda now: token(iat=now + 6),
    "begun": lambda now: token(nbf=now),
}
BAD: dict[str, Callable[[int], str]] = {
    "another audience": lambda now: token(aud="https://other.example"),
    "an audience that begins like ours": lambda now: token(aud=f"{AUDIENCE}.evil.example"),
    "a list of audiences": lambda now: token(aud=[AUDIENCE, "https://other.example"]),
    "no audience": lambda now: token(aud=None),
    "another issuer": lambda now: token(iss="https://evil.example"),
    "no issuer": lambda now: token(iss=None),
    "expired": lambda now: token(iat=now - 3660, exp=now - 60),
    "no expiry": lambda now: token(exp=None),
    "an expiry that is no number": lambda now: token(exp="never"),
    "issued in the future": lambda now: token(iat=now + 600),
    "not valid yet": lambda now: token(nbf=now + 600),
    "never valid": lambda now: token(nbf="never"),
    "tampered with": lambda now: tampered(token(), exp=now + 999_999),
    "cut short": lambda now: token()[:-10],
    "unsigned": lambda now: forged("none"),
    "HS256 with the public key": lambda now: forged("HS256", PUBLIC),
    "HS256 with the certificate": lambda now: forged("HS256", certificate("one").encode()),
    "another key": lambda now: token("two", kid="one"),
    "a key id that Google has not": lambda now: token("two", kid="two"),
    "no token at all": lambda now: "garbage",
    "three parts of garbage": lambda now: "a.b.c",
    "a bottomless header": lambda now: "W1tb" * 5000 + ".e30.AA",
    "a header that is no object": lambda now: "W10.e30.AA",
    "empty": lambda now: "",
}


@pytest.mark.parametrize("good", GOOD.values(), ids=GOOD)
async def test_a_token_of_google_for_us_is_let_in(identity: Identity, good: Callable[[int], str]) -> None:
    await identity.verify(good(int(time.time())))


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
async def test_any_other_token_is_bad(identity: Identity, bad: Callable[[int], str]) -> None:
    with pytest.raises(BadToken):
        await identity.verify(bad(int(time.time())))


async def test_a_token_that_cloud_run_has_checked_says_what_to_do(identity: Identity) -> None:
    header, claimed, _ = token().split(".")
    with pytest.raises(BadToken, match="no-invoker-iam-check"):
        await identity.verify(f"{header}.{claimed}.SIGNATURE_REMOVED_BY_GOOGLE")


@pytest.mark.parametrize(
    "changed",
    [
        {"email": "someone@project.iam.gserviceaccount.com"},
        {"email": ACCOUNT.upper()},
        {"email": None},
        {"email_verified": False},
        {"email_verified": "true"},
        {"email_verified": None},
    ],
    ids=str,
)
async def test_a_good_token_of_another_is_a_strangers(identity: Identity, changed: dict[str, Any]) -> None:
    with pytest.raises(Stranger, match="OVERSPILL_CLOUD_PUSH_ACCOUNT"):
        await identity.verify(token(**changed))


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server() -> Iterator[Google]:
    with google() as server:
        yield server


async def test_certificates_are_fetched_once_for_all_who_wait_and_kept_as_long_as_allowed(server: Google) -> None:
    clock = Clock()
    certificates = Certificates(server.url, clock)
    assert set(await asyncio.gather(*(certificates.named("one") for _ in range(5)))) == {certificate("one")}
    clock.now += 3599
    await certificates.named("one")
    assert server.asked == 1
    clock.now += 2
    await certificates.named("one")
    assert server.asked == 2


async def test_a_new_key_is_fetched_when_it_is_first_seen_but_garbage_does_not_call_google_each_time(
    server: Google,
) -> None:
    clock = Clock()
    certificates = Certificates(server.url, clock)
    await certificates.named("one")
    server.document["two"] = certificate("two")
    for _ in range(3):
        with pytest.raises(BadToken):
            await certificates.named("two")
    assert server.asked == 1
    clock.now += RETRY_S
    assert await certificates.named("two") == certificate("two")
    assert server.asked == 2


@pytest.mark.parametrize("fault", ["silent", "failing", "no json object", "keys of another kind"])
async def test_old_certificates_serve_while_google_does_not_answer_but_not_for_ever(server: Google, fault: str) -> None:
    clock = Clock()
    certificates = Certificates(server.url, clock)
    await certificates.named("one")
    match fault:
        case "silent":
            server.server_close()
        case "failing":
            server.status = 500
        case "no json object":
            server.document = ["one"]
        case _:
            server.document = {"keys": [{"kid": "one"}]}
    clock.now += 3601
    assert await certificates.named("one") == certificate("one")
    clock.now += STALE_S
    with pytest.raises(CertificatesDown):
        await certificates.named("one")


async def test_without_certificates_nobody_is_called_a_liar(server: Google) -> None:
    server.status = 503
    identity = Identity(EXPECTED, Certificates(server.url, Clock()))
    with pytest.raises(CertificatesDown):
        await identity.verify(token())
    with pytest.raises(BadToken):
        await identity.verify(forged("none"))


@pytest.mark.parametrize(
    ("cache_control", "seconds"),
    [
        ("public, max-age=19852, must-revalidate, no-transform", 19_852),
        ("Max-Age=120", 120),
        ("s-maxage=5", 3600),
        ("max-age=0", 60),
        ("max-age=99999999", 86_400),
        ("", 3600),
    ],
)
def test_how_long_certificates_are_fresh(cache_control: str, seconds: float) -> None:
    assert fresh_s(cache_control) == seconds
