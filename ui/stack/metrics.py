"""Where the programs of a stack tell their metrics: at ports of their own, kept when they start again. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from ui.stack.plan import Program

URLS: Final = "METRICS_URLS"
"""Under this name `overspill env` tells them, as `router=http://127.0.0.1:20001/metrics,vm1=...`."""


def given(programs: Iterable[Program], ports: Mapping[str, int], host: str) -> tuple[Program, ...]:
    """The programs, each told its port, by name, and the address to tell its metrics on."""
    return tuple(
        replace(
            each,
            environ={
                **each.environ,
                "OVERSPILL_METRICS_HOST": host,
                "OVERSPILL_METRICS_PORT": str(ports[each.name]),
            },
        )
        for each in programs
    )


def address(ports: Mapping[str, int], host: str) -> dict[str, str]:
    """What `overspill env` tells of them."""
    return {URLS: ",".join(f"{name}=http://{host}:{port}/metrics" for name, port in ports.items())}
