"""The conditions of a wait; the JSON, the flags of `mail wait` and the keywords in tests derive from them."""

from __future__ import annotations

from typing import Literal, get_args

from outlook_emulator.frozen import Frozen
from outlook_emulator.options import Option, option, options_of

LONGEST = 60
"""The longest wait, in seconds."""
MOST = 1000
"""The largest number of items that a wait returns, and that it can wait for."""

Kind = Literal["mail", "event", "callback", "poke"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Progress = Literal["queued", "attempted", "finished"]
PROGRESS: tuple[Progress, ...] = get_args(Progress)
"""How far a callback can be, in this order."""
DEFAULT_PROGRESS: Progress = "attempted"


class WaitConditions(Frozen, kw_only=True):
    """What to wait for; an item must match all conditions.

    An item counts once it matches, even if it is gone by the end of the wait. A callback is any request that the
    sandbox sends, a poke one to a subscriber; one that is `finished` was delivered, given up or cancelled. Without
    `folder`, copies of sent mails do not count. Time is the server's, not the sandbox's.
    """

    kind: Kind = option("mail", "kind of item")
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
    until: Progress | None = option(
        None,
        f"how far a callback or poke must be; default: {DEFAULT_PROGRESS}",
    )
    count: int = option(1, "number of items to wait for", least=1, most=MOST, metavar="N")
    timeout_seconds: float = option(
        10, "longest time to wait, in seconds", least=0, most=LONGEST, flag="timeout", metavar="SECONDS"
    )


_GENERAL = {"kind", "count", "timeout_seconds"}
_OF_ITEMS = {"connection", "subject", "from_", "recipient", "text", "newer_than"}
_OF_CALLBACKS = {"text", "newer_than", "url", "reference", "until"}
_NAMES = {"mail": _OF_ITEMS | {"folder"}, "event": _OF_ITEMS, "callback": _OF_CALLBACKS, "poke": _OF_CALLBACKS}


def conditions_of(kind: str) -> list[Option]:
    """The conditions that apply to a kind of item."""
    return [condition for condition in options_of(WaitConditions) if condition.name in _NAMES[kind] | _GENERAL]
