import pytest

from bus.errors import SetupError
from bus.settings import load


def test_nothing_is_exported_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OVERSPILL_METRICS_PORT", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    settings = load()
    assert (settings.metrics_port, settings.otel_exporter_otlp_endpoint) == (None, None)
    assert settings.metrics_host == "127.0.0.1"


def test_the_collector_is_named_as_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")
    assert load().otel_exporter_otlp_endpoint == "http://collector:4318"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    assert load().otel_exporter_otlp_endpoint is None


def test_a_port_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERSPILL_METRICS_PORT", "70000")
    with pytest.raises(SetupError, match="OVERSPILL_METRICS_PORT is wrong"):
        load()
