"""Packages that take long to import, and that few requests need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("filtered", ["list", "trigger"])
def test_slow_packages_are_imported_beside_the_event_loop(filtered: str) -> None:
    """A filter, an invitation and a callback need one each. None is imported by the thread that serves requests."""
    command = [sys.executable, "-m", "tests.late_parts", filtered]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

    assert ["an event", "all anyio._backends._asyncio httpx icalendar lark", "on the loop"] == printed


@pytest.mark.parametrize("cause", ["news", "clock"])
def test_a_filter_of_an_earlier_server_is_read_beside_the_event_loop(tmp_path: Path, cause: str) -> None:
    """A push trigger in a data folder is polled when an event is new or time passes; nobody waits for its filter."""
    for mode in ("trigger", cause):
        command = [sys.executable, "-m", "tests.late_parts", mode, str(tmp_path)]
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

    loaded, on_loop = printed
    # Callbacks of the earlier server may need more.
    assert "lark" in loaded.split()
    assert "on the loop" == on_loop
