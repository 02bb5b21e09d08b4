"""The commands `mail` and `outbox`: a mail that arrives, one that is waited for, those that left."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from outlook_emulator.cli import files, output, parsers, request

_MIME = "message/rfc822"
_DEPARTED: dict[str, Any] = {
    "ID": "id",
    "DEPARTED": "departedAt",
    "FROM": "from",
    "TO": "recipients",
    "SUBJECT": "subject",
}


def add(commands: Any) -> None:
    actions = parsers.add_group(commands, "mail", "deliver a mail, or wait for one")
    deliver = parsers.add_command(actions, "deliver", "deliver a mail from the outside world", deliver_file)
    deliver.add_argument("file", help="the mail as MIME (.eml), - for standard input")
    deliver.add_argument("--connection", required=True, help="connection id of the mailbox")
    deliver.add_argument("--folder", help="path of the folder it lands in, made where it is missing (default: Inbox)")
    deliver.add_argument("--received", metavar="INSTANT", help="when it arrived (default: now)")
    deliver.add_argument("--read", action="store_true", help="it has been read")
    deliver.add_argument("--flagged", action="store_true", help="it is flagged")
    _wait(actions)
    parsers.add_command(commands, "outbox", "list the mails that left a sandbox", list_outbox)


def _wait(actions: Any) -> None:
    about = "print a mail as soon as it is there, the newest where there are several"
    wait = parsers.add_command(actions, "wait", about, wait_for_mail)
    wait.add_argument("--connection", required=True, help="connection id of the mailbox")
    wait.add_argument("--subject", help="what its subject holds")
    wait.add_argument("--from", dest="sender", metavar="ADDRESS", help="its sender's address")
    wait.add_argument("--recipient", metavar="ADDRESS", help="whom it came to")
    wait.add_argument("--folder", help="the folder it lies in")
    wait.add_argument("--text", help="what its body holds")
    wait.add_argument("--newer-than", metavar="ID", help="the id of a mail it came after")
    wait.add_argument("--count", type=int, help="how many there must be (default: 1)")
    wait.add_argument("--timeout", type=float, default=10, help="seconds to wait, 60 at most (default: 10)")


def deliver_file(arguments: argparse.Namespace) -> int:
    how = {
        "folder": arguments.folder,
        "received": arguments.received,
        "isRead": "true" if arguments.read else None,
        "isFlagged": "true" if arguments.flagged else None,
    }
    path = request.sandbox_path(arguments, "connections", arguments.connection, "deliver") + request.query(how)
    answer = request.send(arguments, "POST", path, files.read(arguments.file), content_type=_MIME)
    return output.print_response(arguments, answer, lambda made: _message_view(made["message"]))


def _message_view(mail: Any) -> Iterator[str]:
    yield f"delivered {output.cell(mail['Subject'])} to {output.cell(mail['To'])} as {mail['Id']}"


def wait_for_mail(arguments: argparse.Namespace) -> int:
    wanted = {
        "connection": arguments.connection,
        "subject": arguments.subject,
        "from": arguments.sender,
        "recipient": arguments.recipient,
        "folder": arguments.folder,
        "text": arguments.text,
        "newerThan": arguments.newer_than,
        "count": arguments.count,
        "timeoutSeconds": arguments.timeout,
    }
    order = request.without_none(wanted)
    return output.print_response(
        arguments, request.send(arguments, "POST", request.sandbox_path(arguments, "wait"), order), _newest
    )


def _newest(waited: Any) -> Iterator[str]:
    mail = waited["value"][-1]
    members = ("from", "recipients", "subject", "receivedAt", "folder", "id")
    return output.fields({name: mail.get(name) for name in members})


def list_outbox(arguments: argparse.Namespace) -> int:
    answer = request.send(arguments, "GET", request.sandbox_path(arguments, "outbox"))
    return output.print_response(arguments, answer, lambda all: output.table(all["value"], _DEPARTED))
