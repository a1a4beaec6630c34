"""The VM that is filled least, of all that are looked at. Pure."""

from collections.abc import Sequence

from producers.placement.choices import SHOWN, Asked, Decision, Offer, nobody_fits


def choose(asked: Asked, offers: Sequence[Offer]) -> Decision:
    """Take the VM with the fewest slots taken per slot, this job's counted, then the least loaded one.

    The job overflows when no VM has room.
    """
    slots = asked.slots
    fitting = [offer for offer in offers if offer.fits(slots)]
    if not fitting:
        return nobody_fits(asked, offers)
    shown = sorted(fitting, key=lambda offer: (offer.filled(slots), offer.load, offer.vm))[:SHOWN]
    return Decision("vm", f"the least filled, with {shown[0].held} of {shown[0].slots} slots taken", shown)
