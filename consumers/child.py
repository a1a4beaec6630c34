"""The child process that computes: loads the operations, then runs one job, or one batch of them, after another.

It speaks with its worker over one socket, in frames of JSON and bytes (never pickles: what decodes strangers' pictures
is not trusted by the process that holds the connection). It may crash, hang or be killed at any moment.
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bus.errors import BadInput
from consumers.models import Models
from consumers.operations import REGISTRY, Limits, Output, Runner, Unavailable
from consumers.operations.shortage import is_shortage

_PR_SET_PDEATHSIG = 1
_FIRST_TO_GO = "500"
"""Of -1000 to 1000: before the worker, which holds the connection and can start another of us."""


def main(arguments: list[str]) -> None:
    """Serve the socket whose number is the first argument, configured by the JSON in the second."""
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the worker's to handle: it drains
    channel = Connection(int(arguments[0]))
    config = json.loads(arguments[1])
    cap_memory(config["memory_bytes"])
    runners, not_served = load(config["operations"], Models(Path(config["models_dir"])), config["threads"])
    send(channel, {"operations": list(runners), "not_served": not_served})
    limits = Limits(config["max_bytes"], config["max_pixels"])
    while True:
        try:
            request, bodies = receive(channel)
        except EOFError:
            return
        heads, outputs = perform(runners, request, bodies, limits)
        send(channel, {"replies": heads}, *outputs)


def load(operations: list[str], models: Models, threads: int) -> tuple[dict[str, Runner], dict[str, str]]:
    """Load and warm up each operation; returns the runners by name, and why the others can't be served."""
    runners: dict[str, Runner] = {}
    not_served: dict[str, str] = {}
    for name in operations:
        if name not in REGISTRY:
            not_served[name] = f"there is no operation {name!r}; correct OVERSPILL_OPERATIONS"
            continue
        try:
            runner = REGISTRY[name].load(models, threads)
            runner.warm_up()
            runners[name] = runner
        except Unavailable as why:
            not_served[name] = str(why)
        except Exception as error:  # noqa: BLE001 (one operation that won't load must not take the others with it)
            not_served[name] = _why_not(error)
    return runners, not_served


def _why_not(error: Exception) -> str:
    if is_shortage(error):
        return "it needs more memory than a process may take; raise OVERSPILL_CHILD_MEMORY_MIB or lower OVERSPILL_SLOTS"
    return f"it failed to load ({type(error).__name__}: {error}); run `overspill doctor`"


def perform(
    runners: Mapping[str, Runner], request: Mapping[str, Any], bodies: Sequence[bytes], limits: Limits
) -> tuple[list[dict[str, Any]], list[bytes]]:
    """Run one request, for one picture or several; returns each one's head and body, in order.

    A head's `status` is `done`, `bad` (the caller's fault), `failed` (ours) or `exhausted` (ours, and this process has
    run out of memory). `ran_ms` is the whole run's. Only what the operation can't survive escapes.
    """
    began = time.perf_counter()
    try:
        name = request["operation"]
        outputs = runners[name].run_batch(bodies, REGISTRY[name].parse(request["params"]), limits)
    except BadInput as fault:
        outputs = [fault] * len(bodies)
    except Exception as error:  # noqa: BLE001 (told to the worker, which counts the attempt)
        traceback.print_exc()
        head = {**_failure(error), "ran_ms": _since(began)}
        return [head] * len(bodies), [b""] * len(bodies)
    heads = [{**_told(output), "ran_ms": _since(began)} for output in outputs]
    return heads, [b"" if isinstance(output, BadInput) else output.body for output in outputs]


def _told(output: Output | BadInput) -> dict[str, Any]:
    if isinstance(output, BadInput):
        return {"status": "bad", "problem": output.problem.model_dump(exclude_none=True)}
    return {"status": "done", "content_type": output.content_type, "model": output.model}


def _failure(error: Exception) -> dict[str, Any]:
    if is_shortage(error):
        return {"status": "exhausted", "detail": "it needs more memory than a process may take"}
    return {"status": "failed", "detail": f"{type(error).__name__}: {error}"[:500]}


def send(channel: Connection, head: Mapping[str, Any], *bodies: bytes) -> None:
    """One frame of JSON, which says how many frames of bytes follow, then those."""
    channel.send_bytes(json.dumps([head, len(bodies)]).encode())
    for body in bodies:
        channel.send_bytes(body)


def receive(channel: Connection) -> tuple[dict[str, Any], list[bytes]]:
    """The other side's head and bodies. Raises EOFError when it is gone, ValueError when it talks nonsense."""
    head, count = json.loads(channel.recv_bytes())
    return head, [channel.recv_bytes() for _ in range(count)]


def cap_memory(most_bytes: int) -> None:
    """Let this process have so much memory and no more; where the system has none left, let it be the one to go.

    Counted is private writable memory (RLIMIT_DATA, since Linux 4.7), not address space: the libraries map gigabytes
    of that and use a part. Elsewhere than on Linux nothing is capped.
    """
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_DATA, (most_bytes, most_bytes))
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO)


def _since(began: float) -> int:
    return round((time.perf_counter() - began) * 1000)


def _die_with_parent() -> None:
    """Have Linux kill us when the worker dies, even by SIGKILL; elsewhere the closed socket ends us."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == 1:
            os._exit(1)  # it died before we could ask


if __name__ == "__main__":
    main(sys.argv[1:])
