"""Two servers with the same settings, clock and calls send the same bytes, errors and exports included."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from outlook_emulator.clock import VirtualClock
from outlook_emulator.serving import running
from outlook_emulator.settings import Settings
from tests.conftest import START

pytestmark = pytest.mark.slow

ME = "/apim/outlook/me"
SANDBOX = "/_emulator/api/sandboxes/default"
EVENT = {"Subject": "Meeting", "Start": "2026-03-02T10:00:00", "End": "2026-03-02T11:00:00", "Body": "Hello"}
CALLS: list[tuple[str, str, Any]] = [
    ("POST", f"{ME}/v2/Mail", {"To": "me@outlook.com", "Subject": "Hello", "Body": "Hello"}),
    ("POST", f"{ME}/v2/Mail", {}),
    ("GET", f"{ME}/nothing", None),
    ("POST", f"{ME}/datasets/calendars/v2/tables/Calendar/items", EVENT),
    ("POST", f"{SANDBOX}/nothing", {}),
    ("GET", "/_emulator/api/sandboxes/nothing", None),
    ("GET", f"{ME}/v2/Mail?fetchOnlyUnread=false&searchQuery=hello", None),
    ("GET", f"{SANDBOX}/connections/me/calendars/Calendar/export", None),
    ("PUT", f"{SANDBOX}/snapshots/first", None),
    ("GET", f"{SANDBOX}/export", None),
]


def answers() -> list[tuple[int, bytes]]:
    with (
        running(clock=VirtualClock(START), settings=Settings()) as served,
        httpx.Client(base_url=served.url, headers={"authorization": "Bearer x"}, trust_env=False) as http,
    ):
        return [(answer.status_code, answer.content) for answer in (http.request(m, p, json=b) for m, p, b in CALLS)]


def test_same_calls_same_bytes() -> None:
    """Ids, of refused requests too, come from the seed, and dates from the clock."""
    first, second = answers(), answers()

    assert [200, 400, 404, 201, 404, 404, 200, 200, 201, 200] == [status for status, _ in first]
    assert first == second
