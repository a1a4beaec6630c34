"""One connection: how it is opened, asked, and ended."""

import pytest
from pika.exceptions import ChannelClosedByClient, ConnectionWrongStateError

from bus.errors import Disconnected, Refused
from bus.rabbit import Bus
from bus.rabbit import session as module
from bus.rabbit.session import Session, asking, parameters
from tests.bus.rabbit.conftest import WORK
from tests.bus.rabbit.foreign import network

pytestmark = pytest.mark.broker


async def test_a_broker_that_does_not_say_goodbye_is_hung_up_on(amqp_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CLOSES_WITHIN_S", 0.1)
    async with network(amqp_url) as between:
        bus = Bus(between.url, name="test", topology=WORK)
        await bus.start(30)
        session = bus._session
        assert session is not None
        assert session._connection is not None
        between.freeze()
        await bus.close()
        assert session._connection.is_closed


@pytest.mark.parametrize(
    "error", [OSError("gone"), ChannelClosedByClient(0, "bye"), ConnectionWrongStateError("closing")]
)
async def test_whatever_a_lost_connection_raises_is_one_error(error: Exception) -> None:
    with pytest.raises(Disconnected), asking(Session(1), "work"):
        raise error


async def test_a_fault_of_ours_counts_as_a_lost_connection_only_when_it_ended_one() -> None:
    session = Session(1)
    with pytest.raises(LookupError), asking(session, "work"):
        raise LookupError("a fault of ours")
    session.end(LookupError("a fault of ours"))
    with pytest.raises(Disconnected), asking(session, "work"):
        raise LookupError("a fault of ours")


@pytest.mark.parametrize("error", [Refused("no"), TimeoutError("no answer")])
async def test_an_error_that_says_more_stays_what_it_is(error: Exception) -> None:
    with pytest.raises(type(error)), asking(Session(1), "work"):
        raise error


def test_the_connection_is_named_and_its_heartbeat_is_ours() -> None:
    given = parameters("amqp://u:p@host:1/v?heartbeat=600", "vm vm1", 5)
    assert given.heartbeat == 5
    assert given.client_properties == {"connection_name": "vm vm1"}
