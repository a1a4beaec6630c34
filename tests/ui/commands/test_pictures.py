"""Which pictures a command line means, and what their results are called."""

from pathlib import Path

import pytest

from ui.commands.pictures import Names, expand, params_of, text_of


@pytest.fixture
def album(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with b.JPG, a.png and notes.txt; the working folder is its parent."""
    folder = tmp_path / "album"
    folder.mkdir()
    for name in ("b.JPG", "a.png", "notes.txt"):
        (folder / name).write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_file_is_taken_whatever_it_is_called(album: Path) -> None:
    assert expand(["album/notes.txt"]) == [Path("album/notes.txt")]


def test_a_folder_means_the_pictures_in_it(album: Path) -> None:
    assert expand(["album"]) == [Path("album/a.png"), Path("album/b.JPG")]


def test_a_pattern_the_shell_left_alone_is_expanded(album: Path) -> None:
    assert expand(["album/*.JPG"]) == [Path("album/b.JPG")]
    assert expand([f"{album}/*.JPG"]) == [album / "b.JPG"]
    assert expand(["**/*.png"]) == [Path("album/a.png")]


def test_each_picture_is_taken_once_where_it_was_first_named(album: Path) -> None:
    assert expand(["album/b.JPG", "album", str(album / "b.JPG")]) == [Path("album/b.JPG"), Path("album/a.png")]


def test_a_file_whose_name_is_a_pattern_is_that_file(album: Path) -> None:
    (album / "[1].png").write_bytes(b"")
    assert expand(["album/[1].png"]) == [Path("album/[1].png")]


@pytest.mark.parametrize(
    ("argument", "said"),
    [("gone.jpg", r"gone\.jpg is not there"), ("album/*.gif", "holds no pictures"), ("empty", "holds no pictures")],
)
def test_what_there_is_not_is_named(album: Path, argument: str, said: str) -> None:
    Path("empty").mkdir()
    with pytest.raises(ValueError, match=said):
        expand([argument])


def names_of(*inputs: str, content_type: str = "image/jpeg") -> list[str]:
    images = [Path(name) for name in inputs]
    names = Names(images, "sketch", Path("out"))
    return [str(names.of(image, content_type)) for image in images]


@pytest.mark.parametrize(
    ("content_type", "name"),
    [
        ("image/jpeg", "out/a-sketch.jpg"),
        ("image/png", "out/a-sketch.png"),
        ("image/webp", "out/a-sketch.webp"),
        ("application/json", "out/a-sketch.txt"),
        ("application/x-surprise", "out/a-sketch.bin"),
    ],
)
def test_a_result_is_called_by_what_it_is(content_type: str, name: str) -> None:
    assert names_of("photos/a.gif", content_type=content_type) == [name]


def test_two_inputs_of_one_name_have_two_results() -> None:
    assert names_of("x/a.jpg", "y/a.jpg", "a-2.jpg", "A.png") == [
        "out/a-sketch.jpg",
        "out/a-2-sketch.jpg",
        "out/a-2-2-sketch.jpg",
        "out/A-3-sketch.jpg",
    ]


def test_an_input_is_never_overwritten() -> None:
    assert names_of("a.jpg", "out/a-sketch.jpg") == ["out/a-sketch-result.jpg", "out/a-sketch-sketch.jpg"]


def test_parameters_are_json_where_they_can_be() -> None:
    pairs = ["strength=0.5", "invert=true", "format=png", "prompt=a = b", "empty="]
    assert params_of(pairs) == {"strength": 0.5, "invert": True, "format": "png", "prompt": "a = b", "empty": ""}


@pytest.mark.parametrize("pair", ["strength", "=0.5"])
def test_what_is_no_parameter_is_named(pair: str) -> None:
    with pytest.raises(ValueError, match="name=value"):
        params_of([pair])


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        (b'{"caption": "a red circle"}', "application/json", "a red circle"),
        (b'{"words": 1}', "application/json", '{"words": 1}'),
        (b'"words"', "application/json", "words"),
        (b"{broken", "application/json", "{broken"),
        (b"12", "text/plain", "12"),
        (b"\xff\xd8", "image/jpeg", None),
    ],
)
def test_the_words_of_an_answer(body: bytes, content_type: str, text: str | None) -> None:
    assert text_of(body, content_type) == text
