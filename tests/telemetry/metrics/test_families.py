from prometheus_client import Metric, generate_latest

from telemetry.metrics.board import Board
from telemetry.metrics.families import FAMILIES, PROGRAMS, Family
from tests.telemetry.metrics.pages import faults, parsed


def page_with_everything(program: str) -> dict[str, Metric]:
    board = Board(program)
    for family in FAMILIES:
        labels = tuple(f"a {label}" for label in family.labels)
        if family.kind == "histogram":
            board.observe(family, *labels, value=0.1)
        else:
            board.add(family, *labels)
    return parsed(generate_latest(board.registry).decode())


def test_every_program_tells_metrics_that_keep_to_the_rules_of_prometheus() -> None:
    pages = {program: page_with_everything(program) for program in PROGRAMS}
    assert [fault for page in pages.values() for metric in page.values() for fault in faults(metric)] == []


def test_every_metric_is_there_under_its_name_where_it_is_told_and_nowhere_else() -> None:
    for program in PROGRAMS:
        told = {family.name.removesuffix("_total") for family in FAMILIES if program in family.told_by}
        assert page_with_everything(program).keys() == told
        assert told


def test_names_are_ours_and_given_once() -> None:
    names = [family.name for family in FAMILIES]
    assert len(names) == len(set(names))
    assert all(name.startswith("overspill_") for name in names)


def test_what_only_grows_says_so_and_nothing_else_does() -> None:
    assert [family.name for family in FAMILIES if family.name.endswith("_total") != (family.kind == "counter")] == []


def test_histograms_alone_have_buckets_and_these_rise() -> None:
    for family in FAMILIES:
        assert bool(family.buckets) == (family.kind == "histogram")
        assert list(family.buckets) == sorted(set(family.buckets))


def test_the_linter_finds_what_promtool_would() -> None:
    bad = Metric("overspill_wait_ms", "", "histogram")
    bad.add_sample("overspill_wait_ms_sum", {"user": "anna"}, 1.0)
    said = "\n".join(faults(bad))
    for fault in ("help", "base unit", "of seconds", "label user"):
        assert fault in said
    assert list(faults(Metric("overspill_gauge_Count", "x", "gauge")))
    assert list(faults(Metric("overspill_jobs_count", "x", "gauge")))


def test_two_families_are_the_same_only_when_they_are_one() -> None:
    def made() -> Family:
        return Family("overspill_x", "gauge", ("vm",), "x")

    assert made() != made()
