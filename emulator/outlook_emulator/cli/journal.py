"""The command `journal`: what was asked and answered, how often, and what became of it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from outlook_emulator.cli import output, parsers, request

_FILTERS = ("connection", "operation", "status", "kind", "after", "limit")


def _operation(entry: output.Row) -> Any:
    return entry.get("operation") or f"{entry.get('method') or ''} {entry.get('path') or entry.get('url') or ''}"


def _causes(entry: output.Row) -> Any:
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
    journal = parsers.add_command(commands, "journal", about, run)
    journal.add_argument("action", nargs="?", default="list", choices=sorted(_ACTIONS), help="default: list")
    journal.add_argument("value", nargs="?", metavar="N", help="to cap: how many entries are kept")
    journal.add_argument("--connection", metavar="ID", help="list only what one connection was asked")
    journal.add_argument("--operation", metavar="ID", help="list only one operation")
    journal.add_argument("--status", help="list only what was answered so")
    journal.add_argument("--kind", help="list only one kind of entry")
    journal.add_argument("--after", metavar="ID", help="list only what came after an entry")
    journal.add_argument("--limit", type=int, metavar="N", help="list so many at most")
    journal.add_argument("--body-bytes", type=int, metavar="N", help="to cap: how much of a body is kept")


def run(arguments: argparse.Namespace) -> int:
    filters = [name for name in _FILTERS if getattr(arguments, name) is not None]
    if filters and arguments.action != "list":
        arguments.usage_error(f"--{filters[0]} goes with list, not with {arguments.action}")
    if arguments.action != "cap" and (arguments.value is not None or arguments.body_bytes is not None):
        arguments.usage_error(f"{arguments.action} takes no number")
    return _ACTIONS[arguments.action](arguments)


def list_entries(arguments: argparse.Namespace) -> int:
    wanted = {name: getattr(arguments, name) for name in _FILTERS}
    answer = request.send(arguments, "GET", request.sandbox_path(arguments, "journal") + request.query(wanted))
    return output.print_response(arguments, answer, _entries)


def _entries(journal: Any) -> Iterator[str]:
    shown = journal["value"]
    yield from output.table(shown, _COLUMNS)
    dropped = f", {journal['dropped']} older ones dropped" if journal.get("dropped") else ""
    yield f"{len(shown)} of {journal.get('total', len(shown))} entries{dropped}"


def count(arguments: argparse.Namespace) -> int:
    return output.print_response(
        arguments, request.send(arguments, "GET", request.sandbox_path(arguments, "journal", "counts")), _counts
    )


def _counts(counts: Any) -> Iterator[str]:
    flat: dict[str, Any] = {}
    for name, value in counts.items():
        flat |= {f"{name} {one}": number for one, number in value.items()} if isinstance(value, dict) else {name: value}
    return output.fields(flat)


def report_retries(arguments: argparse.Namespace) -> int:
    return output.print_response(
        arguments, request.send(arguments, "GET", request.sandbox_path(arguments, "journal", "retries")), _retries
    )


def _retries(report: Any) -> Iterator[str]:
    yield from output.table(report["value"], _RETRIES)
    yield output.count(report["duplicatedSends"], "duplicated send")


def clear(arguments: argparse.Namespace) -> int:
    answer = request.send(arguments, "DELETE", request.sandbox_path(arguments, "journal"))
    return output.print_response(arguments, answer, lambda nothing: ["cleared the journal"])


def cap(arguments: argparse.Namespace) -> int:
    entries = None if arguments.value is None else _number(arguments)
    order = request.without_none({"cap": entries, "bodyBytes": arguments.body_bytes})
    if not order:
        arguments.usage_error("cap takes the number of entries that are kept, or --body-bytes")
    answer = request.send(arguments, "PATCH", request.sandbox_path(arguments, "journal"), order)
    kept = " and ".join(
        f"{number} {'entries' if name == 'cap' else 'bytes of a body'}" for name, number in order.items()
    )
    return output.print_response(arguments, answer, lambda facts: [f"the journal keeps {kept}"])


def _number(arguments: argparse.Namespace) -> int:
    if not (arguments.value.isascii() and arguments.value.isdigit()):
        arguments.usage_error(f"cap takes a whole number, not '{arguments.value}'")
    return int(arguments.value)


_ACTIONS: dict[str, parsers.Run] = {
    "list": list_entries,
    "count": count,
    "retries": report_retries,
    "clear": clear,
    "cap": cap,
}
