"""The only package that speaks AMQP: `Bus`, one self-mending connection on the caller's event loop.

Everything runs on that loop's thread, so a delivery is always acked on the connection's own thread. Three channels keep
unlike traffic apart: deliveries and their acks, confirmed publishes, and unconfirmed telemetry.
"""

from bus.rabbit.borrowing import Loan
from bus.rabbit.connection import Bus
from bus.rabbit.consuming import Consumer, Delivery, Handler
from bus.rabbit.history import Followed

__all__ = ["Bus", "Consumer", "Delivery", "Followed", "Handler", "Loan"]
