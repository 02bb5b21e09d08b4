"""A sandbox: an isolated world of mailboxes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import closing
from functools import partial
from inspect import isawaitable
from random import Random
from typing import TYPE_CHECKING, Protocol

from outlook_emulator.clock import Clock, ClockState, SandboxClock
from outlook_emulator.errors import Conflict, InvalidRequest, NotFound
from outlook_emulator.mailbox import addresses, changes, epochs, item_folders
from outlook_emulator.mailbox.access import check_connection_id
from outlook_emulator.mailbox.calendar import events, invitations
from outlook_emulator.mailbox.contacts import contacts
from outlook_emulator.mailbox.mail import delivery, folders, listing
from outlook_emulator.mailbox.mailbox import NOBODY, Caller, Mailbox, Rules
from outlook_emulator.sandbox import state as facts
from outlook_emulator.settings import Settings
from outlook_emulator.store import sql
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import OutboxMail, Owner
from outlook_emulator.store.snapshots import NAME, TAKEN, Snapshot, Snapshots, SnapshotsInFolder, SnapshotsInMemory
from outlook_emulator.traffic.traffic import Traffic

if TYPE_CHECKING:
    from outlook_emulator.sandbox.samples import Sample

Allow = Callable[[Collection[str]], object]
"""Asked before a sandbox gets other connections; raises what keeps it from having those ids."""


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
        self.clock = SandboxClock(clock, partial(facts.keep_clock, db))
        self.clock.restore(facts.clock(db))
        self.traffic = Traffic(settings)
        self.due: list[Due] = [self.traffic.waits]
        self._move: object | None = None
        self._snapshots: Snapshots = (
            SnapshotsInFolder(db.path.with_suffix(".snapshots")) if db.path else SnapshotsInMemory()
        )
        self._settings_at_start = settings
        self.use(settings)
        self._start_rng()

    def use(self, settings: Settings) -> None:
        """Apply other limits from the next request on, until a reset."""
        self.settings = settings
        self.rules = Rules.of(settings, self.name)
        self.traffic.limiter.limits = settings

    def mailbox(self, owner: Owner, caller: Caller = NOBODY, now: int | None = None) -> Mailbox:
        """An owner's mailbox for the length of one request, which sees the single instant `now`."""
        return Mailbox(self.db, owner, self.clock.now() if now is None else now, self.rng, self.rules, caller)

    def connections(self) -> dict[str, Owner]:
        """Every connection id of this sandbox and the mailbox it opens."""
        return {row[0]: Owner._make(row[1:]) for row in self.db.all(sql.CONNECTIONS, {})}

    def connect(self, connection_id: str, address: str, display_name: str = "", send_as: Sequence[str] = ()) -> Owner:
        """Open a mailbox by a new connection id; the mailbox is made when the address has none yet.

        `send_as` lists further addresses the owner is granted. Raises InvalidRequest and Conflict.
        """
        check_connection_id(connection_id)
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

    def outbox(self) -> list[OutboxMail]:
        """The mails that left the sandbox, oldest first."""
        return [OutboxMail._make(row) for row in self.db.all(sql.OUTBOX_MAILS, {})]

    def load_sample(self, sample: Sample, connection_id: str) -> Owner:
        """Make a sample mailbox and everything in it, all at once."""
        with self.db.transaction():
            owner = self.connect(connection_id, sample.address, sample.display_name)
            mailbox = self.mailbox(owner)
            for names in sample.folders:
                folders.ensure(mailbox, names)
            keys: dict[tuple[str, ...], int] = {}
            for one in sample.mails:
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
            for name, series in sample.calendars.items():
                events.import_events(mailbox, item_folders.ensure(mailbox, item_folders.CALENDARS, name), series)
            for name, cards in sample.contacts.items():
                folder = item_folders.ensure(mailbox, item_folders.CONTACT_FOLDERS, name)
                for card in cards:
                    contacts.insert(mailbox, folder.id, card)
            listing.catch_up(mailbox)
        return owner

    def reset(self) -> None:
        """Start over: connections and their owners stay, sample mailboxes are loaded afresh, all else goes.

        The clock follows the server's again, which may take it back; a move of it that is under way ends there.
        """
        from outlook_emulator.sandbox.samples import load

        # Loaded before anything is dropped: a sample's folder may be gone by now.
        samples = {id: (name, load(name)) for id, name in facts.samples(self.db)}
        kept = [(id, owner, self.grants(owner)) for id, owner in self.connections().items() if id not in samples]
        with self.db.transaction():
            world = epochs.present(self.db)
            self.db.clear()
            epochs.begin(self.db, beyond=world)
            self._move = None
            self.clock.restore(ClockState())
            self._start_rng()
            for id, (name, sample) in samples.items():
                self._load_sample(name, sample, id)
            for id, owner, granted in kept:
                self.connect(id, owner.address, owner.display_name, granted)
        self.use(self._settings_at_start)
        self.traffic.start_over()

    def seed(self, name: str, connection_id: str) -> Owner:
        """Load a sample mailbox by name, and remember it for `reset`."""
        from outlook_emulator.sandbox.samples import load

        return self._load_sample(name, load(name), connection_id)

    def save(self, name: str) -> Snapshot:
        """Keep all there is under a name, in place of what had it. Raises InvalidRequest for a name that cannot be."""
        if not NAME.fullmatch(name):
            rule = "1 to 64 letters, digits, -_ and inner dots"
            raise InvalidRequest(f"A snapshot name has {rule}, unlike '{name[:70]}'.")
        before, now = epochs.living(self.db), self.clock.now()
        epochs.begin(self.db, after=before)
        image = self._image({epochs.FACT: epochs.text_of(before), TAKEN: str(now)})
        return self._snapshots.keep(name, image, now)

    def restore(self, name: str, allow: Allow = lambda ids: None) -> None:
        """Be again as when a snapshot was taken, or when this raises stay as it is.

        Connections, clock and the ids that are handed out next are those of that time, a move of the clock ends there.
        Raises NotFound, Conflict for a file that is none of this version, and what `allow` raises.
        """
        self._check_saved(name)
        try:
            with closing(Database(image=self._snapshots.image(name))) as saved:
                epochs.begin(saved, after=epochs.living(saved), beyond=epochs.present(self.db))
                self._replace(saved, allow)
        except ValueError as error:
            raise Conflict(f"The snapshot '{name}' cannot be restored: {error}.") from error

    def snapshots(self) -> list[Snapshot]:
        """What was saved, by name."""
        return self._snapshots.every()

    def drop_snapshot(self, name: str) -> None:
        """Forget a snapshot. Raises NotFound."""
        self._check_saved(name)
        self._snapshots.drop(name)

    def drop_snapshots(self) -> None:
        """Forget all of them."""
        self._snapshots.clear()

    def export(self) -> bytes:
        """All there is, snapshots left out, as one SQLite file that `bring_in` takes, here or elsewhere."""
        return self._image({})

    def bring_in(self, file: bytes, prefix: str = "", allow: Allow = lambda ids: None) -> None:
        """Be as the sandbox that a file was exported from, or when this raises stay as it is.

        Connection ids are given a prefix. Raises InvalidRequest, saying what is wrong with the file, and what `allow`
        raises.
        """
        from outlook_emulator.sandbox.imports import adopt
        from outlook_emulator.sandbox.samples import names

        known = {*names(), *(name for _, name in facts.samples(self.db))}
        now = self.clock.now() - self.clock.shift
        try:
            with closing(Database(image=file)) as found:
                adopt(found, prefix=prefix, samples=known, world=epochs.present(self.db), now=now)
                self._replace(found, allow)
        except ValueError as error:
            raise InvalidRequest(f"The file cannot be imported: {error}.") from error

    async def move_clock(self, to: int) -> None:
        """Let time pass until `to`, and run whatever is due on the way at its own instant; where one fails, time stays.

        Raises ValueError as `SandboxClock.check` does, and Conflict while another move is under way or when the sandbox
        is reset, replaced or deleted meanwhile.
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
                        raise Conflict(
                            f"The sandbox '{self.name}' was reset, replaced or deleted while its clock was moved."
                        )
            finally:
                if self._move is move:
                    self._move = None

    def _waiting(self) -> list[tuple[int | None, Due]]:
        return [(due.next_at(self), due) for due in self.due]

    def close(self) -> None:
        self._move = None
        self.traffic.waits.end()
        self.db.close()

    def _load_sample(self, name: str, sample: Sample, connection_id: str) -> Owner:
        owner = self.load_sample(sample, connection_id)
        facts.keep_samples(self.db, [*facts.samples(self.db), (connection_id, name)])
        return owner

    def _check_saved(self, name: str) -> None:
        if name not in (known := self._snapshots.names()):
            there = f"There are: {', '.join(known)}." if known else "There is none."
            raise NotFound(f"No snapshot '{name[:100]}' of the sandbox '{self.name}' exists. {there}")

    def _image(self, told: Mapping[str, str]) -> bytes:
        return self.db.image({facts.RNG: facts.text_of(self.rng), **told})

    def _replace(self, other: Database, allow: Allow) -> None:
        """Hold what another database holds. Raises ValueError for unreadable facts, and what `allow` raises."""
        allow([row[0] for row in other.all(sql.CONNECTIONS, {})])
        clock, rng = facts.clock(other), facts.rng(other)
        for fact in (facts.RNG, TAKEN):
            other.execute(sql.DELETE_STATE, {"named": fact})
        self.db.take_over(other)
        self.traffic.leave_epoch()
        self._move = None
        self.clock.restore(clock)
        if rng is None:
            self._start_rng()
        else:
            self.rng = rng

    def _owner(self, address: str, display_name: str) -> Owner:
        row = self.db.one(sql.MAILBOX_BY_ADDRESS, {"address": address})
        if row is None:
            # Drawn, not counted: ids carry it, and those of one sandbox shall not fit another's mails.
            while self.db.one(sql.MAILBOX, {"id": (number := self.rng.getrandbits(31))}):
                pass
            values = {"id": number, "address": address, "display_name": display_name or address.partition("@")[0]}
            folders.create_well_known(self.db, self.db.insert(sql.INSERT_MAILBOX, values))
            row = self.db.one(sql.MAILBOX_BY_ADDRESS, {"address": address})
            mailbox = self.mailbox(Owner._make(row))
            delivery.claim(mailbox)
            invitations.deliver_waiting_invitations(mailbox)
        elif display_name and display_name != row[2]:
            self.db.execute(sql.RENAME_OWNER, {"mailbox_id": row[0], "display_name": display_name})
            row = self.db.one(sql.MAILBOX_BY_ADDRESS, {"address": address})
        return Owner._make(row)

    def _start_rng(self) -> None:
        # The feed's position joins the seed: a restarted sandbox must not hand out the same ids again.
        self.rng = Random(f"{self.settings.random_seed} {self.name} {changes.last(self.db)}")


def _single(address: str, member: str) -> str:
    found = addresses.parse(member, address)
    if len(found) != 1:
        raise InvalidRequest(f"'{member}' must be one mail address, not '{address[:200]}'.")
    return found[0].address
