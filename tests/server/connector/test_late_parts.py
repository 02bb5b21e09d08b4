"""Packages that take long to import, and that few requests need."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("filtered", ["list", "trigger"])
def test_slow_packages_are_imported_beside_the_event_loop(filtered: str) -> None:
    """A filter, an invitation and a callback need one each. None is imported by the thread that serves requests."""
    command = [sys.executable, "-m", "tests.late_parts", filtered]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

    assert ["an event", "all anyio._backends._asyncio httpx icalendar lark", "on the loop"] == printed
