"""Every page in Chromium: accessible, and readable on a phone, in light and dark."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import pytest

from outlook_emulator.server.web import page as web
from tests.server.web.browser.accessibility import serious_violations
from tests.server.web.stage import SHOWN, Stage

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow

OVERFLOWING = """() => {
    const width = document.documentElement.clientWidth;
    const wide = [...document.querySelectorAll("body *")].filter((element) =>
        element.getBoundingClientRect().right > width + 1 &&
        !element.closest(".scroll, pre, .tabs, .side, .skip, .menu, [hidden]"));
    const names = wide.map((element) => element.outerHTML.slice(0, 200));
    return document.documentElement.scrollWidth > width ? ["the page is too wide", ...names] : [];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("row", SHOWN, ids=lambda row: row.path)
def test_accessible(stage: Stage, tab: Callable[..., Page], row: web.Page, scheme: Literal["light", "dark"]) -> None:
    """axe finds nothing serious on a page, with everything on it opened, in light and dark."""
    page = tab(color_scheme=scheme)
    page.goto(stage.url(row))
    page.evaluate("document.querySelectorAll('main details').forEach((details) => { details.open = true; })")

    assert [] == serious_violations(page)


@pytest.mark.parametrize("row", SHOWN, ids=lambda row: row.path)
def test_fits_a_phone(stage: Stage, tab: Callable[..., Page], row: web.Page) -> None:
    """A page of 375 px does not scroll sideways; wide tables scroll inside their own box."""
    page = tab(viewport={"width": 375, "height": 800})
    page.goto(stage.url(row))
    page.evaluate("document.querySelectorAll('main details').forEach((details) => { details.open = true; })")

    assert [] == page.evaluate(OVERFLOWING)
