"""Mails that wait for an answer made into what is asked, and answers made into pages."""

from __future__ import annotations

import re
from html import escape

from outlook_emulator.enums import QuestionKind
from outlook_emulator.mailbox.approvals.approval_mail import ApprovalRequest, split_options
from outlook_emulator.mailbox.approvals.questions import ApprovalAnswer, Outcome
from outlook_emulator.store.records import Question
from outlook_emulator.wire.approvals import (
    ApprovalEmailSubscription,
    ApprovalMessage,
    MessageWithOptions,
    OptionsEmailSubscription,
)
from outlook_emulator.wire.base import ROOT, Reply
from outlook_emulator.wire.mail_convert import draft_from_html
from outlook_emulator.wire.subscriptions import SubscriptionResponse

# Nothing is loaded and nothing runs; the only thing a page can do is post its form back to where it came from.
_POLICY = "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
_LONGEST_LINE = 200
_PAGE = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
}


def approval(shape: ApprovalEmailSubscription) -> ApprovalRequest:
    """What an approval mail asks."""
    return _inquiry(QuestionKind.APPROVAL, shape["NotificationUrl"], shape["Message"])


def mail_with_options(shape: OptionsEmailSubscription) -> ApprovalRequest:
    """What a mail with options asks."""
    return _inquiry(QuestionKind.OPTIONS, shape["NotificationUrl"], shape["Message"])


def subscription(question: Question, path: str) -> Reply[SubscriptionResponse]:
    """A question that was sent from `path`, and where its sender withdraws it."""
    resource = ROOT + path
    body: SubscriptionResponse = {
        "id": question.token,
        "resource": resource,
        "notificationType": "webhook",
        "notificationUrl": question.callback_url,
    }
    return Reply(body, {"Location": f"{resource}/{question.token}"})


def page(click: ApprovalAnswer) -> Reply[str]:
    """What whoever clicked sees; the texts are inferred, as is that a click that came too late is no error.

    A card is told in a header too, as Outlook's documents on actionable messages say.
    """
    text = _text(click)
    form = _form(click.query) if click.outcome is Outcome.ASKS else ""
    title = escape(click.question.subject)
    html = (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>'
        f"<body><h1>{title}</h1><p>{escape(text)}</p>{form}</body></html>"
    )
    return Reply(html, _PAGE | ({"CARD-ACTION-STATUS": _line(text)} if click.by_card else {}))


def _inquiry(kind: QuestionKind, callback_url: str, message: ApprovalMessage | MessageWithOptions) -> ApprovalRequest:
    mail = draft_from_html(
        {
            "To": message["To"],
            "Subject": message["Subject"],
            "Body": message.get("Body", ""),
            "Importance": message["Importance"],
            "Attachments": message.get("Attachments", []),
        }
    )
    return ApprovalRequest(
        kind=kind,
        mail=mail,
        options=split_options(message["Options"]),
        callback_url=callback_url,
        header_text=message.get("HeaderText", ""),
        selection_text=message.get("SelectionText", ""),
        links_only=message.get("UseOnlyHTMLMessage", False),
        hides_html=message["HideHTMLMessage"],
        confirms=message["ShowHTMLConfirmationDialog"],
    )


def _text(click: ApprovalAnswer) -> str:
    if click.outcome is Outcome.ASKS:
        return f"You chose: {click.option}. Submit this answer?"
    if click.outcome is Outcome.RECORDED:
        return f"Your answer was recorded: {click.option}."
    if click.outcome is Outcome.ANSWERED:
        return f"This was answered already: {click.question.answer}."
    return "This was withdrawn, and takes no answer anymore."


def _form(query: str) -> str:
    action = escape(f"?{query}&fromConfirm=True")
    return f'<form method="post" action="{action}"><button type="submit">Submit</button></form>'


def _line(text: str) -> str:
    """A text as a header takes it: one short line of printable ASCII."""
    return re.sub(r"[^ -~]+", "?", " ".join(text.split()))[:_LONGEST_LINE]
