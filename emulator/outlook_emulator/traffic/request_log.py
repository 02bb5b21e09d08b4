"""One line of text for each request: status, duration, caller, operation and what shaped the response."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import NamedTuple

from outlook_emulator.traffic.journal import ANSWERED, UNDER_WAY, Cause, Entry, ExchangeEntry, ImportEntry
from outlook_emulator.traffic.secrets import redacted

REQUESTS = logging.getLogger("outlook_emulator.requests")
"""Has a record for each request and each attempt of a callback, at the level INFO. The one argument is a `Line`."""

_GREEN, _CYAN, _YELLOW, _RED, _DIM, _PLAIN = (f"\x1b[{code}m" for code in (32, 36, 33, 31, 2, 0))
_COLOURS = {"2": _GREEN, "3": _CYAN, "4": _YELLOW}


class Line(NamedTuple):
    """A line of the request log.

    `status` is a number, or how the response was lost. `milliseconds` is None where the duration is not known.
    `what` is the operation, or method and path, or the URL of a callback. `causes` are faults, limits and errors.
    """

    status: str
    milliseconds: float | None
    connection: str
    what: str
    causes: tuple[str, ...]

    def text(self, *, coloured: bool = False) -> str:
        """The line, with the colours of a terminal if `coloured`."""
        status, what = f"{self.status:>3}", _printable(self.what)
        causes = _printable(", ".join(self.causes))
        if coloured:
            status = f"{_COLOURS.get(self.status[:1], _RED)}{status}{_PLAIN}"
            causes = causes and f"{_DIM}{causes}{_PLAIN}"
        took = "" if self.milliseconds is None else f"{self.milliseconds:.1f} ms"
        line = f"{status} {took:>10}  {_printable(self.connection) or '-':<12}  {what}"
        return f"{line}  {causes}" if causes else line

    def __str__(self) -> str:
        return self.text()


def line_of(entry: Entry, path: str = "") -> Line:
    """The line of a finished entry; `path` is shown where the connector has no such operation."""
    if isinstance(entry, ExchangeEntry):
        return Line(
            status_text(entry.status, entry.outcome),
            entry.took / 1_000_000,
            entry.connection,
            entry.operation or f"{entry.method} {_clean(path)}",
            cause_texts(entry.causes),
        )
    if isinstance(entry, ImportEntry):
        return import_line(entry.connection, entry.place, entry.status, entry.reasons)
    return callback_line(entry.url, entry.status, entry.error)


def callback_line(url: str, status: int | None, error: str | None) -> Line:
    """The line of an attempt to deliver a callback."""
    return Line("lost" if status is None else str(status), None, "", f"callback {url}", (error,) if error else ())


def import_line(connection: str, place: str, status: int, reasons: Iterable[str]) -> Line:
    """The line of an import; `reasons` tells what was left out."""
    return Line(
        str(status), None, connection, f"import into {place}", tuple(f"left out {_clean(text)}" for text in reasons)
    )


def unserved_line(method: str, path: str, reason: str) -> Line:
    """The line of a request to a path that this server does not have."""
    return Line("404", None, "", f"{method} {_clean(path)}", (f"refusal {_clean(reason)}",))


def status_text(status: int | None, outcome: str) -> str:
    """The status of a response that arrived, else how it was lost."""
    return outcome if outcome not in (ANSWERED, UNDER_WAY) or status is None else str(status)


def cause_texts(causes: Iterable[Cause]) -> tuple[str, ...]:
    """Each cause with its reason, without secrets."""
    return tuple(f"{kind} {name}: {_clean(reason)}" for kind, name, reason in causes)


def _clean(text: str) -> str:
    return redacted(text.encode(errors="replace")).decode()


def _printable(text: str) -> str:
    # Paths and reasons come from callers, and control characters could steer the terminal.
    return "".join(character if character.isprintable() else " " for character in text)
