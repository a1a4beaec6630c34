"""The child process that computes: loads the operations, then runs one job after another.

It speaks with its worker over one socket, in frames of JSON and bytes (never pickles: what decodes strangers' pictures
is not trusted by the process that holds the connection). It may crash, hang or be killed at any moment.
"""

import ctypes
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bus.errors import BadInput
from consumers.models import Models
from consumers.operations import REGISTRY, Limits, Output, Runner, Unavailable

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Serve the socket whose number is the first argument, configured by the JSON in the second."""
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the worker's to handle: it drains
    channel = Connection(int(arguments[0]))
    config = json.loads(arguments[1])
    runners, not_served = load(config["operations"], Models(Path(config["models_dir"])), config["threads"])
    send(channel, {"operations": list(runners), "not_served": not_served})
    limits = Limits(config["max_bytes"], config["max_pixels"])
    while True:
        try:
            request, body = receive(channel)
        except EOFError:
            return
        head, output = perform(runners, request, body, limits)
        send(channel, head, output)


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
            not_served[name] = f"it failed to load ({type(error).__name__}: {error}); run `overspill doctor`"
    return runners, not_served


def perform(
    runners: Mapping[str, Runner], request: Mapping[str, Any], body: bytes, limits: Limits
) -> tuple[dict[str, Any], bytes]:
    """Run one request; returns the reply's head and body. Only what the operation can't survive escapes."""
    began = time.perf_counter()
    try:
        name = request["operation"]
        output: Output = runners[name].run(body, REGISTRY[name].parse(request["params"]), limits)
    except BadInput as fault:
        return {"status": "bad", "problem": fault.problem.model_dump(exclude_none=True), "ran_ms": _since(began)}, b""
    except Exception as error:  # noqa: BLE001 (told to the worker, which counts the attempt)
        traceback.print_exc()
        return {"status": "failed", "detail": f"{type(error).__name__}: {error}"[:500], "ran_ms": _since(began)}, b""
    head = {"status": "done", "content_type": output.content_type, "model": output.model, "ran_ms": _since(began)}
    return head, output.body


def send(channel: Connection, head: Mapping[str, Any], body: bytes = b"") -> None:
    """One frame of JSON, one of bytes."""
    channel.send_bytes(json.dumps(head).encode())
    channel.send_bytes(body)


def receive(channel: Connection) -> tuple[dict[str, Any], bytes]:
    """The other side's frames. Raises EOFError when it is gone."""
    head = json.loads(channel.recv_bytes())
    return head, channel.recv_bytes()


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
