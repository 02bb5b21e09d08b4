"""Effects of fault rules: built from their options, and rejected where the options contradict each other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from outlook_emulator.errors import ConnectorError, Form, Injected, InvalidRequest
from outlook_emulator.options import camel, values_of
from outlook_emulator.server.connector.exchange import COMMON
from outlook_emulator.server.faults.names import NAMED, NamedFault
from outlook_emulator.server.name_checks import unknown
from outlook_emulator.server.times import read_duration
from outlook_emulator.traffic.fault_plan import FaultEffect, Phase
from outlook_emulator.traffic.faults import WORK, CannedResponse, Effect

WORKS = "work"
"""The step of a sequence that lets a request through."""
_ERROR_OPTIONS = ("shape", "message", "code", "body", "retry_after")
_WITH_EVERY_FAULT = frozenset({"fault", "delay", "delay_by"})
_LONGEST_REAL = 600 * 1_000_000
"""The longest delay in real time, in microseconds: a typo must not hold a test for days."""
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_TEXT = re.compile(r"[\t\x20-\x7e\x80-\xff]{0,4000}")
# Headers that the server needs right, or that every response has.
_OURS = frozenset({"content-length", "transfer-encoding", "connection", "date", *(name.decode() for name, _ in COMMON)})
_WITHOUT_BODY = (204, 205, 304)
_CODES = {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 429: None, 502: "BadGateway"}


def named_fault(options: FaultEffect) -> NamedFault | None:
    """The named fault of an effect, None for a custom effect or `work`. Raises InvalidRequest for an unknown name."""
    name = options.fault
    if name is None or name == WORKS:
        return None
    if name not in NAMED:
        raise unknown("fault", name, [*NAMED, WORKS])
    return NAMED[name]


def read_effect(options: FaultEffect) -> Effect:
    """The effect that the options describe. Raises InvalidRequest for unknown, contradictory or ineffective options."""
    if options.fault == WORKS:
        _allow(options, frozenset({"fault"}), f"'{WORKS}' lets the request through")
        return WORK
    named = named_fault(options)
    return _custom_effect(options) if named is None else _named_effect(named, options)


def _named_effect(named: NamedFault, options: FaultEffect) -> Effect:
    _allow(options, _WITH_EVERY_FAULT | named.takes, f"'{named.name}' determines the response")
    effect = named.make(options)
    if effect.twice and (options.delay is not None or options.delay_by is not None):
        name = "delay" if options.delay is not None else "delayBy"
        raise InvalidRequest(f"'{name}' cannot be combined with '{named.name}': both deliveries are due at once.")
    if effect.is_of_triggers:
        if options.delay_by is not None:
            raise InvalidRequest(f"'delayBy' cannot be combined with '{named.name}': triggers use the sandbox's clock.")
        return replace(effect, fault=named.name)
    return replace(effect, fault=named.name, headers=_retry_after(options), **_delay(options))


def _custom_effect(options: FaultEffect) -> Effect:
    if not values_of(options).keys() & {"status", "headers", "delay", "break_"}:
        raise InvalidRequest("The effect does nothing: it needs 'fault', 'status', 'headers', 'delay' or 'break'.")
    if options.names is not None:
        raise InvalidRequest("'names' can only be combined with the fault 'attachment-skipped'.")
    if options.addresses is not None:
        raise InvalidRequest("'addresses' can only be combined with the fault 'undeliverable'.")
    _check_status(options)
    # In this order, so that `retryAfter` wins over a header of that name.
    headers = _headers(options.headers or {}) | _retry_after(options)
    response = None if options.status is None else _response(options, options.status)
    phase = _phase(options)
    if options.break_ == "reset" and phase == "before":
        # The operation does not run, and nothing of this response is sent.
        response = CannedResponse(200, b"", None)
    return Effect(response=response, headers=headers, phase=phase, breaks=options.break_, **_delay(options))


def _phase(options: FaultEffect) -> Phase:
    """When the effect happens. A response can only be broken if there is a response."""
    has_status = options.status is not None
    needs_response = options.break_ not in (None, "reset")
    phase: Phase = options.phase or ("after" if needs_response and not has_status else "before")
    if options.phase and not has_status and options.break_ is None and options.delay is None:
        raise InvalidRequest("'phase' needs a 'status', a 'delay' or a 'break'.")
    if phase == "before" and needs_response and not has_status:
        raise InvalidRequest(
            f"'break': '{options.break_}' before the operation needs a 'status': there is no response to break."
        )
    return phase


def _response(options: FaultEffect, status: int) -> ConnectorError | CannedResponse:
    body = options.body
    if isinstance(body, str):
        return CannedResponse(status, body.encode(), "text/plain; charset=utf-8")
    if body is not None:
        return CannedResponse(status, orjson.dumps(body), "application/json")
    if status < 400:
        return CannedResponse(status, b"", None)
    text, form = options.message or "An injected fault.", Form(options.shape or "connector")
    code = _CODES.get(status, "InternalServerError" if status >= 500 else "ErrorInvalidRequest")
    if status == 401 and form is Form.CONNECTOR:
        # A 401 of the connector has no code (recorded on another connector of the same base).
        code = None
    return Injected(status, form, text, code if options.code is None else options.code)


def _check_status(options: FaultEffect) -> None:
    status, values = options.status, values_of(options)
    if status is None:
        for name in _ERROR_OPTIONS:
            if name in values:
                raise InvalidRequest(f"'{camel(name)}' needs a 'status'.")
        return
    if options.break_ == "reset":
        raise InvalidRequest("'status' cannot be combined with 'break': 'reset': after a reset no response arrives.")
    error_options = [name for name in ("shape", "message", "code") if name in values]
    if options.body is not None and error_options:
        raise InvalidRequest(f"'body' is the whole response and cannot be combined with '{error_options[0]}'.")
    if status < 400 and error_options:
        raise InvalidRequest(f"'{error_options[0]}' describes an error, but {status} is not an error status.")
    if status in _WITHOUT_BODY and (options.body is not None or options.break_ is not None):
        raise InvalidRequest(f"A response with status {status} has no body.")


def _retry_after(options: FaultEffect) -> dict[str, str]:
    return {} if options.retry_after is None else {"retry-after": str(options.retry_after)}


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name) or name.lower() in _OURS:
            raise InvalidRequest(f"'headers' cannot set '{name[:100]}'.")
        if not _TEXT.fullmatch(value):
            raise InvalidRequest(f"The value of '{name}' in 'headers' must be one line of Latin-1 text.")
    return {name.lower(): value for name, value in headers.items()}


def _delay(options: FaultEffect) -> dict[str, Any]:
    """The members of an effect that are about time."""
    if options.delay is None:
        if options.delay_by is not None:
            raise InvalidRequest("'delayBy' needs a 'delay'.")
        return {}
    delay, delay_by = read_duration(options.delay, "delay"), options.delay_by or "clock"
    if delay <= 0:
        raise InvalidRequest("'delay' must be above zero.")
    if delay_by == "real" and delay > _LONGEST_REAL:
        raise InvalidRequest("'delay' must be at most 10 minutes in real time.")
    return {"delay": delay, "delay_by": delay_by}


def _allow(options: FaultEffect, allowed: frozenset[str], reason: str) -> None:
    for name in values_of(options):
        if name not in allowed:
            raise InvalidRequest(f"'{camel(name)}' cannot be combined with a named fault: {reason}.")
