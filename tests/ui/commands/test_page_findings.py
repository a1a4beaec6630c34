"""What the doctor makes of the page."""

from typing import Any

import pytest

from bus.settings import Settings
from ui.commands.page_findings import page

AT = "http://127.0.0.1:8600"


def found(at: str | None = None, *, ready: bool = False, **given: Any) -> list[tuple[str, str]]:
    return [(finding.level, finding.detail) for finding in page(Settings(**given), at, ready=ready)]


def test_a_page_that_answers_is_named_and_none_is_fine_too() -> None:
    assert found(AT, ready=True) == [("ok", f"is ready at {AT}/")]
    ((level, detail),) = found()
    assert level == "ok"
    assert "`overspill up` starts one" in detail


def test_a_page_of_a_running_stack_that_does_not_answer_fails() -> None:
    (finding,) = page(Settings(), AT, ready=False)
    assert finding.level == "fail"
    assert AT in finding.detail
    assert "log" in finding.remedy


def test_an_open_page_that_others_reach_fails() -> None:
    levels = dict(found(page_login="open", page_host="0.0.0.0", page_url="https://pictures.example"))
    assert list(levels) == ["fail"]
    assert found(page_login="open")[0][0] == "ok"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"page_login": "oidc"}, "OVERSPILL_PAGE_OIDC_ISSUER and OVERSPILL_PAGE_OIDC_CLIENT"),
        ({"page_login": "oidc", "page_oidc_issuer": "https://i"}, "OVERSPILL_PAGE_OIDC_CLIENT"),
        ({"page_login": "proxy", "page_proxies": ""}, "OVERSPILL_PAGE_PROXIES"),
        ({"page_login": "proxy"}, "OVERSPILL_PAGE_URL"),
    ],
)
def test_a_login_that_the_page_would_refuse_to_start_with_fails(given: dict[str, Any], named: str) -> None:
    (finding,) = page(Settings(**given), None, ready=False)
    assert finding.level == "fail"
    assert f" needs {named}" in finding.detail
    assert finding.remedy == "See docs/login.md."


def test_a_page_without_tls_that_others_reach_is_warned_of() -> None:
    assert [level for level, _ in found(page_host="0.0.0.0")] == ["warn"]
    assert [level for level, _ in found(page_host="0.0.0.0", page_url="http://pictures.example")] == ["warn"]
    assert [level for level, _ in found(page_host="0.0.0.0", page_url="https://pictures.example")] == ["ok"]
