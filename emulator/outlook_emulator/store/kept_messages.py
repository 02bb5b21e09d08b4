"""The messages of a database that were listed last: to build their records takes most of the time of a list."""

from __future__ import annotations

from outlook_emulator.recent import Recent
from outlook_emulator.store.records import Message

_MOST_CHARACTERS = 256 * 1024


class KeptMessages:
    """Messages by key. `clear` them when rows may have been undone or replaced.

    The key of a deleted message is not used again, and a message changes in two flags only, by which it is looked up.
    """

    def __init__(self) -> None:
        self._messages: Recent[int, Message] = Recent(_MOST_CHARACTERS)
        self.clear = self._messages.clear

    def get(self, key: int, is_read: int, is_flagged: int) -> Message | None:
        """The message with a key, None if it is not kept or had other flags."""
        message = self._messages.get(key)
        if message is None or message.is_read != is_read or message.is_flagged != is_flagged:
            return None
        return message

    def keep(self, message: Message) -> None:
        """Keep a message unless it is large."""
        self._messages.keep(message.id, message, sum(len(value) for value in message if isinstance(value, str)))
