import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.web.people.oidc_flow import (
    Flow,
    LoginFailed,
    checked_discovery,
    code_of,
    cookie_name,
    is_fit,
    set_cookie,
    way_there,
)

FLOW = Flow("s" * 43, "/account")
ISSUER = "https://accounts.example"


def test_the_way_there_tells_the_provider_what_it_must_and_nothing_of_the_verifier() -> None:
    url = way_there(f"{ISSUER}/authorize?tenant=1", FLOW, "client", "https://pictures.example/login/oidc/callback")
    told = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    digest = hashlib.sha256(FLOW.verifier.encode()).digest()
    assert url.startswith(f"{ISSUER}/authorize?tenant=1&")
    assert told == {
        "tenant": "1",
        "response_type": "code",
        "client_id": "client",
        "redirect_uri": "https://pictures.example/login/oidc/callback",
        "scope": "openid profile email",
        "state": FLOW.state,
        "nonce": FLOW.nonce,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    assert FLOW.verifier not in url
    assert FLOW.secret not in url


def test_what_is_made_of_the_secret_differs_by_purpose_and_by_login() -> None:
    other = Flow("t" * 43, "/account")
    made = [flow.state for flow in (FLOW, other)] + [flow.nonce for flow in (FLOW, other)]
    made += [flow.verifier for flow in (FLOW, other)]
    assert len(set(made)) == 6
    assert all(len(value) == 43 for value in made)


@given(st.text("abcXYZ012-_", min_size=43, max_size=43), st.text(max_size=40).map(lambda text: f"/jobs?of={text!a}"))
def test_a_login_comes_back_from_its_cookie(secret: str, wished: str) -> None:
    flow = Flow.from_cookie(Flow(secret, wished).to_cookie())
    assert flow.secret == secret
    assert flow.next in {wished, "/"}
    assert Flow.from_cookie(Flow(secret, "/jobs/1").to_cookie()).next == "/jobs/1"


@pytest.mark.parametrize("cookie", [None, "", "short.Lw", "." + "s" * 43])
def test_without_a_cookie_no_login_was_begun_here(cookie: str | None) -> None:
    with pytest.raises(LoginFailed, match="not begun in this browser"):
        Flow.from_cookie(cookie)


@pytest.mark.parametrize("wished", ["Ly9ldmlsLmV4YW1wbGU", "_w", "é", "A", ""])
def test_whoever_writes_the_cookie_sends_nobody_elsewhere(wished: str) -> None:
    assert Flow.from_cookie(f"{'s' * 43}.{wished}").next == "/"


def test_the_cookie_is_for_this_host_and_for_minutes() -> None:
    assert set_cookie("v", 600, secure=True) == (
        "__Host-overspill-login=v; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure"
    )
    assert set_cookie("", 0, secure=False) == "overspill-login=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
    assert cookie_name(secure=True) != cookie_name(secure=False)


def test_the_code_comes_back_to_who_asked() -> None:
    right = {"state": FLOW.state, "code": "c", "iss": ISSUER}
    assert code_of(right, FLOW, ISSUER, names_itself=True) == "c"
    assert code_of({"state": FLOW.state, "code": "c"}, FLOW, ISSUER, names_itself=False) == "c"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({}, "not begun in this browser"),
        ({"state": "another", "code": "c", "iss": ISSUER}, "not begun in this browser"),
        ({"state": "ö", "code": "c", "iss": ISSUER}, "not begun in this browser"),
        ({"state": FLOW.state, "code": "c", "iss": "https://evil.example"}, "another provider"),
        ({"state": FLOW.state, "code": "c"}, "another provider"),
        ({"state": FLOW.state, "iss": ISSUER, "error": "access_denied"}, "did not let you in"),
        ({"state": FLOW.state, "iss": ISSUER, "error": "<b>", "code": "c"}, "did not say who you are"),
        ({"state": FLOW.state, "iss": ISSUER}, "did not say who you are"),
    ],
)
def test_anything_else_is_refused(query: dict[str, str], said: str) -> None:
    with pytest.raises(LoginFailed, match=said) as refused:
        code_of(query, FLOW, ISSUER, names_itself=True)
    assert "<b>" not in str(refused.value)


def discovery(**changed: Any) -> dict[str, Any]:
    told = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/keys"}
    return {"issuer": ISSUER, **{name: ISSUER + path for name, path in told.items()}, **changed}


def test_a_provider_is_believed_that_calls_itself_what_we_call_it_and_is_https() -> None:
    assert checked_discovery(discovery(), ISSUER) == discovery()


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": "https://evil.example"}, {"issuer": None}, {"token_endpoint": "http://accounts.example/token"},
        {"jwks_uri": None}, {"authorization_endpoint": "javascript:alert(1)"}, {"jwks_uri": "http://127.0.0.1/keys"},
    ],
)  # fmt: skip
def test_otherwise_it_is_not(changed: dict[str, Any]) -> None:
    with pytest.raises(LoginFailed):
        checked_discovery(discovery(**changed), ISSUER)


def test_on_this_machine_a_provider_may_do_without_tls() -> None:
    assert is_fit("http://127.0.0.1:9/token", "http://localhost:9")
    assert not is_fit("http://10.0.0.1:9/token", "http://localhost:9")
    assert not is_fit(None, "http://localhost:9")
