"""Events with large bodies, whose calendar files have very long lines."""

from __future__ import annotations

from typing import Any

from icalendar.parser import Contentlines

from tests.conftest import Connection

PARAGRAPH = "<p>Ünder C:\\New, 漢字 &amp; 😀; a^b \\\\ and so on</p>\n"


def test_a_file_of_large_bodies_is_folded_as_the_package_does_it(alice: Connection) -> None:
    """No line has more than 75 bytes, and no character or escape is divided (RFC 5545, 3.1)."""
    alice.meet(Body=PARAGRAPH * 500, RequiredAttendees="eve@example.org")
    alice.meet(PARAGRAPH * 3)

    exported = alice.api.get(f"/connections/{alice.id}/calendars/Calendar/export").content

    assert max(map(len, exported.split(b"\r\n"))) <= 75
    lines: Any = Contentlines
    assert exported == lines.from_ical(exported).to_ical()
