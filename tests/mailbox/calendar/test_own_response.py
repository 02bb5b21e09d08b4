"""The owner's response in an event of one's own, with each value of the setting `own_response`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import Connection, Sandbox

ITEMS = "/datasets/calendars/v3/tables/Calendar/items"
SPAN = {"Subject": "Own", "Start": "2026-03-05T10:00:00Z", "End": "2026-03-05T11:00:00Z"}


def response_of(connection: Connection, event_id: str) -> str:
    response: str = connection.get(f"/datasets/calendars/tables/Calendar/items/{event_id}")["ResponseStatus"][
        "Response"
    ]
    return response


@pytest.mark.parametrize(("setting", "alone"), [("organizer", "Organizer"), ("none", "None")])
def test_an_event_that_invites_nobody(configured: Callable[..., Sandbox], setting: str, alone: str) -> None:
    """The response is Organizer, or None if set so; with an attendee it is Organizer in any case.

    Organizer is recorded from the Office 365 twin (microsoft/Power-Fx connector tests, 2023-12); users of two calendar
    synchronizers report None.
    """
    alice = configured(own_response=setting).connect("alice")
    event = alice.post(ITEMS, SPAN).json()

    assert response_of(alice, event["Id"]) == alone
    alice.patch(event["Id"], {**SPAN, "RequiredAttendees": "x@example.com"})
    assert response_of(alice, event["Id"]) == "Organizer"
    alice.patch(event["Id"], SPAN)
    assert response_of(alice, event["Id"]) == alone


def test_a_filter_sees_the_response(configured: Callable[..., Sandbox]) -> None:
    """A filter on the response type agrees with what reads show."""
    alice = configured(own_response="none").connect("alice")
    alice.post(ITEMS, SPAN)

    listed = alice.http.get(ITEMS, params={"$filter": "ResponseType eq 'None'"})
    assert [event["Subject"] for event in listed.json()["value"]] == ["Own"]
