"""A decision's receipt: what it rested on, in a job's event, so that it can be told again. Pure."""

from bus.events import RECEIPT_BYTES, Candidate, CloudSeen, JobEvent
from bus.topology import CLOUD_KEY
from bus.wire import cut
from producers.placement.choices import Asked, Offer, Rules
from producers.placement.policies import POLICIES, Policy

CLOSED = CloudSeen(open=False)


def limits(asked: Asked, policy: Policy) -> dict[str, float]:
    """The settings and circumstances that the policy read, by short names; without seconds that are 0, to be short."""
    rules = asked.rules
    known = {"cpu": rules.cpu_threshold, "ram": rules.ram_threshold, "slots": asked.slots}
    known |= {name: value for name in ("behind_s", "enough_s") if (value := getattr(asked, name))}
    return {name: known[name] for name in policy.reads if name in known}


def candidate(offer: Offer, asked: Asked, policy: Policy) -> Candidate:
    """An offer as it is recorded."""
    vm, load, ram, age_s, held, slots, room, end_s, late_s = offer
    verdict = policy.verdict(offer, asked.rules) if offer.fits(asked.slots) else _no_room(offer, asked.slots)
    return Candidate(
        vm=vm,
        load=load,
        ram=ram,
        age_s=age_s,
        held=held,
        slots=slots,
        room=room,
        end_s=end_s,
        late_s=late_s,
        verdict=verdict,
    )


def replay(event: JobEvent) -> str | None:
    """What the policy chooses, given again what the event recorded.

    A VM's name, `cloud` for the cloud, or None: to wait, or there is no receipt, since no policy was asked.
    """
    policy = POLICIES.get(event.policy or "")
    if policy is None:
        return None
    decision = policy.choose(_asked(event), [_offer(told) for told in event.candidates])
    return decision.shown[0].vm if decision.route == "vm" else CLOUD_KEY if decision.route == "cloud" else None


def fitted(event: JobEvent) -> JobEvent:
    """The event in 1,024 bytes of JSON.

    In this order it loses: the last candidates, but none without which its choice would be another; the end of its
    reason; what is only there to be read; and the receipt. An event whose ids alone are too long stays so.
    """
    for shorter in (_without_last, _with_shorter_reason, _without_remarks, _without_trace, _without_receipt):
        if _excess(event) <= 0:
            break
        event = shorter(event)
    return event


def _no_room(offer: Offer, slots: int) -> str:
    return f"room for {offer.room} of {offer.needed(slots)} slots" if offer.room else "no free slot"


def _offer(told: Candidate) -> Offer:
    figures = (told.load, told.ram, told.age_s, told.held, told.slots, told.room, told.end_s, told.late_s)
    return Offer(told.vm, *figures)


def _asked(event: JobEvent) -> Asked:
    known, default = event.limits, Rules()
    rules = Rules(event.policy or "", known.get("cpu", default.cpu_threshold), known.get("ram", default.ram_threshold))
    cloud, slots = event.cloud or CLOSED, int(known.get("slots", 1))
    return Asked(slots, rules, cloud, known.get("behind_s", 0.0), known.get("enough_s", 0.0))


def _excess(event: JobEvent) -> int:
    return len(event.model_dump_json(exclude_none=True).encode()) - RECEIPT_BYTES


def _without_last(event: JobEvent) -> JobEvent:
    chosen, all_told = replay(event), event.candidates
    for many in range(_affordable(event), len(all_told)):
        fewer = event.model_copy(update={"candidates": all_told[:many]})
        if replay(fewer) == chosen:
            return fewer
    return event


def _affordable(event: JobEvent) -> int:
    """How many candidates fit: told by their lengths, since to write the whole event each time takes long."""
    excess, many = _excess(event), len(event.candidates)
    while many and excess > 0:
        many -= 1
        excess -= len(event.candidates[many].model_dump_json(exclude_none=True).encode()) + 1
    return many


def _with_shorter_reason(event: JobEvent) -> JobEvent:
    reason = event.reason or ""
    left = len(reason.encode()) - _excess(event) - len("…".encode())
    return event.model_copy(update={"reason": f"{cut(reason, left)}…" if left > 0 else None})


def _without_remarks(event: JobEvent) -> JobEvent:
    bare = tuple(told.model_copy(update={"verdict": ""}) for told in event.candidates)
    cloud = event.cloud and event.cloud.model_copy(update={"why": None})
    return event.model_copy(update={"candidates": bare, "cloud": cloud})


def _without_trace(event: JobEvent) -> JobEvent:
    return event.model_copy(update={"traceparent": None})


def _without_receipt(event: JobEvent) -> JobEvent:
    return event.model_copy(update={"policy": None, "limits": {}, "candidates": (), "cloud": None})
