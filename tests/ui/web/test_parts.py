"""The parts of a page begin without a broker, and end in the other order."""

from pathlib import Path

import pytest

from bus.errors import SetupError
from bus.settings import Settings
from ui.web.parts import running


async def test_a_page_is_put_together_while_the_broker_is_away(tmp_path: Path) -> None:
    settings = Settings(page_dir=tmp_path, page_login="open")
    async with running(settings, "amqp://127.0.0.1:1/") as web:
        assert not web.bus.connected
        assert await web.desk.page_of("demo") == []
        assert web.webhooks._options.private
    async with running(settings, "amqp://127.0.0.1:1/"):
        pass  # everything was let go of


async def test_one_page_at_a_time_uses_a_folder(tmp_path: Path) -> None:
    settings = Settings(page_dir=tmp_path, page_login="open")
    async with running(settings, "amqp://127.0.0.1:1/"):
        with pytest.raises(SetupError, match="OVERSPILL_PAGE_DIR"):
            async with running(settings, "amqp://127.0.0.1:1/"):
                pass


async def test_webhooks_stay_on_the_internet_unless_told_otherwise(tmp_path: Path) -> None:
    settings = Settings(page_dir=tmp_path, page_login="open", page_webhooks_private=False)
    async with running(settings, "amqp://127.0.0.1:1/") as web:
        assert not web.webhooks._options.private
