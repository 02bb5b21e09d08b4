"""Admin operations on limits: show them and their use, and change them for a sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from outlook_emulator.clock import LATEST, iso_ticks
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.admin.request import AdminOperation, AdminRequest
from outlook_emulator.server.limits import shapes
from outlook_emulator.settings import Limits, limits
from outlook_emulator.traffic.limits import Use


def get_limits(request: AdminRequest) -> Mapping[str, Any]:
    return _limits(request.sandbox)


def change_limits(request: AdminRequest) -> Mapping[str, Any]:
    changes = {option.name: request.body[option.limit] for option in limits() if option.limit in request.body}
    request.sandbox.use(replace(request.sandbox.settings, **changes))
    return _limits(request.sandbox)


def _limits(sandbox: Sandbox) -> Mapping[str, Any]:
    settings, now = sandbox.settings, sandbox.clock.now()
    uses = sandbox.traffic.limiter.uses()
    return {
        **{option.limit: getattr(settings, option.name) for option in limits()},
        "connections": [_use(connection, use, settings, now) for connection, use in uses.items()],
    }


def _use(connection: str, use: Use, limits: Limits, now: int) -> shapes.ConnectionUse:
    period = limits.calls_period * 1_000_000
    calls, oldest = use.calls.count(now, period), use.calls.oldest()
    return {
        "connection": connection,
        "calls": calls,
        "remaining": max(limits.max_calls - calls, 0) if limits.max_calls else None,
        "resetsAt": None if oldest is None else iso_ticks(min(oldest + period, LATEST)),
        "concurrentRequests": use.requests,
        "bytesInFlight": use.bytes,
    }


_LIMITS = "/sandboxes/{sandbox}/limits"

ROWS = (
    AdminOperation(
        id="GetLimits",
        method="GET",
        path=_LIMITS,
        summary="Get the limits of a sandbox, and what its connections use of them",
        handler=get_limits,
        returns=shapes.LimitFacts,
    ),
    AdminOperation(
        id="ChangeLimits",
        method="PATCH",
        path=_LIMITS,
        summary="Change limits of a sandbox; 0 removes a limit",
        handler=change_limits,
        accepts=shapes.LimitChanges,
        returns=shapes.LimitFacts,
    ),
)
