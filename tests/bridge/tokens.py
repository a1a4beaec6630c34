"""Keys, certificates and tokens of our own, and a server that gives the certificates as Google does."""

import base64
import contextlib
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from google.auth import crypt, jwt

AUDIENCE = "https://service.example"
ACCOUNT = "pusher@project.iam.gserviceaccount.com"


@cache
def key(name: str) -> rsa.RSAPrivateKey:
    """A key of its own for each name."""
    return rsa.generate_private_key(65537, 2048)


@cache
def certificate(name: str) -> str:
    """The key's certificate, signed by itself, in PEM."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    draft = x509.CertificateBuilder(subject, subject, key(name).public_key(), x509.random_serial_number())
    lasting = draft.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    return lasting.sign(key(name), hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def claims(**changed: Any) -> dict[str, Any]:
    """What a good token of Pub/Sub says; a claim changed to None is left out."""
    now = int(time.time())
    good = {
        "iss": "https://accounts.google.com",
        "aud": AUDIENCE,
        "email": ACCOUNT,
        "email_verified": True,
        "sub": "1234",
        "iat": now,
        "exp": now + 3600,
    }
    return {name: value for name, value in {**good, **changed}.items() if value is not None}


def token(signed_by: str = "one", kid: str | None = None, **changed: Any) -> str:
    """A token signed with the key of that name, under its own key id or another."""
    pem = key(signed_by).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    signer = crypt.RSASigner.from_string(pem)  # type: ignore[no-untyped-call]  # google-auth types half of itself
    told: bytes = jwt.encode(signer, claims(**changed), key_id=kid or signed_by)  # type: ignore[no-untyped-call]  # as above
    return told.decode()


def forged(algorithm: str, secret: bytes = b"") -> str:
    """A token with a header of the forger's choice, signed with a secret (HS256) or not at all."""
    signed = b".".join(_segment(part) for part in ({"alg": algorithm, "kid": "one"}, claims()))
    signature = hmac.new(secret, signed, hashlib.sha256).digest() if secret else b""
    return b".".join((signed, _encoded(signature))).decode()


def tampered(good: str, **changed: Any) -> str:
    """A token with other claims under the signature of a good one."""
    header, _, signature = good.split(".")
    return ".".join((header, _segment(claims(**changed)).decode(), signature))


def _segment(part: Any) -> bytes:
    return _encoded(json.dumps(part).encode())


def _encoded(part: bytes) -> bytes:
    return base64.urlsafe_b64encode(part).rstrip(b"=")


class Google(ThreadingHTTPServer):
    """Serves certificates as it is told to, and counts how often it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/certs"
        self.document: Any = {"one": certificate("one")}
        self.status = 200
        self.cache_control = "public, max-age=3600, must-revalidate"
        self.asked = 0


class _Handler(BaseHTTPRequestHandler):
    server: Google

    def do_GET(self) -> None:
        self.server.asked += 1
        body = json.dumps(self.server.document).encode()
        self.send_response(self.server.status)
        self.send_header("Cache-Control", self.server.cache_control)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name is the standard library's)
        pass


@contextlib.contextmanager
def google() -> Iterator[Google]:
    """One such server."""
    with Google() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
