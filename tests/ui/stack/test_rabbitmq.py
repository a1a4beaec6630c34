import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pika
import pytest

from bus.errors import SetupError
from ui.stack import rabbitmq
from ui.stack.processes import listens, speaks_amqp
from ui.stack.rabbitmq import Account, PrivateBroker, configuration

ACCOUNT = Account("ann", "secret", 20_001, 20_002, 20_003)


def connect(url: str) -> pika.BlockingConnection:
    return pika.BlockingConnection(pika.URLParameters(url))


def port_of(url: str) -> int:
    port = pika.URLParameters(url).port
    assert isinstance(port, int)
    return port


def test_the_node_listens_on_loopback_only_with_our_account_and_limit() -> None:
    written = configuration(ACCOUNT, 1234).splitlines()

    assert "listeners.tcp.1 = 127.0.0.1:20001" in written
    assert "default_user = ann" in written
    assert "max_message_size = 1234" in written
    assert "raft.wal_max_size_bytes = 67108864" in written


def test_a_new_account_is_nobody_elses() -> None:
    one, other = Account.new(), Account.new()

    assert "guest" not in (one.user, one.password)
    assert one.password != other.password


def test_an_account_survives_but_moves_off_a_port_that_was_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "account.json"
    kept.write_text(
        '{"user": "ann", "password": "secret", "port": 20001, "distribution_port": 20002, "epmd_port": 20003}'
    )
    monkeypatch.setattr(rabbitmq, "is_free", lambda port: port != 20_001)

    account = Account.of(kept)

    assert (account.user, account.password) == ("ann", "secret")
    assert account.port != 20_001
    assert (account.distribution_port, account.epmd_port) == (20_002, 20_003)


def test_without_rabbitmq_the_error_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rabbitmq, "_SCRIPT", tmp_path / "none")
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(SetupError, match="make rabbitmq"):
        PrivateBroker(tmp_path / "broker").start()


def test_a_broker_that_was_never_started_has_no_address_and_may_be_stopped(tmp_path: Path) -> None:
    broker = PrivateBroker(tmp_path)

    broker.stop()

    with pytest.raises(SetupError, match="start"):
        broker.url()


@pytest.fixture
def broker(tmp_path: Path, private_broker: PrivateBroker) -> Iterator[PrivateBroker]:
    """A node of the test's own, beside the run's: the run's tells whether there is a RabbitMQ at all."""
    broker = PrivateBroker(tmp_path / "broker")
    broker.start()
    yield broker
    broker.stop()


@pytest.mark.broker
def test_a_node_keeps_its_account_ports_and_messages_over_a_kill_and_leaves_nothing(
    broker: PrivateBroker, tmp_path: Path
) -> None:
    url = broker.add_vhost("kept")
    with connect(url) as connection:
        channel = connection.channel()
        channel.queue_declare("q", durable=True, arguments={"x-queue-type": "quorum"})
        channel.confirm_delivery()
        channel.basic_publish("", "q", b"still here", pika.BasicProperties(delivery_mode=2))

    time.sleep(1)  # see SURVIVE_A_KILL: a younger queue may not survive the kill
    broker.restart(kill=True)
    assert broker.url("kept") == url

    with connect(url) as connection:
        _, _, body = connection.channel().basic_get("q", auto_ack=True)
    assert body == b"still here"
    assert stat.S_IMODE((tmp_path / "broker" / "account.json").stat().st_mode) == 0o600

    broker.stop()
    assert not listens(port_of(url))


@pytest.mark.broker
def test_every_test_has_a_virtual_host_of_its_own(private_broker: PrivateBroker) -> None:
    url = private_broker.add_vhost("mine")
    with connect(url) as connection:
        assert connection.is_open
    private_broker.delete_vhost("mine")

    with pytest.raises(SetupError, match="no_such_vhost"):
        private_broker.delete_vhost("mine")
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        connect(url)


@pytest.mark.broker
def test_a_folder_serves_one_node_at_a_time(private_broker: PrivateBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rabbitmq, "_HANDOVER_S", 0)

    with pytest.raises(SetupError, match="Another private RabbitMQ runs"):
        PrivateBroker(private_broker.folder).start()


@pytest.mark.broker
def test_the_plugin_for_the_lanes_is_on(amqp_url: str) -> None:
    with connect(amqp_url) as connection:
        channel = connection.channel()
        channel.exchange_declare("lanes", "x-consistent-hash", durable=True)
        assert channel.is_open


@pytest.mark.broker
def test_only_an_amqp_broker_passes_for_one(private_broker: PrivateBroker) -> None:
    assert speaks_amqp(port_of(private_broker.url()))
    assert not speaks_amqp(1)
