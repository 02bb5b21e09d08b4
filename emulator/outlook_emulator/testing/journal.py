"""The journal of a sandbox, as a test reads it."""

from __future__ import annotations

from typing import Any

from outlook_emulator.options import options_of
from outlook_emulator.testing.admin import Admin
from outlook_emulator.testing.faults import shown
from outlook_emulator.traffic.journal_filter import JournalFilter

_KEYWORDS = {option.name: option.member for option in options_of(JournalFilter)}
# Tests may also use the names of the admin API: they did before the keywords were declared.
_MEMBERS = _KEYWORDS | {member: member for member in _KEYWORDS.values()}


class Journal:
    """The exchanges and callbacks of one sandbox.

    Keywords select entries, as `JournalFilter` declares them: `operation`, `connection`, `status`, `method`, `path`,
    `cause`, `kind` and more. All must match.
    """

    def __init__(self, admin: Admin) -> None:
        self._admin = admin

    def entries(self, **match: Any) -> list[dict[str, Any]]:
        """The matching entries, oldest first."""
        entries: list[dict[str, Any]] = self._query(match)["value"]
        return entries

    def count(self, **match: Any) -> int:
        """The number of matching entries."""
        count: int = self._query(match)["count"]
        return count

    def retries(self) -> dict[str, Any]:
        """The retry report: each failed or throttled request, and when its caller retried."""
        report: dict[str, Any] = self._admin.request("GET", "/journal/retries")
        return report

    def assert_called(self, *, times: int | None = None, **match: Any) -> None:
        """Raise AssertionError, with the nearest misses, unless entries match: exactly `times`, or at least once."""
        # The traceback of a failed assertion ends at the line of the test.
        __tracebackhide__ = True
        matches = self._query(match)
        count = matches["count"]
        if count == times or (times is None and count):
            return
        expected = "at least once" if times is None else _times(times)
        query = ", ".join(f"{name}={value!r}" for name, value in match.items()) or "anything"
        misses = [f"  nearly: {shown(entry)}" for entry in matches.get("nearMisses", ())]
        raise AssertionError("\n".join([f"Called {_times(count)}, not {expected}: {query}", *misses]))

    def clear(self) -> None:
        """Remove all entries."""
        self._admin.request("DELETE", "/journal")

    def _query(self, match: dict[str, Any]) -> dict[str, Any]:
        if unknown := sorted(match.keys() - _MEMBERS.keys()):
            raise TypeError(f"the journal has no filter {unknown[0]!r}; it has {', '.join(sorted(_KEYWORDS))}")
        query = {_MEMBERS[name]: value for name, value in match.items() if value is not None}
        matches: dict[str, Any] = self._admin.request("POST", "/journal/query", json=query)
        return matches


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
