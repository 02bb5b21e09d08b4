"""The commands `import` and `export`: files of events and contacts, into and out of a mailbox."""

from __future__ import annotations

import argparse
from typing import Any

from outlook_emulator.cli import files, output, parsers, request

_FOLDERS = {"ics": ("calendars", "Calendar"), "vcf": ("contactfolders", "Contacts")}
"""The kind of folder for each file format: its name in the admin API, and the default folder."""


def add(commands: Any) -> None:
    about = "import a file of events (.ics) or contacts (.vcf) into a mailbox"
    command = parsers.add_command(commands, "import", about, import_file)
    command.add_argument("file", help="the file")
    _add_folder_options(command)
    about = "print a calendar (ics) or a contact folder (vcf) of a mailbox"
    command = parsers.add_command(commands, "export", about, export_folder)
    command.add_argument("format", choices=sorted(_FOLDERS), help="the file format")
    _add_folder_options(command)


def _add_folder_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--connection", required=True, help="connection id of the mailbox")
    command.add_argument(
        "--folder", default="", help="calendar or contact folder (default: the one that every mailbox has)"
    )


def import_file(arguments: argparse.Namespace) -> int:
    suffix = arguments.file.rpartition(".")[2].lower()
    if suffix not in _FOLDERS:
        return output.fail(f"the name of {arguments.file} must end in .ics or .vcf")
    content = files.read(arguments.file)
    response = request.send(arguments, "POST", _path(arguments, suffix, "import"), content)
    return output.print_response(
        arguments,
        response,
        lambda imported: [f"imported {output.count(len(imported['ids']), 'item')} from {arguments.file}"],
    )


def export_folder(arguments: argparse.Namespace) -> int:
    status, content = request.send(arguments, "GET", _path(arguments, arguments.format, "export"))
    if status != 200:
        return output.print_error(arguments, (status, content))
    files.write("-", content)
    return 0


def _path(arguments: argparse.Namespace, format: str, action: str) -> str:
    kind, default = _FOLDERS[format]
    folder = arguments.folder or default
    return request.sandbox_path(arguments, "connections", arguments.connection, kind, folder, action)
