"""What Prometheus and Grafana are given: it asks for what there is, and says what to do."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from bus.events import JobState
from bus.problems import Kind
from telemetry.metrics.families import FAMILIES
from telemetry.metrics.labels import CLOUD_STATES, JOB_PROBLEMS, OTHER, VM_STATES

PROJECT = Path(__file__).parents[2]
FOLDER = PROJECT / "deploy" / "observability"
ALERTS: list[dict[str, Any]] = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"][0]["rules"]
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "overspill.grafana.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
STACK: dict[str, Any] = yaml.safe_load((PROJECT / "compose.yaml").read_text())
WATCHERS: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
EXPRESSIONS = {
    **{alert["alert"]: alert["expr"] for alert in ALERTS},
    **{f"{panel['title']} {it['refId']}": it["expr"] for panel in PANELS for it in panel.get("targets", ())},
}

FROM_ELSEWHERE = {"up", "process_resident_memory_bytes", "process_cpu_seconds_total"}
PUT_ON_BY_PROMETHEUS = {"instance", "job", "service"}
LABELS = {
    **{name: set(family.labels) for family in FAMILIES for name in [family.name]},
    **{
        f"{family.name}_{part}": {*family.labels, *({"le"} if part == "bucket" else ())}
        for family in FAMILIES
        if family.kind == "histogram"
        for part in ("bucket", "count", "sum")
    },
    **{name: set[str]() for name in FROM_ELSEWHERE},
}
STATES = {
    "overspill_jobs_total": set(get_args(JobState)),
    "overspill_vms": set(VM_STATES),
    "overspill_vm_state": set(VM_STATES),
    "overspill_cloud_state": set(CLOUD_STATES),
}
SELECTOR = re.compile(r"\b((?:overspill|process)_[a-z_]+|up)\b(?:\{([^}]*)\})?")
MATCHER = re.compile(r'([a-z_]+)\s*(=~|!=|!~|=)\s*"([^"]*)"')


def selectors(expression: str) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """Each metric that an expression reads, and what is asked of its labels."""
    for name, asked in SELECTOR.findall(expression):
        yield name, MATCHER.findall(asked)


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_every_expression_reads_metrics_and_labels_that_there_are(name: str) -> None:
    read = list(selectors(EXPRESSIONS[name]))
    assert read
    for metric, asked in read:
        assert metric in LABELS, f"no process tells {metric}"
        assert {label for label, _, _ in asked} <= LABELS[metric] | PUT_ON_BY_PROMETHEUS


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_every_expression_groups_by_labels_that_its_metrics_have(name: str) -> None:
    have = set[str]().union(*(LABELS[metric] for metric, _ in selectors(EXPRESSIONS[name]))) | PUT_ON_BY_PROMETHEUS
    grouped = re.findall(r"\bby \(([^)]*)\)", EXPRESSIONS[name])
    assert {label.strip() for labels in grouped for label in labels.split(",")} <= have


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_every_value_asked_for_may_come(name: str) -> None:
    slugs = {kind.value.slug for kind in Kind} | {"other", "none"}
    for metric, asked in selectors(EXPRESSIONS[name]):
        for label, _, value in asked:
            known = {"state": STATES.get(metric), "problem": slugs}.get(label)
            assert known is None or set(value.split("|")) <= known


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_only_counters_and_histograms_have_rates(name: str) -> None:
    kinds = {family.name: family.kind for family in FAMILIES}
    for metric in re.findall(r"\b(?:rate|increase)\((overspill_[a-z_]+)", EXPRESSIONS[name]):
        assert kinds.get(metric) == "counter" or metric.endswith("_bucket")
    for metric, _ in selectors(EXPRESSIONS[name]):
        if kinds.get(metric) == "counter":
            assert re.search(rf"\b(?:rate|increase)\({metric}", EXPRESSIONS[name])


# -- alerts


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: str(alert["alert"]))
def test_every_alert_says_how_bad_it_is_and_what_to_do(alert: dict[str, Any]) -> None:
    assert alert.keys() <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"([A-Z][a-z]+)+", alert["alert"])
    assert alert["labels"].keys() == {"severity"}
    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    assert re.fullmatch(r"\d+[smh]", alert.get("for", "1m"))
    assert alert["annotations"].keys() == {"summary", "runbook"}
    assert alert["annotations"]["summary"].endswith((".", ")"))
    page, _, section = alert["annotations"]["runbook"].partition("#")
    assert section == alert["alert"].lower()
    assert f"### {alert['alert']}\n" in (PROJECT / page).read_text(encoding="utf-8")


def test_what_failures_are_watched_for_is_told_before_the_first() -> None:
    (watched,) = {
        value for _, asked in selectors(EXPRESSIONS["JobsFail"]) for label, _, value in asked if label == "problem"
    }
    assert set(watched.split("|")) <= {*JOB_PROBLEMS, OTHER}


def test_every_runbook_has_its_alert() -> None:
    written = re.findall(r"^### (\w+)$", (PROJECT / "docs" / "monitoring.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert written == [alert["alert"] for alert in ALERTS]


def test_alerts_read_only_labels_that_their_expressions_leave() -> None:
    for alert in ALERTS:
        shown = set(re.findall(r"\$labels\.(\w+)", alert["annotations"]["summary"]))
        grouped = re.findall(r"\bby \(([^)]*)\)", alert["expr"])
        assert shown <= ({name.strip() for each in grouped for name in each.split(",")} or PUT_ON_BY_PROMETHEUS)


# -- the dashboard


def test_the_dashboard_is_one_for_grafana_10_and_any_prometheus() -> None:
    assert DASHBOARD["uid"] == DASHBOARD["title"] == "overspill"
    assert DASHBOARD["schemaVersion"] >= 38
    (chosen,) = DASHBOARD["templating"]["list"]
    assert (chosen["name"], chosen["type"], chosen["query"]) == ("datasource", "datasource", "prometheus")
    uses = {
        it["datasource"]["uid"] for panel in PANELS for it in [panel, *panel.get("targets", ())] if "datasource" in it
    }
    assert uses == {"${datasource}"}


def test_grafana_s_own_types_know_all_of_it() -> None:
    register_default_plugins()  # panels and queries
    misspelt = json.loads(json.dumps(DASHBOARD).replace('"lineWidth"', '"lineWith"'))
    assert list(lost(DASHBOARD, read_and_written(DASHBOARD))) == []
    assert any(path.endswith("/custom/lineWith") for path in lost(misspelt, read_and_written(misspelt)))


def read_and_written(dashboard: dict[str, Any]) -> Any:
    return json.loads(json.dumps(Dashboard.from_json(dashboard), cls=JSONEncoder))


def lost(given: Any, kept: Any, path: str = "") -> Iterator[str]:
    """The paths of what was given and has not stayed as it was."""
    if isinstance(given, dict) and isinstance(kept, dict):
        for name, value in given.items():
            yield from lost(value, kept.get(name), f"{path}/{name}")
    elif isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        for number, (one, other) in enumerate(zip(given, kept, strict=True)):
            yield from lost(one, other, f"{path}/{number}")
    elif given != kept:
        yield path


def test_its_panels_have_ids_of_their_own_and_say_what_they_show() -> None:
    ids = [panel["id"] for panel in PANELS]
    assert len(ids) == len(set(ids))
    for panel in PANELS:
        assert panel["type"] in {"row", "stat", "timeseries"}
        assert panel["title"]
        assert panel["type"] == "row" or panel["description"].endswith(".")
        assert panel["type"] == "row" or panel["targets"]


def test_its_panels_lie_side_by_side() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken
        taken |= cells


# -- who scrapes what


def test_every_service_of_ours_is_scraped_at_the_port_that_it_has() -> None:
    job = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"][0]
    (found,) = job["dns_sd_configs"]
    ours = {name: service for name, service in STACK["services"].items() if name not in {"rabbitmq", "pubsub"}}
    assert set(found["names"]) == ours.keys()
    for service in ours.values():
        told = service["environment"]
        assert (told["OVERSPILL_METRICS_PORT"], told["OVERSPILL_METRICS_HOST"]) == (found["port"], "0.0.0.0")
        assert not any(str(found["port"]) in port for port in service.get("ports", ()))


def test_machines_are_scraped_with_the_same_names() -> None:
    compose, machines = (yaml.safe_load((FOLDER / f"{name}.yml").read_text()) for name in ("prometheus", "machines"))
    assert compose["rule_files"] == machines["rule_files"] == ["alerts.yml"]
    for before, after in zip(compose["scrape_configs"], machines["scrape_configs"], strict=True):
        assert before["job_name"] == after["job_name"]
    assert all(each["labels"].keys() == {"service"} for each in machines["scrape_configs"][0]["static_configs"])


@pytest.mark.parametrize("name", WATCHERS["services"])
def test_prometheus_and_grafana_are_confined_and_on_loopback(name: str) -> None:
    service = WATCHERS["services"][name]
    assert re.search(r":-[a-z]+/[a-z]+:v?\d+\.\d+\.\d+}$", service["image"])
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert set(service["networks"]) <= STACK["networks"].keys()
    for mount in service["volumes"]:
        source = mount.split(":")[0]
        assert (PROJECT / source).exists() if source.startswith("./") else source in WATCHERS["volumes"]


def test_prometheus_is_on_every_network_that_it_scrapes_in() -> None:
    ours = [service for name, service in STACK["services"].items() if name != "pubsub"]
    assert all(set(service["networks"]) & set(WATCHERS["services"]["prometheus"]["networks"]) for service in ours)
