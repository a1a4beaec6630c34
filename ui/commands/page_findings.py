"""What `overspill doctor` makes of the page: its settings, and whether it answers. Pure."""

from collections.abc import Iterator

from bus.errors import SetupError
from bus.reach import is_loopback_host
from bus.settings import Settings
from ui.commands.findings import Finding
from ui.web.people.login_settings import check_login

_SUBJECT = "page"


def page(chosen: Settings, running_at: str | None, *, ready: bool) -> list[Finding]:
    """Whether these settings let in whom they should, and whether a page that runs at this URL is ready."""
    found = [*_of_login(chosen), *_of_network(chosen)]
    if running_at is not None and not ready:
        remedy = "The lines of `page` in the stack's log tell why: `logs/stack.log` in its state folder."
        found.append(Finding("fail", _SUBJECT, f"does not say at {running_at}/ready that it is ready.", remedy))
    idle = "none runs here; `overspill up` starts one, or `overspill page` for a broker of yours"
    return found or [Finding("ok", _SUBJECT, idle if running_at is None else f"is ready at {running_at}/")]


def _of_login(chosen: Settings) -> Iterator[Finding]:
    try:
        check_login(chosen)
    except SetupError as error:
        yield Finding("fail", _SUBJECT, f"does not start so: {error}", "See docs/login.md.")


def _of_network(chosen: Settings) -> Iterator[Finding]:
    if not is_loopback_host(chosen.page_host) and not (chosen.page_url or "").startswith("https://"):
        detail = f"passwords and pictures would cross the network to {chosen.page_host} in the clear."
        remedy = "Put a proxy with TLS before it, and name its address in OVERSPILL_PAGE_URL; see docs/login.md."
        yield Finding("warn", _SUBJECT, detail, remedy)
