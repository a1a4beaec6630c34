"""GET /metrics, on a port and in a thread of its own: a scraper that stalls holds up no job.

prometheus_client's own handler writes the page, as text or OpenMetrics by the request's Accept. Its own server would
wait for a silent caller for ever, in a new thread each time.
"""

import contextlib
import socket
import threading
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, MetricsHandler

from bus.errors import SetupError

PATH: Final = "/metrics"
SILENT_S: Final = 5.0
"""How long a caller may say nothing, or take nothing."""
WITHIN_S: Final = 5.0
"""How long a caller may take in all, from connecting to the answer's last byte."""
MOST_CALLERS: Final = 8
"""Callers answered at a time; the next one hears that it is too many."""
_LOOK_S: Final = 0.1
"""Between two looks at whether to end."""
_REFUSED: Final = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class _Handler(MetricsHandler):
    timeout = SILENT_S

    def setup(self) -> None:
        super().setup()
        # A caller that says or takes a byte now and then is never silent, so the whole of it has an end as well.
        self._deadline = threading.Timer(WITHIN_S, _cut, (self.connection,))
        self._deadline.daemon = True
        self._deadline.start()

    def finish(self) -> None:
        self._deadline.cancel()
        super().finish()

    def do_GET(self) -> None:  # noqa: N802 (http.server's name)
        if urlsplit(self.path).path == PATH:
            super().do_GET()
        else:
            self.send_error(HTTPStatus.NOT_FOUND, f"The metrics are at {PATH}")

    def version_string(self) -> str:
        return "overspill"


def _cut(connection: socket.socket) -> None:
    """End what is read and written on a connection; its thread notices."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class Endpoint(ThreadingHTTPServer):
    """Serves the metrics of a registry, from when it is made until `close`."""

    daemon_threads = True
    request_queue_size = 64
    """Callers that may wait to be heard: what is over it isn't refused but left hanging."""

    def __init__(self, host: str, port: int, registry: CollectorRegistry) -> None:
        """Port 0 is any free one. Raises SetupError when there is no listening there."""
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._places = threading.BoundedSemaphore(MOST_CALLERS)
        handler: Any = type("_Handler", (_Handler,), {"registry": registry})
        try:
            super().__init__((host, port), handler)
        except OSError as error:
            raise SetupError(
                f"The metrics can't be told on {host}, port {port} ({error.strerror}): set OVERSPILL_METRICS_PORT to a "
                "free one (0 takes any), or OVERSPILL_METRICS_HOST to an address of this machine."
            ) from None
        self._thread = threading.Thread(target=self.serve_forever, args=(_LOOK_S,), name="metrics", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where the metrics are."""
        host, port = self.server_address[:2]
        shown = host if isinstance(host, str) else host.decode()
        return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}{PATH}"

    def close(self) -> None:
        """Serve no more."""
        self.shutdown()
        self.server_close()
        self._thread.join()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread, if there is a place for one more."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
            return
        with contextlib.suppress(OSError):
            request.settimeout(SILENT_S)
            request.sendall(_REFUSED)
        self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and leave the place."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Take no notice of callers that hang up: the next scrape comes soon."""
