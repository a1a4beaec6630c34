"""How VMs are judged, as the settings say."""

from bus.settings import Settings
from telemetry.fleet_rules import ANSWERING_S, Rules


def test_the_rules_follow_the_settings() -> None:
    rules = Rules.of(Settings(beat_interval_s=0.5, lost_after_beats=4, job_timeout_s=20.0))
    assert (rules.beat_interval_s, rules.lost_after_s, rules.stuck_after_s) == (0.5, 2.0, 20.0 + ANSWERING_S)


def test_without_settings_they_are_those_of_the_defaults() -> None:
    assert Rules() == Rules.of(Settings())
