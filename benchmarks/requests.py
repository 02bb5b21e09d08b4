"""What is asked of a server in more than one figure."""

from __future__ import annotations

import orjson

from benchmarks.client import Call

BELOW = "/apim/outlook/bench"
MAIL = f"{BELOW}/v2/Mail"
LIST = Call("GET", f"{MAIL}?folderPath=Inbox&importance=Any&fetchOnlyUnread=True&includeAttachments=False&top=10")
SEND = Call(
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
TABLES = Call("GET", f"{BELOW}/datasets/calendars/tables")
TEST = Call("GET", f"{BELOW}/testconnection")
"""The call that costs least of all."""
