"""What the routes and the pages are given: the parts of one page process."""

from dataclasses import dataclass

from bus.rabbit import Bus
from bus.settings import Settings
from ui.web.jobs.desk import Desk
from ui.web.live.live import Live
from ui.web.people.people import People
from ui.web.webhooks.webhooks import Webhooks


@dataclass(frozen=True, slots=True)
class Web:
    """One page process."""

    settings: Settings
    bus: Bus
    desk: Desk
    people: People
    live: Live
    webhooks: Webhooks
