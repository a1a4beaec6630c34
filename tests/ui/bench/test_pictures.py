from pathlib import Path

import pytest

from bus.errors import SetupError
from ui.bench.pictures import made, of_folder
from ui.bench.replies import size_of

PHOTOGRAPHS = Path(__file__).parents[2] / "data" / "photographs"


def test_made_pictures_are_of_the_size_asked_for_and_each_of_one_of_its_own() -> None:
    pictures = made(0.1)
    assert len({picture.size for picture in pictures}) == len(pictures) == 8
    for picture in pictures:
        assert size_of(picture.body) == picture.size
        assert picture.size[0] * picture.size[1] == pytest.approx(100_000, rel=0.05)


def test_made_pictures_take_about_the_bytes_that_photographs_do() -> None:
    coffee = (PHOTOGRAPHS / "coffee.jpg").read_bytes()
    width, height = size_of(coffee)
    assert len(made(width * height / 1e6)[0].body) == pytest.approx(len(coffee), rel=0.6)


def test_the_pictures_of_a_folder_are_read_with_their_sizes() -> None:
    pictures = of_folder(str(PHOTOGRAPHS))
    assert [picture.body for picture in pictures] == [path.read_bytes() for path in sorted(PHOTOGRAPHS.glob("*.jpg"))]
    assert all(picture.size == size_of(picture.body) for picture in pictures)


def test_a_folder_without_pictures_is_told(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=f"--images {tmp_path}: {tmp_path} holds no pictures"):
        of_folder(str(tmp_path))


def test_what_is_no_picture_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("words")
    with pytest.raises(SetupError, match=r"a\.jpg is no picture that can be read"):
        of_folder(str(tmp_path))
