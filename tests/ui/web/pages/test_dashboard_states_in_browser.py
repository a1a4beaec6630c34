"""Every state of the dashboard in a real browser.

What would take long to bring about is told to the browser in place of the server, as samples of the server's own model.
"""

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.needed import need_package

need_package("nicegui", "page")
need_package("playwright", "dev")

from playwright.sync_api import Browser, Page, Route, ViewportSize, expect  # noqa: E402 (where there is one)

from tests.browsers import browser  # noqa: E402
from tests.conftest import Vhosts  # noqa: E402
from tests.ui.web.pages.studio import Studio, looking, open_studio, violations  # noqa: E402
from ui.web.live.sample import Sample  # noqa: E402

pytestmark = pytest.mark.browser

PATIENCE_MS = 30_000
PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def studio(vhosts: Vhosts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    name = f"states-{uuid.uuid4().hex[:12]}"
    with open_studio(vhosts.add_vhost(name), tmp_path_factory.mktemp("states")) as opened:
        yield opened
    vhosts.delete_vhost(name)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    with browser() as launched:
        yield launched


def fits(page: Page, size: ViewportSize) -> None:
    """Nothing stands out sideways."""
    page.set_viewport_size(size)
    page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")  # once it has taken its new shape


def told(more: dict[str, Any] | None = None, **vms: dict[str, Any]) -> Sample:
    usual = {"state": "ready", "cpu": 20, "load": 20, "ram": 50, "cores": 2, "slots": 4, "look_ahead": 2}
    usual |= {"running": 1, "held": 1, "age_s": 0.2, "operations": ("sketch",)}
    whole = {
        "at_ms": int(time.time() * 1000),
        "connected": True,
        "vms": {name: usual | vm for name, vm in vms.items()},
        "lanes": {f"lane.{n:02d}": n for n in range(16)},
        "queues": {"lanes": 120, "parked.caption": 3, "overflow": 1, "unanswered": 0, "dead": 0},
        "second_ms": int(time.time()) * 1000 - 1000,
        "latency": {"p50": 300, "p95": 2_100, "p99": 4_000, "n": 20},
        "cpu_threshold": 40,
        "ram_threshold": 90,
    }
    return Sample.model_validate(whole | (more or {}))


TROUBLE = told(
    {
        "users": [{"user": "a-very-long-name" * 8, "queued": 31, "seconds": 44.0}],
        "waiting": {"caption": "no VM that is ready serves it"},
        "why": ["No router is heard. Start one: `overspill router`."],
        "cloud": {
            "name": "bridge",
            "state": "broken",
            "reason": "5 of 5 failed",
            "in_flight": 2,
            "capacity": 9,
            "spent_today": 4.9,
            "money_per_day": 5.0,
            "sent_last_minute": 3,
        },
    },
    vm1={"state": "lost", "reason": "not heard for 12 s", "age_s": 12},
    vm2={"state": "quarantined", "reason": "its worker is stuck: nothing answered for 75 s"},
    vm3={"state": "draining", "drained": True, "not_served": {"caption": "fetch it: `overspill models fetch caption`"}},
    vm4={"state": "joined", "slots": 0},
)
STATES = {
    "nothing": (told(), "No VM is heard yet."),
    "trouble": (TROUBLE, "Its worker is stuck"),
    "deaf": (told({"connected": False}, vm1={}), "The page does not hear the bus"),
}


@pytest.fixture(scope="module")
def stage(studio: Studio, chromium: Browser) -> Iterator[Page]:
    """A dashboard that is told what a test puts into `stage.told`, in the dark."""
    with looking(studio, chromium, "olga", color_scheme="dark", viewport=DESK) as page:
        page.set_default_timeout(PATIENCE_MS)
        yield page


def look_at(studio: Studio, stage: Page, sample: Sample, words: str) -> None:
    """Show a sample, which must have these words in it, and look at it on both screens."""

    def tell(route: Route) -> None:
        stream = f"retry: 200\nevent: state\ndata: {sample.model_dump_json(exclude_none=True)}\n\n"
        route.fulfill(body=stream, content_type="text/event-stream")

    stage.unroute_all()
    stage.route("**/api/v1/fleet/events*", tell)
    stage.set_viewport_size(DESK)
    stage.goto(f"{studio.url}/dashboard")
    expect(stage.get_by_role("main")).to_contain_text(words)
    assert violations(stage) == []
    fits(stage, PHONE)


@pytest.mark.parametrize("state", STATES)
def test_every_state_can_be_read_by_all_on_any_screen(studio: Studio, stage: Page, state: str) -> None:
    look_at(studio, stage, *STATES[state])


def test_a_hundred_vms_are_searched_and_sifted(studio: Studio, stage: Page) -> None:
    look_at(studio, stage, told(**{f"vm{n}": {"cpu": n} for n in range(1, 101)}), "100 machines: 100 ready")
    grid = stage.get_by_role("region", name="Virtual machines")
    grid.get_by_role("searchbox").fill("vm9")
    expect(grid.get_by_role("article")).to_have_count(11)
    grid.get_by_role("searchbox").fill("nobody")
    expect(grid).to_contain_text("No VM is like that.")
