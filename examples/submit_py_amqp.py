# /// script
# dependencies = ["amqp"]
# ///
"""Send one image and wait for its answer, with py-amqp: `submit_py_amqp.py IMAGE OPERATION OUT`.

Needs `pip install amqp`, and AMQP_URL in the environment. The answer comes by RabbitMQ's direct reply-to: no queue is
made, but the answer is lost with the connection. Good for a quick question, not for an hour's batch.
"""

import json
import os
import sys
import uuid
from pathlib import Path
from urllib.parse import unquote, urlsplit

import amqp

REPLIES = "amq.rabbitmq.reply-to"
TIMEOUT_S = 120


def connect(url: str) -> amqp.Connection:
    """A connection whose publishes wait for the broker's confirm."""
    parts = urlsplit(url)
    return amqp.Connection(
        host=f"{parts.hostname}:{parts.port or 5672}",
        userid=unquote(parts.username or "guest"),
        password=unquote(parts.password or "guest"),
        virtual_host=unquote(parts.path[1:]) or "/",
        confirm_publish=True,
    )


def main() -> int:
    """Send, wait, write. Exit status 0 with a result, 1 with a problem."""
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    image, operation, out = sys.argv[1:]
    answers: list[amqp.Message] = []
    with connect(os.environ.get("AMQP_URL", "amqp://guest:guest@localhost:5672/%2F")) as connection:
        channel = connection.channel()
        # For direct reply-to the consumer comes first, without acks, and on the channel that publishes.
        channel.basic_consume(REPLIES, no_ack=True, callback=answers.append)
        job = amqp.Message(
            Path(image).read_bytes(),
            message_id=uuid.uuid4().hex,
            reply_to=REPLIES,
            delivery_mode=2,
            application_headers={"user": os.environ.get("USER", "anonymous")},
        )
        channel.basic_publish(job, exchange="jobs", routing_key=operation, mandatory=True)
        while not answers:
            connection.drain_events(timeout=TIMEOUT_S)
    return report(answers[0], Path(out))


def report(answer: amqp.Message, out: Path) -> int:
    """Write the result and say where it ran, or say what went wrong."""
    if answer.properties.get("content_type") == "application/problem+json":
        problem = json.loads(answer.body)
        print(f"{problem['title']}: {problem['detail']} {problem.get('remedy', '')}", file=sys.stderr)
        return 1
    out.write_bytes(answer.body if isinstance(answer.body, bytes) else answer.body.encode())
    headers = answer.headers
    print(f"{out}: ran on {headers.get('vm')} by way of {headers.get('route')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
