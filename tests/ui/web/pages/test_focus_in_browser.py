"""The focus on the work page, in a real browser: it is never lost with what it was on."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.needed import need_package
from tests.ui.web.pages.studio import CAT, CUP, ROCKET, Studio
from tests.ui.web.pages.work import card, cards

need_package("nicegui", "page")

pytestmark = pytest.mark.browser

expect.set_options(timeout=20_000)


def test_what_is_removed_leaves_the_focus_to_its_neighbour_and_takes_it_back(
    lone_studio: Studio, lone_page: Page, user: str
) -> None:
    page = lone_page
    with lone_studio.client(user) as client:
        for picture in (ROCKET, CUP, CAT):  # the latest comes first
            client.delete(f"/api/v1/jobs/{lone_studio.send(user, picture)['id']}")
    expect(cards(page, "cancelled")).to_have_count(3)
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(card(page, "cup.jpg")).to_be_focused()
    page.keyboard.press("x")
    expect(card(page, "rocket.jpg")).to_be_focused()
    page.keyboard.press("x")
    expect(card(page, "cat.jpg")).to_be_focused()
    page.get_by_role("button", name="Undo").last.press("Enter")
    expect(card(page, "rocket.jpg")).to_be_focused()
    page.keyboard.press("k")
    expect(card(page, "cat.jpg")).to_be_focused()


def test_a_button_that_goes_when_it_was_pressed_leaves_the_focus_to_its_card(
    lone_studio: Studio, lone_page: Page, user: str
) -> None:
    lone_studio.send(user)
    lone_page.get_by_role("button", name="Cancel cup.jpg").press("Enter")
    expect(card(lone_page, "cup.jpg")).to_have_class(re.compile("is-cancelled"))
    expect(card(lone_page, "cup.jpg")).to_be_focused()
