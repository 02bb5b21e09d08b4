"""The messages and lists of a database that were read last: to build their records takes most of the time of a list."""

from __future__ import annotations

from collections.abc import Hashable

from outlook_emulator.recent import Recent
from outlook_emulator.store.records import Message

_MOST_CHARACTERS = 256 * 1024


class KeptMessages:
    """Messages by key, and lists of them. `clear` them when rows may have been undone or replaced.

    The key of a deleted message is not used again, and a message changes in two flags only, by which it is looked up.
    A list is valid as long as nothing is written. Whoever waits for a mail asks for the same list again and again.
    """

    def __init__(self) -> None:
        self._messages: Recent[int, Message] = Recent(_MOST_CHARACTERS)
        self._lists: Recent[Hashable, list[Message]] = Recent(_MOST_CHARACTERS)
        self._writes = 0

    def clear(self) -> None:
        self._messages.clear()
        self._lists.clear()

    def get(self, key: int, is_read: int, is_flagged: int) -> Message | None:
        """The message with a key, None if it is not kept or had other flags."""
        message = self._messages.get(key)
        if message is None or message.is_read != is_read or message.is_flagged != is_flagged:
            return None
        return message

    def keep(self, message: Message) -> None:
        """Keep a message unless it is large."""
        self._messages.keep(message.id, message, _size(message))

    def get_list(self, request: Hashable, writes: int) -> list[Message] | None:
        """The list that a request got, None if it is not kept or something was written since."""
        if writes == self._writes:
            return self._lists.get(request)
        self._lists.clear()
        self._writes = writes
        return None

    def keep_list(self, request: Hashable, messages: list[Message]) -> None:
        """Keep the list that a request got after the last writes, unless it is large."""
        self._lists.keep(request, messages, sum(map(_size, messages)) + 1)


def _size(message: Message) -> int:
    return sum(len(value) for value in message if isinstance(value, str))
