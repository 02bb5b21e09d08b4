"""What the import of a file reports, and how a strict one refuses it."""

from __future__ import annotations

from collections.abc import Sequence

from outlook_emulator.errors import PartsLeftOut
from outlook_emulator.mailbox.formats.skipped import SkippedItem
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.admin import shapes


def check_whole(
    sandbox: Sandbox, connection_id: str, place: str, skipped: Sequence[SkippedItem], *, strict: bool
) -> None:
    """Refuse a file of which parts would be left out, if the import is strict. Raises PartsLeftOut."""
    if not (strict and skipped):
        return
    sandbox.note_import(connection_id, place, 0, skipped, status=PartsLeftOut.status)
    parts = f"{len(skipped)} parts" if len(skipped) > 1 else "a part"
    raise PartsLeftOut(f"Nothing was imported, since {parts} would be left out. {skipped[0]}", skipped_facts(skipped))


def skipped_facts(skipped: Sequence[SkippedItem]) -> list[shapes.SkippedFacts]:
    """What an import left out, as JSON."""
    return [{"item": item.item, "line": item.line, "reason": item.reason} for item in skipped]
