import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.errors import SetupError
from ui.stack.own_server import OwnServer
from ui.stack.processes import end, free_port, listens

LISTEN = "import socket, sys, time; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); time.sleep(60)"


class Server(OwnServer):
    title = "little server"

    def __init__(self, folder: Path, program: str) -> None:
        super().__init__(folder / "console")
        self._program = program
        self._port = free_port()

    @property
    def port(self) -> int:
        return self._port

    @property
    def log(self) -> Path:
        return self._console

    def spawn(self) -> None:
        command = [sys.executable, "-c", self._program, str(self._port)]
        with self._console.open("wb") as console:
            self._process = subprocess.Popen(command, stderr=console, start_new_session=True)

    def stop(self) -> None:
        if self._process is not None:
            end(self._process, 5)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path, LISTEN)
    yield server
    server.stop()


def test_one_that_was_never_started_has_no_process(server: Server) -> None:
    assert not server.running
    with pytest.raises(SetupError, match=r"little server isn't started\. Call start\(\)"):
        _ = server.process


def test_it_is_started_when_it_answers_and_runs_until_it_is_stopped(server: Server) -> None:
    server.start()
    assert server.running
    assert listens(server.port)

    server.stop()
    assert not server.running


def test_one_that_ends_at_once_is_told_with_what_it_said(tmp_path: Path) -> None:
    server = Server(tmp_path, "import sys; sys.exit('no weights')")
    with pytest.raises(SetupError, match=r"The little server ended with status 1(.|\n)*no weights"):
        server.start()


def test_one_that_does_not_answer_in_time_is_stopped_and_told(tmp_path: Path) -> None:
    server = Server(tmp_path, "import time; time.sleep(60)")
    with pytest.raises(SetupError, match=r"little server did not answer within 0 s"):
        server.start(timeout_s=0.2)
    assert not server.running
