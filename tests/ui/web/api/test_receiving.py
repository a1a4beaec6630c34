"""Bodies on their way in, from the wire itself: what is refused is refused before the rest is read."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import pytest

from tests.ui.web.api.asking import PHOTO
from tests.ui.web.api.house import House
from ui.web import lingering

LARGE = (16 << 20) + 100_000


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lingering, "LINGER_S", 0.2)


@contextmanager
def connection(house: House) -> Iterator[socket.socket]:
    parts = urlsplit(house.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as wire:
        yield wire


def head(client: httpx.Client, *headers: str, path: str = "/api/v1/jobs?operation=sketch") -> bytes:
    own = f"authorization: {client.headers['authorization']}"
    return "\r\n".join([f"POST {path} HTTP/1.1", "host: 127.0.0.1", own, *headers, "", ""]).encode()


def status(wire: socket.socket) -> int:
    """The status of the next answer, whose headers are read."""
    found = b""
    while b"\r\n\r\n" not in found:
        found += wire.recv(1)
    return int(found.split()[1])


def rest(wire: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    found = b""
    while piece := wire.recv(65_536):
        found += piece
    return found


def test_what_says_that_it_is_too_large_is_refused_before_a_byte_of_it(house: House, anna: httpx.Client) -> None:
    with connection(house) as wire:
        wire.sendall(head(anna, f"content-length: {LARGE}"))
        assert status(wire) == 413
        assert b'"limit":16777216' in rest(wire)


def test_what_is_no_picture_is_refused_while_most_of_it_is_still_to_come(house: House, anna: httpx.Client) -> None:
    with connection(house) as wire:
        wire.sendall(head(anna, "content-length: 10000000", "content-type: image/png") + b"<svg>" + b" " * 2000)
        assert status(wire) == 415
        assert b"SVG" in rest(wire)


def test_an_endless_body_comes_to_an_end(house: House, anna: httpx.Client) -> None:
    piece = b"%x\r\n" % (1 << 20) + b"\x00" * (1 << 20) + b"\r\n"
    with connection(house) as wire:
        wire.sendall(head(anna, "transfer-encoding: chunked") + b"%x\r\n" % len(PHOTO) + PHOTO + b"\r\n")
        sent = 0
        try:
            while sent < 200:
                wire.sendall(piece)
                sent += 1
        except OSError:
            pass  # closed on us, as it must
        assert status(wire) == 413
    assert sent < 200
    assert anna.get("/api/v1/jobs").json()["jobs"] == []


def test_who_waits_to_be_asked_for_the_body_is_asked_only_where_it_is_wanted(house: House, anna: httpx.Client) -> None:
    with connection(house) as wire:
        wire.sendall(head(anna, f"content-length: {len(PHOTO)}", "expect: 100-continue"))
        assert status(wire) == 100
        wire.sendall(PHOTO)
        assert b" 202 Accepted" in wire.recv(4096)
    with connection(house) as wire:
        wire.sendall(head(anna, f"content-length: {LARGE}", "expect: 100-continue"))
        assert status(wire) == 413


def test_what_breaks_off_leaves_nothing(house: House, anna: httpx.Client) -> None:
    with connection(house) as wire:
        wire.sendall(head(anna, "content-length: 1000") + PHOTO)
    assert anna.get("/api/v1/jobs").json()["jobs"] == []
    folder = house.web.desk.files.root / "incoming"
    for _ in range(200):
        if not list(folder.iterdir()):
            break
        anna.get("/health")
    assert list(folder.iterdir()) == []


def test_what_breaks_off_in_a_form_is_no_form(anna: httpx.Client) -> None:
    body = b'--x\r\ncontent-disposition: form-data; name="image"\r\n\r\n' + PHOTO
    answer = anna.post(
        "/api/v1/jobs?operation=sketch", content=body, headers={"content-type": "multipart/form-data; boundary=x"}
    )
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:overspill:problem:bad-request")
