import numpy as np
import pytest

from consumers.operations.resizing import halved, reduced
from tests.consumers.operations.pictures import array, gradient


def test_a_half_is_the_mean_of_four_pixels() -> None:
    assert halved(np.array([[0, 100], [100, 200]], np.uint8)).tolist() == [[100]]


def test_an_odd_last_row_and_column_are_left_out() -> None:
    assert halved(array(gradient(41, 31))).shape == (15, 20, 3)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((39, 39), (39, 39)), ((40, 40), (20, 20)), ((4000, 400), (250, 25)), ((4000, 30), (4000, 30))],
)
def test_a_picture_is_halved_while_its_shorter_side_is_four_times_as_long_as_needed(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    height, width = reduced(array(gradient(*size)), side=10).shape[:2]
    assert (width, height) == expected
