"""The mails that wait for an answer, and the two ways a recipient gives it."""

from __future__ import annotations

from emulator.operations.operation import Kind, Operation, Scope
from emulator.wire.approvals import (
    ApprovalEmailResponse,
    ApprovalEmailSubscription,
    FormAnswerQuery,
    LinkAnswerQuery,
    OptionsEmailSubscription,
)
from emulator.wire.subscriptions import SubscriptionResponse

OPERATIONS = (
    Operation(
        id="SendApprovalMail",
        method="POST",
        path="/approvalmail/$subscriptions",
        summary="Send approval email",
        family="SendApprovalMail",
        kind=Kind.SUBSCRIBE,
        accepts=ApprovalEmailSubscription,
        body_name="approvalEmailSubscription",
        returns=SubscriptionResponse,
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
        accepts=OptionsEmailSubscription,
        body_name="optionsEmailSubscription",
        returns=SubscriptionResponse,
        status=201,
        extensions={"x-ms-notification-content": {"schema": ApprovalEmailResponse}},
    ),
    Operation(
        id="DeleteApprovalMailSubscription",
        method="DELETE",
        path="/approvalmail/$subscriptions/{id}",
        summary="Withdraw an approval mail",
        family="DeleteApprovalMailSubscription",
        visibility="internal",
    ),
    Operation(
        id="DeleteOptionsMailSubscription",
        method="DELETE",
        path="/mailwithoptions/$subscriptions/{id}",
        summary="Withdraw a mail with options",
        family="DeleteOptionsMailSubscription",
        visibility="internal",
    ),
    Operation(
        id="ReceiveResponseGet",
        method="GET",
        path="/RecordResponse",
        summary="Answer by a link in the mail",
        family="ReceiveResponseGet",
        query=LinkAnswerQuery,
        returns=str,
        errors=(),
        scope=Scope.API,
        visibility="internal",
    ),
    Operation(
        id="ReceiveResponsePost",
        method="POST",
        path="/RecordResponse",
        summary="Answer by a form or an actionable card",
        family="ReceiveResponsePost",
        query=FormAnswerQuery,
        returns=str,
        errors=(),
        scope=Scope.API,
        visibility="internal",
    ),
)
