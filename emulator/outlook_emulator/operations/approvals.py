"""The mails that ask for an answer, and the two ways in which a recipient gives one."""

from __future__ import annotations

from functools import partial

from outlook_emulator.mailbox.approvals import answer_links, questions
from outlook_emulator.operations.operation import MAIL_ERRORS, Kind, Operation, Scope
from outlook_emulator.wire import approvals_convert as wire
from outlook_emulator.wire.approvals import ApprovalEmailResponse, FormAnswerQuery, LinkAnswerQuery

_APPROVALS, _OPTIONS = "/approvalmail/$subscriptions", "/mailwithoptions/$subscriptions"

OPERATIONS = (
    Operation(
        id="SendApprovalMail",
        method="POST",
        path=_APPROVALS,
        summary="Send approval email",
        family="SendApprovalMail",
        kind=Kind.SUBSCRIBE,
        run=questions.ask,
        creates=True,
        sends_mail=True,
        carries_images=True,
        accepts=wire.approval,
        body_name="approvalEmailSubscription",
        returns=partial(wire.subscription, path=_APPROVALS),
        # Engines accept no other status for a subscription, and need its Location (vendor's page).
        status=201,
        errors=MAIL_ERRORS,
        visibility="important",
        extensions={"x-ms-notification-content": {"schema": ApprovalEmailResponse}},
    ),
    Operation(
        id="SendMailWithOptions",
        method="POST",
        path=_OPTIONS,
        summary="Send email with options",
        family="SendMailWithOptions",
        kind=Kind.SUBSCRIBE,
        run=questions.ask,
        creates=True,
        sends_mail=True,
        carries_images=True,
        accepts=wire.mail_with_options,
        body_name="optionsEmailSubscription",
        returns=partial(wire.subscription, path=_OPTIONS),
        status=201,
        errors=MAIL_ERRORS,
        extensions={"x-ms-notification-content": {"schema": ApprovalEmailResponse}},
    ),
    Operation(
        id="DeleteApprovalMailSubscription",
        method="DELETE",
        path=f"{_APPROVALS}/{{id}}",
        summary="Withdraw an approval mail",
        family="DeleteApprovalMailSubscription",
        run=questions.withdraw_approval,
        errors=MAIL_ERRORS,
        visibility="internal",
    ),
    Operation(
        id="DeleteOptionsMailSubscription",
        method="DELETE",
        path=f"{_OPTIONS}/{{id}}",
        summary="Withdraw a mail with options",
        family="DeleteOptionsMailSubscription",
        run=questions.withdraw_options,
        errors=MAIL_ERRORS,
        visibility="internal",
    ),
    Operation(
        # At the root, without a connection: whoever opens a link in a mail has no credential. The link is signed.
        id="ReceiveResponseGet",
        method="GET",
        path="/RecordResponse",
        summary="Answer by a link in the mail",
        family="ReceiveResponseGet",
        run=partial(questions.follow, content_of=wire.selected),
        query=LinkAnswerQuery,
        returns=wire.page,
        produces=("text/html", "application/json"),
        scope=Scope.API,
        place_of=answer_links.place_of,
        answers=True,
        visibility="internal",
    ),
    Operation(
        id="ReceiveResponsePost",
        method="POST",
        path="/RecordResponse",
        summary="Answer by a form or an actionable card",
        family="ReceiveResponsePost",
        run=partial(questions.submit, content_of=wire.selected),
        query=FormAnswerQuery,
        returns=wire.page,
        produces=("text/html", "application/json"),
        scope=Scope.API,
        place_of=answer_links.place_of,
        answers=True,
        visibility="internal",
    ),
)
