"""The links behind the options of a mail, signed so that nobody else can make one."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from typing import NamedTuple

import orjson

from outlook_emulator.errors import BadSignature, InvalidField

# SQLite takes no larger integer.
_LARGEST_KEY = 2**63 - 1


class LinkState(NamedTuple):
    """The content of a link: a sandbox, the mailbox of the question, the question's token, the index of an option."""

    sandbox: str
    mailbox_id: int
    question: str
    option: int


def query_of(key: bytes, state: LinkState) -> str:
    """The signed query of a link, `state=…&sig=…`, without characters that a URL must escape.

    The names `state` and `sig` are known, the form of their values is inferred.
    """
    # The sandbox in plain, so that a proxy can tell from a link on which server it is.
    text = f"{state.sandbox}.{_packed(orjson.dumps(tuple(state)[1:]))}"
    return f"state={text}&sig={_signature(key, text)}"


def read(text: str) -> LinkState:
    """The content of a link's `state`, its signature unchecked. Raises InvalidField."""
    try:
        # Too much padding does no harm, so nobody need compute how much was removed.
        sandbox, _, rest = text.rpartition(".")
        parts = orjson.loads(urlsafe_b64decode(f"{rest}==".encode("ascii")))
        # Links of earlier versions have the name of the sandbox inside.
        sandbox, mailbox_id, question, option = [sandbox, *parts] if sandbox else parts
    except (Error, ValueError, TypeError):
        raise _unreadable() from None
    # By type, because JSON's true and false are ints to `isinstance`.
    are_keys = all(type(number) is int and 0 <= number <= _LARGEST_KEY for number in (mailbox_id, option))
    if not (are_keys and isinstance(sandbox, str) and isinstance(question, str)):
        raise _unreadable()
    return LinkState(sandbox, mailbox_id, question, option)


def check(key: bytes | None, text: str, signature: str | None) -> None:
    """Raise BadSignature unless the signature fits `state`; without a key, nothing was signed yet."""
    # As bytes: `compare_digest` raises for texts beyond ASCII.
    if key is None or not signature or not hmac.compare_digest(_signature(key, text).encode(), signature.encode()):
        raise BadSignature("sig", "is not the signature of the link: the link was changed, or is from another sandbox.")


def place_of(text: str) -> tuple[str, int]:
    """The sandbox and the mailbox in a link's `state`. Raises InvalidField."""
    return read(text)[:2]


def _signature(key: bytes, text: str) -> str:
    return _packed(hmac.digest(key, text.encode(), "sha256"))


def _packed(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def _unreadable() -> InvalidField:
    return InvalidField("state", "cannot be read: the link was cut short or changed.")
