"""Converts request bodies to approval requests, and recipients' answers to pages."""

from __future__ import annotations

import re
from html import escape

import orjson

from outlook_emulator.enums import QuestionKind
from outlook_emulator.mailbox.approvals.approval_mail import ApprovalRequest, split_options
from outlook_emulator.mailbox.approvals.questions import ApprovalAnswer, Outcome
from outlook_emulator.mailbox.triggers.callbacks import Content
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

# A page loads nothing and runs no script. It can only post its form back to this server.
_POLICY = "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
_LONGEST_LINE = 200
# Seen by users of this connector (a public report of 2025), although their answers counted.
_FAILED = "Exception occurred while receiving response"
_PAGE = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
}


def approval(shape: ApprovalEmailSubscription) -> ApprovalRequest:
    """The request in the body of an approval mail."""
    return _request(QuestionKind.APPROVAL, shape["NotificationUrl"], shape["Message"])


def mail_with_options(shape: OptionsEmailSubscription) -> ApprovalRequest:
    """The request in the body of a mail with options."""
    return _request(QuestionKind.OPTIONS, shape["NotificationUrl"], shape["Message"])


def subscription(question: Question, path: str) -> Reply[SubscriptionResponse]:
    """A question that was sent from `path`, and where its sender withdraws it."""
    resource = ROOT + path
    body: SubscriptionResponse = {
        "id": question.token,
        "resource": resource,
        "notificationType": "webhook",
        "notificationUrl": question.callback_url,
    }
    # Engines delete this URL when their action is cancelled or times out (vendor's page).
    return Reply(body, {"Location": f"{resource}/{question.token}"})


def selected(option: str) -> Content:
    """The callback that reports the chosen option (recorded)."""
    return Content(orjson.dumps({"SelectedOption": option}), {"Content-Type": "application/json"})


def page(answer: ApprovalAnswer) -> Reply[str]:
    """The page that a recipient sees. Its texts are inferred, and so is that a late answer is not an error.

    A card reads the text from a header, as Outlook's documentation of actionable messages says.
    """
    text = _FAILED if answer.page_breaks else _text(answer)
    form = _form(answer.query) if answer.outcome is Outcome.CONFIRM else ""
    title = escape(answer.question.subject)
    html = (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>'
        f"<body><h1>{title}</h1><p>{escape(text)}</p>{form}</body></html>"
    )
    return Reply(html, _PAGE | ({"CARD-ACTION-STATUS": _line(text)} if answer.by_card else {}))


def _request(kind: QuestionKind, callback_url: str, message: ApprovalMessage | MessageWithOptions) -> ApprovalRequest:
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


def _text(answer: ApprovalAnswer) -> str:
    if answer.outcome is Outcome.CONFIRM:
        return f"You chose: {answer.option}. Submit this answer?"
    if answer.outcome is Outcome.RECORDED:
        return f"Your answer was recorded: {answer.option}."
    if answer.outcome is Outcome.ANSWERED:
        return f"This was answered already: {answer.question.answer}."
    return "This was withdrawn, and takes no answer anymore."


def _form(query: str) -> str:
    action = escape(f"?{query}&fromConfirm=True")
    return f'<form method="post" action="{action}"><button type="submit">Submit</button></form>'


def _line(text: str) -> str:
    """A text for a header: one short line of printable ASCII."""
    return re.sub(r"[^ -~]+", "?", " ".join(text.split()))[:_LONGEST_LINE]
