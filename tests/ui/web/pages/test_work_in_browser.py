"""The work page in a real browser: the page, a router and a VM as processes on a real broker."""

import base64
import json
import re
import uuid
import zipfile
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.browsers import browser
from tests.conftest import Vhosts
from tests.needed import need_package
from tests.ui.web.pages.studio import CAT, CUP, ROCKET, Studio, looking, open_studio, violations

need_package("nicegui", "page")
need_package("cv2", "vm")

pytestmark = pytest.mark.browser

expect.set_options(timeout=20_000)
TAKE_FILES = """([event, names]) => {
  const files = new DataTransfer();
  const bytes = Uint8Array.from(atob(names.bytes), (letter) => letter.charCodeAt(0));
  for (const [name, type] of names.files) files.items.add(new File([bytes], name, { type }));
  const carried = event === "paste" ? { clipboardData: files } : { dataTransfer: files };
  const Kind = event === "paste" ? ClipboardEvent : DragEvent;
  document.body.dispatchEvent(new Kind(event, { bubbles: true, cancelable: true, ...carried }));
}"""

WATCH_THEME = """new MutationObserver(() => {
  if (document.body) window.first ??= document.documentElement.dataset.theme ?? "none";
}).observe(document, { childList: true, subtree: true });"""


@pytest.fixture(scope="module")
def studio(vhosts: Vhosts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    name = f"work-{uuid.uuid4().hex[:12]}"
    with open_studio(vhosts.add_vhost(name), tmp_path_factory.mktemp("work")) as opened:
        opened.processes.start_router()
        opened.processes.start_vm("vm1")
        opened.processes.wait_ready("vm1")
        yield opened
    vhosts.delete_vhost(name)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as launched:
        yield launched


@pytest.fixture
def user() -> str:
    """Somebody new, with no picture yet."""
    return f"anna-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def page(studio: Studio, chromium: Browser, user: str) -> Iterator[Page]:
    with looking(studio, chromium, user) as page:
        page.goto(studio.url)
        expect(page.get_by_role("radio", name="Pencil sketch")).to_be_checked()
        yield page


def take(page: Page, event: str, *names: str) -> None:
    """Drop or paste files of those names, each a photograph of a cat."""
    typed = [[name, "text/plain" if name.endswith(".txt") else "image/jpeg"] for name in names]
    page.evaluate(TAKE_FILES, [event, {"bytes": base64.b64encode(CAT.read_bytes()).decode(), "files": typed}])


def choose(page: Page, *pictures: str | dict[str, object]) -> None:
    page.locator("input[type=file]").set_input_files(list(pictures))  # type: ignore[arg-type]  # paths, or payloads


def start(page: Page) -> None:
    page.locator("#start").click()


def cards(page: Page, state: str = "") -> Locator:
    return page.locator(f".card{state and f'.is-{state}'}")


def card(page: Page, name: str) -> Locator:
    return page.get_by_role("article", name=re.compile(f"^{re.escape(name)},"))


def test_many_pictures_are_dropped_done_and_downloaded_as_a_zip(page: Page) -> None:
    names = [f"cat {number}.jpg" for number in range(20)]
    expect(page.get_by_role("heading", name="Drop photographs anywhere")).to_be_visible()
    assert violations(page) == []
    take(page, "drop", *names, "notes.txt")
    expect(page.get_by_text("notes.txt is not a picture.")).to_be_visible()
    expect(page.get_by_role("heading", name="20 pictures ready")).to_be_visible()
    expect(page.locator(".tile img")).to_have_count(20)
    assert violations(page) == []
    start(page)
    expect(cards(page)).to_have_count(20)
    expect(page.locator(".card:not(.is-done) .card-line")).to_have_text([])
    assert violations(page) == []
    with page.expect_download() as download:
        page.get_by_role("link", name="Download all").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 20
        assert all(archive.read(name).startswith(b"\xff\xd8") for name in archive.namelist())


def test_what_was_done_is_there_after_a_reload(page: Page) -> None:
    choose(page, str(CUP))
    start(page)
    expect(card(page, "cup.jpg").get_by_role("button", name="Ran on vm1")).to_be_visible()
    page.reload()
    expect(card(page, "cup.jpg").get_by_role("button", name="Ran on vm1")).to_be_visible()
    with page.expect_download() as download:
        card(page, "cup.jpg").get_by_role("link", name="Download").click()
    assert download.value.path().read_bytes().startswith(b"\xff\xd8")


def test_the_line_is_moved_by_keyboard_and_stays_while_other_cards_move(page: Page) -> None:
    choose(page, str(CUP))
    start(page)
    line = card(page, "cup.jpg").get_by_role("slider")
    line.focus()
    for _ in range(3):
        line.press("ArrowRight")
    expect(line).to_have_value("53")
    take(page, "paste", "cat.jpg")
    start(page)
    expect(cards(page, "done")).to_have_count(2)
    expect(line).to_have_value("53")
    assert line.get_attribute("aria-valuetext") == "53 % before"


def test_why_there_is_told_with_the_decision(page: Page) -> None:
    choose(page, str(CUP))
    start(page)
    card(page, "cup.jpg").get_by_role("button", name="Why there?").click()
    why = page.get_by_role("dialog").get_by_role("region", name="Why there?")
    expect(why.get_by_role("row", name=re.compile("vm1 ?chosen"))).to_be_visible()
    expect(why).to_be_focused()
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_picture_is_enlarged_and_brought_back_by_keyboard(page: Page) -> None:
    choose(page, str(CUP))
    start(page)
    expect(cards(page, "done")).to_have_count(1)
    card(page, "cup.jpg").get_by_role("button", name="Open cup.jpg").click()
    line = page.get_by_role("dialog").get_by_role("slider")
    expect(line).to_be_focused()
    line.press("+")
    expect(page.locator(".viewer .compare.enlarged")).to_have_count(1)
    line.press("0")
    expect(page.locator(".viewer .compare.enlarged")).to_have_count(0)


def test_a_job_in_line_is_cancelled_and_tried_again(studio: Studio, page: Page) -> None:
    with studio.client("olga") as operator:
        assert operator.post("/api/v1/operations/sketch/pause").status_code == 200
        try:
            choose(page, str(CUP))
            start(page)
            expect(cards(page).get_by_text(re.compile("in line", re.IGNORECASE))).to_be_visible()
            assert violations(page) == []
            page.get_by_role("button", name="Cancel cup.jpg").click()
        finally:
            operator.post("/api/v1/operations/sketch/resume")
    expect(cards(page, "cancelled")).to_have_count(1)
    assert violations(page) == []
    page.get_by_role("button", name="Try cup.jpg again").click()
    expect(cards(page, "done")).to_have_count(1)
    expect(cards(page, "cancelled")).to_contain_text("It is being tried again")


def test_a_job_that_failed_says_why_and_what_to_do(page: Page) -> None:
    choose(page, {"name": "torn.jpg", "mimeType": "image/jpeg", "buffer": CUP.read_bytes()[:20_000]})
    start(page)
    torn = card(page, "torn.jpg")
    expect(torn).to_contain_text("The image is damaged")
    expect(torn).to_contain_text("Export the image again")
    expect(torn.get_by_role("button", name="Try torn.jpg again")).to_be_visible()
    assert violations(page) == []


def test_an_upload_that_is_refused_says_why_in_its_card(page: Page) -> None:
    choose(page, {"name": "drawing.jpg", "mimeType": "image/jpeg", "buffer": b"<svg onload=alert(1)></svg>" * 50})
    start(page)
    expect(card(page, "drawing.jpg")).to_contain_text("The body is not an image we read")
    expect(card(page, "drawing.jpg").get_by_role("button", name="Remove drawing.jpg")).to_be_visible()


def test_an_upload_whose_answer_was_lost_is_sent_again_and_is_one_job(studio: Studio, page: Page, user: str) -> None:
    lost: list[object] = []

    def lose_the_first(route: Route) -> None:
        if lost:
            return route.fallback()
        lost.append(route.fetch())  # the server takes it, and the browser never hears
        return route.abort("connectionreset")

    page.route("**/api/v1/jobs?operation=*", lose_the_first)
    choose(page, str(CUP))
    start(page)
    expect(cards(page, "done")).to_have_count(1)
    with studio.client(user) as client:
        assert len(client.get("/api/v1/jobs").json()["jobs"]) == 1


def test_one_picture_of_a_batch_has_options_of_its_own(studio: Studio, page: Page, user: str) -> None:
    choose(page, str(CUP), str(CAT))
    page.get_by_role("button", name="Options for cat.jpg").click()
    own = page.get_by_role("dialog", name="cat.jpg")
    own.get_by_role("radio", name="Charcoal", exact=True).check()
    assert violations(page) == []
    own.get_by_role("button", name="Keep").click()
    start(page)
    expect(cards(page, "done")).to_have_count(2)
    with studio.client(user) as client:
        told = {job["name"]: job["params"].get("style") for job in client.get("/api/v1/jobs").json()["jobs"]}
    assert told["cat.jpg"] == "charcoal"
    assert told["cup.jpg"] in {None, "pencil"}


def test_the_page_goes_on_after_its_server_was_killed_and_came_back(studio: Studio, page: Page) -> None:
    choose(page, str(CUP))
    start(page)
    expect(cards(page, "done")).to_have_count(1)
    page.evaluate("() => { window.same = true }")
    choose(page, str(CAT), str(ROCKET))
    studio.processes.kill("page")
    start(page)
    expect(page.locator("#connection")).to_contain_text("Reconnecting")
    expect(card(page, "cat.jpg")).to_contain_text("trying again")
    assert violations(page) == []
    studio.processes.start_page()
    expect(cards(page, "done")).to_have_count(3)
    expect(page.locator("#connection")).to_be_empty()
    assert page.evaluate("() => window.same") is True


def test_offline_is_said_and_over_when_the_line_is_back(page: Page) -> None:
    expect(page.locator("#connection")).to_have_attribute("data-state", "fine")
    page.context.set_offline(True)
    expect(page.locator("#connection")).to_contain_text("You are offline")
    page.context.set_offline(False)
    expect(page.locator("#connection")).to_be_empty()


def test_a_removal_can_be_taken_back_and_else_is_done(studio: Studio, page: Page, user: str) -> None:
    choose(page, str(CUP))
    start(page)
    page.get_by_role("button", name="Remove cup.jpg").click()
    expect(cards(page)).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(cards(page, "done")).to_have_count(1)
    page.get_by_role("button", name="Remove cup.jpg").click()
    expect(cards(page)).to_have_count(0)
    page.goto(f"{studio.url}/account")  # leaving the page settles it
    page.goto(studio.url)
    expect(page.get_by_role("heading", name="Drop photographs anywhere")).to_be_visible()
    with studio.client(user) as client:
        assert client.get("/api/v1/jobs").json()["jobs"] == []


def test_filters_show_what_they_say(studio: Studio, page: Page, user: str) -> None:
    studio.send(user, CUP)
    studio.send(user, CAT, "caption")
    expect(cards(page)).to_have_count(2)
    page.get_by_role("radio", name="Under way").check()
    expect(cards(page)).to_have_count(1)
    expect(card(page, "cat.jpg")).to_be_visible()
    page.get_by_role("radio", name=re.compile("^Done")).check()
    expect(card(page, "cup.jpg")).to_be_visible()
    page.get_by_role("radio", name="Not done").check()
    expect(page.get_by_text("Nothing here is not done.")).to_be_visible()


def test_older_jobs_come_on_demand(studio: Studio, chromium: Browser, user: str) -> None:
    for _ in range(51):
        studio.send(user, CUP, "caption")
    with looking(studio, chromium, user) as page:
        page.goto(studio.url)
        expect(cards(page)).to_have_count(50)
        page.get_by_role("button", name="Show older").click()
        expect(cards(page)).to_have_count(51)
        expect(page.get_by_role("button", name="Show older")).to_have_count(0)


def test_keys_choose_focus_open_and_can_be_turned_off(page: Page) -> None:
    choose(page, str(CUP))
    page.keyboard.press("s")
    expect(cards(page, "done")).to_have_count(1)
    page.keyboard.press("3")
    expect(page.get_by_role("radio", name="Caption")).to_be_checked()
    page.keyboard.press("j")
    page.keyboard.press("o")
    expect(page.get_by_role("dialog", name="cup.jpg")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    shortcuts = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(shortcuts).to_be_visible()
    assert violations(page) == []
    shortcuts.get_by_label("Use these single keys").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    expect(page.get_by_role("radio", name="Caption")).to_be_checked()


def test_dark_is_chosen_kept_and_there_before_anything_is_drawn(page: Page) -> None:
    page.locator(".menu > summary").click()
    assert violations(page) == []
    page.get_by_role("radio", name="Dark").check()
    expect(page.locator("body")).to_have_css("background-color", "rgb(20, 19, 17)")
    page.add_init_script(WATCH_THEME)
    page.reload()
    expect(page.get_by_role("radio", name="Pencil sketch")).to_be_checked()
    assert page.evaluate("() => window.first") == "dark"
    assert violations(page) == []


def test_all_of_it_fits_a_telephone(studio: Studio, chromium: Browser, user: str) -> None:
    studio.send(user, CUP)
    how = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "color_scheme": "dark"}
    with looking(studio, chromium, user, **how) as page:
        page.goto(studio.url)
        expect(cards(page, "done")).to_have_count(1)
        assert page.evaluate("() => document.documentElement.scrollWidth") == 390
        assert violations(page) == []
        page.get_by_role("button", name="Open cup.jpg").click()
        expect(page.get_by_role("dialog")).to_be_visible()
        assert page.evaluate("() => document.querySelector('.viewer').scrollWidth") <= 390
        assert violations(page) == []


def test_others_never_see_it(studio: Studio, chromium: Browser, user: str) -> None:
    job = studio.send(user)
    with looking(studio, chromium, f"eve-{uuid.uuid4().hex[:8]}") as page:
        page.goto(studio.url)
        expect(page.get_by_role("radio", name="Pencil sketch")).to_be_checked()
        expect(cards(page)).to_have_count(0)
        answer = page.goto(f"{studio.url}{job['page']}")
        assert answer is not None
        assert answer.status == 404
        expect(page.get_by_role("heading", name="There is no such picture")).to_be_visible()


def test_a_name_with_markup_is_only_ever_text(page: Page) -> None:
    name = "<img src=x onerror=document.title='owned'>.jpg"
    choose(page, {"name": name, "mimeType": "image/jpeg", "buffer": CUP.read_bytes()})
    start(page)
    expect(cards(page, "done").get_by_role("heading")).to_have_text(name)
    assert "owned" not in page.title()
    assert json.dumps(name) not in page.content()
