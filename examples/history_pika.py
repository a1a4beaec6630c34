# /// script
# dependencies = ["pika"]
# ///
"""Read what happened, and go on with what happens: `history_pika.py [--since SECONDS] [--count N] [TEXT...]`.

The broker keeps all events of about a day in the stream `events.history`. A stream is read like a queue, but reading
takes nothing out of it. Prints the number, routing key and body of each event that has every TEXT in it, such as a
job's id. An event's number never changes: whoever remembers it can go on after it tomorrow (`--after NUMBER`).
"""

import argparse
import os
import sys
import time
from datetime import UTC, datetime
from typing import Any

import pika


def main() -> int:
    """Print events until interrupted, or until `--count` of them were seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--since", type=float, default=600, help="seconds to look back (600)")
    parser.add_argument("--after", type=int, help="begin after the event of this number instead")
    parser.add_argument("--count", type=int, help="stop after so many events")
    parser.add_argument("text", nargs="*")
    options = parser.parse_args()
    url = os.environ.get("AMQP_URL", "amqp://guest:guest@localhost:5672/%2F")
    channel = pika.BlockingConnection(pika.URLParameters(url)).channel()
    # A stream gives nothing without a prefetch, and no more than that before it is acked: reading slowly costs the
    # broker no memory.
    channel.basic_qos(prefetch_count=500)
    arguments = {"x-stream-offset": start_of(options.since, options.after)}
    wanted = [text.encode() for text in options.text]
    seen = 0
    for method, properties, body in channel.consume("events.history", arguments=arguments):
        if all(text in body for text in wanted):
            print(properties.headers["x-stream-offset"], method.routing_key, body.decode(), flush=True)
            seen += 1
        channel.basic_ack(method.delivery_tag)
        if seen == options.count:
            break
    return 0


def start_of(since_s: float, after: int | None) -> Any:
    """Where to begin: a number, or a moment; "first", "last" and "next" are known to the broker as well.

    A moment is exact to what the broker wrote at once, so a few older events may come too.
    """
    return datetime.fromtimestamp(time.time() - since_s, UTC) if after is None else after + 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
