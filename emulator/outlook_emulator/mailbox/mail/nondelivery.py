"""Non-delivery reports: which addresses nobody can have, and the mail that tells the sender.

Sending to such an address succeeds, and a mail `Undeliverable: …` from `MicrosoftExchange…@…` arrives later: recorded
from the Office 365 twin (microsoft/Power-Fx, 2023-12). Users report the same of invitations. Its texts are Exchange's
where a program reads them (subject, status, diagnostic code), and ours elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from email.utils import format_datetime
from html import escape
from typing import NamedTuple

from outlook_emulator.clock import moment
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.message import Address, Attachment, Mail

SUBJECT_PREFIX = "Undeliverable: "
_POSTMASTER = "MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e"
"""The mailbox that reports come from: the same in every Exchange organization."""
_POSTMASTER_NAME = "Microsoft Outlook"
_NOBODY = (".invalid", "@invalid")
"""RFC 6761 promises for this name alone that it never exists. Mail to other reserved names, such as those of examples
and tests, goes to the outbox, since tests use them for real recipients."""
_MOST_RETURNED = 1024 * 1024
"""The largest original in a report, in bytes; of a larger one only the headers come back. Exchange's default is 10 MB,
but the server answers nobody while it composes the report, which takes a third of a second for each megabyte."""


class Returned(NamedTuple):
    """A recipient that a mail could not be delivered to: status (RFC 3463), the server's answer, and the reason."""

    address: str
    status: str
    diagnostic: str
    reason: str


def has_no_domain(address: str) -> bool:
    """Whether the domain of an address never exists."""
    return address.lower().endswith(_NOBODY) and not _is_postmaster(address)


def is_named(mailbox: Mailbox, address: str) -> bool:
    """Whether a fault rule makes mail to an address undeliverable in this request."""
    named = mailbox.rules.undeliverable
    return named is not None and named(address) and not _is_postmaster(address)


def _is_postmaster(address: str) -> bool:
    # An answer to a report must not bring another report, or a workflow that answers every mail would never end.
    return address.lower().startswith(f"{_POSTMASTER.lower()}@")


def returned(address: str) -> Returned:
    """Why mail to an address came back."""
    if has_no_domain(address):
        domain = address.rpartition("@")[2]
        diagnostic = f"550 5.4.310 DNS domain {domain} does not exist [Message=InfoDomainNonexistent]"
        return Returned(address, "5.4.310", diagnostic, f"The domain {domain} does not exist.")
    # What Exchange writes where the domain exists and the address does not.
    diagnostic = f"550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient {address} not found by SMTP address lookup"
    return Returned(address, "5.1.10", diagnostic, f"The address {address} was not found.")


def report(sent: Mail, recipients: Iterable[str], *, now: int, message_id: str) -> Mail:
    """The report about the recipients that a `sent` mail could not be delivered to, addressed to its sender.

    It holds the sent mail as an attachment, and its MIME form is a multipart/report (RFC 6522).
    """
    # The email package is slow to import, and only reports need it here.
    from outlook_emulator.mailbox.formats.mime_compose import compose, compose_report

    sender = sent.sender
    assert sender is not None
    domain = sender.address.rpartition("@")[2]
    problems = [returned(address) for address in recipients]
    if len(sent.body) + sum(len(attachment.content) for attachment in sent.attachments) > _MOST_RETURNED:
        sent = sent._replace(body="", attachments=())
    # Blind recipients are not in the headers of what was sent.
    original = compose(sent._replace(bcc=(), raw=None))
    mail = Mail(
        sender=Address(f"{_POSTMASTER}@{domain}", _POSTMASTER_NAME),
        to=(sender,),
        subject=SUBJECT_PREFIX + sent.subject,
        body=_body(problems, sent.subject),
        is_html=True,
        sent=now,
        message_id=message_id,
        in_reply_to=sent.message_id,
        references=(*sent.references, *filter(None, [sent.message_id])),
        headers=(("Auto-Submitted", "auto-replied"), ("X-MS-Exchange-Message-Is-Ndr", "")),
        attachments=(Attachment(f"{sent.subject or 'Untitled'}.eml", original, "message/rfc822"),),
    )
    return mail._replace(raw=compose_report(mail, _status(problems, domain, now), original))


def _body(problems: list[Returned], subject: str) -> str:
    people = "".join(
        f'<p><a href="mailto:{escape(problem.address)}">{escape(problem.address)}</a><br>{escape(problem.reason)}</p>'
        for problem in problems
    )
    details = "".join(f"<p>{escape(problem.address)}<br>{escape(problem.diagnostic)}</p>" for problem in problems)
    return (
        f"<p><b>Delivery has failed to these recipients or groups:</b></p>{people}"
        f"<p>The message was: {escape(subject)}</p>"
        f"<p><b>Diagnostic information for administrators:</b></p>{details}"
    )


def _status(problems: list[Returned], domain: str, now: int) -> bytes:
    """The fields for programs (RFC 3464): those of the mail, then a group for each recipient."""
    groups = [f"Reporting-MTA: dns;{domain}\r\nArrival-Date: {format_datetime(moment(now))}\r\n"]
    groups += [
        f"Final-Recipient: rfc822;{problem.address}\r\nAction: failed\r\nStatus: {problem.status}\r\n"
        f"Diagnostic-Code: smtp;{problem.diagnostic}\r\n"
        for problem in problems
    ]
    return "\r\n".join(groups).encode()
