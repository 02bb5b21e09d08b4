"""The command `init`: write a seed folder to begin with."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from outlook_emulator.cli import output
from outlook_emulator.seed_folder import DESCRIPTION, connection_id

_FILES = {
    DESCRIPTION: """\
# A mailbox for the Outlook Connector Emulator. Load it with
#   outlook-emulator serve --seed {folder}      at start, or with
#   outlook-emulator seed {folder}              into a running emulator.
# Its connection id is the name of the folder: http://127.0.0.1:4365/apim/outlook/{name}

address = "{name}@example.com"
display_name = "{name}"

# Files are taken from these folders, without being named here:
#   mail/FOLDER/*.eml         mails; mail/Projects/Engine/x.eml is a mail of the folder Projects/Engine
#   calendars/NAME/*.ics      events; files directly in calendars/ belong to the calendar "Calendar"
#   contacts/NAME/*.vcf       contacts; files directly in contacts/ belong to the folder "Contacts"

# Empty folders. A list of names stands for a folder with a slash in its name.
folders = ["Projects", ["R/D"]]

# A mail can be written here. It is from the owner unless it has `from`, and to the owner unless it has `to`.
[[mail]]
folder = "Inbox"
received = 2026-01-12T09:40:00Z
from = "Bob Bobbin <bob@example.org>"
subject = "Invoice 17"
text = "Please pay by Friday."
attachments = [{{ name = "invoice.csv", text = "item,price\\ntea,3" }}]
# read = true
# flagged = true
# importance = "High"          # Low, Normal or High
# cc = "Ann <ann@example.org>"
# html = "<p>Instead of text</p>"

# A file can be named too, to choose its folder, its time of arrival and its state.
# [[mail]]
# file = "somewhere/letter.eml"
# folder = "Archive"
# received = 2026-01-13T08:00:00Z
""",
    "mail/Inbox/welcome.eml": """\
From: Ann <ann@example.org>
To: {name}@example.com
Subject: Welcome
Date: Mon, 12 Jan 2026 08:00:00 +0000
Message-ID: <welcome@example.org>
Content-Type: text/plain; charset=utf-8

Replace this mail by your own files.
""",
    "calendars/meeting.ics": """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Outlook Connector Emulator//EN
BEGIN:VEVENT
UID:meeting-1@example.org
DTSTAMP:20260101T000000Z
DTSTART:20260114T090000Z
DTEND:20260114T093000Z
RRULE:FREQ=WEEKLY;COUNT=10
SUMMARY:Weekly meeting
END:VEVENT
END:VCALENDAR
""",
    "contacts/bob.vcf": """\
BEGIN:VCARD
VERSION:4.0
FN:Bob Bobbin
N:Bobbin;Bob;;;
EMAIL:bob@example.org
END:VCARD
""",
}


def add(commands: Any) -> None:
    about = "write a folder with a mailbox to begin with, for serve --seed"
    command = commands.add_parser("init", help=about, description=about)
    command.add_argument("folder", type=Path, help="the folder to write; its name becomes the connection id")
    command.set_defaults(run=write_folder)


def write_folder(arguments: argparse.Namespace) -> int:
    from outlook_emulator.errors import InvalidRequest
    from outlook_emulator.ids import check_connection_id

    folder: Path = arguments.folder
    name = connection_id(folder)
    try:
        check_connection_id(name)
    except InvalidRequest as error:
        return output.fail(f"the name of the folder becomes a connection id. {error}")
    if taken := [file for file in _FILES if (folder / file).exists()]:
        return output.fail(f"{folder / taken[0]} exists already")
    try:
        for file, text in _FILES.items():
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            # Mails, events and contacts have the line ends of their formats.
            newline = None if file == DESCRIPTION else "\r\n"
            path.write_text(text.format(name=name, folder=folder), encoding="utf-8", newline=newline)
    except OSError as error:
        return output.fail(f"cannot write {folder}: {error.strerror or error}")
    quoted = f'"{folder}"' if " " in str(folder) else folder
    print(f"wrote {folder}; load it with: outlook-emulator serve --seed {quoted}")
    return 0
