"""Chromium, one a module, and a new browser context for each test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_TIMEOUT = 30_000
"""The longest time that a browser may take for a step, in milliseconds."""
_EXPECTED = "Failed to load resource"
"""What a page logs that is meant to fail."""


# Not one for all modules: Playwright keeps an event loop in this thread, so that other tests could not run theirs.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser of this machine; tests are skipped where there is none."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        pytest.skip("Chromium is not installed")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        pytest.skip("Playwright is not installed")
    # A process of root must not use the sandbox of Chromium.
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*root, "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture
def tab(browser: Browser, server: Any) -> Iterator[Callable[..., Page]]:
    """Opens a tab with the base URL of the server; keywords are options of the browser context.

    A test fails if a page logs an error, such as a violation of the content policy.
    """
    problems: list[str] = []
    with ExitStack() as stack:

        def open_tab(**options: Any) -> Page:
            context = stack.enter_context(browser.new_context(base_url=server.url, **options))
            context.set_default_timeout(_TIMEOUT)
            page = context.new_page()
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
            return page

        yield open_tab
    assert [] == [text for text in problems if not text.startswith(_EXPECTED)]


@pytest.fixture
def page(tab: Callable[..., Page]) -> Page:
    """A tab of a wide screen."""
    return tab()
