"""Requests that several measurements send."""

from __future__ import annotations

import orjson

from benchmarks.client import Request

BELOW = "/apim/outlook/bench"
MAIL = f"{BELOW}/v2/Mail"
LIST = Request("GET", f"{MAIL}?folderPath=Inbox&importance=Any&fetchOnlyUnread=True&includeAttachments=False&top=10")
SEND = Request(
    "POST",
    MAIL,
    orjson.dumps(
        {
            "To": "other@example.com",
            "Subject": "Hello",
            "Body": "<p>Hello there, this is a mail body of the usual kind.</p>",
            "Importance": "Normal",
        }
    ),
)
POLL = Request("GET", f"{MAIL}/OnNewEmail?folderPath=Inbox&importance=Any")
TABLES = Request("GET", f"{BELOW}/datasets/calendars/tables")
TEST = Request("GET", f"{BELOW}/testconnection")
"""The cheapest request."""
