"""Journal entries as JSON: without signatures, and bodies in a form that JSON can hold."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import orjson

from outlook_emulator.clock import iso_ticks
from outlook_emulator.content_limits import SHOWN_NESTING
from outlook_emulator.server.journal import shapes
from outlook_emulator.server.journal.paths import path_of
from outlook_emulator.traffic.journal import DeliveryEntry, Entry, ExchangeEntry, ImportEntry
from outlook_emulator.traffic.retry_report import Retried
from outlook_emulator.traffic.secrets import RawHeaders, redacted
from outlook_emulator.wire.large_json import is_too_deep

WORKFLOW = {
    "name": b"x-ms-workflow-name",
    "runId": b"x-ms-workflow-run-id",
    "operation": b"x-ms-workflow-operation-name",
    "clientRequestId": b"x-ms-client-request-id",
}
"""The headers in which a workflow engine identifies a workflow."""
_LONGEST_CHARACTER = 4
"""The greatest number of bytes of a character in UTF-8."""


def entry_json(entry: Entry) -> shapes.JournalEntry:
    """An entry as JSON."""
    if isinstance(entry, ImportEntry):
        return _import(entry)
    return _exchange(entry) if isinstance(entry, ExchangeEntry) else _delivery(entry)


def retry_json(row: Retried) -> shapes.RetryFacts:
    """A line of the retry report as JSON."""
    failed = row.failed
    return {
        "operation": failed.operation or None,
        "connection": failed.connection or None,
        "status": failed.status,
        "outcome": failed.outcome,
        "at": iso_ticks(failed.at),
        "cameBack": row.retry is not None,
        "waitedSeconds": row.waited,
        "realWaitedSeconds": row.real_wait,
        "askedSeconds": row.retry_after,
        "waitedAsAsked": row.waited_long_enough,
        "refusedAgain": row.refused_again,
        "timesEffected": row.effects,
        "duplicated": row.duplicated,
        "entries": list(row.attempts),
    }


def _exchange(entry: ExchangeEntry) -> shapes.JournalEntry:
    return {
        "id": entry.id,
        "kind": entry.kind,
        "at": iso_ticks(entry.at),
        "realAt": iso_ticks(entry.real),
        "tookMilliseconds": round(entry.took / 1_000_000, 3),
        "connection": entry.connection or None,
        "operation": entry.operation or None,
        "family": entry.about.family or None,
        "method": entry.method,
        "path": clean(path_of(entry)),
        "query": redacted(entry.query).decode("latin-1"),
        "status": entry.status,
        "outcome": entry.outcome,
        "effected": entry.effected,
        "causes": [{"kind": cause.kind, "name": cause.name, "reason": clean(cause.reason)} for cause in entry.causes],
        "workflow": {
            "name": _workflow(entry, "name"),
            "runId": _workflow(entry, "runId"),
            "operation": _workflow(entry, "operation"),
            "clientRequestId": _workflow(entry, "clientRequestId"),
        },
        "request": _message(entry.request_headers, entry.request_body, entry.request_size),
        "response": _message(entry.response_headers, entry.response_body, entry.response_size),
    }


def _delivery(entry: DeliveryEntry) -> shapes.JournalEntry:
    return {
        "id": entry.id,
        "kind": entry.kind,
        "at": iso_ticks(entry.at),
        "realAt": iso_ticks(entry.real),
        "callback": entry.callback,
        "purpose": entry.purpose,
        "reference": entry.reference,
        "url": entry.url,
        "number": entry.number,
        "body": _body(entry.body, False, "application/json"),
        "status": entry.status,
        "error": None if entry.error is None else clean(entry.error),
    }


def _import(entry: ImportEntry) -> shapes.JournalEntry:
    return {
        "id": entry.id,
        "kind": entry.kind,
        "at": iso_ticks(entry.at),
        "realAt": iso_ticks(entry.real),
        "connection": entry.connection,
        "place": entry.place,
        "status": entry.status,
        "imported": entry.imported,
        "skipped": entry.skipped,
        "reasons": [clean(reason) for reason in entry.reasons],
    }


def clean(text: str) -> str:
    return redacted(text.encode(errors="replace")).decode()


def _workflow(entry: ExchangeEntry, member: str) -> str | None:
    text = entry.header(WORKFLOW[member])
    return None if text is None else clean(text)


def _message(headers: RawHeaders, body: bytes, size: int) -> shapes.MessageFacts:
    named: dict[str, str] = {}
    for name, value in headers:
        text = redacted(value).decode("latin-1")
        key = name.decode("latin-1")
        # A repeated header means its values joined by commas (RFC 9110, section 5.3).
        named[key] = f"{named[key]}, {text}" if key in named else text
    truncated = len(body) < size
    return {
        "headers": named,
        "body": _body(body, truncated, named.get("content-type", "application/octet-stream")),
        "size": size,
        "truncated": truncated,
    }


def _body(body: bytes, truncated: bool, content_type: str) -> Any:
    if not body:
        return None
    text = _text(body, truncated)
    if text is None:
        return {"$content-type": content_type, "$content": b64encode(redacted(body)).decode("ascii")}
    clean = redacted(text.encode())
    if not truncated and _is_json(clean):
        # The text itself: a deeply nested value that was parsed could not be serialized again.
        return orjson.Fragment(clean)
    return clean.decode()


def _is_json(body: bytes) -> bool:
    """Whether a body is JSON that can be read as part of an entry."""
    # Few brackets cannot be nested too deeply, which spares most bodies a look at all levels.
    is_flat = body.count(b"{") + body.count(b"[") < SHOWN_NESTING.most
    try:
        value = orjson.loads(body)
        return is_flat or not is_too_deep(value)
    except orjson.JSONDecodeError:
        return False


def _text(body: bytes, truncated: bool) -> str | None:
    """Bytes as text, None if they are not text. A truncated body may end within a character."""
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        if truncated and len(body) - error.start < _LONGEST_CHARACTER:
            return body[: error.start].decode()
        return None
