"""The mails that wait for an answer, and the two ways a recipient gives it."""

from __future__ import annotations

from outlook_emulator.mailbox.approvals import answer_links, questions
from outlook_emulator.operations.operation import Kind, Operation, Scope
from outlook_emulator.wire import approvals_convert as values
from outlook_emulator.wire.approvals import ApprovalEmailResponse, FormAnswerQuery, LinkAnswerQuery

OPERATIONS = (
    Operation(
        id="SendApprovalMail",
        method="POST",
        path="/approvalmail/$subscriptions",
        summary="Send approval email",
        family="SendApprovalMail",
        kind=Kind.SUBSCRIBE,
        run=questions.ask,
        accepts=values.approval,
        body_name="approvalEmailSubscription",
        returns=values.subscription,
        status=201,
        visibility="important",
        extensions={"x-ms-notification-content": {"schema": ApprovalEmailResponse}},
    ),
    Operation(
        id="SendMailWithOptions",
        method="POST",
        path="/mailwithoptions/$subscriptions",
        summary="Send email with options",
        family="SendMailWithOptions",
        kind=Kind.SUBSCRIBE,
        run=questions.ask,
        accepts=values.mail_with_options,
        body_name="optionsEmailSubscription",
        returns=values.subscription,
        status=201,
        extensions={"x-ms-notification-content": {"schema": ApprovalEmailResponse}},
    ),
    Operation(
        id="DeleteApprovalMailSubscription",
        method="DELETE",
        path="/approvalmail/$subscriptions/{id}",
        summary="Withdraw an approval mail",
        family="DeleteApprovalMailSubscription",
        run=questions.withdraw_approval,
        visibility="internal",
    ),
    Operation(
        id="DeleteOptionsMailSubscription",
        method="DELETE",
        path="/mailwithoptions/$subscriptions/{id}",
        summary="Withdraw a mail with options",
        family="DeleteOptionsMailSubscription",
        run=questions.withdraw_options,
        visibility="internal",
    ),
    Operation(
        id="ReceiveResponseGet",
        method="GET",
        path="/RecordResponse",
        summary="Answer by a link in the mail",
        family="ReceiveResponseGet",
        run=questions.follow,
        query=LinkAnswerQuery,
        returns=values.page,
        errors=(),
        scope=Scope.API,
        place_of=answer_links.place_of,
        visibility="internal",
    ),
    Operation(
        id="ReceiveResponsePost",
        method="POST",
        path="/RecordResponse",
        summary="Answer by a form or an actionable card",
        family="ReceiveResponsePost",
        run=questions.submit,
        query=FormAnswerQuery,
        returns=values.page,
        errors=(),
        scope=Scope.API,
        place_of=answer_links.place_of,
        visibility="internal",
    ),
)
