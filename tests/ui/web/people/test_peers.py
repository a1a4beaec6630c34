from collections.abc import Sequence
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.settings import Settings
from ui.web.people.peers import Peer, as_address, host_name, origin_of, peer_of

SETTINGS = Settings(page_proxies=(ip_network("10.0.0.0/24"), ip_network("fd00::/64")))


def peer(client: str | None, scheme: str = "http", **headers: str | Sequence[str]) -> Peer:
    sent = {name.replace("_", "-"): [value] if isinstance(value, str) else value for name, value in headers.items()}
    return peer_of(client, scheme, lambda name: sent.get(name, []), SETTINGS)


def test_a_caller_of_our_own() -> None:
    seen = peer("192.0.2.7", host="Pictures.example:8600")
    assert seen == Peer(ip_address("192.0.2.7"), through_proxy=False, host="pictures.example:8600", secure=False)
    assert seen.origin == "http://pictures.example:8600"


def test_a_caller_through_our_proxy() -> None:
    seen = peer(
        "10.0.0.3",
        host="page:8600",
        x_forwarded_for="192.0.2.7",
        x_forwarded_proto="https",
        x_forwarded_host="pictures.example",
    )
    assert seen == Peer(ip_address("192.0.2.7"), through_proxy=True, host="pictures.example", secure=True)
    assert seen.origin == "https://pictures.example"


def test_a_stranger_who_writes_what_proxies_write_is_not_believed() -> None:
    seen = peer(
        "192.0.2.7", host="a.example", x_forwarded_for="10.0.0.9", x_forwarded_proto="https", x_forwarded_host="b"
    )
    assert seen == Peer(ip_address("192.0.2.7"), through_proxy=False, host="a.example", secure=False)


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("198.51.100.1, 192.0.2.7", "192.0.2.7"),  # the first was written by the caller
        ("198.51.100.1, 192.0.2.7, 10.0.0.4", "192.0.2.7"),
        (["198.51.100.1", "192.0.2.7, 10.0.0.4"], "192.0.2.7"),
        ("192.0.2.7:51234", "192.0.2.7"),
        ("[2001:db8::1]:51234", "2001:db8::1"),
        ("10.0.0.5, 10.0.0.4", "10.0.0.5"),  # a proxy itself asks
        ("192.0.2.7, unknown, 10.0.0.4", "10.0.0.4"),
        ("", "10.0.0.3"),
        ([], "10.0.0.3"),
    ],
)
def test_the_last_address_before_our_proxies_counts(forwarded: str | list[str], address: str) -> None:
    assert peer("10.0.0.3", x_forwarded_for=forwarded).address == ip_address(address)


@given(st.lists(st.ip_addresses(v=4).map(str), max_size=4))
def test_whatever_a_caller_writes_before_stands_for_nothing(written: list[str]) -> None:
    assert peer("10.0.0.3", x_forwarded_for=", ".join([*written, "192.0.2.7"])).address == ip_address("192.0.2.7")


def test_a_household_is_one_caller() -> None:
    assert peer("2001:db8::1").key == peer("2001:db8::ffff:2").key == "2001:db8::/64"
    assert peer("192.0.2.7").key == peer("::ffff:192.0.2.7").key == "192.0.2.7"
    assert peer(None).key == peer("testclient").key == "None"


def test_a_host_told_twice_is_none() -> None:
    assert peer("192.0.2.7", host=["a.example", "b.example"]).origin is None


def test_websockets_over_tls_are_secure() -> None:
    assert peer("192.0.2.7", "wss").secure
    assert not peer("192.0.2.7", "ws").secure


@pytest.mark.parametrize("text", ["", "here", "1.2.3", "1.2.3.4.5", "::g", "[::1]]"])
def test_no_addresses(text: str) -> None:
    assert as_address(text) is None


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("a.example", "a.example"),
        ("a.example:80", "a.example"),
        ("[::1]:8600", "::1"),
        ("::1", ""),
        ("a@b", ""),
        ("a/b", ""),
        ("a:port", ""),
        ("a:99999", ""),
        ("[", ""),
        ("", ""),
    ],
)
def test_names_of_hosts(host: str, name: str) -> None:
    assert host_name(host) == name


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://a.example", ("https", "a.example", 443)),
        ("HTTP://A.example/", ("http", "a.example", 80)),
        ("http://[::1]:8600", ("http", "::1", 8600)),
        ("null", None),
        ("", None),
        ("https://", None),
        ("file:///etc/passwd", None),
        ("https://a.example/b", None),
        ("https://a.example?", None),
        ("https://u@a.example", None),
        ("https://a.example:x", None),
        ("https://[", None),
    ],
)
def test_origins(text: str, origin: tuple[str, str, int] | None) -> None:
    assert origin_of(text) == origin
