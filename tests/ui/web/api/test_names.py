import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.web.api.names import Unique, attachment, picture_name, plain_name, result_name


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("cup.jpg", "cup.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\fakepath\\cup.jpg", "cup.jpg"),
        ("<b>cup</b>.jpg", "b>.jpg"),
        ("<img onerror=x>.jpg", "<img onerror=x>.jpg"),
        ("a\r\nSet-Cookie: b.jpg", "aSet-Cookie: b.jpg"),
        ("gpj.\u202eexe", "gpj.exe"),
        ("  two\u00a0 words ", "two words"),
        ("x" * 300, "x" * 200),
        (None, ""),
    ],
)
def test_a_name_is_shown_as_plain_text(given: str | None, shown: str) -> None:
    assert plain_name(given) == shown


@pytest.mark.parametrize(
    ("name", "saved_as"),
    [
        ("cup.jpg", "cup-sketch.png"),
        ("my.cup.jpeg", "my.cup-sketch.png"),
        (".hidden", "hidden-sketch.png"),
        ("a<b>?.jpg", "a_b__-sketch.png"),
        ("con.jpg", "_con-sketch.png"),
        ("...", "picture-sketch.png"),
        ("", "picture-sketch.png"),
        ("Tasse Kaffee ☕.webp", "Tasse Kaffee ☕-sketch.png"),
    ],
)
def test_a_result_is_called_after_its_picture(name: str, saved_as: str) -> None:
    assert result_name(name, "sketch", "image/png") == saved_as


def test_a_picture_is_called_what_it_is() -> None:
    assert picture_name("cup.html", "image/jpeg") == "cup.jpg"
    assert picture_name("cup.jpg", "text/html") == "cup.bin"


def test_a_browser_is_told_the_name_in_both_ways() -> None:
    assert attachment("cup-sketch.jpg") == 'attachment; filename="cup-sketch.jpg"'
    assert attachment('a"b.jpg') == "attachment; filename=\"a_b.jpg\"; filename*=UTF-8''a%22b.jpg"
    assert attachment("Größe.jpg") == "attachment; filename=\"Groe.jpg\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe.jpg"


@given(st.text())
def test_no_name_breaks_a_header_or_a_path(name: str) -> None:
    saved_as = result_name(name, "sketch", "image/png")
    assert not re.search(r'[\x00-\x1f<>:"/\\|?*]', saved_as)
    assert not saved_as.startswith(".")
    assert attachment(saved_as).isascii()
    assert attachment(saved_as).isprintable()
    assert len(saved_as) <= 200


@given(st.lists(st.sampled_from(["cup.jpg", "CUP.jpg", "cup (2).jpg", "x", "y.png"])))
def test_no_two_files_of_an_archive_have_one_name(names: list[str]) -> None:
    given_out = list(map(Unique().of, names))
    assert len({name.casefold() for name in given_out}) == len(names)


def test_names_that_came_before_get_a_number() -> None:
    names = ["a.jpg", "A.jpg", "a.jpg", "b", "b", "a (2).jpg", "b (2)"]
    given_out = ["a.jpg", "A (2).jpg", "a (3).jpg", "b", "b (2)", "a (2) (2).jpg", "b (2) (2)"]
    assert list(map(Unique().of, names)) == given_out


def test_of_very_many_that_are_the_same_none_is_sought_for_long() -> None:
    unique = Unique()
    assert [unique.of("a.jpg") for _ in range(50_000)][-1] == "a (50000).jpg"  # else it takes minutes
