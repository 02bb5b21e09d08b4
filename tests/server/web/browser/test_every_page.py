"""Every page in Chromium: accessible, and readable on a phone, in light and dark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from outlook_emulator.server.web import page as web
from tests.server.web.browser.accessibility import serious_violations
from tests.server.web.stage import SHOWN, Stage

if TYPE_CHECKING:
    from playwright.sync_api import Page, ViewportSize

pytestmark = pytest.mark.slow

PHONE: ViewportSize = {"width": 375, "height": 800}
OVERFLOWING = """() => {
    const width = document.documentElement.clientWidth;
    const wide = [...document.querySelectorAll("body *")].filter((element) =>
        element.getBoundingClientRect().right > width + 1 &&
        !element.closest(".scroll, pre, .tabs, .side, .skip, .menu, [hidden]"));
    const names = wide.map((element) => element.outerHTML.slice(0, 200));
    return document.documentElement.scrollWidth > width ? ["the page is too wide", ...names] : [];
}"""


OPEN_DETAILS = "document.querySelectorAll('main details').forEach((details) => { details.open = true; })"


@pytest.mark.parametrize("row", SHOWN, ids=lambda row: row.path)
def test_page(stage: Stage, page: Page, row: web.Page) -> None:
    """With everything on a page opened, axe finds nothing serious in light and dark, and the page fits a phone.

    A page of 375 px does not scroll sideways; wide tables scroll inside their own box.
    """
    page.goto(stage.url(row))
    page.evaluate(OPEN_DETAILS)

    assert [] == serious_violations(page)

    page.set_viewport_size(PHONE)
    page.reload()
    page.evaluate(OPEN_DETAILS)

    assert [] == page.evaluate(OVERFLOWING)
