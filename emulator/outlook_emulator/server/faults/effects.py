"""The effect of a rule, made from what a plan says, and refused where that contradicts itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from outlook_emulator.errors import ConnectorError, Form, Injected, InvalidRequest
from outlook_emulator.server.connector.exchange import COMMON
from outlook_emulator.server.faults.names import NAMED, Named
from outlook_emulator.server.name_checks import unknown
from outlook_emulator.server.times import read_duration
from outlook_emulator.traffic.faults import MALFORMED, RESET, WORK, CannedResponse, Effect

WORKS = "work"
"""What a step of a sequence is called that lets a call through."""
_ABOUT_ERRORS = ("shape", "message", "code", "body", "retryAfter")
_TIMING = frozenset({"fault", "delay", "delayBy"})
_CHOICES = {
    "shape": ("connector", "gateway", "wrapped"),
    "phase": ("before", "after"),
    "delayBy": ("clock", "real"),
    "break": ("reset", "cut", "stall", "malformed"),
}
_LONGEST_REAL = 600 * 1_000_000
"""How long a call may be delayed in real time, in microseconds: a typo shall not hold a test for days."""
_LONGEST_RETRY_AFTER = 86_400
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_TEXT = re.compile(r"[\t\x20-\x7e\x80-\xff]{0,4000}")
_OURS = frozenset({"content-length", "transfer-encoding", "connection", "date", *(name.decode() for name, _ in COMMON)})
_WITHOUT_BODY = (204, 205, 304)
_CODES = {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 429: None, 502: "BadGateway"}


def named_fault(given: Mapping[str, Any]) -> Named | None:
    """The fault that an effect names, None for one of its own or one that works. Raises InvalidRequest."""
    name = given.get("fault")
    if name is None or name == WORKS:
        return None
    if name not in NAMED:
        raise unknown("fault", name, [*NAMED, WORKS])
    return NAMED[name]


def read_effect(given: Mapping[str, Any]) -> Effect:
    """What a call suffers. Raises InvalidRequest for what is unknown, contradicts itself or does nothing."""
    for member, choices in _CHOICES.items():
        if member in given and given[member] not in choices:
            raise InvalidRequest(f"'{member}' must be one of {', '.join(choices)}, not '{str(given[member])[:50]}'.")
    if given.get("fault") == WORKS:
        _allow(given, frozenset({"fault"}), f"'{WORKS}' lets the call through")
        return WORK
    named = named_fault(given)
    return _own(given) if named is None else _of_fault(named, given)


def _of_fault(named: Named, given: Mapping[str, Any]) -> Effect:
    _allow(given, _TIMING | named.takes, f"'{named.name}' says what happens")
    _check_retry_after(given)
    effect = named.make(given)
    headers = {"retry-after": str(given["retryAfter"])} if "retryAfter" in given else {}
    if effect.holds:
        if "delayBy" in given:
            raise InvalidRequest(f"'delayBy' does not go with '{named.name}': triggers go by the sandbox's clock.")
        return replace(effect, fault=named.name)
    return replace(effect, fault=named.name, headers=headers, **_delay(given))


def _own(given: Mapping[str, Any]) -> Effect:
    if not given.keys() & {"status", "headers", "delay", "break"}:
        raise InvalidRequest("The effect does nothing: give 'fault', 'status', 'headers', 'delay' or 'break'.")
    if "names" in given:
        raise InvalidRequest("'names' only goes with the fault 'attachment-skipped'.")
    _check_status(given)
    _check_retry_after(given)
    headers = _headers(given.get("headers", {}))
    if "retryAfter" in given:
        headers["retry-after"] = str(given["retryAfter"])
    breaks = given.get("break")
    answer = _answer(given) if "status" in given else None
    after = _phase(given) == "after"
    if breaks == RESET and not after:
        # Nothing is run, and nothing of this answer goes out.
        answer = CannedResponse(200, b"", None)
    return Effect(answer=answer, headers=headers, after=after, breaks=breaks, **_delay(given))


def _phase(given: Mapping[str, Any]) -> str:
    """When the effect sets in: an answer that is kept from arriving whole needs one to be kept."""
    breaks, has_answer = given.get("break"), "status" in given
    needs_answer = breaks not in (None, RESET)
    phase: str = given.get("phase", "after" if needs_answer and not has_answer else "before")
    if "phase" in given and not has_answer and breaks is None and "delay" not in given:
        raise InvalidRequest("'phase' needs a 'status', a 'delay' or a 'break' that comes before or after the work.")
    if phase == "before" and needs_answer and not has_answer:
        raise InvalidRequest(f"'break': '{breaks}' before the effect needs a 'status': there is no answer to break.")
    return phase


def _answer(given: Mapping[str, Any]) -> ConnectorError | CannedResponse:
    status, shape = given["status"], given.get("shape", "connector")
    if "body" in given:
        body = given["body"]
        if isinstance(body, str):
            return CannedResponse(status, body.encode(), "text/plain; charset=utf-8")
        return CannedResponse(status, orjson.dumps(body), "application/json")
    if status < 400:
        return CannedResponse(status, b"", None)
    text = given.get("message") or "An injected fault."
    code = given.get("code", _CODES.get(status, "InternalServerError" if status >= 500 else "ErrorInvalidRequest"))
    return Injected(status, Form(shape), text, code)


def _check_status(given: Mapping[str, Any]) -> None:
    status = given.get("status")
    if status is None:
        for member in _ABOUT_ERRORS:
            if member in given:
                raise InvalidRequest(f"'{member}' needs a 'status'.")
        return
    if not 200 <= status <= 599:
        raise InvalidRequest(f"'status' must be from 200 to 599, not {status}.")
    if given.get("break") == RESET:
        raise InvalidRequest("'status' and 'break': 'reset' contradict each other: after a reset nothing arrives.")
    written = [member for member in ("shape", "message", "code") if member in given]
    if "body" in given and written:
        raise InvalidRequest(f"'body' is the whole answer and does not go with '{written[0]}'.")
    if status < 400 and written:
        raise InvalidRequest(f"'{written[0]}' is about errors, and {status} is none.")
    if status in _WITHOUT_BODY and ("body" in given or given.get("break") in ("cut", "stall", MALFORMED)):
        raise InvalidRequest(f"An answer of status {status} has no body.")


def _check_retry_after(given: Mapping[str, Any]) -> None:
    if not 0 <= given.get("retryAfter", 0) <= _LONGEST_RETRY_AFTER:
        raise InvalidRequest(f"'retryAfter' must be from 0 to {_LONGEST_RETRY_AFTER} seconds.")


def _headers(given: Mapping[str, str]) -> dict[str, str]:
    for name, value in given.items():
        if not _TOKEN.fullmatch(name) or name.lower() in _OURS:
            raise InvalidRequest(f"'headers' cannot set '{name[:100]}'.")
        if not _TEXT.fullmatch(value):
            raise InvalidRequest(f"The value of '{name}' in 'headers' must be one line of Latin-1 text.")
    return {name.lower(): value for name, value in given.items()}


def _delay(given: Mapping[str, Any]) -> dict[str, Any]:
    """The members of an effect that are about time."""
    if "delay" not in given:
        if "delayBy" in given:
            raise InvalidRequest("'delayBy' needs a 'delay'.")
        return {}
    delay, in_real_time = read_duration(given["delay"], "delay"), given.get("delayBy") == "real"
    if delay <= 0:
        raise InvalidRequest("'delay' must be above zero.")
    if in_real_time and delay > _LONGEST_REAL:
        raise InvalidRequest("'delay' must be 10 minutes at most in real time.")
    return {"delay": delay, "in_real_time": in_real_time}


def _allow(given: Mapping[str, Any], allowed: frozenset[str], why: str) -> None:
    for member in given:
        if member not in allowed:
            raise InvalidRequest(f"'{member}' does not go with a named fault: {why}.")
