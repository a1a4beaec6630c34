"""A pytest plugin (`-p tests.compose.broker_elsewhere`): leave out tests that stop and start the broker themselves.

They can only do that to the private node, so they have nothing to tell of a broker that runs elsewhere.
"""

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what asks for the private node by name."""
    own = [item for item in items if "private_broker" in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=own)
    items[:] = [item for item in items if item not in own]
