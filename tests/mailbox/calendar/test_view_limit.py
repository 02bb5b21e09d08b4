"""The limit on the events that a calendar view looks at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Connection, Sandbox

PATH = "/datasets/calendars/v2/tables/items/calendarview"
MARCH = {
    "calendarId": "Calendar",
    "startDateTimeOffset": "2026-03-01",
    "endDateTimeOffset": "2026-04-01",
}


@pytest.fixture
def alice(configured: Callable[..., Sandbox]) -> Connection:
    """Alice's calendar has a daily event in March; her views look at ten events."""
    alice = configured(max_view_events=10).connect("alice")
    alice.meet("Stand-up", Recurrence="Daily", RecurrenceEnd="2026-03-31")
    return alice


def status(connection: Connection, **query: Any) -> int:
    return connection.http.get(PATH, params={**MARCH, **query}).status_code


def starts(connection: Connection, query: dict[str, Any]) -> list[str]:
    """The days of the events in a view."""
    events = connection.get(PATH, **{**MARCH, **query})["value"]
    return [event["Start"][:10] for event in events]


def test_a_longer_view_is_refused(alice: Connection) -> None:
    answer = alice.http.get(PATH, params=MARCH)

    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "ContentTooLarge"
    assert "more than 10 events" in answer.json()["message"]


def test_a_page_ends_it_before(alice: Connection) -> None:
    assert len(starts(alice, {"$top": 10})) == 10
    assert starts(alice, {"$top": 2, "$skip": 3}) == ["2026-03-07", "2026-03-08"]
    assert status(alice, **{"$top": 11}) == 413


def test_an_order_needs_the_whole_view(alice: Connection) -> None:
    assert status(alice, **{"$top": 1, "$orderby": "Start desc"}) == 413


def test_a_shorter_view_is_served(alice: Connection) -> None:
    assert len(alice.view(until="2026-03-10")) == 6


def test_the_limit_changes_with_the_sandbox(alice: Connection) -> None:
    alice.api.patch("/limits", json={"viewEvents": 0}).raise_for_status()

    assert len(alice.view()) == 28
