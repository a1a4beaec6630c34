from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from ui.top.parts import Part, column, fit, lines_of, shares


def part(size: int, least: int = 1, want: int | None = None) -> Part:
    return Part(size, lines_of([Text(str(number)) for number in range(size)]), least, want)


def test_each_gets_its_least_first_then_what_it_wants_then_the_rest() -> None:
    parts = [part(100, least=4, want=12), part(2), part(50, least=2, want=5)]
    assert [shares(parts, height) for height in (3, 7, 8, 16, 19, 40)] == [
        [3, 0, 0],
        [4, 1, 2],
        [5, 1, 2],
        [12, 2, 2],
        [12, 2, 5],
        [33, 2, 5],
    ]


PARTS = st.builds(part, st.integers(0, 30), st.integers(0, 9), st.none() | st.integers(0, 20))


@given(st.lists(PARTS, max_size=8), st.integers(0, 80))
def test_no_line_too_many_and_none_unused(parts: list[Part], height: int) -> None:
    given = shares(parts, height)
    assert sum(given) == min(height, sum(each.size for each in parts))
    assert all(0 <= lines <= each.size for lines, each in zip(given, parts, strict=True))


def test_cells_are_cut_or_filled_up_to_their_width() -> None:
    cells: list[tuple[Text | str, int]] = [("vm", 4), (Text("12", "red"), -4), ("猫猫猫猫", 5), ("x", 1)]
    assert column(cells, "…").plain == "vm     12 猫猫… x"
    assert fit(Text("abcdef"), 4, "…").plain == "abc…"
    assert fit(Text("abcd"), 4, "…").plain == "abcd"
    assert fit(Text("abcdef"), 0, "…").plain == ""


def test_lines_are_given_out_anew_each_time() -> None:
    make = part(3).make
    make(2)[0].append("changed")
    assert [line.plain for line in make(2)] == ["0", "1"]
