"""All pages: routes, navigation and tests are derived from these rows."""

from __future__ import annotations

from outlook_emulator.server.web import (
    approvals,
    calendar,
    clock,
    contacts,
    coverage,
    event,
    faults,
    journal,
    mail,
    outbox,
    overview,
    snapshots,
    triggers,
)
from outlook_emulator.server.web.page import Page

PAGES: tuple[Page, ...] = (
    *overview.PAGES,
    *mail.PAGES,
    *calendar.PAGES,
    *event.PAGES,
    *contacts.PAGES,
    *outbox.PAGES,
    *approvals.PAGES,
    *journal.PAGES,
    *faults.PAGES,
    *clock.PAGES,
    *snapshots.PAGES,
    *triggers.PAGES,
    *coverage.PAGES,
)
