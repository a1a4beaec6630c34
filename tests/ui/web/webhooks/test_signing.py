import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ui.web.webhooks.receiver import verified
from ui.web.webhooks.signing import key_of, secret_of, signature, signed_headers

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_specification_gives_this_signature() -> None:
    body = b'{"test": 2432232314}'
    signed = signature(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.binary(min_size=24, max_size=64), st.binary(max_size=200), st.integers(0, 2**40))
def test_what_is_signed_is_verified_by_a_receiver(key: bytes, body: bytes, at_s: int) -> None:
    secret = secret_of(key)
    headers = signed_headers([secret], "msg_1", at_s, body)
    assert key_of(secret) == key
    assert verified(secret, headers, body)
    assert not verified(secret, headers, body + b" ")
    assert not verified(secret, {**headers, "webhook-id": "msg_2"}, body)
    assert not verified(secret, {**headers, "webhook-timestamp": str(at_s + 1)}, body)


def test_while_one_secret_follows_another_both_verify() -> None:
    old, new = secret_of(b"o" * 32), secret_of(b"n" * 32)
    headers = signed_headers([new, old], "msg_1", 1, b"{}")
    assert verified(old, headers, b"{}")
    assert verified(new, headers, b"{}")
    assert not verified(secret_of(b"x" * 32), headers, b"{}")


@pytest.mark.parametrize("secret", ["", base64.b64encode(b"k" * 32).decode(), "whsec_not base64"])
def test_what_is_no_secret_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match=r"whsec_|base64|padding"):
        key_of(secret)
