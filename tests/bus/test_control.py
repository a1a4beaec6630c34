"""What is asked of routers and VMs reads back as it was, and says by its key what it asks."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.control import Cancel, Command, Drain, Orders, Pause, command_message, read_command
from bus.errors import BadInput

COMMANDS = [
    (Cancel(job="42"), "job.cancel"),
    (Cancel(job="42", user="ada"), "job.cancel"),
    (Drain(vm="vm1"), "vm.drain.vm1"),
    (Drain(vm="vm1", resume=True), "vm.resume.vm1"),
    (Pause(operation="remove-background"), "operation.pause.remove-background"),
    (Pause(operation="sketch", resume=True), "operation.resume.sketch"),
]


@pytest.mark.parametrize(("command", "key"), COMMANDS)
def test_each_command_has_its_key_and_reads_back(command: Cancel | Drain | Pause, key: str) -> None:
    message = command_message(command, command.key, reply_to="told")
    assert (message.routing_key, message.reply_to, message.content_type) == (key, "told", "application/json")
    assert read_command(message.body) == command


def test_the_orders_in_force_read_back() -> None:
    orders = Orders(seq=3, drained=frozenset({"vm1", "vm2"}), paused=frozenset({"caption"}))
    message = command_message(orders, "control.router")
    assert read_command(message.body) == orders
    assert message.reply_to is None


def test_a_job_without_a_user_is_cancelled_as_it_was_sent() -> None:
    assert read_command(b'{"kind": "cancel", "job": "42"}') == Cancel(job="42", user="anonymous")


@pytest.mark.parametrize(
    ("command", "change", "says"),
    [
        (Cancel(job="42"), {"kind": "reboot"}, "kind"),
        (Cancel(job="42"), {"job": ""}, "cancel.job"),
        (Cancel(job="42"), {"job": "é" * 128}, "cancel.job: must be at most 255 bytes"),
        (Cancel(job="42"), {"user": ""}, "cancel.user"),
        (Drain(vm="vm1"), {"vm": "vm.1"}, "drain.vm"),
        (Drain(vm="vm1"), {"vm": "vm1\n"}, "drain.vm"),
        (Pause(operation="sketch"), {"operation": "blur"}, "pause.operation"),
        (Pause(operation="sketch"), {"operation": "#"}, "pause.operation"),
        (Orders(), {"seq": -1}, "orders.seq"),
        (Orders(), {"seq": 2**62 + 1}, "orders.seq"),
        (Orders(), {"drained": ["v" * 256]}, "orders.drained"),
        (Orders(), {"drained": [f"vm{n}" for n in range(65_537)]}, "orders.drained"),
        (Orders(), {"paused": [f"o{n}" for n in range(65)]}, "orders.paused"),
    ],
)
def test_what_can_not_be_done_is_refused(command: Command, change: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        read_command(json.dumps(command.model_dump(mode="json") | change).encode())


@given(st.binary(max_size=200))
def test_garbage_is_no_command(body: bytes) -> None:
    with pytest.raises(BadInput):
        read_command(body)
