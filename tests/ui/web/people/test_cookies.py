from http.cookies import SimpleCookie

from ui.web.people.cookies import cookie_name, set_cookie


def test_over_https_the_cookie_is_for_this_host_and_https_alone() -> None:
    cookie = set_cookie("abc", 60, secure=True)
    assert cookie == "__Host-overspill=abc; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure"


def test_over_http_browsers_would_drop_a_secure_one() -> None:
    assert set_cookie("abc", 60, secure=False) == "overspill=abc; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"


def test_it_is_read_back_under_its_name() -> None:
    for secure in (True, False):
        assert SimpleCookie(set_cookie("abc", 60, secure=secure))[cookie_name(secure=secure)].value == "abc"
