"""What `overspill doctor` makes of what it sees: from facts to findings, each with its remedy. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bus.settings import MIB, Settings
from ui.stack.extras import NEEDED, remedy

OLDEST_PYTHON = (3, 11)
_BROKER_PATIENCE_S = 1800
"""RabbitMQ closes the channel of a consumer that holds a message for longer, unless told otherwise."""
_LEAST_DISK = 256 * MIB
_COMFORTABLE_DISK = 2048 * MIB


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `remedy` tells how to mend what is not `ok`."""

    level: Literal["ok", "warn", "fail"]
    subject: str
    detail: str
    remedy: str = ""


def python(version: Sequence[int]) -> Finding:
    """Whether this Python will do."""
    text = ".".join(str(part) for part in version[:3])
    if tuple(version[:2]) >= OLDEST_PYTHON:
        return Finding("ok", "Python", text)
    return Finding("fail", "Python", f"{text} is too old.", "Install Python 3.11 or newer and run `make up` again.")


def packages(name: str, missing: Collection[str]) -> Finding:
    """Whether the packages of an optional part are there; a router or a client needs none of them."""
    if not missing:
        return Finding("ok", f"packages [{name}]", "installed")
    detail = f"{', '.join(missing)} not installed; only needed {NEEDED[name]}."
    return Finding("warn", f"packages [{name}]", detail, remedy(name))


def broker(address: str, error: str | None) -> Finding:
    """Whether the broker in use answers and has what we need; declaring our exchanges there has told."""
    if error is None:
        return Finding("ok", "broker", f"answers at {address}, with the exchanges and queues we need")
    return Finding("fail", "broker", error)


def private_broker(missing: str | None, *, has_plugin: bool) -> Finding:
    """Whether `overspill up` could start a broker, where none is in use."""
    if missing is not None:
        return Finding("fail", "broker", missing)
    if not has_plugin:
        detail = "RabbitMQ is installed without rabbitmq_consistent_hash_exchange, which ships with it."
        return Finding("fail", "broker", detail, "Reinstall RabbitMQ from its packages: `make rabbitmq`.")
    return Finding("ok", "broker", "none is in use; RabbitMQ is installed, and `overspill up` starts one")


def emulator(jar: str, error: str | None) -> Finding:
    """Whether the cloud can be played on this machine. Optional."""
    if error is None:
        return Finding("ok", "Pub/Sub emulator", jar)
    said, _, how = error.partition(". ")
    return Finding("warn", "Pub/Sub emulator", f"{said}; only needed to try the cloud path here.", how)


def blobs(url: str | None, error: str | None, most_inline: int) -> Finding:
    """Whether the blob store takes, gives back and removes something; `error` is what it said to that."""
    if url is None:
        detail = f"none; pictures and results over {most_inline / MIB:g} MiB are refused"
        return Finding("ok", "blob store", detail)
    if error is None:
        return Finding("ok", "blob store", f"{url} takes and gives")
    return Finding("fail", "blob store", error, "docs/claims.md tells what a store needs.")


def operations(served: Collection[str], not_served: Mapping[str, str]) -> list[Finding]:
    """What a VM on this machine would serve, as its own computing process tells."""
    level: Literal["warn", "fail"] = "warn" if served else "fail"
    found = [Finding("ok", f"operation {name}", "loads and runs here") for name in served]
    return found + [Finding(level, f"operation {name}", "not served here.", why) for name, why in not_served.items()]


def disk(path: str, free_bytes: int) -> Finding:
    """Whether there is room for the broker's data and the models."""
    detail = f"{free_bytes / (1024 * MIB):.1f} GiB free at {path}"
    if free_bytes < _LEAST_DISK:
        remedy = "Free some: RabbitMQ takes no jobs below 200 MB. Or set OVERSPILL_STATE_DIR to a larger disk."
        return Finding("fail", "disk", detail, remedy)
    if free_bytes < _COMFORTABLE_DISK:
        return Finding("warn", "disk", detail, "Models take up to 2 GiB: set OVERSPILL_STATE_DIR to a larger disk.")
    return Finding("ok", "disk", detail)


def ports(error: str | None) -> Finding:
    """Whether a private broker would find a port."""
    return Finding("ok", "ports", "free ones found") if error is None else Finding("fail", "ports", error)


def time_outs(settings: Settings) -> list[Finding]:
    """Whether the times in the settings fit each other and the broker."""
    held_s = settings.job_timeout_s * (1 + settings.look_ahead)
    found = []
    if held_s >= _BROKER_PATIENCE_S:
        detail = f"a VM may hold a job for {held_s:g} s; RabbitMQ closes the channel after {_BROKER_PATIENCE_S} s."
        remedy = "Lower OVERSPILL_JOB_TIMEOUT_S or OVERSPILL_LOOK_AHEAD, or raise the broker's consumer_timeout."
        found.append(Finding("fail", "time-outs", detail, remedy))
    if settings.lost_after_s < 1:
        detail = f"a VM counts as lost after {settings.lost_after_s:g} s of silence, which a busy machine can cause."
        remedy = "Raise OVERSPILL_LOST_AFTER_BEATS or OVERSPILL_BEAT_INTERVAL_S."
        found.append(Finding("warn", "time-outs", detail, remedy))
    fine = f"a job may run {settings.job_timeout_s:g} s; a silent VM is lost after {settings.lost_after_s:g} s"
    return found or [Finding("ok", "time-outs", fine)]


def failed(found: Collection[Finding]) -> bool:
    """Whether anything needed is missing."""
    return any(finding.level == "fail" for finding in found)
