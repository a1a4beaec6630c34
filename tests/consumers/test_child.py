"""The process that computes, from inside: what it loads, and that nothing a picture does escapes."""

import json
import socket
import subprocess
import sys
import time
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from bus.errors import BadInput
from bus.problems import Kind, Problem
from consumers.child import load, perform, receive, send
from consumers.models import Models
from consumers.operations import Limits, Output, Runner
from tests.consumers.operations.pictures import opened, photograph

LIMITS = Limits()


class Odd(Runner):
    """Ends each run as it was told to."""

    def __init__(self, end: Exception | Output) -> None:
        self._end = end

    def run(self, body: bytes, params: Any, limits: Limits) -> Output:
        if isinstance(self._end, Exception):
            raise self._end
        return self._end


def performed(end: Exception | Output, **request: Any) -> tuple[dict[str, Any], bytes]:
    (head,), (body,) = perform({"sketch": Odd(end)}, {"operation": "sketch", "params": {}} | request, [b""], LIMITS)
    return head, body


def test_a_result_is_told_with_its_figures() -> None:
    head, body = performed(Output(b"x", "image/png", "m"))
    assert body == b"x"
    assert head.pop("ran_ms") >= 0
    assert head == {"status": "done", "content_type": "image/png", "model": "m"}


def test_bad_input_is_told_as_its_problem() -> None:
    head, _ = performed(BadInput(Problem.of(Kind.NOT_AN_IMAGE, "It is a letter.")))
    assert (head["status"], head["problem"]["detail"]) == ("bad", "It is a letter.")
    head, _ = performed(Output(b"", "", ""), params={"style": "oil"})
    assert head["problem"]["field"] == "params.style"


@pytest.mark.parametrize("request_", [{"operation": "sharpen"}, {"params": None}])
def test_a_request_that_makes_no_sense_fails_and_ends_nothing(request_: dict[str, Any]) -> None:
    assert performed(Output(b"", "", ""), **request_)[0]["status"] in {"failed", "bad"}


def test_a_fault_of_ours_is_told_in_short(capsys: pytest.CaptureFixture[str]) -> None:
    head, body = performed(LookupError("x" * 9999))
    assert (head["status"], body) == ("failed", b"")
    assert head["detail"].startswith("LookupError: xxx")
    assert len(head["detail"]) == 500
    assert "Traceback" in capsys.readouterr().err  # in the worker's log


def test_one_bad_picture_of_several_spoils_only_its_own() -> None:
    request = {"operation": "sketch", "params": {}}
    runners, _ = load(["sketch"], Models(Path()), 1)
    heads, bodies = perform(runners, request, [photograph(), b"a letter", photograph("chelsea")], LIMITS)
    assert [head["status"] for head in heads] == ["done", "bad", "done"]
    assert [bool(body) for body in bodies] == [True, False, True]
    assert opened(bodies[2]).size == opened(photograph("chelsea")).size


@pytest.mark.parametrize("end", [MemoryError(), RuntimeError("std::bad_alloc"), ValueError("?")], ids=repr)
def test_a_fault_of_ours_is_told_to_all_and_a_lack_of_memory_by_its_name(end: Exception) -> None:
    request = {"operation": "sketch", "params": {}}
    heads, bodies = perform({"sketch": Odd(end)}, request, [b"", b""], LIMITS)
    assert {head["status"] for head in heads} == {"failed" if isinstance(end, ValueError) else "exhausted"}
    assert (len(heads), bodies) == (2, [b"", b""])


def test_what_cannot_be_loaded_says_why_and_takes_nothing_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_models: Models, _threads: int) -> Runner:
        raise RuntimeError("no luck")

    from consumers.operations import REGISTRY, Operation
    from consumers.operations.sketch import SketchParams

    def large(_models: Models, _threads: int) -> Runner:
        raise MemoryError

    odd = Operation("caption", SketchParams, broken, lambda _megapixels: 1.0)
    monkeypatch.setattr("consumers.child.REGISTRY", {**REGISTRY, "caption": odd, "large": replace(odd, loader=large)})
    runners, not_served = load(["sketch", "caption", "sharpen", "large"], Models(tmp_path), 1)
    assert list(runners) == ["sketch"]
    assert "raise OVERSPILL_CHILD_MEMORY_MIB" in not_served["large"]
    assert "RuntimeError: no luck" in not_served["caption"]
    assert "correct OVERSPILL_OPERATIONS" in not_served["sharpen"]


def test_frames_carry_json_and_bytes_and_their_end_is_told() -> None:
    ours, theirs = (Connection(side.detach()) for side in socket.socketpair())
    send(ours, {"a": "ü"}, b"\x00\xff", b"")
    send(ours, {})
    assert receive(theirs) == ({"a": "ü"}, [b"\x00\xff", b""])
    assert receive(theirs) == ({}, [])
    ours.close()
    with pytest.raises(EOFError):
        receive(theirs)
    theirs.close()


def test_a_child_serves_until_its_socket_closes(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    config = {
        "operations": ["sketch"],
        "models_dir": str(tmp_path),
        "threads": 1,
        "max_bytes": 1 << 24,
        "memory_bytes": 1 << 30,
    }
    arguments = [sys.executable, "-m", "consumers.child", str(theirs.fileno())]
    with subprocess.Popen(
        [*arguments, json.dumps(config | {"max_pixels": 10**8})], pass_fds=[theirs.fileno()]
    ) as child:
        theirs.close()
        channel = Connection(ours.detach())
        assert receive(channel)[0] == {"operations": ["sketch"], "not_served": {}}
        send(channel, {"operation": "sketch", "params": {}}, photograph())
        assert [reply["status"] for reply in receive(channel)[0]["replies"]] == ["done"]
        channel.close()
        assert child.wait(30) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells a child of its parent's death")
def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    # The parent leaves the socket to a third process, so that its end alone ends nothing.
    program = (
        "import os, socket, subprocess, sys\n"
        "ours, theirs = socket.socketpair()\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import consumers.child as c; c._die_with_parent(); "
        "print(1, flush=True); import time; time.sleep(600)'], pass_fds=[ours.fileno()], stdout=subprocess.PIPE)\n"
        "child.stdout.readline(); print(child.pid, flush=True); os.kill(os.getpid(), 9)\n"
    )
    parent = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=False)
    pid = int(parent.stdout)
    for _ in range(3000):
        if not Path(f"/proc/{pid}").exists() or "State:\tZ" in Path(f"/proc/{pid}/status").read_text():
            return
        time.sleep(0.01)
    pytest.fail(f"process {pid} outlived its parent")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is capped on Linux alone")
def test_a_child_gets_its_memory_and_no_more() -> None:
    program = (
        "from consumers.child import cap_memory\n"
        "cap_memory(200 << 20)\n"
        "print(open('/proc/self/oom_score_adj').read().strip())\n"
        "most = bytearray(100 << 20)\n"
        "try: bytearray(200 << 20)\n"
        "except MemoryError: print('no more')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["500", "no more"]
