"""Writes the reference pages that are made from the code: `python docs/generate.py`.

`asyncapi.yaml` comes from `bus.asyncapi`, `settings.md` from `bus.settings`, `problems.md` from `bus.problems`,
`metrics.md` from `telemetry.metrics.families`. A test holds them in step.
"""

import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # so that it runs from any folder, installed or not

from bus import asyncapi  # noqa: E402 (after the path it needs)
from bus.page_settings import PageSettings  # noqa: E402
from bus.problems import Kind  # noqa: E402
from bus.settings import Settings  # noqa: E402
from bus.telemetry_settings import TelemetrySettings  # noqa: E402
from telemetry.metrics.families import FAMILIES, Family  # noqa: E402

MADE: Final = "<!-- Made from the code by `python docs/generate.py`: change the code, then run it. -->"
PROBLEMS: Final = f"""\
# Problems
{MADE}

A job that can't be done is answered with `application/problem+json` (RFC 9457), on a reply queue and over HTTP alike.
`type` is `urn:overspill:problem:` and a name from this table; `detail` tells what happened, `field` which property,
header or parameter is at fault, `limit` the bound that was broken, `remedy` what you can do.

| name | status | title | usual remedy |
|---|---|---|---|
"""
SETTINGS: Final = f"""\
# Settings
{MADE}

The environment comes first, then one TOML file (`overspill.toml` in the working directory, or the one that
`OVERSPILL_CONFIG` names), then the defaults. In the file a setting has its name in lower case and without `OVERSPILL_`,
as in `cpu_threshold = 40`. A wrong value stops the program with a message that names it.

| setting | type | default | meaning |
|---|---|---|---|
"""
METRICS: Final = f"""\
# Metrics
{MADE}

What each process tells at `/metrics`, when `OVERSPILL_METRICS_PORT` names a port, as text or as OpenMetrics.
[monitoring.md](monitoring.md) tells how to scrape it, what to draw of it, and when to be woken.

Each thing is counted by one process, so what several processes tell may be summed. `vm`, `bridge` and so on are what a
process is started as: `overspill vm`. Labels hold names from sets that are known, whatever jobs are sent: an operation
of nobody's is `other`. A VM is told by name, a thousand at the most, until it has been lost for a day. Beside these are
prometheus_client's own of the process: `process_*`, `python_*`.

| name | type | labels | told by | meaning |
|---|---|---|---|---|
"""
COMPUTED: Final = {
    "cloud_services": "none",
    "state_dir": "`.overspill` beside the virtual environment",
    "user_weights": "none",
    "vm_name": "the host's name",
}
LAST: Final = (PageSettings, TelemetrySettings)
LISTS: Final[dict[Any, str]] = {tuple: "names with commas between", dict: "`name=number` with commas between"}
WORDS: Final = {"bool": "true or false", "str": "text", "int": "whole number", "float": "number", "Path": "path"}


class _Plain(yaml.SafeDumper):
    """YAML without anchors: a part that occurs twice is written twice."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 (the signature is PyYAML's)
        return True


def asyncapi_yaml() -> str:
    """The AsyncAPI document as YAML."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    text: str = yaml.dump(asyncapi.document(version), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=110)
    return "# Made from the code by `python docs/generate.py`: change the code, then run it.\n" + text


def problems_md() -> str:
    """The catalogue of problems as a page."""
    rows = [f"| `{k.value.slug}` | {k.value.status} | {k.value.title} | {k.value.remedy} |" for k in Kind]
    return PROBLEMS + "\n".join(rows) + "\n"


def metrics_md() -> str:
    """The table of metrics as a page."""
    return METRICS + "\n".join(map(_metric, FAMILIES)) + "\n"


def _metric(family: Family) -> str:
    labels, programs = (", ".join(f"`{name}`" for name in names) for names in (family.labels, family.told_by))
    return f"| `{family.name}` | {family.kind} | {labels} | {programs} | {family.help} |"


def settings_md() -> str:
    """The table of settings as a page."""
    # pydantic lists a parent's fields before a class's own; a reader wants them last.
    names = sorted(Settings.model_fields, key=lambda name: [name in part.model_fields for part in LAST])
    rows = [_row(name, Settings.model_fields[name]) for name in names]
    return SETTINGS + "\n".join(rows) + "\n"


def _row(name: str, field: FieldInfo) -> str:
    variable = field.validation_alias if isinstance(field.validation_alias, str) else f"OVERSPILL_{name.upper()}"
    return f"| `{variable}` | {_type(field)} | {_default(name, field)} | {field.description} |"


def _default(name: str, field: FieldInfo) -> str:
    if name in COMPUTED:
        return COMPUTED[name]
    if field.default is None:
        return "unset"
    shown = ",".join(map(str, field.default)) if isinstance(field.default, tuple) else field.default
    return f"`{shown}`"


def _type(field: FieldInfo) -> str:
    bounds = {name: getattr(rule, name) for rule in field.metadata for name in _BOUNDS if hasattr(rule, name)}
    said = " and ".join(f"{_BOUNDS[name]} {bound:g}" for name, bound in bounds.items())
    return f"{_word(field.annotation)}, {said}" if said else _word(field.annotation)


_BOUNDS: Final = {"gt": "over", "ge": "at least", "le": "at most", "lt": "under"}


def _word(kind: Any) -> str:
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(_word(part) for part in get_args(kind) if part is not NoneType)
    if get_origin(kind) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(kind))
    return LISTS.get(get_origin(kind)) or WORDS[kind.__name__]


PAGES: Final[dict[str, Callable[[], str]]] = {
    "asyncapi.yaml": asyncapi_yaml,
    "metrics.md": metrics_md,
    "problems.md": problems_md,
    "settings.md": settings_md,
}


def main() -> None:
    """Write every page."""
    for name, render in PAGES.items():
        (ROOT / "docs" / name).write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
