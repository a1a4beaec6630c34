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
# That limit counts what lies in the queue. Without acks the broker would hand everything over at once, and keep in its
# memory what our connection does not take; so it sends so many ahead, and no more until they are acked.
AHEAD = 200


def main() -> int:
    """Print events until interrupted, or until `--count` of them were seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, help="stop after so many events")
    parser.add_argument("pattern", nargs="*", default=["job.#"])
    options = parser.parse_args()
    url = os.environ.get("AMQP_URL", "amqp://guest:guest@localhost:5672/%2F")
    parameters = pika.URLParameters(url)
    parameters.heartbeat = 30  # seconds; the broker ends a connection that has stood still for two of them
    channel = pika.BlockingConnection(parameters).channel()
    channel.basic_qos(prefetch_count=AHEAD)
    # Without a name the broker chooses one; `exclusive` has the queue go when this connection does.
    events = channel.queue_declare("", exclusive=True, arguments=BOUNDED).method.queue
    for pattern in options.pattern:
        channel.queue_bind(events, "events", pattern)
    print(f"listening for {' '.join(options.pattern)}", file=sys.stderr, flush=True)
    for seen, (method, _, body) in enumerate(channel.consume(events), start=1):
        print(method.routing_key, body.decode(), flush=True)
        channel.basic_ack(method.delivery_tag)
        if seen == options.count:
            break
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except pika.exceptions.AMQPConnectionError as error:
        sys.exit(f"no broker, or the connection was lost ({type(error).__name__}); start again to go on listening")
