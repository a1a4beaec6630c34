"""The work page in a real browser: the page, a router and a VM as processes on a real broker."""

import re
import uuid
import zipfile

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journey.machines import frozen
from tests.needed import need_package
from tests.ui.web.pages.studio import CAT, CUP, ROCKET, Studio, looking, violations
from tests.ui.web.pages.work import card, cards, choose, jpeg, open_at_a_time, start, take

need_package("nicegui", "page")
need_package("cv2", "vm")

pytestmark = pytest.mark.browser

expect.set_options(timeout=20_000)

WATCH_THEME = """new MutationObserver(() => {
  if (document.body) window.first ??= document.documentElement.dataset.theme ?? "none";
}).observe(document, { childList: true, subtree: true });"""


def test_many_pictures_are_dropped_done_and_downloaded_as_a_zip(page: Page) -> None:
    names = [*(f"cat {number}.jpg" for number in range(18)), "cat 18.png", "cat 19.webp"]
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


def test_uploads_do_not_wait_for_small_pictures_that_are_being_made(studio: Studio, page: Page) -> None:
    choose(page, str(CUP))
    start(page)
    expect(card(page, "cup.jpg")).to_have_class(re.compile("is-done"))
    page.wait_for_function("() => [...document.images].some((image) => image.src.endsWith('/result/thumbnail'))")
    page.wait_for_function("() => [...document.images].every((image) => image.complete)")
    at_a_time = open_at_a_time(page, "/thumbnail")
    with frozen(studio.processes, "page"):
        take(page, "drop", *(f"cat {number}.jpg" for number in range(8)))
        start(page)
        expect(cards(page, "done")).to_have_count(9)
        page.reload()
        choose(page, str(ROCKET))
        start(page)
        expect(card(page, "rocket.jpg")).to_have_class(re.compile("is-done"))
    assert 1 <= max(at_a_time) <= 2
    for shown in cards(page).all():
        shown.scroll_into_view_if_needed()
        expect(shown.locator(".compare-after img")).to_have_attribute("src", re.compile("/thumbnail$"))


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
    expect(why.get_by_text(re.compile("^vm1: "))).to_be_visible()  # as it is called, though it begins the sentence
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
    expect(cards(page, "cancelled")).to_contain_text("It was tried again")


def test_a_job_that_failed_says_why_and_what_to_do(page: Page) -> None:
    choose(page, jpeg("torn.jpg", CUP.read_bytes()[:20_000]))
    start(page)
    torn = card(page, "torn.jpg")
    expect(torn).to_contain_text("The image is damaged")
    expect(torn).to_contain_text("Export the image again")
    expect(torn.get_by_role("button", name="Remove torn.jpg")).to_be_visible()
    expect(torn.get_by_role("button", name="Try torn.jpg again")).to_have_count(0)  # it would fail again
    assert violations(page) == []


def test_a_removal_can_be_taken_back_and_else_is_done(studio: Studio, page: Page, user: str) -> None:
    choose(page, str(CUP))
    start(page)
    page.get_by_role("button", name="Remove cup.jpg").click()
    expect(cards(page)).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(cards(page, "done")).to_have_count(1)
    page.wait_for_function("() => [...document.images].every((image) => image.complete && image.naturalWidth > 0)")
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
    expect(page.get_by_role("link", name="Download all")).to_be_visible()
    page.get_by_role("radio", name="Not done").check()
    expect(page.get_by_text("Nothing here is not done.")).to_be_visible()
    expect(page.get_by_role("link", name="Download all")).to_have_count(0)


def test_an_end_is_not_undone_by_a_step_of_the_same_moment(studio: Studio, page: Page, user: str) -> None:
    job = studio.send(user, CUP)
    expect(cards(page, "done")).to_have_count(1)
    story = """async (job) => {
      const { makeStore } = await import("overspill/components/pictures/store.js");
      const store = makeStore();
      const told = (state, at) => {
        store.put({ ...job, state, updated_ms: at });
        return store.find(job.id).job.state;
      };
      return [told("routed", 1), told("done", 2), told("routed", 2), told("done", 2), told("queued", 3)];
    }"""
    assert page.evaluate(story, job) == ["routed", "done", "done", "done", "queued"]


def test_what_nobody_does_just_now_is_said_once(studio: Studio, page: Page, user: str) -> None:
    for picture in (CAT, CUP):
        studio.send(user, picture, "caption")
    expect(page.locator(".jobs").get_by_role("note")).to_contain_text(["Caption waits:"])


def test_older_jobs_come_on_demand(studio: Studio, chromium: Browser, user: str) -> None:
    for _ in range(51):
        studio.send(user, CUP, "caption")
    with looking(studio, chromium, user) as page:
        page.goto(studio.url)
        expect(cards(page)).to_have_count(50)
        everything = page.locator(".segments", has_text="Under way").locator("label").first
        expect(everything).to_have_text("All 51")
        studio.send(user, CUP, "caption")
        expect(everything).to_have_text("All 52")
        page.get_by_role("button", name="Show older").click()
        expect(cards(page)).to_have_count(52)
        expect(everything).to_have_text("All 52")
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


def test_dialogs_stand_in_the_middle(page: Page) -> None:
    def off_centre() -> float:
        """How far the middle of the open dialog is from the window's, pixels."""
        away: float = page.evaluate(
            """() => {
              const box = document.querySelector("dialog[open]").getBoundingClientRect();
              const [x, y] = [(box.left + box.right - innerWidth) / 2, (box.top + box.bottom - innerHeight) / 2];
              return Math.hypot(x, y);
            }"""
        )
        return away

    choose(page, str(CUP))
    page.get_by_role("button", name="Options for cup.jpg").click()
    options = off_centre()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    shortcuts = off_centre()
    page.keyboard.press("Escape")
    start(page)
    expect(cards(page, "done")).to_have_count(1)
    page.get_by_role("button", name="Open cup.jpg").click()
    assert (options, shortcuts, off_centre()) == pytest.approx((0, 0, 0), abs=16)  # scroll bars count


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
