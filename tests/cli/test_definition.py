"""The commands `operations` and `swagger`: what the connector has, and what of it is served."""

from __future__ import annotations

import json
import re
from typing import Any

from outlook_emulator.operations import OPERATIONS, mail
from outlook_emulator.server.connector.swagger import swagger
from tests.cli.commands import run

CHOSEN = {
    *("SendEmail", "SendEmailV2", "GetEmails", "GetEmailsV2", "GetEmail", "DeleteEmail", "Move", "Flag", "MarkAsRead"),
    *("ReplyTo", "ReplyToV2", "ReplyToV3", "ForwardEmail", "GetAttachment"),
    *("CalendarGetTables", "V3CalendarPostItem", "GetEventsCalendarViewV2", "RespondToEvent", "ContactPatchItem"),
    *("TestConnection", "OnFilePickerOpen", "OnFilePickerBrowse", "GetDataSets", "GetDataSetsMetadata"),
}
"""Some of what this version serves: every mail operation, what clients lean on, and of calendars and contacts a few."""


def test_operations_as_a_table() -> None:
    """There is a line for each operation, with its id, method, path and whether it is served, and a sum."""
    done = run("operations")
    *lines, total = done.stdout.splitlines()
    expected = [(row.id, row.method, "served" if row.served else "not served", row.full_path) for row in OPERATIONS]
    found = [re.fullmatch(r"(\w+) +([A-Z]+) +(?:V\d,?)+ +(served|not served) +(/\S+)", line) for line in lines]

    assert (0, "") == (done.returncode, done.stderr)
    assert expected == [one.groups() for one in found if one]
    assert f"{sum(row.served for row in OPERATIONS)} of {len(OPERATIONS)} operations served" == total


def test_operations_as_json() -> None:
    """The same table as JSON: all rows in order, with the versions of each operation's family."""
    done = run("operations", "--json")
    table: list[dict[str, Any]] = json.loads(done.stdout)
    versions = {line["id"]: line["versions"] for line in table}

    assert 0 == done.returncode
    assert [(row.id, row.served) for row in OPERATIONS] == [(line["id"], line["served"]) for line in table]
    assert ([1, 2, 3], [1, 2]) == (versions["ReplyToV2"], versions["SendEmail"])


def test_every_mail_operation_is_served() -> None:
    """All mail rows are served, deprecated ones included, and what clients lean on."""
    table = {row.id: row.served for row in OPERATIONS}

    assert table.keys() >= CHOSEN
    assert [] == [id for id in sorted(CHOSEN) if not table[id]]
    assert [] == [row.id for row in mail.OPERATIONS if not row.served]


def test_swagger() -> None:
    """The document that is printed is the one made from the rows."""
    done = run("swagger")

    assert 0 == done.returncode
    assert json.loads(json.dumps(swagger(OPERATIONS))) == json.loads(done.stdout)
