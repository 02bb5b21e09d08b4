"""A request that fits once it is read leniently is told from one that is invalid."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from outlook_contract.exchange import Exchange
from outlook_contract.generation.reading import drop_other_spellings, is_readable
from outlook_contract.routes import routes

MAIL = {"To": "a@example.com", "Subject": "s", "Body": "b"}
EVENT = {"Subject": "s", "Start": "2026-03-04T10:00:00", "End": "2026-03-04T11:00:00"}


def exchange_of(operation: str, query: str = "", body: Any = None) -> Exchange:
    return Exchange(
        operation=operation,
        method=routes()[operation].method,
        url=f"http://test/apim/outlook/me{routes()[operation].path}?{query}",
        request_headers=httpx.Headers(),
        request_body=b"" if body is None else json.dumps(body).encode(),
        status=200,
        headers=httpx.Headers(),
        body=b"",
        started=0,
        seconds=0,
    )


@pytest.mark.parametrize(
    "query",
    [
        "",
        "fetchOnlyUnread=True",
        "fetchOnlyUnread=0",
        "importance=high",
        "importance=0",
        "top=5",
        "from=",
        "TOP=5",
        "x=y",
    ],
)
def test_readable_queries(query: str) -> None:
    """Booleans, enumerations and names are read in any spelling that clients use; unknown names are ignored."""
    assert is_readable(exchange_of("GetEmailsV2", query))


@pytest.mark.parametrize(
    "query", ["fetchOnlyUnread=perhaps", "importance=urgent", "top=many", "top=0", "from=nobody", "to=a@b.c;d"]
)
def test_invalid_queries(query: str) -> None:
    """A value of another type, beyond a limit, or that is not an address is invalid."""
    assert not is_readable(exchange_of("GetEmailsV2", query))


@pytest.mark.parametrize(
    "body",
    [
        MAIL,
        {"to": "a@example.com", "subject": "s", "body": "b"},
        {"To": "a@example.com", "Subject": "s"},
        {**MAIL, "Importance": "high"},
        {**MAIL, "Cc": None, "Unknown": [1]},
        {**MAIL, "To": "Ann <a@example.com>; b@example.com;"},
    ],
)
def test_readable_bodies(body: Any) -> None:
    """Members are read in any case, a missing Body, nulls and unknown members are no fault."""
    assert is_readable(exchange_of("SendEmailV2", body=body))


@pytest.mark.parametrize(
    ("body", "readable"),
    [
        ({**EVENT, "RecurrenceEnd": "", "Reminder": "", "IsAllDay": "", "ShowAs": "", "TimeZone": ""}, True),
        ({**EVENT, "Start": ""}, False),
        ({**EVENT, "RecurrenceEnd": "soon"}, False),
    ],
)
def test_empty_texts(body: Any, readable: bool) -> None:
    """An empty text is no fault where the value may be left out and is no text."""
    assert readable is is_readable(exchange_of("V3CalendarPostItem", body=body))


@pytest.mark.parametrize(
    "body",
    [None, [], {}, {**MAIL, "To": "nobody"}, {**MAIL, "To": ""}, {**MAIL, "Subject": 5}, {**MAIL, "Attachments": [{}]}],
)
def test_invalid_bodies(body: Any) -> None:
    """A missing body, a missing or mistyped member, and a text that is no address are invalid."""
    assert not is_readable(exchange_of("SendEmailV2", body=body))


@pytest.mark.parametrize(
    ("flag", "readable"),
    [(True, True), (1, True), (0.0, True), (-0.0, True), ("yes", True), (0.5, False), (2, False), ("0.0", False)],
)
def test_booleans_as_numbers(flag: Any, readable: bool) -> None:
    """One and zero are booleans, in any way in which JSON writes these numbers; other numbers are none."""
    assert readable is is_readable(exchange_of("RespondToEvent", body={"SendResponse": flag}))


def test_other_spellings_are_dropped() -> None:
    """Members that would be read as declared ones go, at any depth; unknown ones stay."""
    schema = next(
        parameter["schema"] for parameter in routes()["SendEmailV2"].parameters.values() if parameter["in"] == "body"
    )
    body = {**MAIL, "subject": 1, "other": 2, "Attachments": [{"Name": "a", "content_bytes": 3, "more": 4}]}

    drop_other_spellings(schema, body)

    assert {**MAIL, "other": 2, "Attachments": [{"Name": "a", "more": 4}]} == body
