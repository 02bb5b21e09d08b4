"""The contacts in Chromium: live, and by keyboard alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from outlook_emulator.server.web.contacts import LIST
from outlook_emulator.server.web.page import url_of
from tests.conftest import Connection

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow


def contacts(alice: Connection) -> str:
    return url_of(LIST, {"sandbox": alice.sandbox.name, "connection": alice.id}, {})


def test_live(alice: Connection, page: Page) -> None:
    """A new contact appears in the list without reloading."""
    page.goto(contacts(alice))
    page.get_by_text("This folder has no contact.").wait_for()
    alice.post("/datasets/contacts/tables/Contacts/items", {"GivenName": "Grace", "HomePhones": []})

    page.get_by_role("link", name="Grace").wait_for()


def test_keyboard_only(alice: Connection, page: Page) -> None:
    """A contact is created, searched and opened without a mouse."""
    page.goto(contacts(alice))
    page.locator("#new-contact > summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("Ada")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Ada").wait_for()
    page.get_by_role("link", name="All of Contacts").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Contacts", exact=True).wait_for()
    # The list can be seen before its script listens to keys.
    page.wait_for_load_state()
    page.keyboard.press("/")
    page.keyboard.type("ada")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=ada**")
    page.keyboard.press("j")
    page.keyboard.press("Enter")

    page.get_by_role("heading", name="Ada", exact=True).wait_for()
