"""One story through the pages: an invoice, a fault, its retries, an approval, the clock, and a snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import Sandbox
from tests.stub import Stub

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow


def test_story(sandbox: Sandbox, listener: Stub, page: Page) -> None:
    """Who only looks at the pages sees what a program does, and helps it through an approval."""
    alice, boss = sandbox.connect("alice"), sandbox.connect("boss")
    navigation = page.get_by_role("navigation", name="Pages of the sandbox")

    def open_page(name: str) -> None:
        navigation.get_by_role("link", name=name, exact=True).click()
        page.get_by_role("heading", level=1, name=name, exact=True).wait_for()

    # A fault is armed, and an invoice arrives.
    page.goto("/")
    page.get_by_role("link", name=sandbox.name, exact=True).click()
    open_page("Faults")
    page.get_by_label("Named fault", exact=True).select_option("bad-gateway")
    page.get_by_label("Connection", exact=True).select_option(alice.id)
    page.get_by_label("Name of the rule").fill("twice-down")
    page.get_by_label("times", exact=True).first.fill("2")
    page.get_by_role("button", name="Arm", exact=True).click()
    page.locator("tr", has_text="twice-down").get_by_text("armed", exact=True).wait_for()
    page.goto(f"/_emulator/s/{sandbox.name}/m/{alice.id}/mail")
    page.get_by_role("link", name="Deliver a mail").click()
    page.get_by_label("Subject").fill("Invoice 4711")
    page.get_by_label("Body").fill("Please pay 1,200.")
    page.get_by_role("button", name="Deliver", exact=True).click()
    page.get_by_text("Invoice 4711").first.wait_for()

    # The program reads its mail with two retries, which the journal shows while they happen.
    open_page("Journal")
    statuses = [alice.http.get("/v2/Mail").status_code for _ in range(3)]
    assert [True, True, False] == [status >= 500 for status in statuses]
    page.get_by_text("twice-down").first.wait_for()
    page.goto(f"/_emulator/s/{sandbox.name}/retries")
    page.get_by_role("img", name="3 attempts").wait_for()
    open_page("Faults")
    assert "2" in page.locator("tr", has_text="twice-down").inner_text()

    # It asks the boss, who gets an invitation as well. A snapshot keeps that state.
    message = {"To": boss.address, "Subject": "Pay 4711?", "Options": "Pay, Refuse"}
    alice.post("/approvalmail/$subscriptions", {"NotificationUrl": f"{listener.url}/answer", "Message": message})
    alice.meet("Payment run", RequiredAttendees=boss.address)
    open_page("Snapshots")
    page.get_by_label("Name", exact=True).fill("asked")
    page.get_by_role("button", name="Save the sandbox").click()
    page.get_by_role("button", name="Restore asked").wait_for()

    # The boss accepts the invitation and pays; the workflow is called back.
    page.goto(f"/_emulator/s/{sandbox.name}/m/{boss.id}/calendar?view=agenda")
    page.get_by_role("link", name="Payment run").click()
    page.get_by_role("button", name="Accept").click()
    page.get_by_text("Accepted").first.wait_for()
    open_page("Approvals")
    page.get_by_role("button", name="Pay", exact=True).click()
    page.get_by_role("button", name="Pay", exact=True).wait_for(state="detached")
    assert "Pay" == listener.wait()[0].json["SelectedOption"]
    open_page("Triggers")
    page.get_by_text("/answer").first.wait_for()

    # A day later the mails of yesterday are still there; the snapshot takes back answer and time.
    open_page("Clock")
    page.get_by_text("2026-03-02 09:00").first.wait_for()
    page.get_by_role("button", name="Advance by 1d").click()
    page.get_by_text("2026-03-03 09:00").first.wait_for()
    open_page("Snapshots")
    page.get_by_role("button", name="Restore asked").click()
    open_page("Clock")
    page.get_by_text("2026-03-02 09:00").first.wait_for()
    open_page("Approvals")
    page.get_by_role("button", name="Pay", exact=True).wait_for()
    open_page("Outbox")
    page.get_by_text("No mail has left this sandbox.").wait_for()
    open_page("Coverage")
    page.get_by_role("link", name="SendApprovalMail").first.wait_for()
