"""The commands `import` and `export`: files of events and contacts, into a mailbox and out of one."""

from __future__ import annotations

import argparse
from typing import Any

from outlook_emulator.cli import client as asking
from outlook_emulator.cli import format as text

_SHELVES = {"ics": ("calendars", "Calendar"), "vcf": ("contactfolders", "Contacts")}
"""What each kind of file goes into: its name in the admin API, and the one that every mailbox has."""


def add(commands: Any) -> None:
    about = "bring a file of events (.ics) or contacts (.vcf) into a mailbox"
    bring = asking.action(commands, "import", about, bring_in)
    bring.add_argument("file", help="the file")
    _place(bring)
    about = "print a calendar (ics) or a contact folder (vcf) of a mailbox"
    carry = asking.action(commands, "export", about, carry_out)
    carry.add_argument("format", choices=sorted(_SHELVES), help="which of the two")
    _place(carry)


def _place(command: argparse.ArgumentParser) -> None:
    command.add_argument("--connection", required=True, help="connection id of the mailbox")
    command.add_argument("--folder", default="", help="calendar or contact folder (default: the one every mailbox has)")


def bring_in(given: argparse.Namespace) -> int:
    suffix = given.file.rpartition(".")[2].lower()
    if suffix not in _SHELVES:
        return asking.fail(f"{given.file} ends neither in .ics nor in .vcf")
    content = asking.read(given.file)
    return asking.tell(
        given,
        asking.ask(given, "POST", _shelf(given, suffix, "import"), content),
        lambda made: [f"brought in {text.count(len(made['ids']), 'item')} from {given.file}"],
    )


def carry_out(given: argparse.Namespace) -> int:
    status, content = asking.ask(given, "GET", _shelf(given, given.format, "export"))
    if status != 200:
        return asking.refused(given, (status, content))
    asking.write("-", content)
    return 0


def _shelf(given: argparse.Namespace, format: str, verb: str) -> str:
    kind, default = _SHELVES[format]
    return asking.within(given, "connections", given.connection, kind, given.folder or default, verb)
