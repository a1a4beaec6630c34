"""One event of each kind as it may be told, for the documents. Pure."""

from typing import Final

from bus.events import AnyEvent, BridgeStatus, Candidate, CloudSeen, Heartbeat, JobEvent, RouterStatus, VmEvent

_AT_MS: Final = 1_767_225_600_000
"""The first moment of 2026."""

EXAMPLES: Final[dict[str, AnyEvent]] = {
    "heartbeat": Heartbeat(
        vm="vm1",
        session="5f2b6c",
        started_ms=_AT_MS - 60_000,
        seq=60,
        at_ms=_AT_MS,
        cpu_percent=31.5,
        ram_percent=48.0,
        cores=2,
        slots=2,
        look_ahead=1,
        running=1,
        held=("0f9d2c41",),
        oldest_running_s=0.4,
        operations=("sketch", "remove-background"),
        not_served={"caption": "torch is not installed: pip install 'overspill[caption]'."},
        worker="ready",
        done=17,
    ),
    "jobEvent": JobEvent(
        state="routed",
        job="holiday-17",
        operation="sketch",
        user="anna",
        at_ms=_AT_MS,
        vm="vm1",
        route="vm",
        attempt=1,
        placement="0f9d2c41",
        waited_ms=12,
        sent_ms=_AT_MS - 1000,
        pixels=2_073_600,
        bytes=412_345,
        priority=5,
        site="any",
        reason="under 40 % CPU and 90 % RAM",
        eta_s=(0.2, 0.6),
        policy="threshold",
        limits={"cpu": 40.0, "ram": 90.0, "slots": 2.0},
        candidates=(
            Candidate(
                vm="vm1",
                load=31.5,
                ram=48.0,
                age_s=0.3,
                held=1,
                slots=2,
                room=2,
                end_s=0.2,
                late_s=0.6,
                verdict="can take it",
            ),
        ),
        cloud=CloudSeen(open=False, why="no bridge is alive"),
    ),
    "vmEvent": VmEvent(state="lost", vm="vm2", at_ms=_AT_MS, reason="not heard for 3.1 s"),
    "routerStatus": RouterStatus(
        router="router host1 4711",
        at_ms=_AT_MS,
        routed=1204,
        queued=3,
        waiting={"caption": "no VM serves it"},
        drained=("vm3",),
        lost={"vm2": 754.2},
    ),
    "bridgeStatus": BridgeStatus(
        bridge="bridge host1 4712",
        state="full",
        at_ms=_AT_MS,
        in_flight=8,
        capacity=8,
        sent_last_minute=42,
        spent_today=0.17,
        money_per_day=5.0,
        seconds={"sketch": 1.8},
        answered=391,
        reason="8 jobs are in the cloud, as many as may be",
    ),
}
