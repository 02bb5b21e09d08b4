"""Journeys through sending mail: who receives it, and how it reads."""

from __future__ import annotations

import re
from email import message_from_bytes
from typing import TYPE_CHECKING

import pytest

from outlook_contract.mailbox import Mailbox
from outlook_contract.suite.contacts import WHOLE_SECONDS

if TYPE_CHECKING:
    from outlook_emulator.testing import Sandbox

SENDS = ("SendEmail", "SendEmailV2")
STORED = (
    '<html><head>\r\n<meta http-equiv="Content-Type" content="text/html; charset=utf-8"></head><body>{}</body></html>'
)
"""How a fragment of HTML reads (recorded on the sibling connector)."""


def test_a_sent_mail_arrives(mailbox: Mailbox, own_address: str) -> None:
    """A mail to oneself is in the inbox, unread, and a read copy is in Sent Items."""
    mail = mailbox.to_self("Plain", Importance="High")
    expected = {"IsRead": False, "IsHtml": True, "HasAttachment": False, "Importance": 2, "Cc": None, "Bcc": None}
    mailbox.members("GetEmailsV2", "value[]", mail, expected)
    mailbox.equal("GetEmailsV2", "value[].To", mail["To"], own_address)
    mailbox.equal("GetEmailsV2", "value[].From", mail["From"], own_address)
    copy = mailbox.mail(mail["Subject"], "SentItems")
    mailbox.members("GetEmailsV2", "value[]", copy, {"IsRead": True, "Importance": 2, "To": own_address})
    mailbox.equal("GetEmailsV2", "value[].InternetMessageId", copy["InternetMessageId"], mail["InternetMessageId"])
    mailbox.holds("GetEmailsV2", "value[].Id", copy["Id"], "an id of its own", copy["Id"] != mail["Id"])


def test_to_cc_and_reply_to_are_kept(mailbox: Mailbox, own_address: str, partner: Mailbox) -> None:
    """Several addresses read as one text with semicolons, none after the last (recorded on the sibling connector)."""
    subject = mailbox.name("Several")
    both = f"{own_address};{partner.address}"
    message = {"To": both, "Cc": partner.address, "ReplyTo": partner.address, "Subject": subject, "Body": "<p>x</p>"}
    mailbox.ok("SendEmailV2", message)
    for box in (mailbox, partner):
        mail = box.mail(subject)
        expected = {"To": both, "Cc": partner.address, "ReplyTo": partner.address, "From": own_address}
        mailbox.members("GetEmailsV2", "value[]", mail, expected)


@pytest.mark.parametrize("operation", SENDS)
def test_only_the_sender_sees_blind_copies(
    mailbox: Mailbox, own_address: str, partner: Mailbox, operation: str
) -> None:
    """A mail reaches its blind copies; its recipients do not see them, and the sender's copy names them."""
    subject = mailbox.name(f"Blind {operation}")
    mailbox.ok(operation, {"To": own_address, "Bcc": partner.address, "Subject": subject, "Body": "<p>x</p>"})
    mailbox.equal("GetEmailsV2", "value[].Bcc", mailbox.mail(subject)["Bcc"], None)
    mailbox.members("GetEmailsV2", "value[]", partner.mail(subject), {"To": own_address, "Bcc": None})
    copy = mailbox.mail(subject, "SentItems")
    mailbox.equal("GetEmailsV2", "value[].Bcc", copy["Bcc"], partner.address)
    mailbox.ok("Move", messageId=copy["Id"], folderPath="Archive")
    mailbox.equal("Move", "Bcc", mailbox.mail(subject, "Archive")["Bcc"], partner.address)


@pytest.mark.parametrize("operation", SENDS)
def test_a_mail_is_of_normal_importance_unless_it_says_so(mailbox: Mailbox, own_address: str, operation: str) -> None:
    """Importance is Normal by default, and Low if the mail says so, in both versions."""
    for importance, number in ((None, 1), ("Low", 0)):
        subject = mailbox.name(f"Importance {importance} {operation}")
        stated = {"Importance": importance} if importance else {}
        mailbox.ok(operation, {"To": own_address, "Subject": subject, "Body": "<p>x</p>", **stated})
        mailbox.equal("GetEmailsV2", "value[].Importance", mailbox.mail(subject)["Importance"], number)


def test_importance_is_a_number_or_a_word(mailbox: Mailbox, own_address: str) -> None:
    """Version 1 of the list and Move say the word, all other reads the number (recorded on the sibling connector)."""
    mail = mailbox.to_self("Spelling", Importance="High")
    mailbox.equal("GetEmail", "Importance", mailbox.ok("GetEmail", messageId=mail["Id"])["Importance"], 2)
    mails = mailbox.ok("GetEmails", folderPath="Inbox", fetchOnlyUnread=False, top=50)
    words = [item["Importance"] for item in mails if item["Subject"] == mail["Subject"]]
    mailbox.equal("GetEmails", "[].Importance", words, ["High"])


def test_a_fragment_of_html_is_stored_as_a_document(mailbox: Mailbox, own_address: str) -> None:
    """A stored body is a whole document with a meta line (recorded on the sibling connector)."""
    for operation, more in (("SendEmailV2", {}), ("SendEmail", {"IsHtml": True})):
        subject = mailbox.name(f"Fragment {operation}")
        mailbox.ok(operation, {"To": own_address, "Subject": subject, "Body": "<p>Hi <b>you</b></p>", **more})
        mail = mailbox.mail(subject)
        mailbox.equal("GetEmailsV2", "value[].Body", mail["Body"], STORED.format("<p>Hi <b>you</b></p>"))
        mailbox.members("GetEmailsV2", "value[]", mail, {"IsHtml": True, "BodyPreview": "Hi you"})


def test_text_is_stored_as_html(mailbox: Mailbox, own_address: str) -> None:
    """A text comes back as HTML that says it was converted from text, with markup escaped.

    Recorded for events of the sibling connector; inferred for mail.
    """
    subject = mailbox.name("Text")
    mailbox.ok("SendEmail", {"To": own_address, "Subject": subject, "Body": "a <b> & c\nline", "IsHtml": False})
    mail = mailbox.mail(subject)
    mailbox.equal("GetEmailsV2", "value[].IsHtml", mail["IsHtml"], True, known="stored-text")
    for part in ("<!-- converted from text -->", "a &lt;b&gt; &amp; c<br>\r\nline"):
        mailbox.holds("GetEmailsV2", "value[].Body", mail["Body"], f"contains {part}", part in mail["Body"])
    mailbox.holds(
        "GetEmailsV2", "value[].BodyPreview", mail["BodyPreview"], "a <b> & c", "a <b> & c" in mail["BodyPreview"]
    )


def test_the_preview_is_the_start_of_the_text(mailbox: Mailbox, own_address: str) -> None:
    """BodyPreview holds at most 255 characters, without markup and blanks at its end (recorded on the sibling)."""
    text = "".join(chr(ord("a") + number % 26) for number in range(300))
    mail = mailbox.to_self("Preview", Body=f"<p>{text}</p>")
    mailbox.equal("GetEmailsV2", "value[].BodyPreview", mail["BodyPreview"], text[:255])
    mail = mailbox.to_self("Preview with a blank", Body=f"<p>{text[:254]} {text}</p>")
    mailbox.equal("GetEmailsV2", "value[].BodyPreview", mail["BodyPreview"], text[:254])


def test_other_alphabets_come_through(mailbox: Mailbox, own_address: str) -> None:
    """Subject and body keep every character."""
    words = "Grüße, 你好, שלום, 🎉"
    mail = mailbox.to_self(words, Body=f"<p>{words}</p>")
    read = mailbox.ok("GetEmail", messageId=mail["Id"])
    mailbox.equal("GetEmail", "Subject", read["Subject"], mailbox.name(words))
    mailbox.equal("GetEmail", "Body", read["Body"], STORED.format(f"<p>{words}</p>"))


def test_a_mail_reads_the_same_by_itself_and_in_lists(mailbox: Mailbox, own_address: str) -> None:
    """Get email and Get emails (V2) say the same of a mail; times are UTC with whole seconds (recorded)."""
    mail = mailbox.to_self("Same")
    mailbox.members("GetEmail", "", mailbox.ok("GetEmail", messageId=mail["Id"]), mail)
    for member, pattern in (("DateTimeReceived", WHOLE_SECONDS), ("InternetMessageId", re.compile("<[^@>]+@[^@>]+>"))):
        value = mail[member]
        mailbox.holds("GetEmailsV2", f"value[].{member}", value, pattern.pattern, bool(pattern.fullmatch(value)))


def test_the_own_address_may_be_the_sender(mailbox: Mailbox, own_address: str) -> None:
    """Nobody may send as somebody else (documented for Graph)."""
    mail = mailbox.to_self("From myself", From=own_address)
    mailbox.equal("GetEmailsV2", "value[].From", mail["From"], own_address)
    subject = mailbox.name("From a stranger")
    message = {"To": own_address, "From": "stranger@example.com", "Subject": subject, "Body": "<p>x</p>"}
    mailbox.refused("SendEmailV2", 403, message, code="ErrorSendAsDenied")
    mailbox.equal("SendEmailV2", "Inbox", mailbox.find(subject), None)


@pytest.mark.parametrize("operation", SENDS)
@pytest.mark.parametrize("addresses", ["", "nobody at all"])
def test_a_mail_needs_recipients(mailbox: Mailbox, operation: str, addresses: str) -> None:
    """A mail to nobody, or to a text that is not an address, is refused (recorded on Graph) and leaves no copy."""
    subject = mailbox.name(f"Nobody {operation} {addresses}".strip())
    message = {"To": addresses, "Subject": subject, "Body": "<p>x</p>"}
    mailbox.refused(operation, 400, message, code="ErrorInvalidRecipients")
    mailbox.equal(operation, "SentItems", mailbox.find(subject, "SentItems"), None)


@pytest.mark.parametrize("operation", SENDS)
def test_a_mail_may_have_no_body(mailbox: Mailbox, own_address: str, operation: str) -> None:
    """A mail without Body is sent, although the definition requires it: public workflows leave it out."""
    subject = mailbox.name(f"Bare {operation}")
    mailbox.ok(operation, {"To": own_address, "Subject": subject})
    mailbox.equal("GetEmailsV2", "value[].BodyPreview", mailbox.mail(subject)["BodyPreview"], "")


@pytest.mark.parametrize("operation", SENDS)
@pytest.mark.parametrize("member", ["To", "Subject"])
def test_a_mail_needs_its_required_members(mailbox: Mailbox, operation: str, member: str) -> None:
    """To and Subject are required by the definition; how the connector refuses is inferred."""
    message = {"To": "someone@example.com", "Subject": mailbox.name("Incomplete"), "Body": "<p>x</p>"}
    del message[member]
    mailbox.refused(operation, 400, message, code="ErrorInvalidRequest")


@pytest.mark.parametrize("operation", SENDS)
def test_an_unknown_importance_is_refused(mailbox: Mailbox, operation: str) -> None:
    """The definition allows Low, Normal and High."""
    message = {"To": "someone@example.com", "Subject": mailbox.name("Urgent"), "Body": "x", "Importance": "Urgent"}
    mailbox.refused(operation, 400, message, code="ErrorInvalidRequest")


@pytest.mark.reads
def test_an_unknown_mail_is_refused(mailbox: Mailbox) -> None:
    """A malformed id is refused (live notes on Graph)."""
    mailbox.refused("GetEmail", 400, messageId="nope", code="ErrorInvalidIdMalformed")


def test_the_first_version_sends_text_unless_it_says_so(mailbox: Mailbox, own_address: str) -> None:
    """Without IsHtml the body of version 1 is text, and that of version 2 is always HTML (definition)."""
    for operation, expected in (("SendEmail", "1 <b>2</b>"), ("SendEmailV2", "1 2")):
        subject = mailbox.name(f"Format {operation}")
        mailbox.ok(operation, {"To": own_address, "Subject": subject, "Body": "1 <b>2</b>"})
        mailbox.equal(operation, "Body", mailbox.mail(subject)["BodyPreview"], expected)


def test_every_character_of_a_text_is_escaped(mailbox: Mailbox, own_address: str) -> None:
    """In the HTML of a text, markup and quotation marks are entities, as public mails of Exchange show."""
    subject = mailbox.name("Escapes")
    mailbox.ok("SendEmail", {"To": own_address, "Subject": subject, "Body": 'a & b < c > d "e"\r\nf'})
    mail = mailbox.mail(subject)
    part = "a &amp; b &lt; c &gt; d &quot;e&quot;<br>\r\nf"
    mailbox.holds("SendEmail", "Body", mail["Body"], f"contains {part}", part in mail["Body"], known="stored-text")
    mailbox.equal("SendEmail", "BodyPreview", mail["BodyPreview"], 'a & b < c > d "e"\r\nf')


def test_the_preview_is_what_a_reader_sees(mailbox: Mailbox, own_address: str) -> None:
    """BodyPreview has line ends and characters in place of elements and entities, and nothing of a style sheet."""
    body = "<style>p {color: red}</style><!-- note --><p>a &lt;b&gt; &amp; c</p><p>d<br>e</p>"
    mail = mailbox.to_self("Seen", Body=body)
    mailbox.equal("GetEmailsV2", "value[].BodyPreview", mail["BodyPreview"].split(), ["a", "<b>", "&", "c", "d", "e"])
    mailbox.equal("GetEmailsV2", "value[].BodyPreview", mail["BodyPreview"].split("\r\n")[-1], "e")


def test_a_subject_is_one_line(mailbox: Mailbox, own_address: str) -> None:
    """A line end in a subject is a blank, and one at its end is cut: public workflows send those."""
    subject = mailbox.name("One line")
    first, rest = subject.split(" ", 1)
    mailbox.ok("SendEmailV2", {"To": own_address, "Subject": f"{first}\n{rest}\r\n", "Body": "<p>x</p>"})
    mailbox.equal("SendEmailV2", "Subject", mailbox.mail(subject)["Subject"], subject)


def test_addresses_may_have_names(mailbox: Mailbox, own_address: str, partner: Mailbox) -> None:
    """A recipient may be written with a display name; blanks, empty parts and repeats do no harm."""
    subject = mailbox.name("Named")
    to = f"Me <{own_address}>; ;{partner.address} ;{own_address.upper()};"
    mailbox.ok("SendEmailV2", {"To": to, "Subject": subject, "Body": "<p>x</p>"})
    for box in (mailbox, partner):
        mailbox.equal("SendEmailV2", "To", box.mail(subject)["To"], f"{own_address};{partner.address}")


@pytest.mark.parametrize("form", ["upper", "tag"])
def test_an_address_has_several_forms(mailbox: Mailbox, own_address: str, form: str) -> None:
    """Neither the case of an address nor a tag after a plus sign matters, as Outlook.com documents."""
    local, _, domain = own_address.partition("@")
    address = own_address.upper() if form == "upper" else f"{local}+tag@{domain}"
    subject = mailbox.name(f"Form {form}")
    mailbox.ok("SendEmailV2", {"To": address, "Subject": subject, "Body": "<p>x</p>"})
    mailbox.equal("SendEmailV2", "To", mailbox.mail(subject)["To"].casefold(), address.casefold())


def test_a_mail_that_nobody_can_get_comes_back(mailbox: Mailbox, own_address: str, partner: Mailbox) -> None:
    """Sending succeeds, a report arrives, and other recipients get the mail.

    Recorded from the Office 365 twin: microsoft/Power-Fx, 2023-12.
    """
    subject = mailbox.name("Nobody there")
    to = f"nobody@contract.invalid;{partner.address}"
    mailbox.ok("SendEmailV2", {"To": to, "Subject": subject, "Body": "<p>x</p>"})
    report = mailbox.mail(f"Undeliverable: {subject}")
    mailbox.equal("SendEmailV2", "report", report["To"], own_address, known="report-text")
    mailbox.equal("SendEmailV2", "report", report["IsRead"], False)
    sender = report["From"]
    mailbox.holds("SendEmailV2", "report", sender, "MicrosoftExchange…", sender.startswith("MicrosoftExchange"))
    address, text = "nobody@contract.invalid", report["Body"]
    mailbox.holds("SendEmailV2", "report", text, f"names {address}", address in text, known="report-text")
    partner.mail(subject)


def test_a_mail_reaches_everybody_once(mailbox: Mailbox, own_address: str, partner: Mailbox) -> None:
    """A mail reaches whom Cc names, and comes once to a mailbox that it names twice (inferred)."""
    subject = mailbox.name("Once each")
    tagged = own_address.replace("@", "+tag@", 1)
    mailbox.ok("SendEmailV2", {"To": own_address, "Cc": f"{partner.address};{tagged}", "Subject": subject, "Body": "x"})
    partner.mail(subject)
    mailbox.mail(subject)
    mails = mailbox.ok("GetEmailsV2", folderPath="Inbox", fetchOnlyUnread=False, top=50)["value"]
    mailbox.equal("SendEmailV2", "Inbox", [mail["Subject"] for mail in mails].count(subject), 1)


def test_a_long_mail_comes_through(mailbox: Mailbox, own_address: str) -> None:
    """A long subject and a long body are whole."""
    text = "0123456789" * 10_000
    mail = mailbox.to_self("Long" * 50, Body=f"<p>{text}</p>")
    whole = mail["Body"] == STORED.format(f"<p>{text}</p>")
    mailbox.holds("GetEmailsV2", "value[].Body", len(mail["Body"]), "the whole text", whole)


def test_a_document_keeps_what_it_has(mailbox: Mailbox, own_address: str) -> None:
    """A whole document gets the meta line as first thing in its head, and keeps the rest (recorded on the sibling)."""
    start, rest = "<html><head>", '<title>T</title></head><body bgcolor="red"><p>Hi</p></body></html>'
    mail = mailbox.to_self("Document", Body=start + rest)
    meta = '<meta http-equiv="Content-Type" content="text/html; charset=utf-8">'
    mailbox.equal("GetEmailsV2", "value[].Body", mail["Body"], f"{start}\r\n{meta}{rest}")


def test_a_mail_says_who_sent_it(mailbox: Mailbox, emulator: Sandbox) -> None:
    """Internet headers of a mail name the product, the kind of operation and the workflow (documented)."""
    subject = mailbox.name("Headers")
    id = "0a1b2c3d-0000-4000-8000-00000000abcd"
    agent = "azure-logic-apps/1.0 (workflow abc; version 085)"
    headers = {"User-Agent": agent, "x-ms-workflow-name": "flow", "x-ms-workflow-run-id": "run"}
    headers |= {"x-ms-client-request-id": id, "x-ms-client-environment-id": "environment"}
    body = {"To": "someone@example.com", "Subject": subject, "Body": "<p>x</p>"}
    mailbox.raw("POST", "/v2/Mail", json=body, headers=headers)
    (mail,) = emulator.outbox.mails(subject=subject)
    sent = message_from_bytes(emulator.outbox.mime(mail))
    workflow = f"x-ms-workflow-name: flow; x-ms-workflow-run-id: run; x-ms-client-request-id: {id};"
    expected = {
        "x-ms-mail-application": f"Azure Logic Apps; User-Agent: {agent}",
        "x-ms-mail-operation-type": "Send",
        "x-ms-mail-environment-id": None,
        "x-ms-mail-workflow": workflow,
    }
    seen = {name: None if sent[name] is None else " ".join(str(sent[name]).split()) for name in expected}
    mailbox.equal("SendEmailV2", "headers", seen, expected)
