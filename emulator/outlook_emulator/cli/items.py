"""The commands `import` and `export`: files of events and contacts, into and out of a mailbox."""

from __future__ import annotations

import argparse
from typing import Any

from outlook_emulator.cli import files, output, parsers, request

_FOLDERS = {"ics": ("calendars", "Calendar"), "vcf": ("contactfolders", "Contacts")}
"""The kind of folder for each file format: its name in the admin API, and the default folder."""


_BEGINS = {"ics": b"BEGIN:VCALENDAR", "vcf": b"BEGIN:VCARD"}


def add(commands: Any) -> None:
    about = "import a file of events (.ics) or contacts (.vcf) into a mailbox"
    command = parsers.add_command(commands, "import", about, import_file)
    command.add_argument("file", help="the file, - for standard input")
    about = "the file format (default: by the name of the file, else by its content)"
    command.add_argument("--format", choices=sorted(_FOLDERS), help=about)
    parsers.add_strict(command)
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
    format = arguments.format or (suffix if suffix in _FOLDERS else None)
    content = files.read(arguments.file)
    format = format or _format_of(content)
    if format is None:
        return output.fail(
            f"{_source(arguments.file)} has neither a calendar nor a vCard; --format names the format,"
            " and `outlook-emulator mail deliver` takes mails"
        )
    path = _path(arguments, format, "import") + request.query({"strict": "true" if arguments.strict else None})
    response = request.send(arguments, "POST", path, content)
    return output.print_import(arguments, response, lambda imported: [_summary(arguments.file, imported)])


def _summary(file: str, imported: Any) -> str:
    skipped = len(imported["skipped"])
    left_out = f", and left out {output.count(skipped, 'part')}" if skipped else ""
    return f"imported {output.count(len(imported['ids']), 'item')} from {_source(file)}{left_out}"


def _source(file: str) -> str:
    return "standard input" if file == "-" else file


def _format_of(content: bytes) -> str | None:
    """The format of a file by the line that begins it, in any encoding; None for neither."""
    begins = content.replace(b"\0", b"").upper()
    places = {format: begins.find(begin) for format, begin in _BEGINS.items() if begin in begins}
    return min(places, key=lambda format: places[format], default=None)


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
