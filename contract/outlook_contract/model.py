"""A mailbox in plain Python: what the connector must show after a sequence of calls.

It shares no code with the emulator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_EVENT_DEFAULTS: Mapping[str, Any] = {
    "Location": "",
    "RequiredAttendees": "",
    "OptionalAttendees": "",
    "Importance": "Low",
    "ShowAs": "Free",
    "IsAllDay": False,
}
"""What an update leaves out gets these values: those of a bare create (recorded from the Office 365 twin)."""
_CONTACT_TEXTS = ("GivenName", "Surname", "CompanyName", "JobTitle")
_CONTACT_LISTS = ("HomePhones", "BusinessPhones")


@dataclass
class Mail:
    """One mail in one folder. `number` grows with each arrival."""

    subject: str
    folder: str
    number: int
    is_read: bool
    importance: int
    has_attachment: bool


@dataclass
class MailboxModel:
    """The mails, events and contacts of one mailbox that a run created, by a key of the run's own."""

    mails: dict[str, Mail] = field(default_factory=dict)
    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    contacts: dict[str, dict[str, Any]] = field(default_factory=dict)
    _number: int = 0
    _fired: int = 0

    # --- Mail ---

    def send(self, key: str, subject: str, importance: int, has_attachment: bool) -> None:
        """Send a mail to oneself: it arrives unread, and the copy in Sent Items is read."""
        self._number += 1
        for place, folder, is_read in ((key, "Inbox", False), (f"{key}-copy", "SentItems", True)):
            self.mails[place] = Mail(subject, folder, self._number, is_read, importance, has_attachment)

    def mark_read(self, key: str) -> None:
        self.mails[key].is_read = True

    def move(self, key: str, folder: str) -> None:
        self.mails[key].folder = folder

    def delete_mail(self, key: str) -> None:
        """Delete a mail: the first time it lies in Deleted Items, the second time it is gone."""
        if self.mails[key].folder == "DeletedItems":
            del self.mails[key]
        else:
            self.move(key, "DeletedItems")

    def listed(self, folder: str, *, unread_only: bool, importance: int | None) -> list[Mail]:
        """The mails of a folder that match, newest first."""
        matches = [
            mail
            for mail in self.mails.values()
            if mail.folder == folder
            and not (unread_only and mail.is_read)
            and (importance is None or mail.importance == importance)
        ]
        return sorted(matches, key=lambda mail: mail.number, reverse=True)

    def start_polling(self) -> None:
        """Poll a trigger on the inbox for the first time: mails from now on are new to it."""
        self._fired = self._number

    def poll(self) -> list[Mail]:
        """The mails that fire: those in the inbox that arrived after the newest one that has fired.

        A mail that was moved in fires by the time at which it arrived (the vendor's page of the Office 365 twin).
        """
        new = [mail for mail in self.mails.values() if mail.folder == "Inbox" and mail.number > self._fired]
        self._fired = max([self._fired, *(mail.number for mail in new)])
        return new

    # --- Events ---

    def create_event(self, key: str, body: Mapping[str, Any]) -> None:
        self.events[key] = {**_EVENT_DEFAULTS, **_shown(body)}

    def update_event(self, key: str, body: Mapping[str, Any]) -> None:
        """Update an event: what the body leaves out goes to its default, as in a new one."""
        self.create_event(key, body)

    def delete_event(self, key: str) -> None:
        del self.events[key]

    # --- Contacts ---

    def create_contact(self, key: str, body: Mapping[str, Any]) -> None:
        self.contacts[key] = {
            **dict.fromkeys(_CONTACT_TEXTS, ""),
            **{name: [] for name in _CONTACT_LISTS},
            **body,
        }

    def patch_contact(self, key: str, body: Mapping[str, Any]) -> None:
        """Change a contact: texts not sent stay, lists not sent are cleared (recorded from the Office 365 twin)."""
        cleared = {name: list[str]() for name in _CONTACT_LISTS}
        self.contacts[key] = {**self.contacts[key], **cleared, **body}

    def delete_contact(self, key: str) -> None:
        del self.contacts[key]


def _shown(body: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a body as reads show them: with a semicolon behind each address."""
    shown = dict(body)
    for name in ("RequiredAttendees", "OptionalAttendees"):
        if shown.get(name):
            shown[name] = shown[name].rstrip(";") + ";"
    return shown
