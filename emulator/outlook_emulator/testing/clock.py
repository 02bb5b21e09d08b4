"""The clock of a sandbox, under the control of its test."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from outlook_emulator.testing.admin import Admin, instant


class Clock:
    """The clock of one sandbox. Every method returns the time that the clock shows afterwards, in UTC.

    Work that falls due during a move runs before the method returns, in order, each item at its own time.
    """

    def __init__(self, admin: Admin) -> None:
        self._admin = admin

    def now(self) -> datetime:
        """Read the time."""
        return _now(self._admin.request("GET", "/clock"))

    def advance(self, by: str | timedelta | float) -> datetime:
        """Move the clock forward by a duration: `"1h30m"`, `"PT90M"`, a timedelta, or a number of seconds."""
        seconds = by.total_seconds() if isinstance(by, timedelta) else by
        # Never with an exponent, and as exact as the clock.
        return self._change(advance=seconds if isinstance(seconds, str) else f"{seconds:.6f}")

    def set(self, when: str | datetime) -> datetime:
        """Move the clock forward to an instant. Raises AdminError for an instant in the past."""
        return self._change(set=instant(when))

    def freeze(self, at: str | datetime | None = None) -> datetime:
        """Stop the clock, now or after moving it to `at`."""
        return self._change(freeze=True, **({} if at is None else {"set": instant(at)}))

    def follow(self) -> datetime:
        """Let the clock run again, from the time it shows."""
        return self._change(freeze=False)

    def _change(self, **change: Any) -> datetime:
        return _now(self._admin.request("POST", "/clock", json=change))


def _now(state: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(state["now"])
