"""A stand-in for the `overspill` command whose programs only say that they are there, so that it starts at once.

`stand_in.py up` is the real `up` with these; settings come from the environment as always. There, STAND_IN_LACKS names
an optional part that is not installed.
"""

import asyncio
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pika

from bus import settings
from bus.events import BridgeStatus, Heartbeat, RouterStatus, event_message, heartbeat_key
from bus.messages import Message
from bus.topology import EVENTS, HEARTBEATS
from ui.stack import extras, state
from ui.stack.up import Up, alone, merged_log

HERE = (sys.executable, __file__)
SERVE_AT = {"cloud-service": "PORT", "page": "OVERSPILL_PAGE_PORT"}
"""Who says over HTTP that it is ready, and the variable that tells it the port."""


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def message(arguments: list[str]) -> tuple[str, Message]:
    if arguments[0] == "router":
        status = RouterStatus(router="stand-in", at_ms=0, routed=0)
        return EVENTS, event_message(status, status.key)
    if arguments[0] == "bridge":
        bridge = BridgeStatus(bridge="stand-in", state="ready", at_ms=0)
        return EVENTS, event_message(bridge, bridge.key)
    name = arguments[arguments.index("--name") + 1]
    beat = Heartbeat(
        vm=name,
        session="s",
        started_ms=0,
        seq=1,
        at_ms=0,
        cpu_percent=1,
        ram_percent=1,
        cores=1,
        slots=int(arguments[arguments.index("--slots") + 1]),
        worker="ready",
    )
    return HEARTBEATS, event_message(beat, heartbeat_key(name))


class Service(BaseHTTPRequestHandler):
    """A cloud service, or a page, that is ready."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/ready" else 404)
        self.end_headers()


def say_that_we_are_there(arguments: list[str]) -> None:
    say(f"my pid is {os.getpid()}")
    if arguments[0] in SERVE_AT:
        HTTPServer(("127.0.0.1", int(os.environ[SERVE_AT[arguments[0]]])), Service).serve_forever()
    exchange, said = message(arguments)
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
    channel = connection.channel()
    channel.exchange_declare(exchange, "topic" if exchange == EVENTS else "fanout", durable=True)
    while True:
        channel.basic_publish(exchange, said.routing_key, said.body)
        connection.process_data_events(0)
        time.sleep(0.05)


def up() -> None:
    chosen = settings.load()
    extras.EXTRAS = {**extras.EXTRAS, os.environ.get("STAND_IN_LACKS", ""): ("no_such_module",)}  # type: ignore[misc]  # what is Final is for others
    log = state.log_file(chosen.state_dir)
    with alone(chosen.state_dir), merged_log(log, say, colour=False) as told:
        asyncio.run(Up(chosen, os.environ, told, cores=2, overspill=HERE).run())


if __name__ == "__main__":
    if sys.argv[1] == "up":
        up()
    else:
        say_that_we_are_there(sys.argv[1:])
