import pytest

from bus.errors import SetupError
from ui.stack.erlang import Control
from ui.stack.processes import end
from ui.stack.rabbitmq import PrivateBroker, environment


@pytest.mark.broker
def test_a_node_that_is_not_there_is_said(private_broker: PrivateBroker) -> None:
    environ = environment(private_broker.folder, private_broker.account)
    control = Control("nobody@localhost", environ | {"RABBITMQ_NODENAME": "nobody@localhost"})

    with pytest.raises(SetupError, match="nodedown"):
        control.call("delete", "any")
    control.close()


@pytest.mark.broker
def test_a_remote_control_that_ended_is_said(private_broker: PrivateBroker) -> None:
    control = Control("gone@localhost", environment(private_broker.folder, private_broker.account))
    end(control._process, 0)

    with pytest.raises(SetupError, match="no answer"):
        control.call("delete", "any")
    control.close()
