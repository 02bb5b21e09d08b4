"""Which items of a mailbox to list, each option declared once: the admin API and the command line derive from it."""

from __future__ import annotations

from outlook_emulator.frozen import Frozen
from outlook_emulator.options import option

MOST = 1000
"""The greatest number of items in a list."""


class MailFilter(Frozen, kw_only=True):
    """Which mails of a folder to list. They come newest first."""

    folder: str = option("Inbox", "folder, as a path or an id", metavar="PATH")
    search: str | None = option(None, "only mails that this search finds, in Outlook's syntax", metavar="QUERY")
    unread: bool = option(False, "only unread mails")
    top: int = option(50, "at most this number of mails", least=1, most=MOST, metavar="N")
    skip: int = option(0, "leave out this number of mails", least=0, metavar="N")


class EventFilter(Frozen, kw_only=True):
    """Which events of a calendar to list.

    With `since` or `until`, the events of that time come by start, a series as its occurrences; the time is 30 days
    long unless both are set. Without, all events come, each series once, newest start first.
    """

    calendar: str = option("Calendar", "calendar, by name or id", metavar="NAME")
    since: str | None = option(None, "only events that end after this time; a series as occurrences", metavar="INSTANT")
    until: str | None = option(
        None, "only events that begin before this time; a series as occurrences", metavar="INSTANT"
    )
    top: int = option(50, "at most this number of events", least=1, most=MOST, metavar="N")
    skip: int = option(0, "leave out this number of events", least=0, metavar="N")


class ContactFilter(Frozen, kw_only=True):
    """Which contacts of a folder to list. They come in the order of their creation."""

    folder: str = option("Contacts", "contact folder, by name or id", metavar="NAME")
    top: int = option(50, "at most this number of contacts", least=1, most=MOST, metavar="N")
    skip: int = option(0, "leave out this number of contacts", least=0, metavar="N")
