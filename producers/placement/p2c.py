"""The power of two choices: the less filled of two VMs drawn by lot. Pure.

Two are enough to make long lines rare, and no two routers, nor two jobs of one second, need run after the same best VM
(Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001).
"""

from collections.abc import Sequence
from hashlib import blake2b
from itertools import islice

from producers.placement import least_loaded
from producers.placement.choices import Asked, Decision, Offer
from producers.placement.scene import LOOKED_AT, Scene


def look(scene: Scene) -> list[Offer]:
    """Two of the open VMs, drawn by the job's key, so that the same attempt draws the same again."""
    views = list(islice(scene.open(), LOOKED_AT))
    if len(views) > 2:
        views = [views[place] for place in drawn(scene.wish.key, len(views))]
    return [scene.offer(view) for view in views] if views else scene.first_offers()


def choose(asked: Asked, offers: Sequence[Offer]) -> Decision:
    """Take the less filled of the offers, then the less loaded one; overflow when there is none."""
    decision = least_loaded.choose(asked, offers)
    if decision.route != "vm":
        return decision
    said = "the less filled of two VMs drawn by lot" if len(decision.shown) > 1 else "the only VM with room"
    return decision._replace(reason=said)


def drawn(key: str, count: int) -> tuple[int, int]:
    """Two different places under `count` (two or more), each pair as likely as any other."""
    number = int.from_bytes(blake2b(key.encode(), digest_size=8).digest())
    number, first = divmod(number, count)
    second = number % (count - 1)
    return first, second + (second >= first)
