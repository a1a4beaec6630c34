from ipaddress import ip_network
from typing import Any

import pytest

from bus.errors import SetupError
from bus.settings import Settings
from ui.web.people.login_settings import check_login

OIDC = {"page_login": "oidc", "page_oidc_issuer": "https://accounts.example", "page_oidc_client": "overspill"}
PROXY = {"page_login": "proxy", "page_url": "https://pictures.example"}


@pytest.mark.parametrize(
    "values",
    [
        {"page_login": "open"},
        {"page_login": "open", "page_host": "localhost", "page_url": "http://localhost:9000"},
        {"page_login": "open", "page_host": "::1"},
        {"page_login": "accounts", "page_host": "0.0.0.0"},
        OIDC,
        OIDC | {"page_oidc_issuer": "http://127.0.0.1:9000"},
        PROXY,
    ],
)
def test_settings_that_fit(values: dict[str, Any]) -> None:
    check_login(Settings(**values))


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"page_login": "open", "page_host": "0.0.0.0"}, ["PAGE_HOST=127.0.0.1", "PAGE_LOGIN=accounts", "user add"]),
        ({"page_login": "open", "page_url": "https://pictures.example"}, ["PAGE_URL", "PAGE_LOGIN=accounts"]),
        ({"page_login": "oidc"}, ["PAGE_OIDC_ISSUER and OVERSPILL_PAGE_OIDC_CLIENT", "PAGE_LOGIN=accounts"]),
        (OIDC | {"page_oidc_client": None}, ["PAGE_OIDC_CLIENT"]),
        (OIDC | {"page_oidc_issuer": "http://accounts.example"}, ["PAGE_OIDC_ISSUER", "https"]),
        (PROXY | {"page_url": None}, ["PAGE_URL", "PAGE_LOGIN=accounts"]),
        (PROXY | {"page_proxies": ()}, ["PAGE_PROXIES", "PAGE_LOGIN=accounts"]),
        (PROXY | {"page_proxy_header": "X User:"}, ["PAGE_PROXY_HEADER"]),
    ],
)
def test_settings_that_let_in_whom_nobody_meant(values: dict[str, Any], named: list[str]) -> None:
    with pytest.raises(SetupError) as caught:
        check_login(Settings(**values))
    assert all(f"{part}" in str(caught.value) for part in named)


def test_loopback_proxies_are_trusted_unless_told_otherwise() -> None:
    assert Settings().page_proxies == (ip_network("127.0.0.1/32"), ip_network("::1/128"))
