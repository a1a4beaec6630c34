"""Pictures on their way to the server, in a real browser: refused, cut off, cancelled, sent again."""

import json
import signal

import pytest
from playwright.sync_api import Page, Route, expect

from tests.needed import need_package
from tests.ui.web.pages.studio import CAT, CUP, ROCKET, Studio, violations
from tests.ui.web.pages.work import card, cards, choose, jpeg, start

need_package("nicegui", "page")
need_package("cv2", "vm")

pytestmark = pytest.mark.browser

expect.set_options(timeout=20_000)


def test_an_upload_that_is_refused_says_why_in_its_card(page: Page) -> None:
    choose(page, jpeg("drawing.jpg", b"<svg onload=alert(1)></svg>" * 50))
    start(page)
    expect(card(page, "drawing.jpg")).to_contain_text("This is not an image we read")
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


def test_a_name_with_markup_is_only_ever_text(page: Page) -> None:
    name = "<img src=x onerror=document.title='owned'>.jpg"
    choose(page, jpeg(name, CUP.read_bytes()))
    start(page)
    expect(cards(page, "done").get_by_role("heading")).to_have_text(name)
    assert "owned" not in page.title()
    assert json.dumps(name) not in page.content()


def test_an_upload_cancelled_when_the_server_has_all_of_it_is_a_job_cancelled(
    studio: Studio, page: Page, user: str
) -> None:
    with studio.client("olga") as operator:
        assert operator.post("/api/v1/operations/sketch/pause").status_code == 200
        studio.processes.signal("page", signal.SIGSTOP)  # its system takes the picture all the same
        try:
            choose(page, str(CUP))
            start(page)
            expect(card(page, "cup.jpg").get_by_role("progressbar")).to_have_attribute("aria-valuenow", "100")
            page.get_by_role("button", name="Cancel cup.jpg").click()
            expect(cards(page)).to_have_count(0)
        finally:
            studio.processes.signal("page", signal.SIGCONT)
        expect(cards(page, "cancelled")).to_have_count(1)
        operator.post("/api/v1/operations/sketch/resume")
    with studio.client(user) as client:
        assert [job["state"] for job in client.get("/api/v1/jobs").json()["jobs"]] == ["cancelled"]
