"""The events of a mailbox as they were at a position of the change feed, for polls that pause."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from outlook_emulator.enums import ItemKind
from outlook_emulator.mailbox import changes
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.triggers.mail_triggers import check_position
from outlook_emulator.store import calendar as calendar_store
from outlook_emulator.store.records import Change, Event


def event_before(entry: Change) -> Event | None:
    """The event before an entry of the change feed, None for a new one."""
    return None if entry.before is None else Event._make(orjson.loads(entry.before))


class EventsAt:
    """Events at a position: what has changed since belongs to the next poll, which starts there."""

    def __init__(self, mailbox: Mailbox, position: int) -> None:
        self._mailbox = mailbox
        self._read_until = position
        self._changed: dict[int, Event | None] = {}

    def get(self, key: int) -> Event | None:
        """The event with a key, None if it was not there. Raises InvalidField as `changed` does."""
        changed = self.changed()
        if key in changed:
            return changed[key]
        return calendar_store.event(self._mailbox.db, self._mailbox.owner.id, key)

    def has_exception(self, series: int, start: int) -> bool:
        """Whether the occurrence of a series with an original start was stored. Raises InvalidField as `changed`."""
        changed = self.changed()
        stored = calendar_store.exception(self._mailbox.db, series, start)
        if stored is not None and stored.id not in changed:
            return True
        earlier = (event for event in changed.values() if event is not None)
        return any((event.master_id, event.original_start) == (series, start) for event in earlier)

    def changed(self) -> Mapping[int, Event | None]:
        """The events that have changed since, as they were, by key; None for one that was not there.

        Raises InvalidField if the change feed has forgotten some of the changes.
        """
        # Most polls end before anything changes.
        if changes.newest(self._mailbox.db) > self._read_until:
            check_position(self._mailbox, self._read_until)
            entries = changes.of(self._mailbox.db, self._mailbox.owner.id, ItemKind.EVENT, self._read_until)
            for entry in entries:
                # The first change of an event knows it as it was before all of them.
                if entry.item_id not in self._changed:
                    self._changed[entry.item_id] = event_before(entry)
            self._read_until = changes.newest(self._mailbox.db)
        return self._changed
