"""Makes answers comparable between mailboxes, and fit to be sent: without ids, times, addresses, names and hosts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from outlook_contract.likeness import Ids
from outlook_contract.redaction import Redactor

_LONG_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{200,}={0,2}")
_EXAMPLE = re.compile(r"(?i)(?<=[\w.-])@(?=example\.com\b)")
"""The sign in addresses at example.com. Nobody has one, and checks send them, so they may stay as they are."""
_LINK_VALUES = re.compile(r"\b(state|sig)=(?!<id>)[^&\s\"'<>\\]+")
"""What signs the link of an answer, and what the connector keeps in it."""
_KEPT_SIGN = "\ue000"
_SHORTEST_NAME = 3


class Owner(NamedTuple):
    """Whose mailbox takes part: the address and the name that the connector shows beside it, each empty if unknown."""

    address: str
    name: str


class Normalizer:
    """Replaces what differs between two runs, the same value always by the same placeholder.

    `marker` is the text in the names of everything that the run creates. `owners` are those of the mailboxes; their
    addresses become `mailbox1@example.com` and so on. `connections` are the ids of their connections.
    """

    def __init__(self, marker: str, owners: Sequence[Owner], connections: Sequence[str] = ()) -> None:
        self._marker = marker
        self._connections = connections
        self._ids = Ids(marker)
        self._redactor = Redactor(owner.address for owner in owners)
        self._own = {owner.address.casefold() for owner in owners}
        self.owner = next((owner.name for owner in owners), "")
        self._names = {
            owner.name: f"Owner {number}"
            for number, owner in enumerate(owners, 1)
            if len(owner.name) >= _SHORTEST_NAME and owner.name.casefold() != owner.address.casefold()
        }

    def value(self, value: Any) -> Any:
        """A JSON value in its comparable form."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {str(name): self.value(member) for name, member in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value

    def text(self, text: str) -> str:
        """A text in its comparable form."""
        for connection in self._connections:
            # An id may be a part of a word, unless it is as long as those of real connections.
            text = re.sub(rf"(?<![^\W_]){re.escape(connection)}(?![^\W_])", "<id>", text)
        text = _LINK_VALUES.sub(r"\1=<id>", text)
        text = self._ids.comparable(text).replace(self._marker, "<marker>")
        text = text.replace("http://<host>", "https://<host>")
        text = _LONG_BASE64.sub(lambda match: f"<base64 of {len(match[0])} characters>", text)
        text = self._redactor.text(_EXAMPLE.sub(self._kept, text)).replace(_KEPT_SIGN, "@")
        # Names come last, since they are often a part of the address.
        for name, placeholder in self._names.items():
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", placeholder, text)
        return text

    def _kept(self, match: re.Match[str]) -> str:
        start = re.search(r"[\w.+-]+$", match.string[: match.start()])
        address = f"{start[0] if start else ''}@example.com".casefold()
        return "@" if address in self._own else _KEPT_SIGN
