# /// script
# dependencies = ["fsspec", "pika"]
# ///
"""Send an image that is too large for a message: `submit_claim_pika.py IMAGE OPERATION OUT`.

Needs `pip install pika fsspec` (and gcsfs, s3fs or adlfs for a bucket), and in the environment AMQP_URL and
OVERSPILL_BLOBS, the system's blob store. The image goes there, its claim goes to `jobs`; a result too large for a
message comes back the same way.
"""

import json
import os
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path

import fsspec
import pika

TIMEOUT_S = 120
STORE = os.environ.get("OVERSPILL_BLOBS", "").rstrip("/")


def main() -> int:
    """Store, send, wait, fetch. Exit status 0 with a result, 1 with a problem or without an answer."""
    if len(sys.argv) != 4 or not STORE:
        sys.exit(__doc__)
    image, operation, out = sys.argv[1:]
    claim = put(Path(image).read_bytes())
    url = os.environ.get("AMQP_URL", "amqp://guest:guest@localhost:5672/%2F")
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.confirm_delivery()
    answers = channel.queue_declare("", exclusive=True).method.queue
    job = pika.BasicProperties(
        message_id=uuid.uuid4().hex,
        reply_to=answers,
        delivery_mode=2,
        headers={"user": os.environ.get("USER", "anonymous"), "claim": claim},
    )
    channel.basic_publish("jobs", operation, b"", job, mandatory=True)  # no body: the claim is in its place
    for _, properties, body in channel.consume(answers, auto_ack=True, inactivity_timeout=TIMEOUT_S):
        if properties is not None:
            return report(properties, body, Path(out))
        print(f"no answer within {TIMEOUT_S} s", file=sys.stderr)
        return 1
    return 1


def put(picture: bytes) -> str:
    """Store a picture; returns its claim: `pictures`, the day (UTC), and a name that nobody can guess."""
    claim = f"pictures/{datetime.now(UTC):%Y%m%d}/{uuid.uuid4().hex}"
    with fsspec.open(f"{STORE}/{claim}", "wb", auto_mkdir=True) as file:
        file.write(picture)
    return claim


def report(properties: pika.BasicProperties, body: bytes, out: Path) -> int:
    """Write the result, out of the store when it is there, or say what went wrong."""
    if properties.content_type == "application/problem+json":
        problem = json.loads(body)
        print(f"{problem['title']}: {problem['detail']} {problem.get('remedy', '')}", file=sys.stderr)
        return 1
    headers = properties.headers or {}
    if "claim" in headers:
        with fsspec.open(f"{STORE}/{headers['claim']}", "rb") as file:
            body = file.read()
    out.write_bytes(body)
    print(f"{out}: ran on {headers.get('vm')}, {'came by claim' if 'claim' in headers else 'came in the message'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
