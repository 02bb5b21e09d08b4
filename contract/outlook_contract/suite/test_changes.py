"""Journeys through the life of a mail: flagged, read, moved, deleted."""

from __future__ import annotations

from typing import Any

import pytest

from outlook_contract.mailbox import FOLDERS, Mailbox

BY_ID = ("GetEmail", "DeleteEmail", "Flag", "MarkAsRead", "Move", "ReplyTo", "ReplyToV2", "ReplyToV3", "ForwardEmail")
"""The operations on one mail."""


def call_by_id(operation: str, id: str) -> tuple[Any, dict[str, Any]]:
    """The body and the parameters of a request about one mail that is valid but for its id."""
    if operation == "ForwardEmail":
        return {"ToRecipients": "someone@example.com"}, {"message_id": id}
    more = {"Move": {"folderPath": "Archive"}, "ReplyTo": {"comment": "x"}}.get(operation, {})
    return ({"Body": "x"} if operation in ("ReplyToV2", "ReplyToV3") else None), {"messageId": id, **more}


def test_reading_does_not_mark_as_read(mailbox: Mailbox, own_address: str) -> None:
    """Get email leaves a mail unread; Mark as read does not, and may be called again."""
    mail = mailbox.to_self("Unread")
    for _ in range(2):
        mailbox.equal("GetEmail", "IsRead", mailbox.ok("GetEmail", messageId=mail["Id"])["IsRead"], False)
    for _ in range(2):
        mailbox.ok("MarkAsRead", messageId=mail["Id"])
        mailbox.equal("MarkAsRead", "IsRead", mailbox.ok("GetEmail", messageId=mail["Id"])["IsRead"], True)
    mailbox.equal("MarkAsRead", "fetchOnlyUnread", mailbox.find(mail["Subject"], fetchOnlyUnread=True), None)


def test_a_flagged_mail_is_flagged(mailbox: Mailbox, own_address: str) -> None:
    """Flag puts a mail among the flagged ones, changes nothing else, and may be called again."""
    mail = mailbox.to_self("Flagged")
    mailbox.equal("Flag", "fetchOnlyFlagged", mailbox.find(mail["Subject"], fetchOnlyFlagged=True), None)
    for _ in range(2):
        mailbox.ok("Flag", messageId=mail["Id"])
        mailbox.equal("Flag", "value[]", mailbox.find(mail["Subject"], fetchOnlyFlagged=True), mail)


def test_a_moved_mail_has_a_new_id(mailbox: Mailbox, own_address: str) -> None:
    """Move answers with the mail in its new folder; the old id is not found from then on."""
    mail = mailbox.to_self("Moved", Importance="Low", Body="<p>Kept</p>")
    mailbox.ok("MarkAsRead", messageId=mail["Id"])
    mail = mailbox.mail(mail["Subject"])
    moved = mailbox.ok("Move", messageId=mail["Id"], folderPath="Archive")
    mailbox.holds("Move", "Id", moved["Id"], "a new id", moved["Id"] != mail["Id"])
    kept = ("Subject", "Body", "From", "To", "InternetMessageId", "ConversationId", "DateTimeReceived", "IsRead")
    mailbox.members("Move", "", moved, {name: mail[name] for name in kept} | {"Importance": "Low"})
    mailbox.equal("Move", "Inbox", mailbox.find(mail["Subject"]), None)
    archived = mailbox.mail(mail["Subject"], "Archive")
    mailbox.members("Move", "Archive", archived, {"Id": moved["Id"], **{name: mail[name] for name in kept}})
    mailbox.refused("GetEmail", 404, messageId=mail["Id"], code="ErrorItemNotFound")
    same = mailbox.call("GetEmail", messageId=mail["Id"], internetMessageId=mail["InternetMessageId"])
    mailbox.equal("GetEmail", "internetMessageId", same.status, 200)
    mailbox.ok("MarkAsRead", messageId=moved["Id"])


@pytest.mark.parametrize("operation", BY_ID)
def test_an_id_of_a_moved_mail_is_gone(mailbox: Mailbox, own_address: str, operation: str) -> None:
    """Every operation on a mail answers 404 to an id that a move has replaced."""
    mail = mailbox.to_self(f"Moved before {operation}")
    mailbox.ok("Move", messageId=mail["Id"], folderPath="Archive")
    body, parameters = call_by_id(operation, mail["Id"])
    mailbox.refused(operation, 404, body, **parameters, code="ErrorItemNotFound")


@pytest.mark.parametrize("operation", BY_ID)
def test_an_id_that_was_cut_short_is_malformed(mailbox: Mailbox, own_address: str, operation: str) -> None:
    """Every operation on a mail refuses an id that lacks its end (live notes on Graph)."""
    mail = mailbox.to_self(f"Cut short {operation}")
    body, parameters = call_by_id(operation, mail["Id"][:-9])
    mailbox.refused(operation, 400, body, **parameters, code="ErrorInvalidIdMalformed")
    mailbox.equal(operation, "value[]", mailbox.find(mail["Subject"]), mail)


def test_a_mail_moves_to_a_folder_that_exists(mailbox: Mailbox, own_address: str) -> None:
    """Move to an unknown folder, or without one, is refused, and the mail stays where it is (text inferred)."""
    mail = mailbox.to_self("Moved nowhere")
    unknown = mailbox.name("no such folder")
    mailbox.refused("Move", 404, messageId=mail["Id"], folderPath=unknown, code="ErrorFolderNotFound")
    exchange = mailbox.raw("POST", f"/Mail/Move/{mail['Id']}")
    mailbox.equal("Move", "status", exchange.status, 400)
    mailbox.equal("Move", "value[]", mailbox.find(mail["Subject"]), mail)


@pytest.mark.parametrize("folder", ["Drafts", "SentItems", "DeletedItems"])
def test_a_mail_moves_to_every_folder(mailbox: Mailbox, own_address: str, folder: str) -> None:
    """The words for Outlook's folders are valid targets (notes from live use), and the mail can come back."""
    mail = mailbox.to_self(f"To {folder}", Body="<p>Travels</p>")
    moved = mailbox.ok("Move", messageId=mail["Id"], folderPath=folder)
    mailbox.ok("Move", messageId=moved["Id"], folderPath="Inbox")
    mailbox.equal("Move", "Body", mailbox.mail(mail["Subject"])["Body"], mail["Body"])


def test_a_deleted_mail_is_in_deleted_items(mailbox: Mailbox, own_address: str) -> None:
    """Delete takes a mail out of its folder and its id away; where it is then is contested."""
    mail = mailbox.to_self("Deleted")
    mailbox.ok("DeleteEmail", messageId=mail["Id"])
    mailbox.equal("DeleteEmail", "Inbox", mailbox.find(mail["Subject"]), None)
    mailbox.refused("GetEmail", 404, messageId=mail["Id"], code="ErrorItemNotFound")
    mailbox.refused("DeleteEmail", 404, messageId=mail["Id"], code="ErrorItemNotFound")
    places = [folder for folder in FOLDERS if mailbox.find(mail["Subject"], folder)]
    mailbox.equal("DeleteEmail", "folder", places, ["SentItems", "DeletedItems"], known="deleted-mail")


def test_a_second_delete_is_final(mailbox: Mailbox, own_address: str) -> None:
    """A mail that is deleted in Deleted Items is in no folder."""
    mail = mailbox.to_self("Deleted twice")
    moved = mailbox.ok("Move", messageId=mail["Id"], folderPath="DeletedItems")
    mailbox.ok("DeleteEmail", messageId=moved["Id"])
    mailbox.refused("GetEmail", 404, messageId=moved["Id"], code="ErrorItemNotFound")
    mailbox.equal("DeleteEmail", "folder", mailbox.find(mail["Subject"], "DeletedItems"), None)


def test_an_id_may_be_escaped_twice(mailbox: Mailbox, own_address: str) -> None:
    """Workflows escape ids once or twice; both name the mail."""
    mail = mailbox.to_self("Escaped")
    for escaped in (mail["Id"].replace("=", "%3D"), mail["Id"].replace("=", "%253D")):
        exchange = mailbox.raw("GET", f"/Mail/{escaped}")
        mailbox.equal("GetEmail", "messageId", exchange.status, 200)
