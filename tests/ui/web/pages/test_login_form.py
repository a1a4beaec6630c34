import pytest

from ui.web.pages.login_form import document, failure, form, provider_link, said_of


def test_the_form_needs_no_script_and_goes_on_to_where_one_was() -> None:
    html = form({"next": "/jobs/1?a=b&c=d"})
    assert '<form method="post" action="/login">' in html
    assert 'name="next" value="/jobs/1?a=b&amp;c=d"' in html
    assert "role=" not in html
    assert "<script" not in html


@pytest.mark.parametrize("wished", ["//evil.example", "https://evil.example", "/\\evil.example", '/"><script>', ""])
def test_it_goes_nowhere_else(wished: str) -> None:
    html = form({"next": wished})
    assert "evil" not in html
    assert "<script" not in html


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({}, None),
        ({"error": "wrong"}, "The name or the password is wrong."),
        ({"error": "<b>"}, None),
        ({"error": "wait", "seconds": "1"}, "Too many logins were tried. Wait a second, then try again."),
        ({"error": "wait", "seconds": "90"}, "Too many logins were tried. Wait 90 seconds, then try again."),
        ({"error": "wait", "seconds": "121"}, "Too many logins were tried. Wait 3 minutes, then try again."),
        ({"error": "wait", "seconds": "99999"}, "Too many logins were tried. Wait 60 minutes, then try again."),
        ({"error": "wait", "seconds": "<b>"}, "Too many logins were tried. Wait 60 seconds, then try again."),
        ({"error": "wait"}, "Too many logins were tried. Wait 60 seconds, then try again."),
    ],
)
def test_what_was_wrong_is_said_in_our_own_words(query: dict[str, str], said: str | None) -> None:
    assert said_of(query) == said


def test_what_was_wrong_is_read_out_and_belongs_to_the_fields() -> None:
    html = form({"error": "wrong"})
    assert '<p class="door__said" id="said" role="alert">The name or the password is wrong.</p>' in html
    assert html.count('aria-invalid="true" aria-describedby="said"') == 2


def test_the_way_to_a_provider_keeps_where_one_was() -> None:
    assert 'href="/login/oidc"' in provider_link("accounts.example", {})
    assert 'href="/login/oidc?next=/jobs/1%3Fa%3Db"' in provider_link("accounts.example", {"next": "/jobs/1?a=b"})
    assert "Log in with accounts.example" in provider_link("accounts.example", {})


def test_a_failure_says_why_and_offers_another_try() -> None:
    html = failure("The provider <did> not answer.")
    assert "The provider &lt;did&gt; not answer." in html
    assert 'href="/login"' in html


def test_a_page_is_whole_and_in_english() -> None:
    html = document("/static/x", "Log in", "<h1>Log in</h1>")
    assert html.startswith('<!doctype html><html lang="en">')
    assert "<title>Log in · overspill</title>" in html
    assert '<link rel="stylesheet" href="/static/x/css/login.css">' in html
    assert html.count("<main") == html.count("<h1") == 1
