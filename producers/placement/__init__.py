"""Which machine takes a job, by four rules of which the settings name one; all of it pure.

`place` decides; `fitted` makes a decision's receipt fit its event, and `replay` decides again from the receipt.
"""

from producers.placement.choices import SHOWN, Choice, Inputs, Overflow, Park, Rules, ToVm, Wait, Wish
from producers.placement.decide import place
from producers.placement.receipts import fitted, replay
from producers.placement.scene import LOOKED_AT, Known

__all__ = [
    "LOOKED_AT",
    "SHOWN",
    "Choice",
    "Inputs",
    "Known",
    "Overflow",
    "Park",
    "Rules",
    "ToVm",
    "Wait",
    "Wish",
    "fitted",
    "place",
    "replay",
]
