"""All probes, by number."""

from __future__ import annotations

from outlook_contract.probes import (
    approvals,
    bodies,
    calendars,
    deletes,
    gateway,
    lists,
    meetings,
    protected,
    replies,
    sending,
    subscriptions,
    triggers,
    updates,
    validation,
)
from outlook_contract.probes.probe import Probe

PROBES: tuple[Probe, ...] = (
    updates.event_update,
    updates.contact_update,
    bodies.stored_bodies,
    calendars.attendee_strings,
    calendars.list_order,
    deletes.deleted_items,
    meetings.meetings,
    triggers.polls,
    subscriptions.subscriptions,
    approvals.questions,
    lists.folders_and_pages,
    validation.wrong_bodies,
    gateway.gateway_refusals,
    deletes.odd_ids,
    lists.searches,
    lists.filter_window,
    bodies.skipped_attachments,
    replies.replies,
    sending.senders_and_recipients,
    bodies.size_limits,
    gateway.throttling,
    gateway.headers_and_ids,
    triggers.mentions,
    protected.protected_mail,
    bodies.attachment_downloads,
)
