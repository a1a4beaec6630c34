"""One page for all tests of the API, and a new person for each."""

import uuid
from collections.abc import Iterator

import httpx
import pytest

from tests.conftest import Vhosts
from tests.ui.web.api.house import House, open_house


@pytest.fixture(scope="package")
def house(vhosts: Vhosts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A running page, with a worker that answers."""
    name = f"page-{uuid.uuid4().hex[:12]}"
    with open_house(vhosts.add_vhost(name), tmp_path_factory.mktemp("page")) as opened:
        yield opened
    vhosts.delete_vhost(name)


@pytest.fixture
def anna(house: House) -> Iterator[httpx.Client]:
    """A program of somebody who has no jobs yet."""
    yield from _somebody(house)


@pytest.fixture
def ben(house: House) -> Iterator[httpx.Client]:
    """A program of somebody else."""
    yield from _somebody(house)


def _somebody(house: House) -> Iterator[httpx.Client]:
    with house.client(house.token(f"person-{uuid.uuid4().hex[:12]}")) as client:
        yield client
