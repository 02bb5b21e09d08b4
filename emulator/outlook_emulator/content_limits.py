"""How much one request may hold. These limits are far above what mail programs send, and are no settings.

Each step of the work on a request stays short because of them, whatever the request holds.
"""

from __future__ import annotations

from typing import NamedTuple


class ContentLimit(NamedTuple):
    """One limit: what it counts, for error texts and the documentation, and the greatest number."""

    counts: str
    most: int


RECIPIENTS = ContentLimit("recipients", 5_000)
ATTACHMENTS = ContentLimit("attachments", 1_000)
TEXT = ContentLimit("characters of a body, or of another text in a request", 8_000_000)
ITEMS = ContentLimit("items of a list in a request body", 50_000)
NESTING = ContentLimit("levels of a large JSON body", 500)

CONTENT_LIMITS = (RECIPIENTS, ATTACHMENTS, TEXT, ITEMS, NESTING)
