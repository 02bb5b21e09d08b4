"""The commands `mail` and `outbox`: list, show and deliver mails, wait for one, list those that left."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from outlook_emulator.cli import contents, files, output, parsers, request
from outlook_emulator.traffic.wait_conditions import conditions_of

_MIME = "message/rfc822"
_OUTBOX_COLUMNS: dict[str, Any] = {
    "ID": "id",
    "DEPARTED": "departedAt",
    "FROM": "from",
    "TO": "recipients",
    "SUBJECT": "subject",
}
_CONDITIONS = [option for option in conditions_of("mail") if option.name != "kind"]


def add(commands: Any) -> None:
    actions = parsers.add_group(commands, "mail", "list, show or deliver mails, or wait for one")
    contents.add_mail_actions(actions)
    deliver = parsers.add_command(actions, "deliver", "deliver a mail from outside to a mailbox", deliver_mail)
    deliver.add_argument("file", help="the mail as a MIME message (.eml), - for standard input")
    deliver.add_argument("--connection", required=True, help="connection id of the mailbox")
    deliver.add_argument("--folder", help="path of the target folder, created if missing (default: Inbox)")
    deliver.add_argument("--received", metavar="INSTANT", help="time of arrival (default: now)")
    deliver.add_argument("--read", action="store_true", help="mark the mail as read")
    deliver.add_argument("--flagged", action="store_true", help="flag the mail")
    parsers.add_strict(deliver)
    about = "wait until a mail arrives, and print it; if several match, print the newest"
    wait = parsers.add_command(actions, "wait", about, wait_for_mail)
    for option in _CONDITIONS:
        parsers.add_option(wait, option, option.name, required=option.name == "connection")
    parsers.add_command(commands, "outbox", "list the mails that left a sandbox", list_outbox)


def deliver_mail(arguments: argparse.Namespace) -> int:
    parameters = {
        "folder": arguments.folder,
        "received": arguments.received,
        "isRead": "true" if arguments.read else None,
        "isFlagged": "true" if arguments.flagged else None,
        "strict": "true" if arguments.strict else None,
    }
    path = request.sandbox_path(arguments, "connections", arguments.connection, "deliver") + request.query(parameters)
    response = request.send(arguments, "POST", path, files.read(arguments.file), content_type=_MIME)
    return output.print_import(arguments, response, lambda delivered: _delivered(delivered["message"]))


def _delivered(mail: Any) -> Iterator[str]:
    yield f"delivered {output.cell(mail['Subject'])} to {output.cell(mail['To'])} as {mail['Id']}"


def wait_for_mail(arguments: argparse.Namespace) -> int:
    conditions = request.without_none({option.member: getattr(arguments, option.name) for option in _CONDITIONS})
    response = request.send(arguments, "POST", request.sandbox_path(arguments, "wait"), conditions)
    return output.print_response(arguments, response, _newest)


def _newest(result: Any) -> Iterator[str]:
    mail = result["value"][-1]
    members = ("from", "recipients", "subject", "receivedAt", "folder", "id")
    return output.fields({name: mail.get(name) for name in members})


def list_outbox(arguments: argparse.Namespace) -> int:
    response = request.send(arguments, "GET", request.sandbox_path(arguments, "outbox"))
    return output.print_response(arguments, response, lambda outbox: output.table(outbox["value"], _OUTBOX_COLUMNS))
