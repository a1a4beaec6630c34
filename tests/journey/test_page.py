"""People on the page of a whole overspill: what they see in the browser is what became of their pictures."""

import random
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.needed import need_package

need_package("nicegui", "page")
need_package("playwright", "dev")
need_package("cv2", "vm")

from playwright.sync_api import Browser, Locator, Page, expect  # noqa: E402 (where there is one)

from consumers.models import Models  # noqa: E402
from consumers.operations import REGISTRY, Limits  # noqa: E402
from tests.browsers import browser  # noqa: E402
from tests.conftest import Vhosts  # noqa: E402
from tests.consumers.operations.pictures import PHOTOGRAPHS, array, opened, saved  # noqa: E402
from tests.data.scenes_blip.scenes import scene  # noqa: E402
from tests.journey.accounts import PASSWORD, add_account  # noqa: E402
from tests.journey.machines import busy_machine, frozen  # noqa: E402
from tests.journey.pictures import photograph  # noqa: E402
from tests.journey.small_models import small_models  # noqa: E402
from tests.journey.visiting import (  # noqa: E402
    card,
    cards,
    choose,
    download_all,
    drop,
    figure,
    names,
    open_page,
    start,
    vm,
)
from tests.journey.watching import tell  # noqa: E402
from tests.ui.web.pages.studio import COOKIE, Studio, looking, open_studio, violations  # noqa: E402

pytestmark = [pytest.mark.journey, pytest.mark.broker, pytest.mark.browser]

PATIENCE_MS = 30_000
TWENTY = {f"photograph {n:02d}.jpg": photograph(640 + 16 * n, 480, seed=n) for n in range(20)}
UNDER_WAY = ("upload", "accepted", "queued", "routed", "running")


@pytest.fixture(scope="module")
def studio(vhosts: Vhosts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A page with accounts, a router, and two VMs that sketch."""
    name = f"page-{uuid.uuid4().hex[:12]}"
    with open_studio(vhosts.add_vhost(name), tmp_path_factory.mktemp("page")) as opened_:
        opened_.processes.start_router()
        opened_.processes.start_vm("vm1")
        opened_.processes.start_vm("vm2")
        opened_.processes.wait_ready("vm1", "vm2")
        yield opened_
    vhosts.delete_vhost(name)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    with browser() as launched:
        yield launched


@pytest.fixture
def anna() -> str:
    """Somebody new."""
    return f"anna-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def page(studio: Studio, chromium: Browser, anna: str) -> Iterator[Page]:
    """The work page as anna sees it."""
    with looking(studio, chromium, anna) as page:
        open_page(page, studio.url)
        yield page


def sketch(picture: bytes) -> bytes:
    """What the operation itself makes of a picture."""
    operation = REGISTRY["sketch"]
    return operation.load(Models(Path())).run(picture, operation.parse({}), Limits()).body


def ended_jobs(studio: Studio, user: str) -> dict[str, str]:
    """The state of each job of a user, by its picture's name; no picture has two."""
    with studio.client(user) as client:
        jobs = client.get("/api/v1/jobs", params={"limit": 100}).json()["jobs"]
    states = {job["name"]: job["state"] for job in jobs}
    assert len(states) == len(jobs)
    return states


# -- pictures


def test_twenty_photographs_outlive_a_reload_and_the_death_of_the_server(studio: Studio, page: Page, anna: str) -> None:
    assert violations(page) == []
    drop(page, TWENTY)
    assert violations(page) == []
    with frozen(studio.processes, "vm2"):
        start(page)
        expect(cards(page, "upload")).to_have_count(0)
        expect(cards(page, "done").first).to_be_visible()
        expect(cards(page, *UNDER_WAY).first).to_be_visible()
        assert violations(page) == []
        page.reload()
        expect(cards(page)).to_have_count(20)
        expect(cards(page, *UNDER_WAY).first).to_be_visible()
        page.evaluate("() => { window.same = true }")
        studio.processes.kill("page")
        expect(page.locator("#connection")).to_contain_text("Reconnecting")
        assert violations(page) == []
    # vm2 goes on, and what it answers waits for the page.
    studio.processes.start_page()
    expect(cards(page, "done")).to_have_count(20)
    expect(page.locator("#connection")).to_be_empty()
    assert page.evaluate("() => window.same") is True
    assert names(page) == list(TWENTY)
    assert ended_jobs(studio, anna) == dict.fromkeys(TWENTY, "done")

    line = card(page, "photograph 07.jpg").get_by_role("slider")
    line.focus()
    for _ in range(3):
        line.press("ArrowLeft")
    expect(line).to_have_value("47")
    assert violations(page) == []

    assert download_all(page) == {
        name.replace(".jpg", "-sketch.jpg"): sketch(picture) for name, picture in TWENTY.items()
    }


def test_no_picture_is_lost_or_drawn_twice_when_the_server_dies_while_they_come_in(
    studio: Studio, page: Page, anna: str
) -> None:
    large = {f"large {n:02d}.jpg": photograph(1600 + n, 1200, seed=n) for n in range(12)}
    drop(page, large)
    start(page)
    expect(cards(page, "upload")).not_to_have_count(12)
    studio.processes.kill("page")
    studio.processes.start_page()
    expect(cards(page, "done")).to_have_count(12)
    assert names(page) == list(large)
    assert ended_jobs(studio, anna) == dict.fromkeys(large, "done")


@pytest.mark.timeout(300)  # the networks' libraries are large
def test_a_machine_that_joins_cuts_out_and_captions_what_waits_for_it(
    studio: Studio, page: Page, tmp_path: Path
) -> None:
    settings = small_models(tmp_path / "models")
    expect.set_options(timeout=200_000)
    choose(page, "Remove background")
    expect(page.get_by_text("No machine does this just now")).to_be_visible()
    drop(page, {"astronaut.jpg": (PHOTOGRAPHS / "astronaut.jpg").read_bytes()})
    start(page)
    picture, caption = scene(random.Random(5), "trained")
    choose(page, "Caption")
    drop(page, {"scene.jpg": saved(Image.fromarray(picture), "PNG")})
    start(page)
    expect(cards(page, "upload")).to_have_count(0)
    expect(cards(page, *UNDER_WAY)).to_have_count(2)
    assert violations(page) == []
    try:
        studio.processes.start_vm("vm3", 1, "remove-background,caption", **settings)
        expect(cards(page, "done")).to_have_count(2)
        expect(card(page, "scene.jpg")).to_contain_text(caption)
        expect(card(page, "astronaut.jpg").get_by_role("button", name="Ran on vm3")).to_be_visible()
        assert violations(page) == []
        files = download_all(page)
    finally:
        studio.processes.stop("vm3")
        expect.set_options(timeout=PATIENCE_MS)
    assert files.pop("scene-caption.txt").decode() == f"{caption}\n"
    (cut_out,) = map(opened, files.values())
    alpha = array(cut_out.getchannel("A"))
    assert cut_out.size == (512, 512)
    assert (alpha[60:150, 190:240] > 200).all(), "her face is there"
    assert (alpha[20:300, 380:500] < 30).all(), "the shuttle behind her is gone"


# -- people


def test_two_users_never_see_each_others_pictures(studio: Studio, chromium: Browser, page: Page, anna: str) -> None:
    job = studio.send(anna)
    expect(card(page, "cup.jpg")).to_be_visible()
    eve = f"eve-{uuid.uuid4().hex[:8]}"
    with looking(studio, chromium, eve) as hers:
        open_page(hers, studio.url)
        drop(hers, {"mine.jpg": photograph(640, 480)})
        start(hers)
        expect(cards(hers, "done")).to_have_count(1)
        assert names(hers) == ["mine.jpg"]
        answer = hers.goto(studio.url + job["page"])
        assert answer is not None
        assert answer.status == 404
        assert violations(hers) == []
    with studio.client(eve) as client:
        addresses = [job["url"], job["picture"]["url"], job["picture"]["thumbnail"]]
        addresses += [f"{job['url']}/{part}" for part in ("result", "result/preview", "why", "events")]
        assert {client.get(address).status_code for address in addresses} == {404}
        assert client.get("/api/v1/zip", params={"ids": job["id"]}).status_code == 404
        assert client.delete(job["url"]).status_code == 404
        assert client.post(f"{job['url']}/retry").status_code == 404
    assert names(page) == ["cup.jpg"]
    assert ended_jobs(studio, eve) == {"mine.jpg": "done"}


def test_who_logs_out_is_out_with_every_copy_of_the_cookie(studio: Studio, chromium: Browser, anna: str) -> None:
    add_account(studio, anna)
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{studio.url}/account")
    assert violations(page) == []
    page.get_by_label("Name").fill(anna)
    page.get_by_label("Password").fill("not the one, but long")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
    assert violations(page) == []
    page.get_by_label("Name").fill(anna)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(f"{studio.url}/account")
    kept = {str(cookie["name"]): str(cookie["value"]) for cookie in context.cookies()}
    assert asked_with(studio, kept) == 200
    page.locator(".menu > summary").click()
    page.get_by_role("button", name="Log out", exact=True).click()
    expect(page).to_have_url(re.compile(r"/login$"))
    assert COOKIE not in {cookie["name"] for cookie in context.cookies()}
    assert asked_with(studio, kept) == 401
    context.add_cookies([{"name": COOKIE, "value": kept[COOKIE], "url": studio.url}])
    page.goto(studio.url)
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    context.close()


def asked_with(studio: Studio, cookies: dict[str, str]) -> int:
    return httpx.get(f"{studio.url}/api/v1/jobs", cookies=cookies).status_code


# -- machines


@pytest.fixture
def dashboard(studio: Studio, chromium: Browser) -> Iterator[Page]:
    """The dashboard, with both VMs at rest."""
    with looking(studio, chromium, "olga", viewport={"width": 1280, "height": 900}) as page:
        page.goto(f"{studio.url}/dashboard")
        for name in ("vm1", "vm2"):
            expect(vm(page, name)).to_contain_text(re.compile("Ready|Busy"))
        yield page


def percent(figure: Locator) -> int:
    return int(figure.inner_text().split("\u00a0")[0])


@pytest.mark.alone
def test_the_dashboard_shows_how_a_machine_gets_busy(dashboard: Page, capsys: pytest.CaptureFixture[str]) -> None:
    shown = figure(dashboard, "vm1", "CPU")
    expect(shown).to_have_text(re.compile("^[1-3]?[0-9]\u00a0%$"), timeout=60_000)
    before = percent(shown)
    with busy_machine():
        began = time.monotonic()
        while (risen := percent(shown)) < before + 10:
            assert time.monotonic() - began < 20, f"still {risen} %"
            dashboard.wait_for_timeout(20)
        rises = time.monotonic() - began
        expect(shown).to_have_text(re.compile("^(9[0-9]|100)\u00a0%$"))
        full = time.monotonic() - began
    told = f"CPU {before} %; all processors busy: {risen} % shown {rises:.1f} s later, 90 % or more {full:.1f} s later"
    tell(capsys, told)
    assert violations(dashboard) == []


def test_the_dashboard_shows_a_killed_machine_as_lost_and_back(
    studio: Studio, dashboard: Page, capsys: pytest.CaptureFixture[str]
) -> None:
    studio.processes.kill("vm2")
    began = time.monotonic()
    try:
        expect(vm(dashboard, "vm2")).to_contain_text("Lost")
        took = time.monotonic() - began
        expect(dashboard.get_by_role("region", name="What needs a look")).to_contain_text("vm2")
        expect(vm(dashboard, "vm1")).to_contain_text(re.compile("Ready|Busy"))
        assert violations(dashboard) == []
    finally:
        studio.processes.start_vm("vm2")
    tell(capsys, f"lost is shown {took:.1f} s after the kill")
    expect(vm(dashboard, "vm2")).to_contain_text(re.compile("Ready|Busy"))
