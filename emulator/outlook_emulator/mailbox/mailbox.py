"""The mailbox that a request works on, with its limits and its caller."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from outlook_emulator.ids import IdKind, decode, encode
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import Owner


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The limits a mailbox lives under, and habits of the service that differ from place to place; sizes are in bytes.

    Of bytes and options 0 allows any number. `keep_declined` leaves declined meetings in the calendar, `ews_ids` gives
    new events ids of the old style. Links in mails need `sandbox`, the name of the world, and `public_url`, where
    others reach it; empty: where the caller does.
    `hides` tells by its name which attachment is not shown.
    """

    max_mail_bytes: int = 50 * 1024 * 1024
    max_inline_image_bytes: int = 1024 * 1024
    max_top: int = 1000
    filter_window: int = 250
    max_view_days: int = 1825
    max_options: int = 100
    keep_declined: bool = True
    ews_ids: bool = False
    sandbox: str = "default"
    public_url: str = ""
    callback_hosts: frozenset[str] = frozenset()
    hides: Callable[[str], bool] | None = None


class Caller:
    """Who asks: the request headers that the connector copies into the mails it sends."""

    __slots__ = ("header",)

    def __init__(self, header: Callable[[str], str | None]) -> None:
        self.header = header


NOBODY = Caller(lambda name: None)
"""The caller behind what no request caused, such as seeds and mail from outside."""


class Mailbox:
    """One owner's mailbox as one request sees it: the database, the instant, and the generator of ids.

    Lives as long as the request. `now` is in microseconds since 1970 and is the same during the whole request.
    """

    __slots__ = ("caller", "db", "now", "owner", "rng", "rules")

    def __init__(
        self, db: Database, owner: Owner, now: int, rng: Random, rules: Rules, caller: Caller = NOBODY
    ) -> None:
        self.db = db
        self.owner = owner
        self.now = now
        self.rng = rng
        self.rules = rules
        self.caller = caller

    def beside(self, owner: Owner) -> Mailbox:
        """Another mailbox of the same sandbox, in the same request."""
        return Mailbox(self.db, owner, self.now, self.rng, self.rules, self.caller)

    def id_of(self, kind: IdKind, key: int) -> str:
        """The wire id of an item in this mailbox."""
        return encode(kind, self.owner.id, key)

    def key_of(self, kind: IdKind, text: str, name: str) -> int:
        """The key behind a wire id; raises InvalidId or NotFound, naming the parameter."""
        return decode(kind, self.owner.id, text, name)
