from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.web.people.next_page import next_page


@pytest.mark.parametrize(
    "path", ["/", "/jobs/0123", "/?state=done&operation=sketch", "/account#tokens", "/%2F%2Fevil.example"]
)
def test_pages_of_ours(path: str) -> None:
    assert next_page(path) == path


@pytest.mark.parametrize(
    "path",
    [
        None, "", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example",
        "/\n/evil.example", "https://evil.example", "javascript:alert(1)", "evil.example", " /jobs", "/a b", "/ä",
        "/" + "x" * 2000, "/login?next=/login", "/logout",
    ],
)  # fmt: skip
def test_all_else_is_the_first_page(path: str | None) -> None:
    assert next_page(path) == "/"


@given(st.text(alphabet="/\\:.@?#%&=ab \t\n\r", max_size=12))
def test_nothing_leads_to_another_host(text: str) -> None:
    # As browsers do: backslashes are slashes, and tabs and line ends are nothing.
    seen = next_page(text).replace("\\", "/").translate({9: None, 10: None, 13: None})
    assert urlsplit(urljoin("https://pictures.example/login", seen)).netloc == "pictures.example"
