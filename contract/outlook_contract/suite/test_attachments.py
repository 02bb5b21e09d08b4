"""Journeys through attachments: content, kinds that the connector skips, and refusals."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

import pytest

from outlook_contract.mailbox import Mailbox

BYTES = bytes(range(256)) * 5
"""Binary content."""
SKIPPED = ("message.eml", "message.msg", "invitation.ics")
"""Kinds of files that the connector does not show (documented)."""


def file(name: str, content: bytes = BYTES) -> dict[str, str]:
    """An attachment as a request has it."""
    return {"Name": name, "ContentBytes": b64encode(content).decode()}


def by_name(mail: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The attachments of a mail by name."""
    return {attachment["Name"]: attachment for attachment in mail["Attachments"]}


@pytest.mark.parametrize("operation", ["SendEmail", "SendEmailV2"])
def test_attachments_keep_every_byte(mailbox: Mailbox, own_address: str, operation: str) -> None:
    """What was attached comes back byte for byte, in the mail and by itself."""
    subject = mailbox.name(f"Files {operation}")
    files = {"data.bin": BYTES, "note.txt": "Grüße".encode()}
    attachments = [file(name, content) for name, content in files.items()]
    mailbox.ok(operation, {"To": own_address, "Subject": subject, "Body": "<p>x</p>", "Attachments": attachments})
    mail = mailbox.mail(subject)
    mailbox.equal("GetEmailsV2", "value[].HasAttachment", mail["HasAttachment"], True)
    whole = by_name(mailbox.ok("GetEmail", messageId=mail["Id"], includeAttachments=True))
    mailbox.equal("GetEmail", "Attachments[].Name", sorted(whole), sorted(files))
    for name, content in files.items():
        mailbox.equal(
            "GetEmail", "Attachments[].ContentBytes", b64decode(whole[name]["ContentBytes"]).hex(), content.hex()
        )
        mailbox.equal("GetEmail", "Attachments[].IsInline", whole[name]["IsInline"], False)
        exchange = mailbox.call("GetAttachment", messageId=mail["Id"], attachmentId=whole[name]["Id"])
        mailbox.equal("GetAttachment", "status", exchange.status, 200)
        mailbox.equal("GetAttachment", "body", exchange.body.hex(), content.hex())


def test_the_type_of_an_attachment_follows_its_name(mailbox: Mailbox, own_address: str) -> None:
    """ContentType is made from the name, and GetAttachment answers with it."""
    types = {"a.txt": "text/plain", "a.png": "image/png", "a.pdf": "application/pdf"}
    types["a.docx"] = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    types["a.nothing"] = "application/octet-stream"
    mail = mailbox.to_self("Types", Attachments=[file(name, b"x") for name in types])
    for name, attachment in by_name(mail).items():
        mailbox.equal("GetEmailsV2", "Attachments[].ContentType", attachment["ContentType"], types[name])
        exchange = mailbox.call("GetAttachment", messageId=mail["Id"], attachmentId=attachment["Id"])
        content_type = exchange.headers.get("Content-Type", "").split(";")[0]
        mailbox.equal("GetAttachment", "Content-Type", content_type, types[name])


def test_the_size_is_at_least_that_of_the_content(mailbox: Mailbox, own_address: str) -> None:
    """Size is not smaller than the content; it was larger in a recording of the sibling connector."""
    (attachment,) = mailbox.to_self("Size", Attachments=[file("data.bin")])["Attachments"]
    size = attachment["Size"]
    mailbox.holds("GetEmailsV2", "Attachments[].Size", size, f"at least {len(BYTES)}", size >= len(BYTES))


def test_content_comes_only_on_request(mailbox: Mailbox, own_address: str) -> None:
    """Names are always there (documented), content with `includeAttachments` alone; null without it is inferred."""
    mail = mailbox.to_self("On request", Attachments=[file("data.bin")])
    query = {"folderPath": "Inbox", "fetchOnlyUnread": False, "top": 50}
    for include, content in ((False, None), (True, b64encode(BYTES).decode())):
        reads = {
            "GetEmail": mailbox.ok("GetEmail", messageId=mail["Id"], includeAttachments=include),
            "GetEmailsV2": mailbox.find(mail["Subject"], includeAttachments=include),
            "GetEmails": next(
                item
                for item in mailbox.ok("GetEmails", **query, includeAttachments=include)
                if item["Subject"] == mail["Subject"]
            ),
        }
        for operation, read in reads.items():
            shown = [(attachment["Name"], attachment["ContentBytes"]) for attachment in read["Attachments"]]
            mailbox.equal(operation, "Attachments[].ContentBytes", shown, [("data.bin", content)])
    (moved,) = mailbox.ok("Move", messageId=mail["Id"], folderPath="Archive")["Attachments"]
    mailbox.members("Move", "Attachments[]", moved, {"Name": "data.bin", "ContentBytes": None})


def test_attached_items_are_skipped(mailbox: Mailbox, own_address: str) -> None:
    """EML, MSG and ICS files are not shown (documented), in any case; other files beside them are."""
    mail = mailbox.to_self("Skipped", Attachments=[file(name, b"x") for name in (*SKIPPED, "LOUD.EML", "shown.txt")])
    mailbox.equal("GetEmailsV2", "Attachments[].Name", list(by_name(mail)), ["shown.txt"])


@pytest.mark.parametrize("name", SKIPPED)
def test_a_mail_with_skipped_attachments_alone(mailbox: Mailbox, own_address: str, name: str) -> None:
    """HasAttachment is true for a mail that shows none of its attachments (inferred)."""
    mail = mailbox.to_self(f"Only {name}", Attachments=[file(name, b"x")])
    mailbox.members("GetEmailsV2", "value[]", mail, {"HasAttachment": True, "Attachments": []})


def test_an_attachment_belongs_to_its_mail(mailbox: Mailbox, own_address: str) -> None:
    """An attachment is found under its own mail alone, and another text is a malformed id."""
    (attachment,) = mailbox.to_self("Owner", Attachments=[file("data.bin")])["Attachments"]
    other = mailbox.to_self("Not the owner")["Id"]
    mailbox.refused("GetAttachment", 404, messageId=other, attachmentId=attachment["Id"], code="ErrorItemNotFound")
    mailbox.refused("GetAttachment", 400, messageId=other, attachmentId="nope", code="ErrorInvalidIdMalformed")


@pytest.mark.parametrize(("operation", "path"), [("SendEmail", "/Mail"), ("SendEmailV2", "/v2/Mail")])
def test_an_attachment_without_content_fails_in_the_gateway(mailbox: Mailbox, operation: str, path: str) -> None:
    """Content that is null is a 500 of a gateway policy (recorded on the sibling connector); nothing is sent."""
    subject = mailbox.name(f"No content {operation}")
    attachment = {"Name": "a.txt", "ContentBytes": None}
    # Microsoft's client leaves out what is null.
    message = {"To": "someone@example.com", "Subject": subject, "Body": "x", "Attachments": [attachment]}
    exchange = mailbox.raw("POST", path, json=message)
    mailbox.equal(operation, "status", exchange.status, 500)
    error = (exchange.json() or {}).get("error", {})
    mailbox.equal(operation, "error.code", error.get("code"), 500)
    text = str(error.get("message"))
    mailbox.holds(operation, "error.message", text, "Value cannot be null.", text.startswith("Value cannot be null."))
    mailbox.equal(operation, "SentItems", mailbox.find(subject, "SentItems"), None)


@pytest.mark.parametrize("operation", ["SendEmail", "SendEmailV2"])
def test_content_must_be_base64(mailbox: Mailbox, operation: str) -> None:
    """Content that is not base64 is refused (inferred)."""
    attachment = {"Name": "a.txt", "ContentBytes": "not base64!"}
    message = {"To": "someone@example.com", "Subject": mailbox.name("x"), "Body": "x", "Attachments": [attachment]}
    mailbox.refused(operation, 400, message)


def test_attachments_have_their_order(mailbox: Mailbox, own_address: str) -> None:
    """Attachments are listed as they were sent, also two of one name."""
    names = ["b.txt", "a.txt", "c.txt", "b.txt"]
    mail = mailbox.to_self("Files in order", Attachments=[file(name, b"x") for name in names])
    mailbox.equal("GetEmailsV2", "Attachments[].Name", [item["Name"] for item in mail["Attachments"]], names)
