"""The page of a stack: whether it is started, where, who may use it, and what to say of it. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bus.page_settings import Login
from bus.reach import is_loopback_host
from bus.settings import Settings

PAGE: Final = "page"
ADDRESS: Final = "PAGE_URL"
"""Under this name `overspill env` tells where the page is, without a slash at its end."""
_EVERY_INTERFACE: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 (recognised, not listened on)


@dataclass(frozen=True, slots=True)
class Page:
    """A page to start: its port, where this machine asks whether it is ready, where people find it, how they log in."""

    port: int
    asked_at: str
    url: str
    login: Login

    @property
    def environ(self) -> dict[str, str]:
        """What its process is told beyond the stack's addresses."""
        return {"OVERSPILL_PAGE_PORT": str(self.port), "OVERSPILL_PAGE_LOGIN": self.login}


def lacking(missing: str | None) -> tuple[str, ...]:
    """The line that says why there is no page, where `missing` says what it needs and how to get it."""
    return (f"no page: {missing}; the rest works without",) if missing is not None else ()


def page(chosen: Settings, port: int) -> Page:
    """The page of a stack with these settings, which listens on `port`.

    Nobody logs in to a stack on their own machine, unless the settings name a way to; a page that others reach never
    opens by itself.
    """
    here = is_loopback_host(chosen.page_host)
    login: Login = "open" if here and "page_login" not in chosen.model_fields_set else chosen.page_login
    host = "127.0.0.1" if chosen.page_host in _EVERY_INTERFACE else chosen.page_host
    asked_at = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    return Page(port, asked_at, chosen.page_url or asked_at, login)


def port(chosen: Settings, is_free: Callable[[int], bool], any_free: Callable[[], int]) -> int:
    """Where the page is to listen: at the port that the settings name, else at its usual one, else at any free one."""
    usual = chosen.page_port
    named = "page_port" in chosen.model_fields_set
    return usual if usual and (named or is_free(usual)) else any_free()


def address(found: Page | None) -> Mapping[str, str]:
    """What `overspill env` tells of a page."""
    return {} if found is None else {ADDRESS: found.url}


def welcome(found: Page | None, late: frozenset[str]) -> tuple[str, ...]:
    """What to say of the page when the stack is ready; `late` names what has not said yet that it works."""
    if found is None:
        return ()
    waits = "; not ready yet" if PAGE in late else ""
    return (f"page     {found.url}/{waits}",)
