"""Handing out samples to viewers, fast and slow."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from tests.ui.web.live.patches import merged
from ui.web.live.hub import MOST_WAITING, Hub
from ui.web.live.sample import Latency, Sample


def sample(at_ms: int, **said: Any) -> Sample:
    given = {"connected": True, "vms": {}, "lanes": {}, "queues": {}, "second_ms": 0, "latency": Latency(n=0)}
    return Sample.model_validate({"at_ms": at_ms, "cpu_threshold": 40, "ram_threshold": 90, **given, **said})


def events_of(told: bytes) -> list[tuple[str, dict[str, Any]]]:
    """Server-sent events as a browser has them."""
    lines = [event.split("\n") for event in told.decode().removesuffix("\n\n").split("\n\n")]
    return [(kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for kind, data in lines]


async def test_a_viewer_is_told_the_state_and_then_what_changes() -> None:
    hub = Hub()
    hub.publish(sample(1, done=7))
    async with aclosing(hub.view()) as viewer:
        assert events_of(await anext(viewer))[0][1]["done"] == 7
        hub.publish(sample(2, done=7))
        hub.publish(sample(3, done=8, paused=["sketch"]))
        assert events_of(await anext(viewer)) == [
            ("sample", {"at_ms": 2}),
            ("sample", {"at_ms": 3, "done": 8, "paused": ["sketch"]}),
        ]
    assert len(hub) == 0


async def test_patches_make_the_state_that_a_newcomer_is_told() -> None:
    hub = Hub()
    hub.publish(sample(0))
    async with aclosing(hub.view()) as old:
        ((_, state),) = events_of(await anext(old))
        for at_ms in range(1, 6):
            hub.publish(sample(at_ms, placed={f"vm{at_ms % 2}": at_ms}, waiting={"sketch": "x"} if at_ms % 2 else {}))
        for _, patch in events_of(await anext(old)):
            state = merged(state, patch)
        async with aclosing(hub.view()) as new:
            assert events_of(await anext(new)) == [("state", state)]


async def test_a_slow_viewer_is_told_the_state_in_place_of_what_it_missed() -> None:
    hub = Hub()
    hub.publish(sample(0))
    async with aclosing(hub.view()) as viewer:
        await anext(viewer)
        for at_ms in range(1, MOST_WAITING + 3):
            hub.publish(sample(at_ms))
        ((kind, state),) = events_of(await anext(viewer))
        assert (kind, state["at_ms"]) == ("state", MOST_WAITING + 2)
        hub.publish(sample(99))
        assert events_of(await anext(viewer)) == [("sample", {"at_ms": 99})]


async def test_the_end_ends_every_viewer() -> None:
    hub = Hub()
    hub.publish(sample(0))

    async def watch(viewer: AsyncGenerator[bytes, None]) -> int:
        async with aclosing(viewer):
            return len([told async for told in viewer])

    watching = [asyncio.create_task(watch(hub.view())) for _ in range(3)]
    await asyncio.sleep(0)
    hub.close()
    assert max(await asyncio.gather(*watching)) <= 1
    assert len(hub) == 0
