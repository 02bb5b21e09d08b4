"""The command `journal`: what was asked and answered, how often, and what became of it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from outlook_emulator.cli import client as asking
from outlook_emulator.cli import format as text

_FILTERS = ("connection", "operation", "status", "kind", "after", "limit")


def _operation(entry: text.Row) -> Any:
    return entry.get("operation") or f"{entry.get('method') or ''} {entry.get('path') or entry.get('url') or ''}"


def _causes(entry: text.Row) -> Any:
    """Why an answer is what it is: one cause, or several."""
    causes = entry.get("causes", entry.get("cause"))
    return [f"{one['kind']} {one['name']}" for one in causes] if isinstance(causes, list) else causes


_COLUMNS: dict[str, Any] = {
    "ID": "id",
    "AT": "at",
    "KIND": "kind",
    "CONNECTION": "connection",
    "OPERATION": _operation,
    "STATUS": "status",
    "CAUSE": _causes,
}
_RETRIES: dict[str, Any] = {
    "AT": "at",
    "CONNECTION": "connection",
    "OPERATION": "operation",
    "STATUS": "status",
    "CAME BACK": "cameBack",
    "WAITED": "waitedSeconds",
    "ASKED": "askedSeconds",
    "AS ASKED": "waitedAsAsked",
    "EFFECTED": "timesEffected",
    "DUPLICATED": "duplicated",
}


def add(commands: Any) -> None:
    about = "what was asked and answered: list, count, retries (who came back when), clear, cap (how much is kept)"
    journal = asking.action(commands, "journal", about, run)
    journal.add_argument("action", nargs="?", default="list", choices=sorted(_ACTIONS), help="default: list")
    journal.add_argument("value", nargs="?", metavar="N", help="to cap: how many entries are kept")
    journal.add_argument("--connection", metavar="ID", help="list only what one connection was asked")
    journal.add_argument("--operation", metavar="ID", help="list only one operation")
    journal.add_argument("--status", help="list only what was answered so")
    journal.add_argument("--kind", help="list only one kind of entry")
    journal.add_argument("--after", metavar="ID", help="list only what came after an entry")
    journal.add_argument("--limit", type=int, metavar="N", help="list so many at most")
    journal.add_argument("--body-bytes", type=int, metavar="N", help="to cap: how much of a body is kept")


def run(given: argparse.Namespace) -> int:
    filters = [name for name in _FILTERS if getattr(given, name) is not None]
    if filters and given.action != "list":
        given.misused(f"--{filters[0]} goes with list, not with {given.action}")
    if given.action != "cap" and (given.value is not None or given.body_bytes is not None):
        given.misused(f"{given.action} takes no number")
    return _ACTIONS[given.action](given)


def list_entries(given: argparse.Namespace) -> int:
    wanted = {name: getattr(given, name) for name in _FILTERS}
    answer = asking.ask(given, "GET", asking.within(given, "journal") + asking.query(wanted))
    return asking.tell(given, answer, _entries)


def _entries(journal: Any) -> Iterator[str]:
    shown = journal["value"]
    yield from text.table(shown, _COLUMNS)
    dropped = f", {journal['dropped']} older ones dropped" if journal.get("dropped") else ""
    yield f"{len(shown)} of {journal.get('total', len(shown))} entries{dropped}"


def count(given: argparse.Namespace) -> int:
    return asking.tell(given, asking.ask(given, "GET", asking.within(given, "journal", "counts")), _counts)


def _counts(counts: Any) -> Iterator[str]:
    flat: dict[str, Any] = {}
    for name, value in counts.items():
        flat |= {f"{name} {one}": number for one, number in value.items()} if isinstance(value, dict) else {name: value}
    return text.facts(flat)


def report_retries(given: argparse.Namespace) -> int:
    return asking.tell(given, asking.ask(given, "GET", asking.within(given, "journal", "retries")), _retries)


def _retries(report: Any) -> Iterator[str]:
    yield from text.table(report["value"], _RETRIES)
    yield text.count(report["duplicatedSends"], "duplicated send")


def clear(given: argparse.Namespace) -> int:
    answer = asking.ask(given, "DELETE", asking.within(given, "journal"))
    return asking.tell(given, answer, lambda nothing: ["cleared the journal"])


def cap(given: argparse.Namespace) -> int:
    entries = None if given.value is None else _number(given)
    order = asking.given_members({"cap": entries, "bodyBytes": given.body_bytes})
    if not order:
        given.misused("cap takes the number of entries that are kept, or --body-bytes")
    answer = asking.ask(given, "PATCH", asking.within(given, "journal"), order)
    kept = " and ".join(
        f"{number} {'entries' if name == 'cap' else 'bytes of a body'}" for name, number in order.items()
    )
    return asking.tell(given, answer, lambda facts: [f"the journal keeps {kept}"])


def _number(given: argparse.Namespace) -> int:
    if not (given.value.isascii() and given.value.isdigit()):
        given.misused(f"cap takes a whole number, not '{given.value}'")
    return int(given.value)


_ACTIONS: dict[str, asking.Run] = {
    "list": list_entries,
    "count": count,
    "retries": report_retries,
    "clear": clear,
    "cap": cap,
}
