"""The page around the webhooks, new for each test."""

from pathlib import Path

import pytest

from tests.ui.web.webhooks.page import Page


@pytest.fixture
def page(tmp_path: Path) -> Page:
    return Page(tmp_path)
