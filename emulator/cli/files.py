"""The commands `import` and `export`: files of events and contacts, into a mailbox and out of one."""

from __future__ import annotations

import argparse
from typing import Any

from emulator.cli import asking

_SHELVES = {"ics": ("calendars", "Calendar"), "vcf": ("contactfolders", "Contacts")}
"""What each kind of file goes into: its name in the admin API, and the one that every mailbox has."""


def add(commands: Any) -> None:
    bring = commands.add_parser("import", help="bring a file of events (.ics) or contacts (.vcf) into a mailbox")
    bring.add_argument("file", help="the file")
    _place(bring)
    bring.set_defaults(run=bring_in)
    carry = commands.add_parser("export", help="print a calendar (ics) or a contact folder (vcf) of a mailbox")
    carry.add_argument("format", choices=sorted(_SHELVES), help="which of the two")
    _place(carry)
    carry.set_defaults(run=carry_out)


def _place(command: argparse.ArgumentParser) -> None:
    command.add_argument("--connection", required=True, help="connection id of the mailbox")
    command.add_argument("--folder", default="", help="calendar or contact folder (default: the one every mailbox has)")
    asking.options(command)


def bring_in(given: argparse.Namespace) -> int:
    from pathlib import Path

    suffix = Path(given.file).suffix.lower().removeprefix(".")
    if suffix not in _SHELVES:
        return asking.fail(f"{given.file} ends neither in .ics nor in .vcf")
    try:
        content = Path(given.file).read_bytes()
    except OSError as error:
        return asking.fail(f"{given.file} cannot be read: {error.strerror}")
    return asking.report(given, asking.ask(given, "POST", f"{_shelf(given, suffix)}/import", content))


def carry_out(given: argparse.Namespace) -> int:
    return asking.report(given, asking.ask(given, "GET", f"{_shelf(given, given.format)}/export"))


def _shelf(given: argparse.Namespace, format: str) -> str:
    kind, default = _SHELVES[format]
    return asking.within(given, "connections", given.connection, kind, given.folder or default)
