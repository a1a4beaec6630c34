from tests.needed import need_package

need_package("nicegui", "page")

from ui.web.pages.dashboard import remedy  # noqa: E402 (imports NiceGUI)


def test_who_has_an_account_gets_the_role_there() -> None:
    assert remedy("accounts", "anna") == "overspill user role anna operator"
    assert remedy("oidc", "anna@example.org") == "overspill user role anna@example.org operator"


def test_who_comes_through_a_proxy_is_named_in_the_settings() -> None:
    assert remedy("proxy", "anna") == "OVERSPILL_PAGE_OPERATORS=anna"
