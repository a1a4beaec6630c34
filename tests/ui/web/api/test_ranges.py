import pytest

from ui.web.api.ranges import Part, has_it, part_of


@pytest.mark.parametrize(
    ("header", "part"),
    [
        (None, "all"),
        ("bytes=0-", "part"),
        ("bytes=0-0", "part"),
        ("bytes=99-", "part"),
        ("bytes=99-200", "part"),
        ("bytes=-1", "part"),
        ("bytes=-500", "part"),
        ("bytes= 3-4 ", "part"),
        ("bytes=100-", "nothing"),
        ("bytes=100-200", "nothing"),
        ("bytes=-0", "nothing"),
        ("bytes=5-4", "all"),
        ("bytes=0-1,3-4", "all"),
        ("bytes=a-b", "all"),
        ("bytes=-", "all"),
        ("pages=1-2", "all"),
        ("bytes=0-99999999999999999999", "all"),
    ],
)
def test_which_part_of_a_hundred_bytes(header: str | None, part: Part) -> None:
    assert part_of(header, 100) == part


def test_of_an_empty_file_there_is_no_part() -> None:
    assert part_of("bytes=-5", 0) == "nothing"
    assert part_of(None, 0) == "all"


@pytest.mark.parametrize(
    ("header", "has"),
    [(None, False), ('"a"', True), ('W/"a"', True), ('"b", "a"', True), ("*", True), ('"b"', False), ("a", False)],
)
def test_who_has_it_already(header: str | None, has: bool) -> None:
    assert has_it(header, '"a"') is has
