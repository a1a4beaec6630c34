"""That connections tell an observer is tested with the one there is, in tests/telemetry/metrics/test_connections.py."""

from bus.rabbit.observing import OBSERVED, Observer


def test_unless_somebody_measures_nobody_takes_notice() -> None:
    assert type(OBSERVED.by) is Observer
    for call in (OBSERVED.by.connected, OBSERVED.by.buried):
        call()
    OBSERVED.by.disconnected(lost=True)
    OBSERVED.by.blocked(now=True)
    OBSERVED.by.confirmed(0.1, taken=True)
