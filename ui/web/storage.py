"""Where the page keeps what must outlive it: its folder, and the one database of jobs, people and webhooks."""

from pathlib import Path

from bus.settings import Settings
from ui.web.jobs import rows
from ui.web.jobs.database import Database
from ui.web.people import tables


def page_folder(settings: Settings) -> Path:
    """The folder of the page."""
    return settings.page_dir or settings.state_dir / "page"


def database_of(settings: Settings) -> Database:
    """The page's database, not yet open. Commands open the same file while the page runs."""
    # It brings an HTTP client along, which no command needs before it is asked something.
    from ui.web.webhooks.webhooks import SCHEMA  # noqa: PLC0415

    return Database(page_folder(settings) / "page.db", rows.SCHEMA + tables.SCHEMA + SCHEMA)
