"""Writing to a pipe that is full, or closed, and to a file, with the loop going on."""

import asyncio
import os
import pty
import sys
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from ui.tail.output import NotWritten, Output, need_standard_output


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for end in (reading, writing):
        try:
            os.close(end)
        except OSError:
            continue


async def test_a_full_pipe_holds_up_who_writes_and_nobody_else(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    text = "é" * 500_000
    with Output(writing) as output:
        done = asyncio.ensure_future(output.write(text))
        await asyncio.sleep(0.05)  # the loop goes on
        assert not done.done()
        got = b""
        while len(got) < len(text.encode()):
            got += await asyncio.to_thread(os.read, reading, 1 << 16)
        await done
    assert got.decode() == text


async def test_a_reader_that_goes_is_noticed_with_nothing_to_write(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    with Output(writing) as output:
        assert not output.closed.is_set()
        os.close(reading)
        await output.closed.wait()
        with pytest.raises(BrokenPipeError):
            await output.write("x")


async def test_a_file_takes_it_all(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as file, Output(file.fileno()) as output:
        await output.write("x" * 100_000)
        assert not output.closed.is_set()
    assert (tmp_path / "out").read_bytes() == b"x" * 100_000


async def test_who_stops_waiting_for_room_leaves_nothing_behind(pipe: tuple[int, int]) -> None:
    _, writing = pipe
    with Output(writing) as output:
        done = asyncio.ensure_future(output.write("x" * 500_000))
        await asyncio.sleep(0)
        done.cancel()
        with pytest.raises(asyncio.CancelledError):
            await done
    assert not asyncio.get_running_loop().remove_writer(writing)


async def test_a_terminal_that_stands_still_holds_up_who_writes_and_nobody_else() -> None:
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    with Output(theirs) as output:
        done = asyncio.ensure_future(output.write("x" * 200_000))
        await asyncio.sleep(0.05)  # the loop goes on
        assert not done.done()
        got = 0
        while got < 200_000:
            got += len(await asyncio.to_thread(os.read, ours, 1 << 16))
        await done
    assert os.get_blocking(theirs), "who shares the terminal would meet errors"
    os.close(ours)
    os.close(theirs)


async def test_a_full_disk_is_told() -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    with Output(descriptor) as output, pytest.raises(NotWritten, match=r"\(No space left on device\): make room"):
        await output.write("x")
    os.close(descriptor)


def test_a_closed_standard_output_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    need_standard_output()
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(NotWritten, match="closed"):
        need_standard_output()
