"""The commands `mail list`, `mail show`, `events` and `contacts`: look into a mailbox."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

from outlook_emulator.cli import files, output, parsers, request
from outlook_emulator.options import options_of
from outlook_emulator.traffic.content_filters import ContactFilter, EventFilter, MailFilter

_MAILS: dict[str, Any] = {
    "N": "n",
    "RECEIVED": "receivedAt",
    "FROM": "from",
    "SUBJECT": "subject",
    "MARKS": lambda mail: [
        mark
        for mark, is_set in (
            ("unread", not mail["isRead"]),
            ("flagged", mail["isFlagged"]),
            ("attachments", mail["hasAttachments"]),
        )
        if is_set
    ],
}
_EVENTS: dict[str, Any] = {
    "START": "start",
    "END": "end",
    "SUBJECT": lambda event: f"{event['subject']} (series)" if event["isSeries"] else event["subject"],
    "LOCATION": "location",
    "ATTENDEES": "attendees",
}
_CONTACTS: dict[str, Any] = {
    "NAME": "displayName",
    "MAIL": "emailAddresses",
    "COMPANY": "companyName",
    "MOBILE": "mobilePhone",
}


def add(commands: Any) -> None:
    events = parsers.add_command(commands, "events", "list the events of a calendar", list_events)
    contacts = parsers.add_command(commands, "contacts", "list the contacts of a mailbox", list_contacts)
    for command, filters in ((events, EventFilter), (contacts, ContactFilter)):
        _add_filters(command, filters)


def add_mail_actions(actions: Any) -> None:
    """Add the actions of `mail` that look into a mailbox."""
    _add_filters(
        parsers.add_command(actions, "list", "list the mails of a folder, newest first", list_mails), MailFilter
    )
    show = parsers.add_command(actions, "show", "show a mail: headers, text and attachments", show_mail)
    about = "number of the mail in `mail list`, or its id (default: 1, the newest)"
    show.add_argument("mail", nargs="?", default="1", help=about)
    _add_connection(show)
    parsers.add_option(show, next(option for option in options_of(MailFilter) if option.name == "folder"), "folder")
    show.set_defaults(folder="Inbox")
    show.add_argument("--html", action="store_true", help="print the HTML of the body instead of its text")
    show.add_argument("--mime", action="store_true", help="print the mail as a MIME message (.eml)")


def list_mails(arguments: argparse.Namespace) -> int:
    first = (arguments.skip or 0) + 1
    return output.print_response(
        arguments,
        _list(arguments, "messages", MailFilter),
        lambda page: output.table((mail | {"n": n} for n, mail in enumerate(page["value"], first)), _MAILS),
    )


def list_events(arguments: argparse.Namespace) -> int:
    return output.print_response(
        arguments, _list(arguments, "events", EventFilter), lambda page: output.table(page["value"], _EVENTS)
    )


def list_contacts(arguments: argparse.Namespace) -> int:
    return output.print_response(
        arguments, _list(arguments, "contacts", ContactFilter), lambda page: output.table(page["value"], _CONTACTS)
    )


def show_mail(arguments: argparse.Namespace) -> int:
    id = arguments.mail
    if id.isdecimal() and len(id) < 10 and int(id):
        place = {"folder": arguments.folder, "top": "1", "skip": str(int(id) - 1)}
        status, body = request.send(arguments, "GET", _path(arguments, "messages") + request.query(place))
        if status != 200:
            return output.print_error(arguments, (status, body))
        mails = json.loads(body)["value"]
        if not mails:
            return output.fail(f"{arguments.folder} has no mail {id}")
        id = mails[0]["id"]
    if arguments.mime:
        return _print_mime(arguments, id)
    response = request.send(arguments, "GET", _path(arguments, "messages", id))
    return output.print_response(arguments, response, lambda mail: _whole(mail, arguments.html))


def _print_mime(arguments: argparse.Namespace, id: str) -> int:
    status, content = request.send(arguments, "GET", _path(arguments, "messages", id, "mime"))
    if status != 200:
        return output.print_error(arguments, (status, content))
    files.write("-", content)
    return 0


def _whole(mail: Any, as_html: bool) -> Iterator[str]:
    headers = {
        "From": mail["from"],
        "To": mail["to"],
        "Cc": mail["cc"],
        "Bcc": mail["bcc"],
        "Reply-To": mail["replyTo"],
        "Subject": mail["subject"],
        "Received": mail["receivedAt"],
        "Folder": mail["folder"],
        "Importance": mail["importance"],
        "Attachments": [_attachment(file) for file in mail["attachments"]],
        "Id": mail["id"],
    }
    yield from output.fields({name: value for name, value in headers.items() if value not in (None, [])})
    yield ""
    body = mail["html"] if as_html and mail["html"] is not None else mail["text"]
    yield from output.plain_lines(body)


def _attachment(file: Any) -> str:
    skipped = "" if file["isShown"] else ", not shown by the connector"
    return f"{file['name']} ({file['contentType']}, {file['size']} bytes{skipped})"


def _add_filters(command: argparse.ArgumentParser, filters: Any) -> None:
    _add_connection(command)
    for option in options_of(filters):
        parsers.add_option(command, option, option.name)


def _add_connection(command: argparse.ArgumentParser) -> None:
    command.add_argument("--connection", required=True, metavar="ID", help="connection id of the mailbox")


def _list(arguments: argparse.Namespace, kind: str, filters: Any) -> tuple[int, bytes]:
    values = {option.member: getattr(arguments, option.name) for option in options_of(filters)}
    chosen = {name: str(value).lower() if isinstance(value, bool) else value for name, value in values.items()}
    return request.send(arguments, "GET", _path(arguments, kind) + request.query(chosen))


def _path(arguments: argparse.Namespace, *parts: str) -> str:
    return request.sandbox_path(arguments, "connections", arguments.connection, *parts)
