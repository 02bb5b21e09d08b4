"""The admin API's verbs about limits: what a sandbox lets its connections ask, what they use of it, and changing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from outlook_emulator.clock import LATEST, iso_ticks
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.admin.request import AdminOperation, AdminRequest
from outlook_emulator.server.limits import shapes
from outlook_emulator.traffic.limits import Limits, Use

_OF_CONNECTIONS = {
    "calls": "calls",
    "period": "period",
    "concurrentRequests": "concurrent_requests",
    "bytesInFlight": "bytes_in_flight",
    "warnAt": "warn_at",
}
_OF_MAILS = {"mailBytes": "max_mail_bytes", "inlineImageBytes": "max_inline_image_bytes", "options": "max_options"}
"""The members of a change, and what they are called in the limits of connections and in the rules of mailboxes."""


def get_limits(request: AdminRequest) -> shapes.LimitFacts:
    return _facts(request.sandbox)


def change_limits(request: AdminRequest) -> shapes.LimitFacts:
    sandbox, changes = request.sandbox, request.body
    limiter = sandbox.traffic.limiter
    limiter.limits = replace(limiter.limits, **_named(changes, _OF_CONNECTIONS))
    sandbox.rules = replace(sandbox.rules, **_named(changes, _OF_MAILS))
    return _facts(sandbox)


def _named(changes: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {name: changes[member] for member, name in names.items() if member in changes}


def _facts(sandbox: Sandbox) -> shapes.LimitFacts:
    limits, rules, now = sandbox.traffic.limiter.limits, sandbox.rules, sandbox.clock.now()
    return {
        "calls": limits.calls,
        "period": limits.period,
        "concurrentRequests": limits.concurrent_requests,
        "bytesInFlight": limits.bytes_in_flight,
        "warnAt": limits.warn_at,
        "mailBytes": rules.max_mail_bytes,
        "inlineImageBytes": rules.max_inline_image_bytes,
        "options": rules.max_options,
        "connections": [_use(id, one, limits, now) for id, one in sandbox.traffic.limiter.uses().items()],
    }


def _use(connection: str, use: Use, limits: Limits, now: int) -> shapes.ConnectionUse:
    calls = use.calls_at(now)
    return {
        "connection": connection,
        "calls": calls,
        "remaining": max(limits.calls - calls, 0) if limits.calls else None,
        "resetsAt": iso_ticks(min(use.ends, LATEST)) if now < use.ends else None,
        "concurrentRequests": use.requests,
        "bytesInFlight": use.bytes,
    }


_LIMITS = "/sandboxes/{sandbox}/limits"

ROWS = (
    AdminOperation(
        id="GetLimits",
        method="GET",
        path=_LIMITS,
        summary="Show the limits of a sandbox, and what its connections use of them",
        handler=get_limits,
        returns=shapes.LimitFacts,
    ),
    AdminOperation(
        id="ChangeLimits",
        method="PATCH",
        path=_LIMITS,
        summary="Change limits of a sandbox from now on; 0 switches one off",
        handler=change_limits,
        accepts=shapes.LimitChanges,
        returns=shapes.LimitFacts,
        strict=True,
    ),
)
