"""The conditions of a wait; the JSON, the flags of `mail wait` and the keywords in tests derive from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from outlook_emulator.options import Option, option, options_of

LONGEST = 60
"""The longest wait, in seconds."""
MOST = 1000
"""The largest number of items that a wait returns, and that it can wait for."""


@dataclass(frozen=True, kw_only=True)
class WaitConditions:
    """What to wait for; an item must match all conditions.

    A callback is any request that the sandbox sends, a poke one to a subscriber. Without `folder`, copies of sent mails
    do not count. Time is the server's, not the sandbox's.
    """

    kind: Literal["mail", "event", "callback", "poke"] = option("mail", "kind of item")
    connection: str | None = option(None, "connection id of the mailbox", metavar="ID")
    subject: str | None = option(None, "part of the subject", metavar="TEXT")
    from_: str | None = option(None, "address of a mail's sender or an event's organizer", metavar="ADDRESS")
    recipient: str | None = option(None, "address of the mailbox, or of an outbox mail's recipient", metavar="ADDRESS")
    folder: str | None = option(None, "path of the mail folder", metavar="PATH")
    text: str | None = option(None, "part of the body", metavar="TEXT")
    newer_than: str | None = option(
        None, "id of a mail or event, or number of an outbox mail or callback; the item must be newer", metavar="ID"
    )
    url: str | None = option(None, "URL of a callback or poke")
    reference: str | None = option(None, "id of what caused a callback or poke", metavar="ID")
    count: int = option(1, "number of items to wait for", least=1, most=MOST, metavar="N")
    timeout_seconds: float = option(
        10, "longest time to wait, in seconds", least=0, most=LONGEST, flag="timeout", metavar="SECONDS"
    )


_GENERAL = {"kind", "count", "timeout_seconds"}
_OF_ITEMS = {"connection", "subject", "from_", "recipient", "text", "newer_than"}
_OF_CALLBACKS = {"text", "newer_than", "url", "reference"}
_NAMES = {"mail": _OF_ITEMS | {"folder"}, "event": _OF_ITEMS, "callback": _OF_CALLBACKS, "poke": _OF_CALLBACKS}


def conditions_of(kind: str) -> list[Option]:
    """The conditions that apply to a kind of item."""
    return [condition for condition in options_of(WaitConditions) if condition.name in _NAMES[kind] | _GENERAL]
