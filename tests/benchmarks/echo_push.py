"""The far side: what Pub/Sub pushes comes back as an answer of the same body, on the plain client of the library.

`python -m tests.benchmarks.echo_push HOST PROJECT` prints its port. Pushes to /PREFIX/push are answered on the topic
PREFIX-results, as the cloud service answers: published first, then 204.
"""

import base64
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
from google.pubsub_v1 import PublisherClient, PubsubMessage
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport

LIFTED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Echo(BaseHTTPRequestHandler):
    """One push after another on a connection."""

    protocol_version = "HTTP/1.1"
    client: PublisherClient
    project: str

    def do_POST(self) -> None:
        prefix = self.path.split("/")[1]
        pushed = json.loads(self.rfile.read(int(self.headers["content-length"])))["message"]
        answer = PubsubMessage(
            data=base64.b64decode(pushed["data"]),
            attributes={
                "kind": "answer",
                "ticket": pushed["attributes"]["ticket"],
                "operation": pushed["attributes"]["operation"],
                "content_type": "image/jpeg",
                "vm": "echo",
                "ran_ms": "1",
            },
        )
        self.client.publish(topic=f"projects/{self.project}/topics/{prefix}-results", messages=[answer])
        self.send_response_only(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    host, Echo.project = sys.argv[1:]
    Echo.client = PublisherClient(transport=PublisherGrpcTransport(channel=grpc.insecure_channel(host, options=LIFTED)))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
