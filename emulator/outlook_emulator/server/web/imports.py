"""Files that a form imports into a calendar or an address book."""

from __future__ import annotations

from typing import Any

from outlook_emulator.errors import InvalidField
from outlook_emulator.server.web.page import PageRequest

_MOST_REASONS = 10
"""The left out parts of a file that the URL of a page holds."""


def sent_file(request: PageRequest) -> bytes:
    """The content of the only file of a form. Raises InvalidField without one."""
    files = request.form.files.get("file", [])
    if not files:
        raise InvalidField("file", "must be a file.")
    return files[0].content


def imported_values(result: Any) -> dict[str, Any]:
    """What an import did, as values of a URL."""
    skipped = result.get("skipped", [])
    return {
        "imported": len(result["ids"]),
        "skipped": len(skipped) or None,
        "reason": [
            f"{part['item']}{', line ' + str(part['line']) if part['line'] else ''}: {part['reason']}"
            for part in skipped[:_MOST_REASONS]
        ]
        or None,
    }
