"""Every operation of the connector, one row each, in the order of documents and tables."""

from __future__ import annotations

from outlook_emulator.operations import approvals, calendar, contacts, mail, metadata, subscriptions, triggers
from outlook_emulator.operations.operation import Kind, Operation, Scope

OPERATIONS: tuple[Operation, ...] = (
    *metadata.OPERATIONS,
    *mail.OPERATIONS,
    *calendar.OPERATIONS,
    *contacts.OPERATIONS,
    *approvals.OPERATIONS,
    *triggers.OPERATIONS,
    *subscriptions.OPERATIONS,
)

__all__ = ["OPERATIONS", "Kind", "Operation", "Scope"]
