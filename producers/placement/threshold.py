"""The 40 % rule: a VM under the thresholds takes the job; when all are over, it overflows. Pure."""

from collections.abc import Sequence
from itertools import islice

from producers.placement.choices import SHOWN, Asked, Decision, Offer, Rules, nobody_fits
from producers.placement.scene import LOOKED_AT, Scene


def look(scene: Scene) -> list[Offer]:
    """The offers to choose from. A job overflows only after every VM with room was looked at."""
    offers = scene.first_offers()
    rules = scene.asked.rules
    if scene.asked.cloud.open and not _under(offers, rules):
        others = map(scene.offer, islice(scene.open(), LOOKED_AT, None))
        offers += islice((offer for offer in others if is_under(offer, rules)), 1)
    return offers


def choose(asked: Asked, offers: Sequence[Offer]) -> Decision:
    """Take the least filled VM under the thresholds, then the least loaded one.

    Without an open cloud a VM over the thresholds takes the job all the same: they choose between a VM and the cloud,
    not between working and idling.
    """
    rules = asked.rules
    fitting = [offer for offer in offers if offer.fits(asked.slots)]
    if not fitting:
        return nobody_fits(asked, offers)
    under = _under(fitting, rules)
    if under:
        over = [offer for offer in fitting if not is_under(offer, rules)] if len(under) < SHOWN else []
        said = f"under {rules.cpu_threshold:g} % CPU and {rules.ram_threshold:g} % RAM"
        return Decision("vm", said, [*_best(under), *_best(over)])
    if asked.cloud.open:
        return Decision("cloud", "every VM with room is over the thresholds", _best(fitting))
    why = asked.cloud.why or "no reason was given"
    said = f"every VM with room is over the thresholds, and the cloud is not open: {why}"
    return Decision("vm", said, _best(fitting))


def verdict(offer: Offer, rules: Rules) -> str:
    """What the rule says of a VM with room."""
    if offer.load >= rules.cpu_threshold:
        return f"CPU over {rules.cpu_threshold:g} %"
    return "can take it" if is_under(offer, rules) else f"RAM over {rules.ram_threshold:g} %"


def is_under(offer: Offer, rules: Rules) -> bool:
    """Whether a VM is under both thresholds."""
    return offer.load < rules.cpu_threshold and offer.ram < rules.ram_threshold


def _under(offers: Sequence[Offer], rules: Rules) -> list[Offer]:
    cpu, ram = rules.cpu_threshold, rules.ram_threshold  # in line, as in `is_under`: done for 64 offers with each job
    return [offer for offer in offers if offer.load < cpu and offer.ram < ram]


def _best(offers: list[Offer]) -> list[Offer]:
    """The emptiest first, then the least loaded; the name makes it deterministic."""
    return sorted(offers, key=_order)[:SHOWN]


def _order(offer: Offer) -> tuple[float, float, str]:
    return offer.held / (offer.held + offer.room), offer.load, offer.vm
