"""The commands `mail` and `outbox`: a mail that arrives, one that is waited for, those that left."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from outlook_emulator.cli import client as asking
from outlook_emulator.cli import format as text

_MIME = "message/rfc822"
_DEPARTED: dict[str, Any] = {
    "ID": "id",
    "DEPARTED": "departedAt",
    "FROM": "from",
    "TO": "recipients",
    "SUBJECT": "subject",
}


def add(commands: Any) -> None:
    actions = asking.group(commands, "mail", "deliver a mail, or wait for one")
    deliver = asking.action(actions, "deliver", "deliver a mail from the outside world", deliver_file)
    deliver.add_argument("file", help="the mail as MIME (.eml), - for standard input")
    deliver.add_argument("--connection", required=True, help="connection id of the mailbox")
    deliver.add_argument("--folder", help="path of the folder it lands in, made where it is missing (default: Inbox)")
    deliver.add_argument("--received", metavar="INSTANT", help="when it arrived (default: now)")
    deliver.add_argument("--read", action="store_true", help="it has been read")
    deliver.add_argument("--flagged", action="store_true", help="it is flagged")
    _wait(actions)
    asking.action(commands, "outbox", "list the mails that left a sandbox", list_outbox)


def _wait(actions: Any) -> None:
    about = "print a mail as soon as it is there, the newest where there are several"
    wait = asking.action(actions, "wait", about, wait_for_mail)
    wait.add_argument("--connection", required=True, help="connection id of the mailbox")
    wait.add_argument("--subject", help="what its subject holds")
    wait.add_argument("--from", dest="sender", metavar="ADDRESS", help="its sender's address")
    wait.add_argument("--recipient", metavar="ADDRESS", help="whom it came to")
    wait.add_argument("--folder", help="the folder it lies in")
    wait.add_argument("--text", help="what its body holds")
    wait.add_argument("--newer-than", metavar="ID", help="the id of a mail it came after")
    wait.add_argument("--count", type=int, help="how many there must be (default: 1)")
    wait.add_argument("--timeout", type=float, default=10, help="seconds to wait, 60 at most (default: 10)")


def deliver_file(given: argparse.Namespace) -> int:
    how = {
        "folder": given.folder,
        "received": given.received,
        "isRead": "true" if given.read else None,
        "isFlagged": "true" if given.flagged else None,
    }
    path = asking.within(given, "connections", given.connection, "deliver") + asking.query(how)
    answer = asking.ask(given, "POST", path, asking.read(given.file), content_type=_MIME)
    return asking.tell(given, answer, lambda made: _message_view(made["message"]))


def _message_view(mail: Any) -> Iterator[str]:
    yield f"delivered {text.cell(mail['Subject'])} to {text.cell(mail['To'])} as {mail['Id']}"


def wait_for_mail(given: argparse.Namespace) -> int:
    wanted = {
        "connection": given.connection,
        "subject": given.subject,
        "from": given.sender,
        "recipient": given.recipient,
        "folder": given.folder,
        "text": given.text,
        "newerThan": given.newer_than,
        "count": given.count,
        "timeoutSeconds": given.timeout,
    }
    order = asking.given_members(wanted)
    return asking.tell(given, asking.ask(given, "POST", asking.within(given, "wait"), order), _newest)


def _newest(waited: Any) -> Iterator[str]:
    mail = waited["value"][-1]
    members = ("from", "recipients", "subject", "receivedAt", "folder", "id")
    return text.facts({name: mail.get(name) for name in members})


def list_outbox(given: argparse.Namespace) -> int:
    answer = asking.ask(given, "GET", asking.within(given, "outbox"))
    return asking.tell(given, answer, lambda all: text.table(all["value"], _DEPARTED))
