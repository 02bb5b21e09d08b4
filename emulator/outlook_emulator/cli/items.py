"""The commands `import` and `export`: files of events and contacts, into a mailbox and out of one."""

from __future__ import annotations

import argparse
from typing import Any

from outlook_emulator.cli import files, output, parsers, request

_SHELVES = {"ics": ("calendars", "Calendar"), "vcf": ("contactfolders", "Contacts")}
"""What each kind of file goes into: its name in the admin API, and the one that every mailbox has."""


def add(commands: Any) -> None:
    about = "bring a file of events (.ics) or contacts (.vcf) into a mailbox"
    bring = parsers.add_command(commands, "import", about, bring_in)
    bring.add_argument("file", help="the file")
    _place(bring)
    about = "print a calendar (ics) or a contact folder (vcf) of a mailbox"
    carry = parsers.add_command(commands, "export", about, carry_out)
    carry.add_argument("format", choices=sorted(_SHELVES), help="which of the two")
    _place(carry)


def _place(command: argparse.ArgumentParser) -> None:
    command.add_argument("--connection", required=True, help="connection id of the mailbox")
    command.add_argument("--folder", default="", help="calendar or contact folder (default: the one every mailbox has)")


def bring_in(arguments: argparse.Namespace) -> int:
    suffix = arguments.file.rpartition(".")[2].lower()
    if suffix not in _SHELVES:
        return output.fail(f"{arguments.file} ends neither in .ics nor in .vcf")
    content = files.read(arguments.file)
    return output.print_response(
        arguments,
        request.send(arguments, "POST", _shelf(arguments, suffix, "import"), content),
        lambda made: [f"brought in {output.count(len(made['ids']), 'item')} from {arguments.file}"],
    )


def carry_out(arguments: argparse.Namespace) -> int:
    status, content = request.send(arguments, "GET", _shelf(arguments, arguments.format, "export"))
    if status != 200:
        return output.print_error(arguments, (status, content))
    files.write("-", content)
    return 0


def _shelf(arguments: argparse.Namespace, format: str, verb: str) -> str:
    kind, default = _SHELVES[format]
    return request.sandbox_path(arguments, "connections", arguments.connection, kind, arguments.folder or default, verb)
