"""The links behind the options of a mail: what they name, and the signature that keeps them from being made up."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from typing import NamedTuple

import orjson

from outlook_emulator.errors import BadSignature, InvalidRequest

_LARGEST_KEY = 2**63 - 1


class State(NamedTuple):
    """What a link names: a sandbox, the mailbox that asked, its question's id, and the position of an option."""

    sandbox: str
    mailbox_id: int
    question: str
    option: int


def query_of(key: bytes, state: State) -> str:
    """The signed query of a link, `state=…&sig=…`, of letters that a URL takes as they are.

    That there is a `state` and a `sig` is known, what they look like is inferred.
    """
    text = _packed(orjson.dumps(tuple(state)))
    return f"state={text}&sig={_signature(key, text)}"


def read(text: str) -> State:
    """What a link's `state` names, unproven. Raises InvalidRequest."""
    try:
        sandbox, mailbox_id, question, option = orjson.loads(urlsafe_b64decode(f"{text}==".encode("ascii")))
    except (Error, ValueError, TypeError):
        raise _unreadable() from None
    numbers = all(type(one) is int and 0 <= one <= _LARGEST_KEY for one in (mailbox_id, option))
    if not (numbers and isinstance(sandbox, str) and isinstance(question, str)):
        raise _unreadable()
    return State(sandbox, mailbox_id, question, option)


def check(key: bytes | None, text: str, signature: str | None) -> None:
    """Hold a link's `state` to its signature. Raises BadSignature; without a key nothing was ever signed."""
    if key is None or not signature or not hmac.compare_digest(_signature(key, text).encode(), signature.encode()):
        raise BadSignature("The query parameter 'sig' does not fit 'state': the link was changed, or made elsewhere.")


def place_of(text: str) -> tuple[str, int]:
    """The sandbox and the mailbox that a link's `state` names. Raises InvalidRequest."""
    return read(text)[:2]


def _signature(key: bytes, text: str) -> str:
    return _packed(hmac.digest(key, text.encode(), "sha256"))


def _packed(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def _unreadable() -> InvalidRequest:
    return InvalidRequest("The query parameter 'state' cannot be read: the link was cut short or changed.")
