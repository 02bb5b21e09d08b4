"""A sandbox: an isolated world of mailboxes."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Iterator, Sequence
from functools import partial
from inspect import isawaitable
from random import Random
from typing import TYPE_CHECKING, Protocol

import orjson

from emulator.clock import Clock, ClockState, SandboxClock
from emulator.conduct import Conduct
from emulator.errors import Conflict, InvalidRequest
from emulator.mailbox import addresses, calendar, changes, contacts, delivery, find, folders, invitations, shelves
from emulator.mailbox.mailbox import NOBODY, Caller, Mailbox, Rules
from emulator.settings import Settings
from emulator.store import sql
from emulator.store.database import Database
from emulator.store.records import Departed, Owner

if TYPE_CHECKING:
    from emulator.seeds import Seed

_CONNECTION_ID = re.compile(r"(?=.{1,128}\Z)[A-Za-z0-9_~-]+(?:\.[A-Za-z0-9_~-]+)*")
_SEEDS = "seeds"
_CLOCK = "clock"
WORLD = "world"
"""The fact that counts a sandbox's resets: what was handed out before one is worth nothing after it."""


class Due(Protocol):
    """Something that happens in a sandbox because its time has come, not because a request asks for it.

    `next_at` names the instant it waits for, in microseconds since 1970, or None. `run` does everything that is due by
    `now`, at once or in what it returns: within one move of the clock the same instant does not come twice.
    """

    def next_at(self, sandbox: Sandbox) -> int | None: ...

    def run(self, sandbox: Sandbox, now: int) -> Awaitable[None] | None: ...


class Sandbox:
    """One world: database, clock, seeded chance, the mailboxes its connections open, and how it treats its callers.

    Its clock follows the one handed in until it is told otherwise; where the database is a file, that is kept in it.
    `due` is what `move_clock` stops for. Lives until it is deleted or the server stops; `close` it.
    """

    def __init__(self, name: str, db: Database, clock: Clock, settings: Settings) -> None:
        self.name = name
        self.db = db
        self.clock = SandboxClock(clock, partial(_keep_clock, db))
        self.clock.restore(_kept_clock(db))
        self.conduct = Conduct(settings)
        self.due: list[Due] = [self.conduct.waits]
        self._move: object | None = None
        self.settings = settings
        self.rules = _rules(name, settings)
        self._start_chance()

    def mailbox(self, owner: Owner, caller: Caller = NOBODY, now: int | None = None) -> Mailbox:
        """An owner's mailbox for the length of one request, which sees the single instant `now`."""
        return Mailbox(self.db, owner, self.clock.now() if now is None else now, self.chance, self.rules, caller)

    def connections(self) -> dict[str, Owner]:
        """Every connection id of this sandbox and the mailbox it opens."""
        return {row[0]: Owner._make(row[1:]) for row in self.db.all(sql.CONNECTIONS, {})}

    def connect(self, connection_id: str, address: str, display_name: str = "", send_as: Sequence[str] = ()) -> Owner:
        """Open a mailbox by a new connection id; the mailbox is made when the address has none yet.

        `send_as` lists further addresses the owner is granted. Raises InvalidRequest and Conflict.
        """
        if not _CONNECTION_ID.fullmatch(connection_id):
            shown = connection_id[:130]
            rule = "1 to 128 letters, digits, -_~ and inner dots"
            raise InvalidRequest(f"A connection id has {rule}, unlike '{shown}'.")
        owner_address = _single(address, "address")
        granted = [_single(one, "sendAs").lower() for one in send_as]
        if self.db.one(sql.CONNECTION, {"id": connection_id}):
            raise Conflict(f"The connection '{connection_id}' exists already.")
        with self.db.transaction():
            owner = self._owner(owner_address.lower(), display_name)
            self.db.execute(sql.INSERT_CONNECTION, {"id": connection_id, "mailbox_id": owner.id})
            for one in granted:
                self.db.execute(sql.INSERT_GRANT, {"mailbox_id": owner.id, "address": one})
        return owner

    def grants(self, owner: Owner) -> list[str]:
        """The addresses an owner may send as, besides the own one."""
        return [row[0] for row in self.db.all(sql.GRANTS, {"mailbox_id": owner.id})]

    def outbox(self) -> list[Departed]:
        """The mails that left the sandbox, oldest first."""
        return [Departed._make(row) for row in self.db.all(sql.DEPARTURES, {})]

    def plant(self, seed: Seed, connection_id: str) -> Owner:
        """Make a sample mailbox and everything in it, all at once."""
        with self.db.transaction():
            owner = self.connect(connection_id, seed.address, seed.display_name)
            mailbox = self.mailbox(owner)
            for names in seed.folders:
                folders.ensure(mailbox, names)
            keys: dict[tuple[str, ...], int] = {}
            for one in seed.mails:
                if one.folder not in keys:
                    keys[one.folder] = folders.ensure(mailbox, one.folder)
                delivery.deliver(
                    mailbox,
                    one.mail,
                    folder_id=keys[one.folder],
                    received=one.received,
                    is_read=one.is_read,
                    is_flagged=one.is_flagged,
                )
            for name, series in seed.calendars.items():
                calendar.bring_in(mailbox, shelves.ensure(mailbox, shelves.CALENDARS, name), series)
            for name, cards in seed.contacts.items():
                folder = shelves.ensure(mailbox, shelves.CONTACT_FOLDERS, name)
                for card in cards:
                    contacts.insert(mailbox, folder.id, card)
            find.catch_up(mailbox)
        return owner

    def reset(self) -> None:
        """Start over: connections and their owners stay, sample mailboxes are loaded afresh, all else goes.

        The clock follows the server's again, which may take it back; a move of it that is under way ends there.
        """
        from emulator.seeds import load

        # Loaded before anything is dropped: a sample's folder may be gone by now.
        seeds = {id: (name, load(name)) for id, name in self._seeds()}
        kept = [(id, owner, self.grants(owner)) for id, owner in self.connections().items() if id not in seeds]
        with self.db.transaction():
            world = int((self.db.one(sql.FACT, {"key": WORLD}) or "0")[0]) + 1
            self.db.clear()
            self.db.execute(sql.SET_FACT, {"key": WORLD, "value": str(world)})
            self._move = None
            self.clock.restore(ClockState())
            self._start_chance()
            for id, (name, seed) in seeds.items():
                self._plant(name, seed, id)
            for id, owner, granted in kept:
                self.connect(id, owner.address, owner.display_name, granted)
        self.rules = _rules(self.name, self.settings)
        self.conduct.start_over()

    def seed(self, name: str, connection_id: str) -> Owner:
        """Load a sample mailbox by name, and remember it for `reset`."""
        from emulator.seeds import load

        return self._plant(name, load(name), connection_id)

    async def move_clock(self, to: int) -> None:
        """Let time pass until `to`, and run whatever is due on the way at its own instant; where one fails, time stays.

        Raises ValueError as `SandboxClock.check` does, and Conflict while another move is under way or when the sandbox
        is reset or deleted meanwhile.
        """
        if self._move is not None:
            raise Conflict(f"The clock of the sandbox '{self.name}' is being moved already.")
        with self.clock.held():
            self.clock.check(to)
            move = self._move = object()
            try:
                for due in self.clock.stops(to, self._waiting):
                    if isawaitable(running := due.run(self, self.clock.now())):
                        await running
                    if self._move is not move:
                        raise Conflict(f"The sandbox '{self.name}' was reset or deleted while its clock was moved.")
            finally:
                if self._move is move:
                    self._move = None

    def _waiting(self) -> list[tuple[int | None, Due]]:
        return [(due.next_at(self), due) for due in self.due]

    def close(self) -> None:
        self._move = None
        self.conduct.waits.end()
        self.db.close()

    def _plant(self, name: str, seed: Seed, connection_id: str) -> Owner:
        owner = self.plant(seed, connection_id)
        remembered = [*self._seeds(), (connection_id, name)]
        text = "\n".join(f"{id} {seed}" for id, seed in remembered)
        self.db.execute(sql.SET_FACT, {"key": _SEEDS, "value": text})
        return owner

    def _seeds(self) -> Iterator[tuple[str, str]]:
        row = self.db.one(sql.FACT, {"key": _SEEDS})
        for line in row[0].splitlines() if row else ():
            id, _, name = line.partition(" ")
            yield id, name

    def _owner(self, address: str, display_name: str) -> Owner:
        row = self.db.one(sql.MAILBOX_BY_ADDRESS, {"address": address})
        if row is None:
            # Drawn, not counted: ids carry it, and those of one sandbox shall not fit another's mails.
            while self.db.one(sql.MAILBOX, {"id": (number := self.chance.getrandbits(31))}):
                pass
            values = {"id": number, "address": address, "display_name": display_name or address.partition("@")[0]}
            folders.create_well_known(self.db, self.db.insert(sql.INSERT_MAILBOX, values))
            row = self.db.one(sql.MAILBOX_BY_ADDRESS, {"address": address})
            mailbox = self.mailbox(Owner._make(row))
            delivery.claim(mailbox)
            invitations.claim(mailbox)
        elif display_name and display_name != row[2]:
            self.db.execute(sql.RENAME_OWNER, {"mailbox_id": row[0], "display_name": display_name})
            row = self.db.one(sql.MAILBOX_BY_ADDRESS, {"address": address})
        return Owner._make(row)

    def _start_chance(self) -> None:
        # The feed's position joins the seed: a restarted sandbox must not hand out the same ids again.
        self.chance = Random(f"{self.settings.chance} {self.name} {changes.last(self.db)}")


def _kept_clock(db: Database) -> ClockState:
    row = db.one(sql.FACT, {"key": _CLOCK})
    return ClockState(**orjson.loads(row[0])) if row else ClockState()


def _keep_clock(db: Database, state: ClockState) -> None:
    db.execute(sql.SET_FACT, {"key": _CLOCK, "value": orjson.dumps(state._asdict()).decode()})


def _single(address: str, member: str) -> str:
    found = addresses.parse(member, address)
    if len(found) != 1:
        raise InvalidRequest(f"'{member}' must be one mail address, not '{address[:200]}'.")
    return found[0].address


def _rules(name: str, settings: Settings) -> Rules:
    return Rules(
        max_mail_bytes=settings.max_mail_bytes,
        max_inline_image_bytes=settings.max_inline_image_bytes,
        max_top=settings.max_top,
        filter_window=settings.filter_window,
        max_view_days=settings.max_view_days,
        keep_declined=settings.declined == "keep",
        ews_ids=settings.event_ids == "ews",
        max_options=settings.max_options,
        public_url=settings.public_url,
        sandbox=name,
        callback_hosts=settings.allowed_hosts,
    )
