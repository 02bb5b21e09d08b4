"""Triggers as a workflow engine polls them: a first request, then the URL in `Location` of each response."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from outlook_contract.exchange import Exchange
from outlook_contract.mailbox import CALENDAR, Mailbox, Unexpected

_TABLE = {"table": CALENDAR}
_ODATA = {"dataset": "calendars", "table": CALENDAR}
MAIL_TRIGGERS: Mapping[str, Mapping[str, Any]] = {
    "OnNewEmail": {},
    "OnNewEmailV2": {},
    "OnFlaggedEmail": {},
    "OnFlaggedEmailV2": {},
    # Without a folder, mentions in Sent Items count as well.
    "OnNewMentionMeEmail": {"folderPath": "Inbox"},
    "OnNewMentionMeEmailV2": {"folderPath": "Inbox"},
}
EVENT_TRIGGERS: Mapping[str, Mapping[str, Any]] = {
    "OnUpcomingEvents": {**_TABLE, "lookAheadTimeInMinutes": 60},
    "OnUpcomingEventsV2": {**_TABLE, "lookAheadTimeInMinutes": 60},
    "CalendarGetOnNewItems": _TABLE,
    "CalendarGetOnNewItemsV2": _TABLE,
    "ODataStyleGetOnNewItems": _ODATA,
    "CalendarGetOnUpdatedItems": _TABLE,
    "CalendarGetOnUpdatedItemsV2": _TABLE,
    "ODataStyleCalendarGetOnUpdatedItems": _ODATA,
    "CalendarGetOnChangedItems": _TABLE,
    "CalendarGetOnChangedItemsV2": _TABLE,
}
_MOST_POLLS = 20
"""How many polls in a row may say that more is waiting."""
TRIGGERS: Mapping[str, Mapping[str, Any]] = {**MAIL_TRIGGERS, **EVENT_TRIGGERS}
"""Every trigger with the parameters that it needs."""
NOTIFIED = frozenset({"OnNewEmailV2", "OnFlaggedEmailV2", "OnNewMentionMeEmailV2", "CalendarGetOnChangedItemsV2"})
"""The triggers that can be subscribed to."""


class Poller:
    """Polls one trigger. `last` is the newest exchange, `location` the URL of the next poll."""

    def __init__(self, mailbox: Mailbox, operation: str, **parameters: Any) -> None:
        self._mailbox = mailbox
        self.operation = operation
        self.last = mailbox.call(operation, **{**TRIGGERS[operation], **parameters})
        self.location = self._checked()

    @property
    def status(self) -> int:
        return self.last.status

    @property
    def retry_after(self) -> str:
        return str(self.last.headers.get("retry-after", "(missing)"))

    @property
    def state_name(self) -> str:
        """The query parameter that holds the state."""
        return "LastPollInformation" if self.operation in MAIL_TRIGGERS else "triggerstate"

    @property
    def state(self) -> str:
        """The state in `Location`."""
        return parse_qs(urlsplit(self.location).query).get(self.state_name, [""])[0]

    @property
    def mail_state(self) -> Mapping[str, Any]:
        """The members of a mail trigger's state."""
        members: Mapping[str, Any] = json.loads(base64.b64decode(self.state))
        return members

    def poll(self, location: str = "") -> list[Any]:
        """The items of the next poll that the run created; with `location`, of an earlier poll again."""
        self.last = self._mailbox.follow(location or self.location)
        next_location = self._checked()
        if not location:
            self.location = next_location
        items = self.last.json()["value"] if self.last.status == 200 else []
        return [item for item in items if self._mailbox.marker in (item.get("Subject") or "")]

    def polled(self) -> list[Any]:
        """The items of all polls that are due at once: of more than one where `Retry-After` is 0."""
        items = self.poll()
        for _ in range(_MOST_POLLS):
            if self.last.status != 200 or self.retry_after != "0":
                return items
            items += self.poll()
        self._mailbox.report.add(self.operation, "Retry-After", f"not 0 after {_MOST_POLLS} polls", "0")
        raise Unexpected(f"{self.operation} says of each poll that more is waiting")

    def wait(self, count: int = 1) -> list[Any]:
        """Poll until there are as many items. Raises Unexpected after the patience of the run."""
        items: list[Any] = []

        def look() -> bool:
            items.extend(self.polled())
            return len(items) >= count

        self._mailbox.until(f"{count} item(s) of {self.operation}", look)
        return items

    def subjects(self, items: list[Any] | None = None) -> list[str]:
        """The subjects of items, by default of the next polls, without the marker of the run."""
        return list(self._subjects(self.polled() if items is None else items))

    def _subjects(self, items: list[Any]) -> Iterator[str]:
        for item in items:
            yield item["Subject"].removesuffix(f" {self._mailbox.marker}")

    def _checked(self) -> str:
        exchange: Exchange = self.last
        if exchange.status not in (200, 202):
            self._mailbox.report.add(self.operation, "status", "200 or 202", str(exchange.status))
            raise Unexpected(str(exchange))
        if "location" not in exchange.headers:
            self._mailbox.report.add(self.operation, "Location", "the URL of the next poll", "(missing)")
            raise Unexpected(str(exchange))
        # Recorded from the twin: an absolute URL on the host of the connection.
        location, start = str(exchange.headers["location"]), f"{self._mailbox.url}/"
        self._mailbox.holds(self.operation, "Location", location, f"{start}…", location.startswith(start))
        if exchange.status == 200:
            kind = exchange.headers.get("content-type", "(missing)")
            self._mailbox.holds(self.operation, "Content-Type", kind, "JSON", kind.startswith("application/json"))
        return location
