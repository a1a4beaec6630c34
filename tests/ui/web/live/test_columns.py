"""Columns of numbers, one row a second, in a ring."""

from hypothesis import given
from hypothesis import strategies as st

from ui.web.live.columns import MOST_COLUMNS, Columns, Name

A: Name = ("a",)


def plain(columns: Columns, name: Name = A) -> list[float | None]:
    return [None if value != value else value for value in columns.told()[name]]  # noqa: PLR0124


def at(second: int, rows: int = 5) -> Columns:
    columns = Columns(rows)
    columns.advance(second)
    return columns


def test_rows_follow_each_other_and_gaps_stay_open() -> None:
    columns = at(100)
    columns.write(100, {A: 1.0})
    columns.advance(103)
    columns.write(103, {A: 4.0})
    assert (columns.oldest, columns.newest) == (99, 103)
    assert plain(columns) == [None, 1.0, None, None, 4.0]


def test_a_column_that_comes_later_has_nothing_before() -> None:
    columns = at(100)
    columns.write(100, {("b",): 7.0, A: None})
    assert list(columns.told()) == [("b",)]
    assert plain(columns, ("b",)) == [None] * 4 + [7.0]


def test_the_past_can_be_written_as_far_as_there_are_rows() -> None:
    columns = at(100)
    for second in (95, 96, 99, 101):
        columns.write(second, {A: float(second)})
    assert plain(columns) == [96.0, None, None, 99.0, None]


def test_a_column_with_nothing_left_in_it_is_dropped() -> None:
    columns = at(100)
    columns.write(100, {A: 1.0})
    columns.advance(104)
    assert len(columns) == 1
    columns.advance(105)
    assert len(columns) == 0


def test_a_clock_that_is_set_back_changes_nothing() -> None:
    columns = at(100)
    columns.advance(90)
    assert columns.newest == 100


def test_after_a_long_time_the_whole_ring_is_empty() -> None:
    columns = at(100)
    columns.write(100, {A: 1.0})
    columns.advance(10_000)
    columns.write(10_000, {A: 2.0})
    assert plain(columns) == [None] * 4 + [2.0]


def test_there_are_only_so_many_columns() -> None:
    columns = at(100, rows=1)
    columns.write(100, {(str(number),): 1.0 for number in range(MOST_COLUMNS + 10)})
    assert len(columns) == MOST_COLUMNS


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 9)), max_size=30))
def test_it_remembers_as_a_plain_dictionary_would(steps: list[tuple[int, int]]) -> None:
    columns, kept, second = at(50), {}, 50
    for ahead, value in steps:
        second += ahead
        columns.advance(second)
        columns.write(second, {A: float(value)})
        kept[second] = float(value)
    wanted = [kept.get(each) for each in range(second - 4, second + 1)]
    assert columns.told().get(A) is None if not kept else plain(columns) == wanted
