"""The messages of a database that were listed last: to build their records takes most of the time of a list."""

from __future__ import annotations

from outlook_emulator.store.records import Message

_MOST_CHARACTERS = 256 * 1024
_LONGEST = 16 * 1024
"""The length of the longest texts that are kept, in characters."""


class KeptMessages:
    """Messages by key. `clear` them when rows may have been undone or replaced.

    The key of a deleted message is not used again, and a message changes in two flags only, by which it is looked up.
    """

    def __init__(self) -> None:
        self._messages: dict[int, Message] = {}
        self._characters = 0

    def get(self, key: int, is_read: int, is_flagged: int) -> Message | None:
        """The message with a key, None if it is not kept or had other flags."""
        message = self._messages.get(key)
        if message is None or message.is_read != is_read or message.is_flagged != is_flagged:
            return None
        return message

    def keep(self, message: Message) -> None:
        """Keep a message unless it is large."""
        length = sum(len(value) for value in message if isinstance(value, str))
        if length > _LONGEST:
            return
        self._characters += length
        if self._characters > _MOST_CHARACTERS:
            self.clear()
            self._characters = length
        self._messages[message.id] = message

    def clear(self) -> None:
        self._messages.clear()
        self._characters = 0
