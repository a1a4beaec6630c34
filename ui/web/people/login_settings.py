"""Whether the settings of the login fit together, before anybody is let in by mistake. Pure."""

import re

from bus.errors import SetupError
from bus.page_settings import PageSettings
from bus.reach import is_loopback, is_loopback_host


def check_login(settings: PageSettings) -> None:
    """Raises SetupError, naming the settings and the remedies, when `page_login` can't be had as the rest is set."""
    {"open": _check_open, "accounts": _fine, "oidc": _check_oidc, "proxy": _check_proxy}[settings.page_login](settings)


def _fine(_settings: PageSettings) -> None:
    pass


def _check_open(settings: PageSettings) -> None:
    if not is_loopback_host(settings.page_host):
        raise SetupError(
            f"OVERSPILL_PAGE_LOGIN=open lets everybody in who reaches {settings.page_host}: set "
            "OVERSPILL_PAGE_HOST=127.0.0.1, or OVERSPILL_PAGE_LOGIN=accounts and make an account with "
            "`overspill user add`."
        )
    if settings.page_url and not is_loopback(settings.page_url):
        raise SetupError(
            f"OVERSPILL_PAGE_LOGIN=open is for this machine alone, and OVERSPILL_PAGE_URL is {settings.page_url}: "
            "unset that, or set OVERSPILL_PAGE_LOGIN=accounts and make an account with `overspill user add`."
        )


def _check_oidc(settings: PageSettings) -> None:
    needed = {
        "OVERSPILL_PAGE_OIDC_ISSUER": settings.page_oidc_issuer,
        "OVERSPILL_PAGE_OIDC_CLIENT": settings.page_oidc_client,
    }
    if missing := [name for name, value in needed.items() if not value]:
        raise SetupError(
            f"OVERSPILL_PAGE_LOGIN=oidc needs {' and '.join(missing)}: set what the provider gave you when you "
            "registered this page there, or set OVERSPILL_PAGE_LOGIN=accounts."
        )
    issuer = settings.page_oidc_issuer or ""
    if not issuer.startswith("https://") and not is_loopback(issuer):
        raise SetupError(f"OVERSPILL_PAGE_OIDC_ISSUER is {issuer}: only one at https:// can be trusted.")


def _check_proxy(settings: PageSettings) -> None:
    if not settings.page_proxies:
        raise SetupError(
            "OVERSPILL_PAGE_LOGIN=proxy needs OVERSPILL_PAGE_PROXIES, the networks of proxies whose word is taken: set "
            "it, or set OVERSPILL_PAGE_LOGIN=accounts."
        )
    if not settings.page_url:
        # Without it a page that some browser beside the proxy is lured to could be asked under any host's name.
        raise SetupError(
            "OVERSPILL_PAGE_LOGIN=proxy needs OVERSPILL_PAGE_URL, the address of the proxy as people see it: set it, "
            "or set OVERSPILL_PAGE_LOGIN=accounts."
        )
    if not re.fullmatch(r"[A-Za-z0-9-]+", settings.page_proxy_header):
        raise SetupError(
            f"OVERSPILL_PAGE_PROXY_HEADER is {settings.page_proxy_header!r}: name a header, as X-Forwarded-User."
        )
