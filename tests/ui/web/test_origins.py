"""Which requests are meant for the page, as browsers and programs send them."""

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from bus.settings import Settings
from ui.web.origins import Asked, refusal
from ui.web.people.peers import Peer

OPEN = Settings(page_login="open")
ACCOUNTS = Settings(page_login="accounts")
AT_AN_ADDRESS = Settings(page_login="accounts", page_url="https://pictures.example")


def asked(method: str | None = "POST", host: str = "localhost:8600", **more: Any) -> Asked:
    """A request that a program at this machine sends, and what else is told of it."""
    peer = Peer(ip_address("127.0.0.1"), through_proxy=True, host=more.pop("forwarded", host), secure=False)
    return replace(Asked(method=method, path="/api/v1/jobs", peer=peer, host=(host,)), **more)


def status(request: Asked, settings: Settings = OPEN) -> int | None:
    problem = refusal(request, settings)
    return problem.status if problem else None


@pytest.mark.parametrize("host", ["localhost", "localhost:8600", "LOCALHOST:9000", "127.0.0.1:8600", "[::1]:8600"])
def test_an_open_page_is_served_under_this_machines_names(host: str) -> None:
    assert status(asked(host=host)) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8600",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "192.0.2.7:8600",
        "a b",
        "",
    ],
)
def test_and_under_no_others_however_they_lead_here(host: str) -> None:
    assert status(asked(host=host)) == 400
    assert status(asked("GET", host)) == 400
    assert status(asked(None, host)) == 400


def test_an_open_page_is_not_served_through_a_proxy_for_others() -> None:
    assert status(asked(forwarded="pictures.example")) == 400
    elsewhere = Peer(ip_address("192.0.2.7"), through_proxy=True, host="localhost", secure=False)
    assert status(asked(peer=elsewhere)) == 403
    assert status(asked(peer=replace(elsewhere, address=None))) == 403


@pytest.mark.parametrize("hosts", [(), ("a.example", "a.example"), ("",)])
@pytest.mark.parametrize("settings", [OPEN, ACCOUNTS, AT_AN_ADDRESS])
def test_a_request_names_one_host(hosts: tuple[str, ...], settings: Settings) -> None:
    assert status(asked(host="localhost"), settings) is None
    assert status(replace(asked(), host=hosts), settings) == 400


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("pictures.example", None),
        ("Pictures.Example:443", None),
        ("127.0.0.1:8600", None),  # who watches whether it is alive
        ("10.1.2.3:8600", None),
        ("[2001:db8::1]", None),
        ("localhost:8600", None),
        ("pictures.example:8600", 400),
        ("evil.example", 400),
        ("page:8600", 400),
    ],
)
def test_a_page_with_an_address_is_served_there(host: str, expected: int | None) -> None:
    assert status(asked(host=host), AT_AN_ADDRESS) == expected


def test_a_page_without_an_address_is_served_where_it_is_asked() -> None:
    assert status(asked(host="anything.example"), ACCOUNTS) is None


SAME = {"origin": ("http://localhost:8600",), "site": ("same-origin",)}
FOREIGN: list[dict[str, Any]] = [
    {"origin": ("https://evil.example",), "site": ("cross-site",)},
    {"origin": ("https://evil.example",)},  # a browser that knows no Sec-Fetch-Site
    {"origin": ("null",)},  # a sandboxed frame
    {"origin": ("http://localhost:9000",), "site": ("same-site",)},  # another program of this machine
    {"origin": ("http://localhost.evil.example:8600",)},
    {"origin": ("https://evil.example",), "site": ("same-origin",)},
    {"origin": ("http://localhost:8600", "https://evil.example")},
    {"site": ("cross-site",)},  # an image or a form, which tell no origin
    {"site": ("same-site",)},
    {"site": ("same-origin", "cross-site")},
    {"site": ("",)},
    {"origin": ("",)},
]
KINDS: list[dict[str, Any]] = [
    {"method": "POST"},
    {"method": "DELETE"},
    {"method": "GET"},
    {"method": "OPTIONS"},
    {"method": "GET", "accept": "text/event-stream"},
    {"method": None, "path": "/_nicegui_ws/socket.io/"},
    {"method": "GET", "path": "/_nicegui_ws/socket.io/"},
    {"method": "POST", "path": "/_nicegui_ws/socket.io/"},
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sent", FOREIGN)
def test_what_pages_of_others_send_is_refused(kind: dict[str, Any], sent: dict[str, Any]) -> None:
    assert status(asked(**kind, **sent)) == 403


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sent", [SAME, {}, {"site": ("none",)}, {"origin": SAME["origin"]}, {"site": SAME["site"]}])
def test_what_our_pages_and_programs_send_is_not(kind: dict[str, Any], sent: dict[str, Any]) -> None:
    assert status(asked(**kind, **sent)) is None


def test_a_link_from_another_site_opens_a_page_and_nothing_else() -> None:
    link: dict[str, Any] = {"site": ("cross-site",), "mode": "navigate", "destination": "document"}
    assert status(asked("GET", path="/jobs/1", **link)) is None
    assert status(asked("POST", path="/logout", **link)) == 403
    assert status(asked("GET", path="/", **(link | {"destination": "iframe"}))) == 403
    assert status(asked("GET", path="/_nicegui_ws/", **link)) == 403
    assert status(asked("GET", accept="text/event-stream", **link)) == 403


@pytest.mark.parametrize(
    ("origin", "host", "expected"),
    [
        ("https://pictures.example", "pictures.example", None),
        ("https://pictures.example:443", "pictures.example", None),
        ("http://pictures.example", "pictures.example", 403),  # whoever can write into http is not us
        ("https://pictures.example:8600", "pictures.example", 403),
        ("http://127.0.0.1:8600", "127.0.0.1:8600", None),
        ("http://127.0.0.1:8600", "pictures.example", 403),
    ],
)
def test_a_page_with_an_address_is_asked_by_itself(origin: str, host: str, expected: int | None) -> None:
    assert status(asked(host=host, origin=(origin,)), AT_AN_ADDRESS) == expected


def test_where_tls_ends_before_us_https_is_believed_and_http_is_not() -> None:
    tls = Peer(ip_address("192.0.2.7"), through_proxy=True, host="pictures.example", secure=True)
    for peer, origin, expected in [
        (replace(tls, secure=False), "https://pictures.example", None),
        (replace(tls, secure=False), "http://pictures.example", None),
        (tls, "https://pictures.example", None),
        (tls, "http://pictures.example", 403),
        (replace(tls, host=None), "https://pictures.example", 403),
    ]:
        assert status(asked(peer=peer, host="page:8600", origin=(origin,)), ACCOUNTS) == expected


def test_nothing_that_was_sent_is_repeated() -> None:
    told = [
        refusal(asked(host="evil.example"), OPEN),
        refusal(asked(host="evil.example"), AT_AN_ADDRESS),
        refusal(asked(origin=("https://evil.example",)), OPEN),
    ]
    assert all(problem and b"evil" not in problem.to_json() for problem in told)
