"""What was asked of a sandbox and what it answered."""

from __future__ import annotations

from typing import Any

from outlook_emulator.testing.admin import Admin, json_object
from outlook_emulator.testing.faults import shown


class Journal:
    """The exchanges and callbacks of one sandbox.

    Keywords say which are meant: `operation`, `connection`, `status`, `method`, `path`, `cause`, `kind` and what else
    the admin API's query of the journal takes. All that are given must fit.
    """

    def __init__(self, admin: Admin) -> None:
        self._admin = admin

    def entries(self, **match: Any) -> list[dict[str, Any]]:
        """The entries that fit, oldest first."""
        found: list[dict[str, Any]] = self._query(match)["value"]
        return found

    def count(self, **match: Any) -> int:
        """How many entries fit."""
        found: int = self._query(match)["count"]
        return found

    def retries(self) -> dict[str, Any]:
        """The retry report: of each call that failed or was throttled, when its caller came back, and what of it."""
        found: dict[str, Any] = self._admin.request("GET", "/journal/retries")
        return found

    def assert_called(self, *, times: int | None = None, **match: Any) -> None:
        """Raise AssertionError, with the nearest misses, unless entries fit: so many `times`, or at least once."""
        # Not a part of what a failed assertion shows: the test's own line says more.
        __tracebackhide__ = True
        found = self._query(match)
        count = found["count"]
        if count == times or (times is None and count):
            return
        wanted = "at least once" if times is None else _often(times)
        asked = ", ".join(f"{name}={value!r}" for name, value in match.items()) or "anything"
        misses = [f"  nearly: {shown(one)}" for one in found.get("nearMisses", ())]
        raise AssertionError("\n".join([f"Called {_often(count)}, not {wanted}: {asked}", *misses]))

    def clear(self) -> None:
        """Forget everything so far."""
        self._admin.request("DELETE", "/journal")

    def _query(self, match: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self._admin.request("POST", "/journal/query", json=json_object(match))
        return found


def _often(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
