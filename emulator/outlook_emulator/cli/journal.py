"""The command `journal`: list and count the requests to a sandbox, and report retries."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from outlook_emulator.cli import output, parsers, request

_FILTERS = ("connection", "operation", "status", "kind", "after", "limit")


def _operation(entry: output.Row) -> Any:
    return entry.get("operation") or f"{entry.get('method') or ''} {entry.get('path') or entry.get('url') or ''}"


def _causes(entry: output.Row) -> Any:
    """What shaped the response: one cause, or several."""
    causes = entry.get("causes", entry.get("cause"))
    return [f"{cause['kind']} {cause['name']}" for cause in causes] if isinstance(causes, list) else causes


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
    "RETRIED": "cameBack",
    "WAITED": "waitedSeconds",
    "RETRY-AFTER": "askedSeconds",
    "LONG ENOUGH": "waitedAsAsked",
    "EFFECTED": "timesEffected",
    "DUPLICATED": "duplicated",
}


def add(commands: Any) -> None:
    about = "requests to a sandbox and their responses: list, count, retries, clear, cap (how much to keep)"
    journal = parsers.add_command(commands, "journal", about, run)
    journal.add_argument("action", nargs="?", default="list", choices=sorted(_ACTIONS), help="default: list")
    journal.add_argument("value", nargs="?", metavar="N", help="for cap: number of entries to keep")
    journal.add_argument("--connection", metavar="ID", help="list only requests on this connection")
    journal.add_argument("--operation", metavar="ID", help="list only this operation")
    journal.add_argument("--status", help="list only responses with this status")
    journal.add_argument("--kind", help="list only entries of this kind: exchange or delivery")
    journal.add_argument("--after", metavar="ID", help="list only entries after the entry with this id")
    journal.add_argument("--limit", type=int, metavar="N", help="list at most N entries")
    journal.add_argument("--body-bytes", type=int, metavar="N", help="for cap: bytes of each body to keep")


def run(arguments: argparse.Namespace) -> int:
    filters = [name for name in _FILTERS if getattr(arguments, name) is not None]
    if filters and arguments.action != "list":
        arguments.usage_error(f"--{filters[0]} can only be used with list, not with {arguments.action}")
    if arguments.action != "cap" and (arguments.value is not None or arguments.body_bytes is not None):
        arguments.usage_error(f"{arguments.action} takes no number")
    return _ACTIONS[arguments.action](arguments)


def list_entries(arguments: argparse.Namespace) -> int:
    filters = {name: getattr(arguments, name) for name in _FILTERS}
    answer = request.send(arguments, "GET", request.sandbox_path(arguments, "journal") + request.query(filters))
    return output.print_response(arguments, answer, _entries)


def _entries(journal: Any) -> Iterator[str]:
    entries = journal["value"]
    yield from output.table(entries, _COLUMNS)
    dropped = f", {journal['dropped']} older ones dropped" if journal.get("dropped") else ""
    yield f"{len(entries)} of {journal.get('total', len(entries))} entries{dropped}"


def count(arguments: argparse.Namespace) -> int:
    return output.print_response(
        arguments, request.send(arguments, "GET", request.sandbox_path(arguments, "journal", "counts")), _counts
    )


def _counts(counts: Any) -> Iterator[str]:
    flat: dict[str, Any] = {}
    for name, value in counts.items():
        flat |= {f"{name} {key}": number for key, number in value.items()} if isinstance(value, dict) else {name: value}
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
    changes = request.without_none({"cap": entries, "bodyBytes": arguments.body_bytes})
    if not changes:
        arguments.usage_error("cap takes the number of entries to keep, or --body-bytes")
    answer = request.send(arguments, "PATCH", request.sandbox_path(arguments, "journal"), changes)
    kept = " and ".join(
        f"{number} {'entries' if name == 'cap' else 'bytes of a body'}" for name, number in changes.items()
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
