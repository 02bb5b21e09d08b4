"""Journeys through mail."""

from __future__ import annotations

import pytest

from outlook_contract.mailbox import Mailbox


def test_a_sent_mail_arrives(mailbox: Mailbox, own_address: str) -> None:
    """A mail to oneself is in the inbox, unread, and a copy in Sent Items."""
    subject = mailbox.name("Plain")
    mailbox.ok("SendEmailV2", {"To": own_address, "Subject": subject, "Body": "<p>Hello</p>", "Importance": "High"})
    mail = mailbox.mail(subject)
    mailbox.members("GetEmailsV2", "value[]", mail, {"IsRead": False, "IsHtml": True, "HasAttachment": False})
    mailbox.equal("GetEmailsV2", "value[].To", mail["To"], own_address)
    copy = mailbox.mail(subject, "SentItems")
    mailbox.equal("GetEmailsV2", "value[].Subject", copy["Subject"], subject)


def test_a_mail_without_recipients_is_refused(mailbox: Mailbox) -> None:
    """A mail needs a recipient."""
    mailbox.refused("SendEmailV2", 400, {"To": "", "Subject": mailbox.name("Nobody"), "Body": "x"})


@pytest.mark.reads
def test_an_unknown_mail_is_refused(mailbox: Mailbox) -> None:
    """An id that is none is malformed."""
    mailbox.refused("GetEmail", 400, messageId="nope", code="ErrorInvalidIdMalformed")
