"""How spans leave this process: OTLP over HTTP, and one line in the log when the collector doesn't take them.

Imported only where a collector is named: it needs OpenTelemetry's SDK and its exporter.
"""

import contextlib
import logging
import os
import socket
from collections.abc import Sequence
from typing import Any, Final

import requests
import urllib3
from opentelemetry.exporter.otlp.proto.http import trace_exporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

log = logging.getLogger(__name__)

PATH: Final = "/v1/traces"
"""Where OTLP's address for traces is, under the common one."""


_READ: Final = 4096
"""Bytes read of a collector's answer: only its status is looked at, and an answer may be without end."""


class _Brief(requests.Session):
    """Reads the beginning of each answer, and hangs up on the rest."""

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send a request. Raises requests' own errors."""
        response = super().send(request, **{**kwargs, "stream": True, "allow_redirects": False})
        with contextlib.closing(response):
            # As it came: a few KiB of gzip can be many MiB. `read1` waits for no more than has come.
            raw: urllib3.HTTPResponse = response.raw
            response._content = raw.read1(_READ, decode_content=False)  # noqa: SLF001 (so nobody reads on)
        return response


class _Overheard(logging.Filter):
    """Keeps what the exporter says of its tries out of the log: we tell it. The first of a batch names the fault."""

    first = ""

    def filter(self, record: logging.LogRecord) -> bool:
        self.first = self.first or record.getMessage().rstrip(".")
        return False


_OVERHEARD: Final = _Overheard()


class ToldOnce(SpanExporter):
    """An exporter whose failures are told once, and once more when it works again."""

    def __init__(self, exporter: OTLPSpanExporter) -> None:
        self._exporter = exporter
        self._failing = False
        logging.getLogger(trace_exporter.__name__).addFilter(_OVERHEARD)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans. On a thread of OpenTelemetry's own: no job waits for it."""
        _OVERHEARD.first = ""
        result = self._exporter.export(spans)
        failing = result is not SpanExportResult.SUCCESS
        if failing and not self._failing:
            log.warning(
                "spans don't reach the collector of traces (%s); jobs go on. Start it, or correct or unset "
                "OTEL_EXPORTER_OTLP_ENDPOINT.",
                _OVERHEARD.first,
            )
        elif self._failing and not failing:
            log.info("spans reach the collector of traces again")
        self._failing = failing
        return result

    def shutdown(self) -> None:
        """Give up what is under way."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]  # the library types half of itself

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is kept here."""
        return self._exporter.force_flush(timeout_millis)


def to_collector(endpoint: str | None) -> ToldOnce:
    """An exporter to a collector at a base address; None leaves the address to OpenTelemetry's variables."""
    # What the SDK itself says, of a full queue for instance, it says for each span.
    logging.getLogger("opentelemetry.sdk").setLevel(logging.CRITICAL)
    address = None if endpoint is None else endpoint.rstrip("/") + PATH
    return ToldOnce(OTLPSpanExporter(endpoint=address, session=_Brief()))


def resource(program: str) -> Resource:
    """What this process is called where its spans are looked at; OTEL_SERVICE_NAME and _RESOURCE_ATTRIBUTES win."""
    ours = Resource(
        {SERVICE_NAME: f"overspill-{program}", SERVICE_INSTANCE_ID: f"{socket.gethostname()}-{os.getpid()}"}
    )
    given = Resource.create()
    named = str(given.attributes[SERVICE_NAME])
    # Without a name given, the SDK makes one up.
    told = {SERVICE_NAME: ours.attributes[SERVICE_NAME]} if named.startswith("unknown_service") else {}
    return ours.merge(given).merge(Resource(told))
