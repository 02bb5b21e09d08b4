"""The mailbox that a request works on, its limits and its caller."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from random import Random
from typing import NamedTuple

from outlook_emulator.enums import Product
from outlook_emulator.ids import IdKind, decode, encode
from outlook_emulator.settings import ONLY_HERE, CallbackHosts, MailboxSettings, Settings
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import Owner

_SETTINGS = tuple(field.name for field in fields(MailboxSettings))


class Rules(MailboxSettings, kw_only=True):
    """The settings of a mailbox, and what differs by sandbox or request.

    Links in mails need `sandbox`, the name of the sandbox. `hides` decides by name whether an attachment is hidden,
    `undeliverable` by address whether mail comes back. `protects` hides the text of mails. `breaks_answer_page` shows
    an error to whoever answers a question. `hosts_of_callbacks` are those that callbacks may go to. With
    `repeats_keys`, the keys of links come from the sandbox's random generator, as everything else that is random.
    """

    sandbox: str = "default"
    hides: Callable[[str], bool] | None = None
    undeliverable: Callable[[str], bool] | None = None
    protects: bool = False
    breaks_answer_page: bool = False
    hosts_of_callbacks: CallbackHosts = ONLY_HERE
    repeats_keys: bool = False

    @classmethod
    def of(cls, settings: Settings, sandbox: str) -> Rules:
        """The rules for the mailboxes of a sandbox."""
        values = {name: getattr(settings, name) for name in _SETTINGS}
        return cls(
            **values,
            sandbox=sandbox,
            hosts_of_callbacks=settings.hosts_of_callbacks,
            repeats_keys=settings.random_seed is not None,
        )


class Caller(NamedTuple):
    """Who sent a request, as far as mails and links in mails show it; empty where the caller did not say.

    `environment` is the id of a Power Platform environment, `base_url` the address at which the caller reached the
    server.
    """

    user_agent: str = ""
    product: Product | None = None
    environment: str = ""
    workflow_name: str = ""
    workflow_run: str = ""
    request_id: str = ""
    base_url: str = "http://localhost"


NOBODY = Caller()
"""The caller behind what no request caused, such as samples and mail from outside."""


class Mailbox:
    """One owner's mailbox as one request sees it: the database, the instant, and the generator of ids.

    Lives as long as the request. `now` is in microseconds since 1970 and is the same during the whole request.
    `caller` may be a function that reads it from the request: most requests do not need it.
    """

    __slots__ = ("_caller", "db", "now", "owner", "rng", "rules")

    def __init__(
        self,
        db: Database,
        owner: Owner,
        now: int,
        rng: Random,
        rules: Rules,
        caller: Caller | Callable[[], Caller] = NOBODY,
    ) -> None:
        self.db = db
        self.owner = owner
        self.now = now
        self.rng = rng
        self.rules = rules
        self._caller = caller

    @property
    def caller(self) -> Caller:
        """Who sent the request."""
        if not isinstance(self._caller, Caller):
            self._caller = self._caller()
        return self._caller

    def beside(self, owner: Owner) -> Mailbox:
        """Another mailbox of the same sandbox, in the same request."""
        return Mailbox(self.db, owner, self.now, self.rng, self.rules, self._caller)

    def id_of(self, kind: IdKind, key: int) -> str:
        """The wire id of an item in this mailbox."""
        return encode(kind, self.owner.id, key)

    def key_of(self, kind: IdKind, text: str, name: str) -> int:
        """The key behind a wire id; raises InvalidId or NotFound, naming the parameter."""
        return decode(kind, self.owner.id, text, name)
