"""What a connection says of itself: that it works, and which datasets it has."""

from __future__ import annotations

from outlook_emulator.mailbox.mailbox import Mailbox

DATASETS = ("calendars", "contacts")


def probe(mailbox: Mailbox) -> None:
    """Answer a connection test; that the mailbox could be opened is the test."""


def datasets(mailbox: Mailbox) -> tuple[str, ...]:
    """The names of the datasets every mailbox has."""
    return DATASETS
