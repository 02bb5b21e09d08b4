"""The clock of a sandbox, moved by its test."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from outlook_emulator.testing.admin import Admin, instant


class Clock:
    """What time it is in one sandbox. Whatever moves it gives the time that it shows then.

    What falls due on the way happens, each thing at its own time, before a move returns.
    """

    def __init__(self, admin: Admin) -> None:
        self._admin = admin

    def now(self) -> datetime:
        """The time, in UTC."""
        return _now(self._admin.ask("GET", "/clock"))

    def advance(self, by: str | timedelta | float) -> datetime:
        """Let time pass: `"1h30m"`, `"PT90M"`, a timedelta, or seconds."""
        seconds = by.total_seconds() if isinstance(by, timedelta) else by
        return self._order(advance=seconds if isinstance(seconds, str) else f"{seconds:.6f}")

    def set(self, when: str | datetime) -> datetime:
        """Let time pass until an instant. Raises Refused for one in the past."""
        return self._order(set=instant(when))

    def freeze(self, at: str | datetime | None = None) -> datetime:
        """Stand still, here or once `at` is reached."""
        return self._order(freeze=True, **({} if at is None else {"set": instant(at)}))

    def follow(self) -> datetime:
        """Go on from here, as fast as the machine's clock."""
        return self._order(freeze=False)

    def _order(self, **order: Any) -> datetime:
        return _now(self._admin.ask("POST", "/clock", json=order))


def _now(facts: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(facts["now"])
