"""The calendar in Chromium: live, by keyboard, on a phone, in the dark, and over a change of the clocks."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from outlook_emulator.server.web.event import CALENDAR
from outlook_emulator.server.web.page import url_of
from tests.conftest import Connection
from tests.server.web.browser.accessibility import serious_violations
from tests.server.web.browser.test_every_page import OPEN_DETAILS, OVERFLOWING, PHONE

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.slow

VIEWS = ("month", "week", "agenda")
BERLIN = "(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna"


def calendar(alice: Connection, **query: Any) -> str:
    return url_of(CALENDAR, {"sandbox": alice.sandbox.name, "connection": alice.id}, query)


def fill(alice: Connection) -> None:
    """A week with a series, an exception, an all-day event, and events at the same time."""
    alice.meet("Standup", "2026-03-02T09:00:00Z", Recurrence="Daily", NumberOfOccurrences=10)
    occurrence = next(event for event in alice.view() if event["Subject"] == "Standup")
    alice.change(occurrence["Id"], Start="2026-03-02T11:00:00Z", End="2026-03-02T11:30:00Z")
    alice.meet("Fair", "2026-03-03T00:00:00", End="2026-03-06T00:00:00", IsAllDay=True)
    for number in range(4):
        alice.meet(f"Slot {number}", "2026-03-04T13:00:00Z", End="2026-03-04T15:00:00Z")


@pytest.mark.parametrize("view", VIEWS)
def test_live(alice: Connection, page: Page, view: str) -> None:
    """A new event appears in each view without reloading, a moved one moves, and a deleted one goes."""
    page.goto(calendar(alice, view=view))
    event = alice.meet("Retrospective", "2026-03-05T10:00:00Z")
    link = page.get_by_role("link", name="Retrospective")
    link.wait_for()
    alice.change(event["Id"], Subject="Outlook back")
    page.get_by_role("link", name="Outlook back").wait_for()
    alice.http.delete(f"/datasets/calendars/tables/Calendar/items/{event['Id']}").raise_for_status()
    page.get_by_role("link", name="Outlook back").wait_for(state="detached")

    assert 0 == link.count()


def test_typed_text_stays(alice: Connection, page: Page) -> None:
    """A half-typed event survives a change of the calendar."""
    page.goto(calendar(alice))
    page.locator("#new-event > summary").click()
    page.get_by_label("Subject").fill("half-ty")
    alice.meet("Another")
    page.get_by_role("link", name="Another").wait_for()

    assert "half-ty" == page.get_by_label("Subject").input_value()


def test_keyboard_only(alice: Connection, page: Page) -> None:
    """An event is created, opened and deleted without a mouse."""
    page.goto(calendar(alice, view="agenda"))
    page.locator("#new-event > summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("By keyboard")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="By keyboard").wait_for()
    page.get_by_role("link", name="Show in the calendar").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="2 to 8 March 2026").wait_for()
    link = page.get_by_role("link", name="By keyboard")
    for _ in range(20):
        page.keyboard.press("j")
        if link.evaluate("link => link === document.activeElement"):
            break
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="By keyboard").wait_for()
    page.locator("#confirm-delete > summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="2 to 8 March 2026").wait_for()

    assert 0 == page.get_by_role("link", name="By keyboard").count()


def test_zone_over_a_change_of_the_clocks(alice: Connection, page: Page) -> None:
    """A series stays at its hour in its own zone, and moves down by an hour in UTC's week before the change."""
    alice.meet("Daily", "2026-03-27T10:00:00", End="2026-03-27T11:00:00", TimeZone=BERLIN, Recurrence="Daily")
    page.goto(calendar(alice, view="week", date="2026-03-29", zone="Europe/Berlin"))
    local = heights(page.locator("foreignObject", has_text="Daily"))
    page.get_by_label("Time zone", exact=True).select_option("UTC")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**zone=UTC**")
    utc = heights(page.locator("foreignObject", has_text="Daily"))

    assert [96.0, 96.0, 96.0] == local
    assert [48.0, 48.0, 0.0] == utc


def heights(blocks: Locator) -> list[float]:
    """How far below the beginning of the day blocks are."""
    tops: list[float] = blocks.evaluate_all("blocks => blocks.map(block => block.y.baseVal.value)")
    return tops


def test_blocks_do_not_cover_each_other(alice: Connection, page: Page) -> None:
    """Events at the same time can each be seen and clicked."""
    fill(alice)
    page.goto(calendar(alice, view="week"))
    boxes = [page.get_by_title(f"Slot {number}").bounding_box() for number in range(4)]
    edges = [(box["x"], box["x"] + box["width"]) for box in boxes if box is not None]
    page.get_by_title("Slot 3").click()

    assert 4 == len(edges)
    assert all(right <= left for (_, right), (left, _) in pairwise(edges))
    page.get_by_role("heading", name="Slot 3").wait_for()


@pytest.mark.parametrize("view", VIEWS)
def test_view(alice: Connection, page: Page, view: str) -> None:
    """axe finds nothing serious in any view, in light and dark, and none scrolls the page sideways at 375 px."""
    fill(alice)
    page.goto(calendar(alice, view=view))

    assert [] == serious_violations(page)

    page.set_viewport_size(PHONE)
    page.reload()
    page.evaluate(OPEN_DETAILS)

    assert [] == page.evaluate(OVERFLOWING)
