"""What tests of the guard share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.ui.web.asked import Page, guarded


@pytest.fixture
async def asking(tmp_path: Path) -> AsyncIterator[Page]:
    """An open page."""
    async with guarded(tmp_path, page_login="open") as opened:
        yield opened
