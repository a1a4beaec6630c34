from pathlib import Path
from typing import Any

import pytest

from bus.settings import Settings
from ui.stack.page import PAGE, Page, address, lacking, page, port, welcome


def here(**given: Any) -> Page:
    return page(Settings(**given), 8600)


def test_nobody_logs_in_to_a_stack_on_their_own_machine() -> None:
    assert here() == Page(8600, "http://127.0.0.1:8600", "http://127.0.0.1:8600", "open")
    assert here(page_host="localhost").login == "open"


@pytest.mark.parametrize("login", ["accounts", "oidc", "proxy", "open"])
def test_a_way_to_log_in_that_is_named_is_taken(login: str) -> None:
    assert here(page_login=login).login == login


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "pictures.example"])
def test_a_page_that_others_reach_never_opens_by_itself(host: str) -> None:
    assert here(page_host=host).login == "accounts"


@pytest.mark.parametrize(
    ("host", "at"),
    [
        ("0.0.0.0", "http://127.0.0.1:8600"),
        ("::", "http://127.0.0.1:8600"),
        ("192.168.1.7", "http://192.168.1.7:8600"),
        ("::1", "http://[::1]:8600"),
    ],
)
def test_it_is_asked_where_it_listens(host: str, at: str) -> None:
    assert here(page_host=host).asked_at == at


def test_people_find_it_at_the_address_that_the_settings_name() -> None:
    behind = here(page_url="https://pictures.example")

    assert (behind.url, behind.asked_at) == ("https://pictures.example", "http://127.0.0.1:8600")
    assert address(behind) == {"PAGE_URL": "https://pictures.example"}
    assert address(None) == {}


@pytest.mark.parametrize(
    ("given", "free", "taken"),
    [
        ({}, 8600, 20_000),
        ({"page_port": 80}, 80, 80),
        ({"page_port": 8600}, 8600, 8600),
        ({"page_port": 0}, 20_000, 20_000),
    ],
    ids=["none named", "another named", "the usual one named", "any"],
)
def test_a_port_that_is_taken_is_only_insisted_on_where_it_was_named(
    given: dict[str, int], free: int, taken: int
) -> None:
    assert port(Settings.model_validate(given), lambda _: True, lambda: 20_000) == free
    assert port(Settings.model_validate(given), lambda _: False, lambda: 20_000) == taken


def test_its_process_is_told_what_was_decided() -> None:
    assert here().environ == {"OVERSPILL_PAGE_PORT": "8600", "OVERSPILL_PAGE_LOGIN": "open"}


def test_it_is_said_where_it_is_and_why_there_is_none() -> None:
    assert welcome(here(), frozenset()) == ("page     http://127.0.0.1:8600/",)
    assert welcome(here(), frozenset({PAGE})) == ("page     http://127.0.0.1:8600/; not ready yet",)
    assert welcome(None, frozenset()) == ()
    assert lacking("nicegui not installed (pip it)") == (
        "no page: nicegui not installed (pip it); the rest works without",
    )
    assert lacking(None) == ()


def test_the_pages_usual_port_is_what_its_documentation_says() -> None:
    assert "127.0.0.1:8600" in (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
