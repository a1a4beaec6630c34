"""Which parts of a cloud the stack of one machine plays itself, and what to say of those it lacks. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from bus.settings import Settings

EMULATOR: Final = "pubsub"
SERVICE: Final = "cloud"
BRIDGE: Final = "bridge"

PROJECT: Final = "overspill"
"""Of the topics on an emulator of our own."""
_WAIT: Final = "until then jobs wait for the VMs"


@dataclass(frozen=True, slots=True)
class Parts:
    """What to start: an emulator of Pub/Sub, a cloud service, a bridge. `lacking` says why there is none of it."""

    emulator: bool = False
    service: bool = False
    bridge: bool = False
    lacking: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """Those that say themselves when they work."""
        return frozenset(name for name, wanted in ((SERVICE, self.service), (BRIDGE, self.bridge)) if wanted)


def parts(chosen: Settings, missing: Mapping[str, str]) -> Parts:
    """What a stack with these settings starts, where `missing` names the parts that can't run here, and the remedy."""
    wanted = _wanted(chosen)
    lacking = tuple(_lacking(chosen, wanted, missing))
    return Parts(lacking=lacking) if lacking else wanted


def _wanted(chosen: Settings) -> Parts:
    if chosen.cloud == "none":
        return Parts()
    elsewhere = chosen.cloud == "http" or bool(chosen.cloud_project or chosen.pubsub_emulator_host)
    return Parts(emulator=not elsewhere, service=not elsewhere and not chosen.cloud_services, bridge=True)


def _lacking(chosen: Settings, wanted: Parts, missing: Mapping[str, str]) -> Iterator[str]:
    if chosen.cloud == "none":
        yield "no cloud: it is turned off (OVERSPILL_CLOUD=none); jobs wait for the VMs"
    if chosen.cloud == "http" and not chosen.cloud_services:
        yield f"no cloud: OVERSPILL_CLOUD=http needs addresses; name them in OVERSPILL_CLOUD_SERVICES; {_WAIT}"
    # What the service lacks includes what the bridge does, and its remedy helps both.
    bridge = wanted.bridge and not (wanted.service and SERVICE in missing)
    needed = ((EMULATOR, wanted.emulator), (SERVICE, wanted.service), (BRIDGE, bridge))
    yield from (f"no cloud: {missing[name]}; {_WAIT}" for name, wants in needed if wants and name in missing)


def service_environ(port: int) -> dict[str, str]:
    """What the cloud service of a stack is told: it can't be reached from elsewhere, and the emulator signs nothing."""
    return {
        "PORT": str(port),
        "OVERSPILL_SERVICE_HOST": "127.0.0.1",
        "OVERSPILL_SLOTS": "1",
        "OVERSPILL_VM_NAME": f"{SERVICE}-1",
        "OVERSPILL_CLOUD_PUSH_UNVERIFIED": "true",
    }


def welcome(parts: Parts, chosen: Settings, late: frozenset[str]) -> tuple[str, ...]:
    """What to say of the cloud when the stack is ready; `late` names what of it has not said yet that it works."""
    if not parts.bridge:
        return ()
    where = chosen.pubsub_emulator_host or chosen.cloud_project
    services = ", ".join(url for _, url in chosen.cloud_services)
    told = " -> ".join(part for part in (where if chosen.cloud == "pubsub" else None, services) if part)
    waits = f"; not ready yet: {', '.join(sorted(late))}" if late else ""
    return (f"cloud    {told}{waits}",)
