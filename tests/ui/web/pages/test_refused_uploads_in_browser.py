"""Pictures that the server does not take, for good or just now, in a real browser."""

import re

import pytest
from playwright.sync_api import Page, expect

from bus.problems import Kind, Problem
from tests.needed import need_package
from tests.ui.web.pages.studio import CUP, Studio, violations
from tests.ui.web.pages.work import card, cards, choose, jpeg, start

need_package("nicegui", "page")

pytestmark = pytest.mark.browser

expect.set_options(timeout=20_000)


def test_a_full_quota_is_said_with_its_remedy_and_keeps_no_other_upload_waiting(
    lone_studio: Studio, lone_page: Page, user: str
) -> None:
    names = [f"large {number}.jpg" for number in range(3)]
    large = CUP.read_bytes() + bytes(1 << 20)
    choose(lone_page, *(jpeg(name, large) for name in names))
    start(lone_page)
    for name in names:
        expect(card(lone_page, name)).to_contain_text("Your pictures take too much disk")
        expect(card(lone_page, name)).to_contain_text(
            "A user's pictures may take 1 MiB. Remove jobs you no longer need"
        )
        expect(card(lone_page, name).get_by_role("button", name=f"Try {name} again")).to_be_visible()
    choose(lone_page, str(CUP))
    start(lone_page)
    expect(card(lone_page, "cup.jpg")).to_have_class(re.compile("is-accepted|is-queued"))
    assert violations(lone_page) == []
    with lone_studio.client(user) as client:
        assert [job["name"] for job in client.get("/api/v1/jobs").json()["jobs"]] == ["cup.jpg"]


def test_uploads_that_are_not_taken_just_now_say_why_and_let_others_pass(lone_page: Page) -> None:
    names = [f"early {number}.jpg" for number in range(3)]
    no_room = Problem.of(Kind.NOT_READY, "All pictures together take as much disk as they may.", retry_after_s=1)
    lone_page.route(
        "**/api/v1/jobs?*name=early*",
        lambda route: route.fulfill(
            status=503, content_type="application/problem+json", body=no_room.model_dump_json()
        ),
    )
    choose(lone_page, *(jpeg(name, CUP.read_bytes()) for name in (*names, "late.jpg")))
    start(lone_page)
    expect(card(lone_page, "late.jpg")).to_have_class(re.compile("is-accepted|is-queued"))
    for name in names:
        expect(card(lone_page, name)).to_contain_text("Not taken just now; trying again")
        expect(card(lone_page, name)).to_contain_text("All pictures together take as much disk as they may.")
    lone_page.unroute_all()
    expect(cards(lone_page, "upload")).to_have_count(0)
    expect(cards(lone_page)).to_have_count(4)
