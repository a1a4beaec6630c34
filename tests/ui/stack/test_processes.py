import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from bus.errors import SetupError
from ui.stack import processes
from ui.stack.processes import (
    answers,
    die_with_us,
    end,
    free_port,
    free_ports,
    is_free,
    kill_group,
    listens,
    wait_until,
    write_private,
)

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


def start(*command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)


def test_a_port_with_a_listener_is_not_free() -> None:
    port = free_port()
    assert is_free(port)

    with socket.create_server(("127.0.0.1", port)):
        assert not is_free(port)
        assert listens(port)

    assert not listens(port)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_an_address_answers_while_someone_listens_there(host: str) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        assert answers(f"{host}:{port}")

    assert not answers(f"{host}:{port}")


@pytest.mark.parametrize(
    "address", ["", "localhost", "no port:", "127.0.0.1:99999", "host.invalid:80", "x" * 70 + ":1"]
)
def test_what_is_no_address_does_not_answer(address: str) -> None:
    assert not answers(address)


def test_running_out_of_ports_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "is_free", lambda port: False)

    with pytest.raises(SetupError, match="No free port"):
        free_port()


def test_a_private_file_is_for_our_eyes_only_and_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"

    write_private(path, "one")
    write_private(path, "two")

    assert path.read_text() == "two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_child_that_stops_when_asked_has_its_own_status() -> None:
    with start("sleep", "60") as child:
        assert end(child, 10) == -signal.SIGTERM
        assert end(child, 10) == -signal.SIGTERM


def test_a_child_that_does_not_stop_is_killed() -> None:
    with start(sys.executable, "-c", DEAF) as child:
        assert child.stdout is not None
        child.stdout.readline()

        assert end(child, 0.1) == -signal.SIGKILL


def test_a_group_that_is_gone_can_be_killed_again() -> None:
    with start("true") as child:
        child.wait()

    kill_group(child.pid)


def test_nobody_is_waited_for_who_has_ended() -> None:
    with start("true") as child:
        child.wait()

        assert not wait_until(free_port(), child, timeout_s=60, amqp=False)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's service is Linux's own")
def test_a_child_goes_when_its_parent_is_killed() -> None:
    command = die_with_us(["sh", "-c", "echo up; exec sleep 600"])
    parent = start(sys.executable, "-c", f"import subprocess; subprocess.run({command!r})")
    with parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        os.kill(parent.pid, signal.SIGKILL)

        # The child holds the other end of the pipe: where the pipe ends, it has ended.
        assert parent.stdout.read() == b""


def test_free_ports_differ_from_each_other_and_from_one_that_is_given_away() -> None:
    ports = free_ports(5, but=free_port())
    assert len(set(ports)) == 5
    assert free_ports(0, but=ports[0]) == []
