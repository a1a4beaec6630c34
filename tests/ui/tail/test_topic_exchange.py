"""A real topic exchange, against the function that stands for it where the past is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bus.rabbit.foreign import Foreign
from ui.tail.patterns import matches

pytestmark = pytest.mark.broker

KEY = st.lists(st.sampled_from(["job", "vm", "a", "", "done"]), max_size=4).map(".".join)
PATTERN = st.lists(st.sampled_from(["job", "vm", "a", "", "*", "#", "done"]), max_size=5).map(".".join)


def test_it_routes_what_matches_and_nothing_else(amqp_url: str) -> None:
    with Foreign(amqp_url) as foreign:
        foreign.channel.exchange_declare("topics", "topic")
        queue = foreign.queue()

        @given(pattern=PATTERN, key=KEY)
        def agrees(pattern: str, key: str) -> None:
            foreign.channel.queue_bind(queue, "topics", pattern)
            foreign.channel.basic_publish("topics", key, b"x")
            routed = foreign.taken(queue) is not None
            foreign.channel.queue_unbind(queue, "topics", pattern)
            assert matches(pattern, key) is routed

        agrees()
