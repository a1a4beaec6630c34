from ipaddress import ip_network
from typing import Any

import pytest

from bus import settings
from bus.errors import SetupError


def test_what_a_page_is_told_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERSPILL_PAGE_OPERATORS", "anna, ben,")
    monkeypatch.setenv("OVERSPILL_PAGE_PROXIES", "10.0.0.0/8, ::1/128")
    monkeypatch.setenv("OVERSPILL_PAGE_URL", "https://pictures.example")
    chosen = settings.load()
    assert chosen.page_operators == ("anna", "ben")
    assert chosen.page_proxies == (ip_network("10.0.0.0/8"), ip_network("::1/128"))
    assert chosen.page_url == "https://pictures.example"


@pytest.mark.parametrize(
    ("name", "value"),
    [("page_proxies", "10.0.0.0/99"), ("page_url", "pictures.example/"), ("page_login", "none"), ("page_port", 70_000)],
)
def test_what_is_wrong_is_named(name: str, value: Any) -> None:
    with pytest.raises(SetupError, match=f"OVERSPILL_{name.upper()}"):
        settings.load(**{name: value})
