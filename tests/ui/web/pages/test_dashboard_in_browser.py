"""The dashboard in a real browser: a real page and router on a real broker, VMs that beat as the tests tell them to."""

import json
import random
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.needed import need_package

need_package("nicegui", "page")
need_package("playwright", "dev")

from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect  # noqa: E402 (where there is one)

from tests.browsers import browser  # noqa: E402
from tests.conftest import Vhosts  # noqa: E402
from tests.ui.web.pages.fleet_by_hand import HandFleet, fleet_by_hand  # noqa: E402
from tests.ui.web.pages.studio import Studio, looking, open_studio, violations  # noqa: E402
from ui.web.live.patch import difference  # noqa: E402

pytestmark = pytest.mark.browser

MODULES = "overspill/components/dashboard"
PATIENCE_MS = 30_000
DESK: ViewportSize = {"width": 1280, "height": 900}
SETTINGS = {"OVERSPILL_BEAT_INTERVAL_S": "0.5", "OVERSPILL_CPU_THRESHOLD": "40"}


@dataclass(frozen=True)
class Site:
    """A page, and the fleet that it shows."""

    studio: Studio
    fleet: HandFleet

    @property
    def address(self) -> str:
        return f"{self.studio.url}/dashboard"


@pytest.fixture(scope="module")
def site(vhosts: Vhosts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A page and a router, and two VMs by hand."""
    name = f"dashboard-{uuid.uuid4().hex[:12]}"
    url = vhosts.add_vhost(name)
    with (
        open_studio(url, tmp_path_factory.mktemp("dashboard"), **SETTINGS) as studio,
        fleet_by_hand(url) as fleet,
    ):
        studio.processes.start_router()
        steady(fleet)
        studio.processes.wait_ready("vm1", "vm2")
        yield Site(studio, fleet)
    vhosts.delete_vhost(name)


def steady(fleet: HandFleet) -> None:
    fleet.vms |= {"vm1": {"cpu_percent": 12}, "vm2": {"cpu_percent": 31}}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    with browser() as launched:
        yield launched


@pytest.fixture(scope="module")
def tab(site: Site, chromium: Browser) -> Iterator[Page]:
    """The dashboard as olga sees it, open all the time; a fault of its scripts fails the tests."""
    with looking(site.studio, chromium, "olga", viewport=DESK) as page:
        page.set_default_timeout(PATIENCE_MS)
        page.goto(site.address)
        yield page


@pytest.fixture
def page(site: Site, tab: Page) -> Page:
    """The open dashboard, with two VMs that are ready and take it easy."""
    steady(site.fleet)
    for vm, cpu in (("vm1", "12"), ("vm2", "31")):
        expect(figure(tab, vm, "CPU")).to_have_text(f"{cpu}\u00a0%")
        expect(card(tab, vm)).to_contain_text("Ready")
    return tab


def card(page: Page, vm: str) -> Locator:
    return page.get_by_role("article", name=vm, exact=True)


def figure(page: Page, vm: str, name: str) -> Locator:
    return card(page, vm).locator("dl > div").filter(has_text=name).locator("dd")


def needs(page: Page) -> Locator:
    return page.get_by_role("region", name="What needs a look")


def cpu_column(page: Page) -> list[float | None]:
    """What the browser keeps of vm1."""
    column: list[float | None] = page.evaluate(
        f"import('{MODULES}/feed.js').then(({{feed}}) => feed.series.column('cpu/vm1'))"
    )
    return column


# -- who may see it


def test_nobody_is_sent_to_the_login(site: Site) -> None:
    answer = httpx.get(site.address, headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers.get("location")) == (303, "/login?next=/dashboard")


def test_a_user_is_told_why_not(site: Site) -> None:
    with site.studio.client("anna") as anna:
        answer = anna.get("/dashboard")
    assert answer.status_code == 403
    assert "overspill user role anna operator" in answer.text
    assert "fleet_board" not in answer.text


# -- what it shows


def test_a_load_is_seen_as_it_rises_and_in_the_graph(site: Site, page: Page) -> None:
    site.fleet.vms["vm1"] = {"cpu_percent": 97, "running": 4, "held": ("a", "b", "c", "d", "e")}
    expect(figure(page, "vm1", "CPU")).to_have_text("97\u00a0%")
    expect(card(page, "vm1")).to_contain_text("Busy")
    expect(card(page, "vm1")).to_contain_text("4 of 4 slots taken, 1 more at hand")
    assert 97 in cpu_column(page)
    graph = card(page, "vm1").get_by_role("img", name="CPU and RAM of vm1")
    expect(graph).to_have_accessible_name(re.compile(r"last 15 minutes.*CPU: now \d+.*The limit is 40"))


def test_a_silent_vm_is_lost_and_says_why(site: Site, page: Page) -> None:
    del site.fleet.vms["vm2"]
    expect(card(page, "vm2")).to_contain_text("Lost")
    expect(card(page, "vm2")).to_contain_text("Last heard")
    expect(needs(page)).to_contain_text("vm2 is lost")
    expect(page.get_by_role("article").first).to_contain_text("vm2")  # trouble comes first
    assert violations(page) == []


def test_a_graph_is_read_by_keyboard(site: Site, page: Page) -> None:
    page.get_by_role("radio", name="2 min").check(force=True)
    card(page, "vm1").get_by_role("img", name="CPU and RAM of vm1, last 2 minutes").focus()
    page.keyboard.press("Home")
    for _ in range(4):
        page.keyboard.press("Shift+ArrowRight")
    at = page.evaluate(f"import('{MODULES}/feed.js').then(({{feed, view}}) => feed.last() - view.cursor)")
    assert at == pytest.approx(80_000, abs=20_000)
    page.keyboard.press("Escape")
    page.get_by_role("radio", name="15 min").check(force=True)
    expect(figure(page, "vm1", "CPU")).to_have_text("12\u00a0%")


# -- what an operator does


def test_a_vm_is_drained_and_resumed(site: Site, page: Page) -> None:
    card(page, "vm1").get_by_role("button", name="Drain").click()
    expect(card(page, "vm1")).to_contain_text("Draining")
    card(page, "vm1").get_by_role("button", name="Resume").click()
    expect(card(page, "vm1")).to_contain_text("Ready")


def test_an_operation_is_paused_and_resumed(site: Site, page: Page) -> None:
    page.get_by_role("button", name="Pause remove-background").click()
    expect(needs(page)).to_contain_text("remove-background is paused")
    page.get_by_role("button", name="Resume remove-background").click()
    expect(page.get_by_role("button", name="Pause remove-background")).to_be_visible()


def test_dead_letters_are_replayed_and_removed(site: Site, page: Page) -> None:
    letters = page.get_by_role("region", name="Dead letters")
    site.fleet.bury("the worker ran out of <b>memory</b>", user="<i>anna</i>")
    letters.get_by_role("button", name="Remove the caption job of <i>anna</i>").click()
    expect(letters).to_contain_text("The worker ran out of <b>memory</b>.")
    assert violations(page) == []
    page.get_by_role("button", name="Keep it").click()
    letters.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(letters).to_contain_text("None. Every job has had its answer.")
    site.fleet.bury("the broker had no room", replays=1)
    expect(letters).to_contain_text("replayed 1 time")
    away = {"title": "Down", "status": 503, "detail": "The broker is away: nothing was changed."}
    page.route("**/replay*", lambda route: route.fulfill(status=503, json=away), times=1)
    letters.get_by_role("button", name="Replay").click()
    expect(page.locator("#toasts")).to_contain_text("The broker is away")
    expect(letters.get_by_text("Replay anyway")).to_have_count(0)
    letters.get_by_role("button", name="Replay").click()
    expect(page.locator("#toasts")).to_contain_text("the reply queue anna.has.gone is gone")
    letters.get_by_text("Replay anyway").click()
    expect(page.locator("#toasts")).to_contain_text("Replayed")
    expect(letters).to_contain_text("None. Every job has had its answer.")


# -- what may happen to it


def test_a_restarted_server_is_found_again_with_the_past(site: Site, page: Page) -> None:
    site.fleet.vms["vm1"] = {"cpu_percent": 55}
    expect(figure(page, "vm1", "CPU")).to_have_text("55\u00a0%")
    site.studio.processes.stop("page")
    expect(page.locator("#connection")).to_contain_text("Reconnecting")
    expect(needs(page)).to_contain_text("No news from the server")
    site.studio.processes.start_page()
    site.fleet.vms["vm1"] = {"cpu_percent": 66}
    expect(figure(page, "vm1", "CPU")).to_have_text("66\u00a0%")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    page.reload()
    expect(figure(page, "vm1", "CPU")).to_have_text("66\u00a0%")
    page.wait_for_function(
        f"import('{MODULES}/feed.js').then(({{feed}}) => feed.series.column('cpu/vm1').includes(55))"
    )  # what the old server had seen, and only the broker's stream remembers


# -- its figures


def some_document(depth: int = 3) -> dict[str, Any]:
    names = random.sample("abcde", random.randint(0, 4))
    return {name: some_value(depth - 1) for name in names}


def some_value(depth: int) -> Any:
    if depth and random.random() < 0.5:
        return some_document(depth)
    return random.choice([0, 1.5, "x", [1, 2], []])


def test_what_the_server_leaves_out_the_browser_puts_together(page: Page) -> None:
    pairs = [(some_document(), some_document()) for _ in range(200)]
    cases = [[old, difference(old, new)] for old, new in pairs]
    made = page.evaluate(
        f"(cases) => import('{MODULES}/figures.js')"
        ".then(({merged}) => cases.map(([old, patch]) => merged(old, patch)))",
        cases,
    )
    assert made == [json.loads(json.dumps(new)) for _, new in pairs]


def test_a_column_of_the_past_does_not_change_any_more(page: Page) -> None:
    rates = page.evaluate(
        f"import('{MODULES}/series.js')"
        ".then(({rates}) => [...rates([0, 1000, 2000, 3000, 4000], [1, null, 2, 3, 9], 1500, 2000)])"
    )
    assert rates == [[4000, 4.5], [2000, 2.5], [0, 0.5]]
