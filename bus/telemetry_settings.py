"""The settings of metrics, traces and logs; `bus.settings.Settings` holds them with the rest. Pure."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings

LogFormat = Literal["plain", "json"]


def _unset_if_empty(value: Any) -> Any:
    """As OpenTelemetry has it, an empty variable is one that is not set."""
    return None if value == "" else value


class TelemetrySettings(BaseSettings):
    """What each process tells of itself beside its events."""

    metrics_port: int | None = Field(
        None,
        ge=0,
        le=65_535,
        description="The port on which a process tells its metrics to Prometheus; 0 takes any free one. Unset: none. "
        "`overspill up` gives each of its processes one.",
    )
    metrics_host: str = Field("127.0.0.1", description="The address the metrics are told on.")
    log_format: LogFormat = Field("plain", description="`plain` lines for people, or one `json` object a line.")
    otel_exporter_otlp_endpoint: Annotated[str | None, BeforeValidator(_unset_if_empty)] = Field(
        None,
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="The OpenTelemetry collector that traces go to, over HTTP: `http://127.0.0.1:4318`. Unset: trace "
        "contexts are handed on, and nothing is exported. OpenTelemetry's other variables (`OTEL_…`) hold as well.",
    )
