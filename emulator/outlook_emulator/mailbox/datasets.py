"""A connection test, and the datasets of a connection."""

from __future__ import annotations

from outlook_emulator.mailbox.mailbox import Mailbox

DATASETS = ("calendars", "contacts")


def probe(mailbox: Mailbox) -> None:
    """Succeed: a connection works if its mailbox could be opened."""


def datasets(mailbox: Mailbox) -> tuple[str, ...]:
    """The names of the datasets, the same for every mailbox."""
    return DATASETS
