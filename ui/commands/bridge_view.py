"""What `overspill status` tells of the bridges to the cloud, in lines. Pure."""

from collections.abc import Sequence

from bus.events import BridgeStatus
from bus.prices import dollars
from ui.commands.wording import short
from ui.fleet.look import active_of


def bridge_lines(bridges: Sequence[BridgeStatus]) -> list[str]:
    """How the bridges are, what the active one has in the cloud and spent there, and what became of it.

    `bridges` are those heard lately, the last one first; nothing is told without one.
    """
    active = active_of(bridges)
    names = [bridge.bridge for bridge in bridges if not bridge.active]
    standby = [f"Bridges standing by: {', '.join(names)}"] if names else []
    return [*(_of_active(active) if active else []), *standby]


def _of_active(bridge: BridgeStatus) -> list[str]:
    state = f"{bridge.state}: {bridge.reason}" if bridge.reason else bridge.state
    seconds = ", ".join(f"{operation} {short(took)}" for operation, took in sorted(bridge.seconds.items()))
    serves = [f"serves {', '.join(bridge.operations)}"] if bridge.operations else []
    takes = [f"an answer takes {seconds}"] if seconds else []
    return [
        f"Bridge: {bridge.bridge}, {state}, {', '.join(_of_jobs(bridge))}",
        *([f"In the cloud: {'; '.join([*serves, *takes])}"] if serves or takes else []),
    ]


def _of_jobs(bridge: BridgeStatus) -> list[str]:
    capacity = f" of {bridge.capacity}" if bridge.capacity else ""
    per_minute = "" if bridge.jobs_per_minute is None else f" of {bridge.jobs_per_minute}"
    per_day = "" if bridge.money_per_day is None else f" of {dollars(bridge.money_per_day)}"
    return [
        f"{bridge.in_flight}{capacity} jobs in the cloud",
        f"{bridge.sent_last_minute}{per_minute} sent in the last minute",
        f"{dollars(bridge.spent_today)}{per_day} spent in 24 hours",
        f"{bridge.answered} answered",
        *([f"{bridge.gone} for callers who were gone"] if bridge.gone else []),
        *([f"{bridge.late} came late or twice"] if bridge.late else []),
    ]
