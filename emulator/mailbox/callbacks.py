"""The calls a sandbox owes others: noted in the transaction that caused them, made afterwards, kept as a journal."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

import orjson

from emulator.errors import InvalidRequest
from emulator.mailbox.mailbox import Mailbox
from emulator.store import sql
from emulator.store.database import Database
from emulator.store.records import Callback

PENDING, DONE, FAILED = "pending", "done", "failed"
TRIES = 6
"""How often a call is attempted before it is given up (inferred)."""
_FIRST_WAIT = 1_000_000
_LONGEST_URL = 8192
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
    mailbox: Mailbox, url: str, body: bytes, *, kind: str, headers: Mapping[str, str] = {}, reference: str = ""
) -> int:
    """Note a call that is to be made once the surrounding transaction is committed; its id.

    `kind` says why it is made, `reference` names what caused it; both are for the journal.
    """
    values = {
        "kind": kind,
        "url": url,
        "reference": reference,
        "headers": orjson.dumps(dict(headers)).decode(),
        "body": body,
        "state": PENDING,
        "attempts": 0,
        "due": mailbox.now,
        "created": mailbox.now,
    }
    return mailbox.db.insert(sql.INSERT_CALLBACK, values)


def headers_of(callback: Callback) -> dict[str, str]:
    """The headers a call is made with."""
    found: dict[str, str] = orjson.loads(callback.headers)
    return found


def journal(db: Database) -> list[Callback]:
    """Every call that was made or is to be made, oldest first."""
    return [Callback._make(row) for row in db.all(sql.CALLBACKS, {})]


def upcoming(db: Database) -> Callback | None:
    """The call that is to be made next, whenever it is due. Calls to one URL are made in order."""
    row = db.one(sql.NEXT_CALLBACK, {})
    return None if row is None else Callback._make(row)


def record(db: Database, callback: Callback, now: int, status: int | None, error: str | None) -> None:
    """Note how an attempt ended: with the `status` of an answer, or with an `error` before there was one.

    Success is 2xx. No answer, 5xx, 408 and 429 are tried again after 1, 2, 4, 8 and 16 seconds by the sandbox's clock,
    any other answer fails at once.
    """
    attempts = callback.attempts + 1
    values = {
        "key": callback.id,
        "state": _state(status, attempts),
        "attempts": attempts,
        "due": now + (_FIRST_WAIT << callback.attempts),
        "attempted": now,
        "last_status": status,
        "last_error": error,
    }
    db.execute(sql.RECORD_ATTEMPT, values)


def _state(status: int | None, attempts: int) -> str:
    if status is not None and 200 <= status < 300:
        return DONE
    again = status is None or status >= 500 or status in _LATER
    return PENDING if again and attempts < TRIES else FAILED


def _host(text: str) -> str | None:
    # Before it is parsed: the parser drops line breaks.
    if len(text) > _LONGEST_URL or not text.isascii() or not text.isprintable() or " " in text or "\\" in text:
        return None
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return None
    return host if parts.scheme in ("http", "https") and "@" not in parts.netloc else None


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
