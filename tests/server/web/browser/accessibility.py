"""What axe says about a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page


def serious_violations(page: Page) -> list[tuple[str, str, str]]:
    """The serious and critical violations on a page: the rule, what it demands, and the first element against it."""
    from axe_playwright_python.sync_playwright import Axe

    return [
        (violation["id"], violation["help"], violation["nodes"][0]["html"][:200])
        for violation in Axe().run(page).response["violations"]
        if violation["impact"] in ("serious", "critical")
    ]
