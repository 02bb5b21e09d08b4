"""Keeps the log short where many requests fail in the same way."""

from __future__ import annotations

import time

_QUIET_SECONDS = 60.0
_MOST_TEXTS = 1000


class QuietLog:
    """Remembers which texts were logged in the last minute."""

    def __init__(self) -> None:
        self._logged: dict[str, float] = {}

    def is_new(self, text: str) -> bool:
        """Whether a text was not logged in the last minute; it then counts as logged."""
        now = time.monotonic()
        if now - self._logged.get(text, now - _QUIET_SECONDS) < _QUIET_SECONDS:
            return False
        if len(self._logged) >= _MOST_TEXTS:
            self._logged.clear()
        self._logged[text] = now
        return True
