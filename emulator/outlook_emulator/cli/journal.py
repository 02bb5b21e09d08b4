"""The command `journal`: list and count the requests to a sandbox, and report retries."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from outlook_emulator.cli import journal_show, output, parsers, recordings, request
from outlook_emulator.options import Option, options_of
from outlook_emulator.traffic.journal_filter import JournalFilter

_FILTERS = options_of(JournalFilter)


def _operation(entry: output.Row) -> Any:
    if entry["kind"] == "import":
        return f"import into {entry['place']}"
    return entry.get("operation") or f"{entry.get('method') or ''} {entry.get('path') or entry.get('url') or ''}"


def _causes(entry: output.Row) -> Any:
    """What shaped the response: one cause, or several. Of an import, how much was left out."""
    if entry.get("skipped"):
        return f"{entry['skipped']} left out"
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
    "REFUSED AGAIN": "refusedAgain",
    "EFFECTED": "timesEffected",
    "DUPLICATED": "duplicated",
}


def add(commands: Any) -> None:
    about = (
        "requests to a sandbox and their responses: list, show, count, retries, clear, cap (how much to keep), export"
    )
    journal = parsers.add_command(commands, "journal", about, run)
    journal.add_argument("action", nargs="?", default="list", choices=sorted(_ACTIONS), help="default: list")
    about = "for show: id of the entry; for cap: number of entries to keep"
    journal.add_argument("value", nargs="?", metavar="N", help=about)
    journal.add_argument("--body-bytes", type=int, metavar="N", help="for cap: bytes of each body to keep")
    journal.add_argument("--har", metavar="FILE", help="for export: HAR file to write, without secrets")
    recordings.add_keep_text(journal)
    journal.add_argument("--follow", action="store_true", help="for list: print each request as it ends, until Ctrl+C")
    filters = journal.add_argument_group("filters of list")
    for option in _FILTERS:
        parsers.add_option(filters, option, _destination(option), **_one_value(option))


def _destination(option: Option) -> str:
    # Other arguments of the command are called `url` and `limit`.
    return f"filter_{option.name}"


def _one_value(option: Option) -> dict[str, Any]:
    """What differs from the option's argument elsewhere: a query string has one value for each filter."""
    if option.is_mapping:
        return {}
    if option.type is bool:
        return {"action": argparse.BooleanOptionalAction}
    # The plain help, without the hint to repeat the flag.
    return {"action": "store", "type": option.item or option.type, "help": parsers.help_of(option)}


def run(arguments: argparse.Namespace) -> int:
    flags = [option.flag for option in _FILTERS if getattr(arguments, _destination(option)) is not None]
    if flags and arguments.action != "list":
        arguments.usage_error(f"{flags[0]} can only be used with list, not with {arguments.action}")
    if arguments.action not in ("cap", "show") and (arguments.value is not None or arguments.body_bytes is not None):
        arguments.usage_error(f"{arguments.action} takes no number")
    if (arguments.action == "export") != (arguments.har is not None):
        arguments.usage_error("export takes --har FILE" if arguments.har is None else "only export takes --har")
    if arguments.keep_text and arguments.action != "export":
        arguments.usage_error("only export takes --keep-text")
    if arguments.follow and arguments.action != "list":
        arguments.usage_error(f"--follow can only be used with list, not with {arguments.action}")
    return _ACTIONS[arguments.action](arguments)


def list_entries(arguments: argparse.Namespace) -> int:
    filters = {option.member: getattr(arguments, _destination(option)) for option in _FILTERS}
    if any(filters[option.member] for option in _FILTERS if option.is_mapping):
        return _query(arguments, filters)
    if arguments.follow:
        # It imports logging, which other commands do not need.
        from outlook_emulator.cli import journal_follow

        return journal_follow.follow(arguments, filters)
    answer = request.send(arguments, "GET", request.sandbox_path(arguments, "journal") + request.query(filters))
    return output.print_response(arguments, answer, _entries)


def _query(arguments: argparse.Namespace, filters: dict[str, Any]) -> int:
    """List what a query string cannot ask for: entries with certain parameters or members of bodies."""
    if arguments.follow:
        arguments.usage_error("--follow cannot be combined with --query or --body")
    order = request.without_none(filters)
    try:
        for option in _FILTERS:
            if option.is_mapping and option.member in order:
                order[option.member] = dict(parsers.pair(text, option.flag) for text in order[option.member])
    except ValueError as error:
        arguments.usage_error(str(error))
    answer = request.send(arguments, "POST", request.sandbox_path(arguments, "journal", "query"), order)
    return output.print_response(arguments, answer, _matches)


def _matches(matches: Any) -> Iterator[str]:
    yield from output.table(matches["value"], _COLUMNS)
    yield f"{len(matches['value'])} of {output.count(matches['count'], 'matching request')}"
    if not matches["value"] and matches["nearMisses"]:
        yield "These are near, but differ:"
        yield from output.table(matches["nearMisses"], {**_COLUMNS, "IN": "differs"})


def show_entry(arguments: argparse.Namespace) -> int:
    if arguments.value is None:
        arguments.usage_error("show takes the id of an entry")
    _number(arguments)
    return journal_show.show(arguments)


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


def export(arguments: argparse.Namespace) -> int:
    return recordings.export(arguments, Path(arguments.har))


def _number(arguments: argparse.Namespace) -> int:
    if not (arguments.value.isascii() and arguments.value.isdigit()):
        arguments.usage_error(f"{arguments.action} takes a whole number, not '{arguments.value}'")
    return int(arguments.value)


_ACTIONS: dict[str, parsers.Run] = {
    "list": list_entries,
    "show": show_entry,
    "count": count,
    "retries": report_retries,
    "clear": clear,
    "cap": cap,
    "export": export,
}
