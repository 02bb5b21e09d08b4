"""The calls a sandbox owes others: noted in the transaction that caused them, made afterwards, kept as a journal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

import orjson

from outlook_emulator.enums import CallbackKind, CallbackState
from outlook_emulator.errors import InvalidRequest
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.store import triggers as trigger_store
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import Callback

KEPT = 1000
"""How far back the journal goes, in calls; one that waits stays however old it is."""
TRIES = 6
"""How often a call is attempted before it is given up (inferred)."""
_FIRST_WAIT = 1_000_000
_LONGEST_URL = 8192
_LONGEST_HOST = 253
_HOST_NAME = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?")
_DIGITS = re.compile(r"[0-9.]+")
_LATER = frozenset({408, 429})


def check_url(text: str, member: str, allowed: frozenset[str]) -> None:
    """Refuse what is no absolute http(s) URL, carries a credential, or leads to a host that is not `allowed`.

    Loopback hosts always are, `*` allows all. Raises InvalidRequest, naming the member.
    """
    host = _host(text)
    if host is None:
        shown = text[:200]
        raise InvalidRequest(f"'{member}' must be an absolute http or https URL without a credential, not '{shown}'.")
    if "*" not in allowed and host not in allowed and not _is_loopback(host):
        raise InvalidRequest(
            f"'{member}' leads to the host '{host[:200]}', but callbacks only go to this machine and to the hosts that"
            " the setting callback_hosts names."
        )


def enqueue(
    mailbox: Mailbox, url: str, body: bytes, *, kind: CallbackKind, headers: Mapping[str, str] = {}, reference: str = ""
) -> int:
    """Note a call that is to be made once the surrounding transaction is committed; its id.

    `kind` says why it is made, `reference` names what caused it; both are for the journal, and for `cancel`. What the
    journal has no room for any more goes.
    """
    values = {
        "kind": kind,
        "url": url,
        "reference": reference,
        "headers": orjson.dumps(dict(headers)).decode(),
        "body": body,
        "state": CallbackState.PENDING,
        "attempts": 0,
        "due": mailbox.now,
        "created": mailbox.now,
    }
    key = trigger_store.insert_callback(mailbox.db, values)
    trigger_store.delete_finished_callbacks(mailbox.db, key - KEPT)
    return key


def is_waiting(db: Database, url: str, kind: CallbackKind, reference: str) -> bool:
    """Whether a call of that kind to a URL has yet to be begun: one more would say nothing new."""
    return trigger_store.has_unattempted_callback(db, url, kind, reference)


def is_anyone_called(db: Database) -> bool:
    """Whether anybody wants to be called, or waits for it."""
    return trigger_store.has_callback_work(db)


def cancel(db: Database, kind: CallbackKind, reference: str) -> None:
    """Make no more of the calls that something caused which is gone; the journal shows them as cancelled.

    One that is under way is not taken back, but stays cancelled however it ends.
    """
    trigger_store.cancel_callbacks(db, kind, reference)


def headers_of(callback: Callback) -> dict[str, str]:
    """The headers a call is made with."""
    found: dict[str, str] = orjson.loads(callback.headers)
    return found


def journal(db: Database) -> list[Callback]:
    """Every call that is to be made, and the last ones that were, oldest first."""
    return trigger_store.callbacks(db)


def due_at(db: Database) -> dict[str, int]:
    """The URLs that calls wait for, and the instant at which the first one of each is due."""
    return trigger_store.first_callbacks_due(db)


def first(db: Database, url: str) -> Callback | None:
    """The call to a URL that is to be made next, whenever it is due: calls to one URL are made in order."""
    return trigger_store.first_pending_callback(db, url)


def is_new(callback: Callback) -> bool:
    """Whether a call was neither attempted nor postponed since it was noted."""
    return callback.attempted is None and callback.due == callback.created


def postpone(db: Database, callback: Callback, until: int) -> None:
    """Make a call no sooner than an instant; those to the same URL that came after it wait for it."""
    trigger_store.postpone_callback(db, callback.id, until)


def begin(db: Database, callback: Callback, now: int) -> None:
    """Note that an attempt is under way: whoever is called may have looked already, so news is told by another call."""
    trigger_store.begin_attempt(db, callback.id, now)


def refuse(db: Database, callback: Callback, reason: str) -> None:
    """Give a call up that must not be made any more."""
    trigger_store.record_attempt(
        db,
        callback.id,
        state=CallbackState.FAILED,
        attempts=callback.attempts,
        due=callback.due,
        attempted=callback.attempted,
        status=callback.last_status,
        error=reason,
    )


def record(db: Database, callback: Callback, now: int, status: int | None, error: str | None) -> None:
    """Note how an attempt ended: with the `status` of an answer, or with an `error` before there was one.

    Success is 2xx. No answer, 5xx, 408 and 429 are tried again after 1, 2, 4, 8 and 16 seconds by the sandbox's clock,
    any other answer fails at once.
    """
    attempts = callback.attempts + 1
    trigger_store.record_attempt(
        db,
        callback.id,
        state=_state(status, attempts),
        attempts=attempts,
        due=now + (_FIRST_WAIT << callback.attempts),
        attempted=now,
        status=status,
        error=error,
    )


def _state(status: int | None, attempts: int) -> CallbackState:
    if status is not None and 200 <= status < 300:
        return CallbackState.DONE
    again = status is None or status >= 500 or status in _LATER
    return CallbackState.PENDING if again and attempts < TRIES else CallbackState.FAILED


def _host(text: str) -> str | None:
    # Before it is parsed: the parser drops line breaks.
    if len(text) > _LONGEST_URL or not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        return None
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or port == 0 or host is None or not _names_a_host(host):
        return None
    # The parser overlooks what stands around a bracket, and whoever calls may read another host there.
    shown = re.escape(f"[{host}]" if ":" in host else host)
    return host if re.fullmatch(rf"{shown}(:[0-9]*)?", parts.netloc, re.IGNORECASE) else None


def _names_a_host(host: str) -> bool:
    if ":" not in host and not _DIGITS.fullmatch(host):
        return len(host) <= _LONGEST_HOST and _HOST_NAME.fullmatch(host) is not None
    try:
        return "%" not in str(ip_address(host))
    except ValueError:
        return False


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
