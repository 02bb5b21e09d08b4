"""The queue of HTTP callbacks: enqueued in the transaction that causes them, called afterwards, kept as a journal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

import orjson

from outlook_emulator.enums import CallbackKind, CallbackState
from outlook_emulator.errors import InvalidField
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.patterns import pattern
from outlook_emulator.settings import CallbackHosts
from outlook_emulator.store import triggers as trigger_store
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import Callback

KEPT = 1000
"""How many callbacks the journal keeps; pending ones are kept regardless."""
TRIES = 6
"""How many times a callback is attempted at most (inferred)."""
_FIRST_WAIT = 1_000_000
_LONGEST_URL = 8192
_LONGEST_HOST = 253
_HOST_NAME = pattern(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?")
_DIGITS = pattern(r"[0-9.]+")
_RETRIED = frozenset({408, 429})
_WITH_IPV4 = (bytes(12), bytes(10) + b"\xff\xff", b"\0\x64\xff\x9b" + bytes(8))
"""How IPv6 addresses start that end with one of IPv4: compatible, mapped, and translated ones."""


def check_url(text: str, field: str, allowed: CallbackHosts) -> None:
    """Raise InvalidField unless a text is an absolute http(s) URL without a credential, to an `allowed` host.

    A name may still lead to this machine; see `must_lead_away`.
    """
    host = _host(text)
    if host is None:
        shown = text[:200]
        raise InvalidField(field, f"must be an absolute http or https URL without a credential, not '{shown}'.")
    if host in allowed.names or (allowed.here and _is_loopback(host)):
        return
    if "*" not in allowed.names or (not allowed.here and leads_here(host)):
        own = "this machine and to " if allowed.here else ""
        raise InvalidField(
            field,
            f"leads to the host '{host[:200]}', but callbacks are only sent to {own}the hosts in the setting"
            " callback_hosts.",
        )


def must_lead_away(url: str, allowed: CallbackHosts) -> bool:
    """Whether the name in an allowed URL must not resolve to this machine: the setting does not name it."""
    return not allowed.here and _host(url) not in allowed.names


def leads_here(host: str) -> bool:
    """Whether a name or an address means this machine or what only this machine reaches."""
    try:
        address: IPv4Address | IPv6Address = ip_address(host)
    except ValueError:
        return host.rstrip(".") == "localhost" or host.rstrip(".").endswith(".localhost")
    if isinstance(address, IPv6Address) and address.packed[:12] in _WITH_IPV4:
        # `::` and `::1` have such a start, too, and mean what they say.
        last = IPv4Address(address.packed[12:])
        address = address if int(last) < 2 else last
    return address.is_loopback or address.is_unspecified or address.is_link_local


class Content(NamedTuple):
    """The body of a callback, and the headers that go with it."""

    body: bytes
    headers: Mapping[str, str] = {}


def enqueue(mailbox: Mailbox, url: str, content: Content, *, kind: CallbackKind, reference: str = "") -> int:
    """Enqueue a callback, which is called after the surrounding transaction is committed; returns its id.

    `kind` is the reason for it and `reference` names its cause, both for the journal and for `cancel`. Old entries of
    the journal are deleted.
    """
    values = {
        "kind": kind,
        "url": url,
        "reference": reference,
        "headers": orjson.dumps(dict(content.headers)).decode(),
        "body": content.body,
        "state": CallbackState.PENDING,
        "attempts": 0,
        "due": mailbox.now,
        "created": mailbox.now,
    }
    key = trigger_store.insert_callback(mailbox.db, values)
    # The journal of callbacks grows nowhere else.
    trigger_store.delete_finished_callbacks(mailbox.db, key - KEPT)
    return key


def is_waiting(db: Database, url: str, kind: CallbackKind, reference: str) -> bool:
    """Whether a callback with this kind and reference has not been attempted yet: another one would add nothing."""
    return trigger_store.has_unattempted_callback(db, url, kind, reference)


def has_work(db: Database) -> bool:
    """Whether there is a subscription, a push trigger or a pending callback."""
    return trigger_store.has_callback_work(db)


def cancel(db: Database, kind: CallbackKind, reference: str) -> None:
    """Cancel the pending callbacks of a cause that was deleted; the journal shows them as cancelled.

    A running attempt continues, and the callback stays cancelled.
    """
    trigger_store.cancel_callbacks(db, kind, reference)


def headers_of(callback: Callback) -> dict[str, str]:
    """The request headers of a callback."""
    headers: dict[str, str] = orjson.loads(callback.headers)
    return headers


def journal(db: Database) -> list[Callback]:
    """The pending callbacks and the last finished ones, oldest first."""
    return trigger_store.callbacks(db)


def due_at(db: Database) -> dict[str, int]:
    """The URLs with pending callbacks, and the instant at which the first one of each is due."""
    return trigger_store.first_callbacks_due(db)


def first(db: Database, url: str) -> Callback | None:
    """The next callback to a URL, due or not: callbacks to one URL are called in order."""
    return trigger_store.first_pending_callback(db, url)


def is_new(callback: Callback) -> bool:
    """Whether a callback was neither attempted nor postponed."""
    return callback.attempted is None and callback.due == callback.created


def postpone(db: Database, callback: Callback, until: int) -> None:
    """Delay a callback until an instant; later callbacks to the same URL wait for it."""
    trigger_store.postpone_callback(db, callback.id, until)


def begin_attempt(db: Database, callback: Callback, now: int) -> None:
    """Record that an attempt is running. The subscriber may poll at once, so later news needs another callback."""
    trigger_store.begin_attempt(db, callback.id, now)


def fail(db: Database, callback: Callback, reason: str) -> None:
    """Mark a callback as failed that must not be called any more."""
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


def record_attempt(db: Database, callback: Callback, now: int, status: int | None, error: str | None) -> None:
    """Record the outcome of an attempt: the `status` of the response, or the `error` without one.

    Success is 2xx. Without a response, and after 5xx, 408 and 429, the callback is retried after 1, 2, 4, 8 and 16
    seconds of the sandbox's clock; after any other status it fails at once.
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
    again = status is None or status >= 500 or status in _RETRIED
    return CallbackState.PENDING if again and attempts < TRIES else CallbackState.FAILED


def _host(text: str) -> str | None:
    # Checked before parsing, since the parser drops line breaks.
    if len(text) > _LONGEST_URL or not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        return None
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or port == 0 or host is None or not _names_a_host(host):
        return None
    # The parser ignores text around brackets, where another parser may read another host.
    shown = re.escape(f"[{host}]" if ":" in host else host)
    return host if re.fullmatch(rf"{shown}(:[0-9]*)?", parts.netloc, re.IGNORECASE) else None


def _names_a_host(host: str) -> bool:
    # Digits and dots must be a whole address: some resolvers also take short forms, such as 127.1.
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
