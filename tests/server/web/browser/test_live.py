"""Pages follow their sandbox, and keep what the user is doing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server.web.stage import Stage

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow


def test_what_happens_appears(stage: Stage, page: Page) -> None:
    """A mail appears without reloading; typed text, opened parts, focus and scroll position stay."""
    page.set_viewport_size({"width": 1000, "height": 400})
    page.goto(stage.base())
    page.locator("#new-mailbox > summary").click()
    page.get_by_label("Display name").fill("half-typed")
    field = page.get_by_label("Connection id").first
    field.press_sequentially("caro")
    page.evaluate("scrollTo(0, 80)")
    before = page.evaluate("scrollY")
    unread = page.locator(f"[id='mailbox-{stage.alice.id}'] strong")
    expected = str(int(unread.inner_text()) + 1)
    stage.alice.deliver(subject="Another")
    page.locator(f"[id='mailbox-{stage.alice.id}'] strong", has_text=expected).wait_for()
    field.press_sequentially("l")

    assert "carol" == field.input_value()
    assert "half-typed" == page.get_by_label("Display name").input_value()
    assert "" == page.locator("#new-mailbox").get_attribute("open")
    assert before == page.evaluate("scrollY") > 0


def test_deleted_sandbox(stage: Stage, page: Page) -> None:
    """A page whose sandbox is deleted says so."""
    http, name = stage.sandbox.server.http, f"{stage.sandbox.name}-brief"
    http.post("/_emulator/api/sandboxes", json={"name": name}).raise_for_status()
    page.goto(f"/_emulator/s/{name}/")
    page.get_by_text("This sandbox has no mailbox yet.").wait_for()
    http.delete(f"/_emulator/api/sandboxes/{name}").raise_for_status()

    page.get_by_text(f"No sandbox '{name}' exists.").wait_for()


def test_hidden_page_does_not_follow(stage: Stage, page: Page) -> None:
    """A page in a hidden tab does not follow, and catches up when it is seen again."""
    show = """(state) => {
        Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    unread = page.locator(f"[id='mailbox-{stage.alice.id}'] strong").first
    page.goto(stage.base())
    before = int(unread.inner_text())
    page.evaluate(show, "hidden")
    stage.alice.deliver(subject="Another")
    # A page that followed would have asked for itself by then.
    page.evaluate("fetch(location.href)")
    assert str(before) == unread.inner_text()

    page.evaluate(show, "visible")
    page.locator(f"[id='mailbox-{stage.alice.id}'] strong", has_text=str(before + 1)).wait_for()
