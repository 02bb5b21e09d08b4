"""Remembers results that are likely to be needed again."""

from __future__ import annotations

from typing import TypeVar

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class Recent(dict[_Key, _Value]):
    """A dict that forgets everything when it is full; `most` is the number, or the whole size, of what it holds.

    Where the same few entries are needed again and again, that is as good as to forget the oldest, and takes no time.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most
        self._size = 0

    def keep(self, key: _Key, value: _Value, size: int = 1) -> None:
        """Remember a value under a new key, unless it alone would take an eighth of the room."""
        if size > max(1, self._most // 8):
            return
        self._size += size
        if self._size > self._most:
            self.clear()
            self._size = size
        self[key] = value

    def clear(self) -> None:
        super().clear()
        self._size = 0
