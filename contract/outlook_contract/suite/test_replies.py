"""Journeys through replies and forwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from outlook_contract.mailbox import Mailbox

REPLIES = ("ReplyTo", "ReplyToV2", "ReplyToV3")


def reply(mailbox: Mailbox, operation: str, mail: Mapping[str, Any], text: str, *, to_all: bool = False) -> None:
    """Answer a mail with any version of the operation."""
    if operation == "ReplyTo":
        mailbox.ok(operation, messageId=mail["Id"], comment=text, replyAll=to_all)
    else:
        mailbox.ok(operation, {"Body": text, "ReplyAll": to_all}, messageId=mail["Id"])


def from_partner(mailbox: Mailbox, partner: Mailbox, text: str, **members: Any) -> Any:
    """A mail that the second mailbox sent to the one under test."""
    subject = mailbox.name(text)
    message = {"To": mailbox.address, "Subject": subject, "Body": "<p>Question</p>", **members}
    partner.ok("SendEmailV2", message)
    return mailbox.mail(subject)


@pytest.mark.parametrize("operation", REPLIES)
def test_a_reply_goes_to_the_sender_alone(mailbox: Mailbox, own_address: str, partner: Mailbox, operation: str) -> None:
    """A reply reaches the sender, in the same conversation, with the prefix RE: and the quoted mail."""
    original = from_partner(mailbox, partner, f"Reply {operation}", Cc=partner.address)
    reply(mailbox, operation, original, "Answer")
    subject = f"RE: {original['Subject']}"
    answer = partner.mail(subject)
    mailbox.members(operation, "", answer, {"From": own_address, "To": partner.address, "Cc": None, "Subject": subject})
    lines = (f"From: {partner.address}", f"Cc: {partner.address}", f"Subject: {original['Subject']}")
    for part in ("Answer", "Question", *lines):
        mailbox.holds(operation, "Body", answer["BodyPreview"], f"contains {part}", part in answer["BodyPreview"])
    copy = mailbox.mail(subject, "SentItems")
    mailbox.equal(operation, "ConversationId", copy["ConversationId"], original["ConversationId"])


@pytest.mark.parametrize("operation", REPLIES)
def test_a_reply_to_all_goes_to_everybody_else(
    mailbox: Mailbox, own_address: str, partner: Mailbox, operation: str
) -> None:
    """A reply to all reaches the sender and the other recipients, and not the one who replies."""
    other = "someone-else@example.com"
    original = from_partner(mailbox, partner, f"All {operation}", Cc=f"{other};{own_address}")
    reply(mailbox, operation, original, "Answer", to_all=True)
    copy = mailbox.mail(f"RE: {original['Subject']}", "SentItems")
    mailbox.members(operation, "", copy, {"To": partner.address, "Cc": other})


@pytest.mark.parametrize("operation", ["ReplyToV2", "ReplyToV3"])
def test_a_reply_can_say_everything_itself(
    mailbox: Mailbox, own_address: str, partner: Mailbox, operation: str
) -> None:
    """Recipients, Subject, Importance and Attachments replace what a reply has by default (recipients inferred)."""
    original = from_partner(mailbox, partner, f"Own {operation}")
    subject = mailbox.name(f"Another subject {operation}")
    file = {"Name": "answer.txt", "ContentBytes": "aGk="}
    message = {"Body": "x", "To": own_address, "Subject": subject, "Importance": "High", "Attachments": [file]}
    message |= {"Cc": "copy@example.com", "Bcc": partner.address}
    mailbox.ok(operation, message, messageId=original["Id"])
    answer = mailbox.mail(subject)
    expected = {"To": own_address, "Cc": "copy@example.com", "Subject": subject, "Importance": 2}
    mailbox.members(operation, "", answer, expected)
    partner.mail(subject)
    mailbox.equal(operation, "Attachments", [item["Name"] for item in answer["Attachments"]], ["answer.txt"])


def test_a_reply_is_of_low_importance_by_default(mailbox: Mailbox, own_address: str) -> None:
    """A reply that says nothing of its importance has the first word of the enumeration, as the emulator does."""
    original = mailbox.to_self("Importance of a reply", Importance="High")
    mailbox.ok("ReplyToV3", {"Body": "x"}, messageId=original["Id"])
    mailbox.equal("ReplyToV3", "Importance", mailbox.mail(f"RE: {original['Subject']}")["Importance"], 0)


def test_the_second_version_replies_in_text(mailbox: Mailbox, own_address: str) -> None:
    """IsHtml says whether the body of version 2 is HTML; version 3 always is."""
    for operation, body, expected in (
        ("ReplyToV2", {"Body": "1 <b>2</b>", "IsHtml": False}, "1 <b>2</b>"),
        ("ReplyToV2", {"Body": "1 <b>2</b>", "IsHtml": True}, "1 2"),
        ("ReplyToV3", {"Body": "1 <b>2</b>"}, "1 2"),
    ):
        original = mailbox.to_self(f"Format {operation} {expected} {body.get('IsHtml')}")
        mailbox.ok(operation, body, messageId=original["Id"])
        preview = mailbox.mail(f"RE: {original['Subject']}")["BodyPreview"]
        mailbox.equal(operation, "Body", preview.split("\r\n")[0], expected)


def test_prefixes_are_not_repeated(mailbox: Mailbox, own_address: str) -> None:
    """A reply to a reply has one RE: and stays in the conversation."""
    original = mailbox.to_self("Thread")
    mailbox.ok("ReplyToV3", {"Body": "first"}, messageId=original["Id"])
    first = mailbox.mail(f"RE: {original['Subject']}")
    mailbox.ok("ReplyToV3", {"Body": "second"}, messageId=first["Id"])

    def answers() -> list[Any]:
        query = {"folderPath": "Inbox", "fetchOnlyUnread": False, "top": 50}
        mails = mailbox.ok("GetEmailsV2", **query)["value"]
        thread = [mail for mail in mails if mail["ConversationId"] == original["ConversationId"]]
        return thread if len(thread) >= 3 else []

    thread = mailbox.until("the second reply", answers)
    subjects = [mail["Subject"] for mail in thread]
    mailbox.equal("ReplyToV3", "Subject", subjects, [first["Subject"], first["Subject"], original["Subject"]])


def test_another_mail_is_another_conversation(mailbox: Mailbox, own_address: str) -> None:
    """Mails with equal subjects are of different conversations, and have different ids on the internet."""
    mails = [mailbox.to_self("Equal", Body=f"<p>{number}</p>") for number in range(2)]
    for member in ("ConversationId", "InternetMessageId"):
        mailbox.equal("GetEmailsV2", f"value[].{member}", len({mail[member] for mail in mails}), 2)


def test_a_forward_takes_everything_along(mailbox: Mailbox, own_address: str, partner: Mailbox) -> None:
    """A forward has the prefix FW: (recorded on the sibling connector), the comment, the mail and its attachments."""
    file = {"Name": "plan.txt", "ContentBytes": "aGk="}
    original = mailbox.to_self("Forward", Attachments=[file], Importance="High", Body="<p>Plan</p>")
    comment = {"Comment": "Look <here>", "ToRecipients": f"{partner.address}; other@example.com"}
    exchange = mailbox.call("ForwardEmail", comment, message_id=original["Id"])
    mailbox.equal("ForwardEmail", "status", exchange.status, 202)
    forward = partner.mail(f"FW: {original['Subject']}")
    to = f"{partner.address};other@example.com"
    expected = {"From": own_address, "To": to, "HasAttachment": True, "Importance": 2}
    mailbox.members("ForwardEmail", "", forward, expected)
    mailbox.equal("ForwardEmail", "Attachments", [item["Name"] for item in forward["Attachments"]], ["plan.txt"])
    for part in ("Look <here>", "Plan"):
        mailbox.holds(
            "ForwardEmail", "Body", forward["BodyPreview"], f"contains {part}", part in forward["BodyPreview"]
        )
    # The mail itself stays as it is.
    mailbox.equal("ForwardEmail", "IsRead", mailbox.mail(original["Subject"])["IsRead"], False)
    copy = mailbox.mail(f"FW: {original['Subject']}", "SentItems")
    mailbox.equal("ForwardEmail", "ConversationId", copy["ConversationId"], original["ConversationId"])
    mailbox.ok("ForwardEmail", comment, message_id=copy["Id"])
    mailbox.equal("ForwardEmail", "Subject", mailbox.find(f"FW: FW: {original['Subject']}", "SentItems"), None)


def test_a_reply_leaves_attachments_behind(mailbox: Mailbox, own_address: str) -> None:
    """A reply has no attachments of the mail that it answers."""
    original = mailbox.to_self("Left behind", Attachments=[{"Name": "plan.txt", "ContentBytes": "aGk="}])
    mailbox.ok("ReplyToV3", {"Body": "x"}, messageId=original["Id"])
    answer = mailbox.mail(f"RE: {original['Subject']}")
    mailbox.members("ReplyToV3", "", answer, {"HasAttachment": False, "Attachments": []})


@pytest.mark.parametrize("operation", REPLIES)
def test_a_reply_needs_a_mail(mailbox: Mailbox, operation: str) -> None:
    """A malformed id is refused (live notes on Graph)."""
    body = None if operation == "ReplyTo" else {"Body": "x"}
    comment = {"comment": "x"} if operation == "ReplyTo" else {}
    mailbox.refused(operation, 400, body, messageId="nope", **comment, code="ErrorInvalidIdMalformed")


@pytest.mark.parametrize("addresses", ["", "nobody at all"])
def test_a_forward_needs_recipients(mailbox: Mailbox, own_address: str, addresses: str) -> None:
    """A forward to nobody is refused, and nothing is sent."""
    original = mailbox.to_self(f"Forward to {addresses or 'nobody'}")
    body = {"Comment": "x", "ToRecipients": addresses}
    mailbox.refused("ForwardEmail", 400, body, message_id=original["Id"], code="ErrorInvalidRecipients")
    mailbox.equal("ForwardEmail", "SentItems", mailbox.find(f"FW: {original['Subject']}", "SentItems"), None)


@pytest.mark.parametrize("operation", REPLIES)
def test_a_reply_goes_to_nobody_else_by_default(
    mailbox: Mailbox, own_address: str, partner: Mailbox, operation: str
) -> None:
    """A reply that does not say ReplyAll reaches the sender, and none of the other recipients."""
    others = {"To": f"{own_address};second@example.com", "Cc": "third@example.com"}
    original = from_partner(mailbox, partner, f"Default {operation}", **others)
    if operation == "ReplyTo":
        mailbox.ok(operation, messageId=original["Id"], comment="Answer")
    else:
        mailbox.ok(operation, {"Body": "Answer"}, messageId=original["Id"])
    copy = mailbox.mail(f"RE: {original['Subject']}", "SentItems")
    mailbox.members(operation, "", copy, {"To": partner.address, "Cc": None, "Importance": 0})


def test_the_second_version_replies_in_html_by_default(mailbox: Mailbox, own_address: str) -> None:
    """Without IsHtml, the body of version 2 is HTML (documented)."""
    original = mailbox.to_self("Reply format")
    mailbox.ok("ReplyToV2", {"Body": "1 <b>2</b>"}, messageId=original["Id"])
    preview = mailbox.mail(f"RE: {original['Subject']}")["BodyPreview"]
    mailbox.equal("ReplyToV2", "IsHtml", preview.split("\r\n")[0], "1 2")


def test_a_reply_goes_where_the_mail_asks(mailbox: Mailbox, own_address: str, partner: Mailbox) -> None:
    """A reply goes to Reply-To in place of the sender, as mail programs do."""
    original = from_partner(mailbox, partner, "Elsewhere", ReplyTo="elsewhere@example.com")
    reply(mailbox, "ReplyToV3", original, "Answer")
    copy = mailbox.mail(f"RE: {original['Subject']}", "SentItems")
    mailbox.equal("ReplyToV3", "To", copy["To"], "elsewhere@example.com", known="reply-recipients")


def test_a_reply_to_an_own_mail_goes_to_its_recipients(mailbox: Mailbox, own_address: str, partner: Mailbox) -> None:
    """A reply to a mail in Sent Items goes to its recipients again, as in Outlook (inferred)."""
    subject = mailbox.name("Once more")
    mailbox.ok("SendEmailV2", {"To": partner.address, "Subject": subject, "Body": "<p>x</p>"})
    reply(mailbox, "ReplyToV3", mailbox.mail(subject, "SentItems"), "Answer")
    answer = mailbox.mail(f"RE: {subject}", "SentItems")
    mailbox.equal("ReplyToV3", "To", answer["To"], partner.address, known="reply-recipients")


def test_a_comment_of_the_first_version_is_text(mailbox: Mailbox, own_address: str) -> None:
    """Markup in the comment of version 1 is shown, and does not format it; a line end stays one."""
    original = mailbox.to_self("Comment")
    mailbox.ok("ReplyTo", messageId=original["Id"], comment="1 <b>2</b>\n3")
    preview = mailbox.mail(f"RE: {original['Subject']}")["BodyPreview"]
    mailbox.equal("ReplyTo", "comment", preview.split("\r\n")[:2], ["1 <b>2</b>", "3"])
