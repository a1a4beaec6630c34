"""Where a dead job's picture is found."""

from pathlib import Path

import pytest

from bus.blobs import Blobs
from bus.errors import OverspillError
from bus.messages import Message
from bus.settings import Settings
from ui.commands.dead_work import picture


async def test_a_picture_is_in_the_letter_or_in_the_blob_store(tmp_path: Path) -> None:
    store = Settings(blobs=f"file://{tmp_path}", state_dir=tmp_path)
    blobs = Blobs.of(store)
    assert blobs is not None
    claim = await blobs.put("pictures", b"large")
    assert await picture(store, Message(b"small")) == b"small"
    assert await picture(store, Message(headers={"claim": claim})) == b"large"


async def test_without_a_store_or_a_picture_the_remedy_is_told(tmp_path: Path) -> None:
    nowhere = Settings(state_dir=tmp_path)
    with pytest.raises(OverspillError, match="OVERSPILL_BLOBS"):
        await picture(nowhere, Message(headers={"claim": "pictures/20270115/" + "0" * 32}))
    with pytest.raises(OverspillError, match="no picture"):
        await picture(nowhere, Message())
