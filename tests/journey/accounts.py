"""Accounts of a page, made as whoever runs it makes them."""

import os
import subprocess
import sys

from tests.ui.web.pages.studio import Studio

PASSWORD = "long enough to be one"


def add_account(studio: Studio, name: str) -> None:
    """As whoever runs the site does it."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OVERSPILL_")}
    environment |= {"OVERSPILL_PAGE_DIR": str(studio.settings.page_dir), "OVERSPILL_PAGE_LOGIN": "accounts"}
    command = [sys.executable, "-m", "ui.cli", "user", "add", name]
    subprocess.run(command, env=environment, input=f"{PASSWORD}\n", text=True, check=True, timeout=60)
