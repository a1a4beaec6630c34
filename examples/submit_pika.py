# /// script
# dependencies = ["pika"]
# ///
"""Send one image and wait for its answer, with pika and nothing of overspill: `submit_pika.py IMAGE OPERATION OUT`.

Needs `pip install pika`, and AMQP_URL in the environment. The answer comes to an exclusive queue of our own, which the
broker deletes with the connection.
"""

import json
import os
import sys
import uuid
from pathlib import Path

import pika

TIMEOUT_S = 120


def main() -> int:
    """Send, wait, write. Exit status 0 with a result, 1 with a problem or without an answer."""
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    image, operation, out = sys.argv[1:]
    url = os.environ.get("AMQP_URL", "amqp://guest:guest@localhost:5672/%2F")
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.confirm_delivery()  # from here on publishing waits until the broker has stored the job
    answers = channel.queue_declare("", exclusive=True).method.queue
    job = uuid.uuid4().hex
    channel.basic_publish(
        "jobs",
        operation,
        Path(image).read_bytes(),
        pika.BasicProperties(
            message_id=job,  # sending the same id again would give the same answer, not a second run
            correlation_id=job,
            reply_to=answers,
            delivery_mode=2,  # survives a restart of the broker
            headers={"user": os.environ.get("USER", "anonymous")},
        ),
        mandatory=True,
    )
    for _, properties, body in channel.consume(answers, auto_ack=True, inactivity_timeout=TIMEOUT_S):
        if properties is None:
            print(f"no answer within {TIMEOUT_S} s", file=sys.stderr)
            return 1
        if properties.correlation_id == job:
            return report(properties, body, Path(out))
    return 1


def report(properties: pika.BasicProperties, body: bytes, out: Path) -> int:
    """Write the result and say where it ran, or say what went wrong."""
    if properties.content_type == "application/problem+json":
        problem = json.loads(body)
        print(f"{problem['title']}: {problem['detail']} {problem.get('remedy', '')}", file=sys.stderr)
        return 1
    out.write_bytes(body)
    headers = properties.headers or {}
    print(f"{out}: ran on {headers.get('vm')} by way of {headers.get('route')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
