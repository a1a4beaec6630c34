# /// script
# dependencies = ["pika"]
# ///
"""Follow what happens, with pika and nothing of overspill: `listen_pika.py [--count N] [PATTERN...]`.

Prints each event's routing key and body. A pattern is one of a topic exchange: `job.#` (the default) is every step of
every job, `job.failed.*` the failures, `vm.heartbeat.*` the pulse of the VMs, `#` everything.
"""

import argparse
import os
import sys

import pika

# A listener's queue should have an end. When this program can't keep up, or stands still, the broker drops the oldest
# events once the queue is full, instead of keeping them all in its memory; jobs never wait for a listener. What was
# dropped can still be read in the history: see history_pika.py.
BOUNDED = {"x-max-length": 10_000, "x-overflow": "drop-head"}


def main() -> int:
    """Print events until interrupted, or until `--count` of them were seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, help="stop after so many events")
    parser.add_argument("pattern", nargs="*", default=["job.#"])
    options = parser.parse_args()
    url = os.environ.get("AMQP_URL", "amqp://guest:guest@localhost:5672/%2F")
    channel = pika.BlockingConnection(pika.URLParameters(url)).channel()
    # Without a name the broker chooses one; `exclusive` has the queue go when this connection does.
    events = channel.queue_declare("", exclusive=True, arguments=BOUNDED).method.queue
    for pattern in options.pattern:
        channel.queue_bind(events, "events", pattern)
    print(f"listening for {' '.join(options.pattern)}", file=sys.stderr, flush=True)
    for seen, (method, _, body) in enumerate(channel.consume(events, auto_ack=True), start=1):
        print(method.routing_key, body.decode(), flush=True)
        if seen == options.count:
            break
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
