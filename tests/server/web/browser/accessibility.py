"""What axe says about a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from playwright.sync_api import Page


SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
_OF_COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"], "resultTypes": ["violations"]}
"""Runs the rules that read colours only: nothing else differs between the schemes."""


def serious_violations(page: Page) -> list[tuple[str, str, str, str]]:
    """The serious and critical violations on a page, in light and in dark.

    Each has the scheme, the rule, what it demands, and the first element against it.
    """
    from axe_playwright_python.sync_playwright import Axe

    violations: list[tuple[str, str, str, str]] = []
    for scheme in SCHEMES:
        # Colours in the middle of a transition would count.
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        results = Axe().run(page, **({} if scheme == "light" else {"options": _OF_COLOURS}))
        violations += [
            (scheme, violation["id"], violation["help"], violation["nodes"][0]["html"][:200])
            for violation in results.response["violations"]
            if violation["impact"] in ("serious", "critical")
        ]
    return violations
