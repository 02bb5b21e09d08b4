"""The pages of a sandbox in Chromium: live, with the keyboard, and without scripts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.server.web.stage import Stage
from tests.stub import Stub

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow


def test_a_fault_and_its_retry(stage: Stage, page: Page) -> None:
    """A fault is armed by the form; requests and retries appear while the journal is open, and the ledger counts."""
    mail = {"To": "eve@example.net", "Subject": "Once?", "Body": "Once?"}
    page.goto(stage.base("faults"))
    page.get_by_label("Named fault", exact=True).select_option("timeout-504-after")
    page.get_by_label("Operation", exact=True).select_option("SendEmailV2")
    page.get_by_label("Name of the rule").fill("lost")
    page.get_by_label("nth", exact=True).fill("1")
    page.get_by_role("button", name="Arm", exact=True).first.click()
    page.locator("#rule-lost", has_text="never reached").wait_for()
    page.get_by_role("link", name="Journal", exact=True).click()
    page.get_by_role("heading", name="Journal", level=1).wait_for()

    stage.alice.http.post("/v2/Mail", json=mail)
    page.locator("tr", has_text="SendEmailV2").locator("text=504").wait_for()
    stage.sandbox.advance("5s")
    stage.alice.http.post("/v2/Mail", json=mail)
    page.locator("tr", has_text="duplicate").nth(1).wait_for()
    page.locator("tr", has_text="504").get_by_role("link").first.click()

    page.get_by_role("img", name="2 attempts: 504, after 5.0 seconds 200").wait_for()
    page.get_by_text("The same thing was made more than once.").wait_for()
    page.get_by_role("link", name="Faults", exact=True).first.click()
    page.locator("#rule-lost", has_text="used up").wait_for()


def test_paused_journal(stage: Stage, page: Page) -> None:
    """A paused journal stays as it is until it follows again."""
    page.goto(stage.base("journal"))
    page.get_by_role("link", name="Pause").click()
    page.get_by_role("link", name="Follow").wait_for()
    rows = page.locator("tbody tr").count()
    stage.alice.http.get("/v2/Mail")
    # A page that followed would have asked for itself by then.
    page.evaluate("fetch(location.href)")
    assert rows == page.locator("tbody tr").count()

    page.get_by_role("link", name="Follow").click()
    page.locator("tbody tr").nth(rows).wait_for()


def test_clock_with_the_keyboard(stage: Stage, page: Page) -> None:
    """The clock is moved with the keyboard alone, from the skip link on; the focus can be seen."""
    page.goto(stage.base("clock"))
    page.keyboard.press("Tab")
    assert "Skip to the content" == page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('aria-label')") == "Advance by 15m":
            break
    assert "solid" == page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    page.keyboard.press("Enter")

    page.locator("p.big", has_text="09:15:00").wait_for()


def test_keys_of_a_list(stage: Stage, page: Page) -> None:
    """`/` goes to the search, `j` and `k` go through the rows, Enter opens one, Escape closes a menu."""
    page.goto(stage.base("journal"))
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    first = page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=f"Entry {first}", level=1).wait_for()
    page.goto(stage.base("journal"))
    page.keyboard.press("/")
    assert "INPUT" == page.evaluate("document.activeElement.tagName")
    page.keyboard.press("j")
    assert "j" == page.evaluate("document.activeElement.value")

    menu = page.locator("#sandbox-menu")
    menu.locator("summary").click()
    page.keyboard.press("Escape")
    assert menu.get_attribute("open") is None


def test_copy(stage: Stage, tab: Callable[..., Page]) -> None:
    """The button beside a text copies it."""
    page = tab(permissions=["clipboard-read", "clipboard-write"])
    page.goto(stage.base("journal/{entry}"))
    page.get_by_role("button", name="Copy curl").click()
    page.get_by_role("button", name="Copied").wait_for()

    assert page.evaluate("navigator.clipboard.readText()").startswith("curl -i -X ")


def test_a_poke_arrives(stage: Stage, page: Page, listener: Stub) -> None:
    """A subscriber is poked by a click, and the delivery appears on the page."""
    path = "/MailSubscriptionPoke/$subscriptions"
    stage.alice.post(path, {"NotificationUrl": f"{listener.url}/hook"})
    page.goto(stage.base("triggers"))
    page.get_by_role("button", name="Poke").click()

    page.locator("section", has=page.get_by_role("heading", name="Callbacks")).get_by_text("done").wait_for()


def test_a_snapshot_brings_back(stage: Stage, page: Page) -> None:
    """A snapshot is saved and restored by clicks."""
    page.goto(stage.base("snapshots"))
    page.get_by_label("Name").fill("before")
    page.get_by_role("button", name="Save").click()
    page.locator("#snapshot-before").wait_for()
    stage.alice.deliver(subject="Later")
    page.get_by_role("button", name="Restore before").click()
    page.get_by_role("link", name="Overview").click()

    page.locator(f"[id='mailbox-{stage.alice.id}']", has_text="1").wait_for()
    assert ["Invoice 4711"] == [mail["Subject"] for mail in stage.alice.mails()]


def test_without_scripts(stage: Stage, tab: Callable[..., Page]) -> None:
    """Everything but the live updates works without scripts, questions included."""
    page = tab(java_script_enabled=False)
    page.goto(stage.base("faults"))
    page.get_by_role("button", name="Disarm busy").click()
    page.get_by_text("No fault is armed.").wait_for()
    page.goto(stage.base())
    page.locator("#confirm-reset > summary").click()
    page.locator("#confirm-reset button").click()

    page.get_by_text("Nothing yet.").wait_for()
