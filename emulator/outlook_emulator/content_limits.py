"""How much one mail, event or request may hold. Above these limits it gets 413.

They are far above what mail programs send, and are no settings: because of them each step of the work on a request is
short, so that no request keeps the others waiting.
"""

from __future__ import annotations

from typing import NamedTuple


class ContentLimit(NamedTuple):
    """One limit: what it counts, as error texts and the documentation say it, and the greatest number."""

    counts: str
    most: int


RECIPIENTS = ContentLimit("recipients", 5_000)
# Each is invited by mail.
ATTENDEES = ContentLimit("attendees", RECIPIENTS.most)
ATTACHMENTS = ContentLimit("attachments", 1_000)
TEXT = ContentLimit("characters in its body", 8_000_000)
PARTS = ContentLimit("MIME parts, with those of nested mails", 1_000)
DEPTH = ContentLimit("levels of MIME parts", 100)
HEADER_BYTES = ContentLimit("bytes of headers, also in each part", 500_000)
ITEMS = ContentLimit("items in a list", 50_000)
NESTING = ContentLimit("levels of JSON", 500)
SHOWN_NESTING = ContentLimit("levels of JSON in a fault rule", 200)

MAIL_LIMITS = (RECIPIENTS, ATTACHMENTS, TEXT, PARTS, DEPTH, HEADER_BYTES)
"""The limits of a mail that is sent or delivered."""
EVENT_LIMITS = (ATTENDEES,)
"""The limits of an event that is created, changed or imported."""
BODY_LIMITS = (ITEMS, NESTING, SHOWN_NESTING)
"""The limits of a request body; those of items and levels hold for bodies above 1 MB."""
