"""A sandbox: mailboxes that are isolated from those of other sandboxes."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import closing
from functools import partial
from inspect import isawaitable
from random import Random
from typing import TYPE_CHECKING, Protocol

from outlook_emulator.clock import Clock, ClockState, SandboxClock
from outlook_emulator.errors import Conflict, InvalidField, InvalidRecipients, InvalidRequest, NotFound
from outlook_emulator.ids import check_connection_id
from outlook_emulator.mailbox import addresses, changes, epochs, item_folders
from outlook_emulator.mailbox.access import owner_of
from outlook_emulator.mailbox.calendar import events, invitations
from outlook_emulator.mailbox.contacts import contacts
from outlook_emulator.mailbox.formats.skipped import SkippedItem
from outlook_emulator.mailbox.mail import delivery, folders, search_index
from outlook_emulator.mailbox.mailbox import NOBODY, Caller, Mailbox, Rules
from outlook_emulator.sandbox import state
from outlook_emulator.settings import Settings
from outlook_emulator.slices import whole
from outlook_emulator.store import mailboxes, outbox, sandbox_state
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import OutboxMail, Owner
from outlook_emulator.store.snapshots import NAME, TAKEN, Snapshot, Snapshots, SnapshotsInFolder, SnapshotsInMemory
from outlook_emulator.traffic.request_log import REQUESTS, line_of
from outlook_emulator.traffic.traffic import Traffic

if TYPE_CHECKING:
    from outlook_emulator.sandbox.samples import Sample

SEED_FOLDER = "a seed folder"
"""The place of an import in the journal, where it is no single folder."""
_WARNINGS = 10
_log = logging.getLogger("outlook_emulator")

CheckIds = Callable[[Collection[str]], object]
"""Called before a sandbox gets other connections; raises an error if it must not have these ids."""
CheckMore = Callable[[Database], object]
"""Checks what only a higher layer knows of content from a file; raises ValueError."""


class Due(Protocol):
    """Work that a sandbox does at an instant rather than for a request.

    `next_at` returns the instant of the next work, in microseconds since 1970, or None. `run` does all work that is due
    by `now`, at once or in the awaitable it returns: one move of the clock does not stop twice at the same instant.
    """

    def next_at(self, sandbox: Sandbox) -> int | None: ...

    def run(self, sandbox: Sandbox, now: int) -> Awaitable[None] | None: ...


class Sandbox:
    """The database, the clock, the random generator, the connections and the traffic rules of one sandbox.

    Its clock follows `clock` until it is set; a database in a file keeps the setting. `move_clock` stops for the work
    in `due`. Lives until it is deleted or the server stops; `close` it.
    """

    def __init__(self, name: str, db: Database, clock: Clock, settings: Settings) -> None:
        self.name = name
        self.db = db
        self.clock = SandboxClock(clock, partial(state.write_clock, db))
        self.clock.restore(state.read_clock(db))
        self.traffic = Traffic(settings)
        self.turn = db.turn
        self.due: list[Due] = [self.traffic.waits]
        self._move: object | None = None
        self.connects = 0
        """How often a connection was added; an equal number means that `connections` has the same."""
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

    def mailbox(self, owner: Owner, caller: Caller | Callable[[], Caller] = NOBODY, now: int | None = None) -> Mailbox:
        """An owner's mailbox for one request, during which the time is `now`: by default, the present."""
        return Mailbox(self.db, owner, self.clock.now() if now is None else now, self.rng, self.rules, caller)

    def connections(self) -> dict[str, Owner]:
        """The owner behind each connection id."""
        return mailboxes.connections(self.db)

    def connections_beside(self, connection_id: str) -> dict[str, Owner]:
        """The owner behind a connection id, and behind each other one of the same mailbox."""
        return mailboxes.connections_beside(self.db, connection_id)

    def connect(self, connection_id: str, address: str, display_name: str = "", send_as: Sequence[str] = ()) -> Owner:
        """Add a connection to the mailbox with an address; the mailbox is created if there is none.

        `send_as` lists further addresses that the owner may use. Raises InvalidRequest and Conflict.
        """
        check_connection_id(connection_id)
        owner_address = _single_address(address, "address")
        grants = [_single_address(text, "send_as").lower() for text in send_as]
        if mailboxes.has_connection(self.db, connection_id):
            raise Conflict(f"The connection '{connection_id}' exists already.")
        self.connects += 1
        with self.db.transaction():
            known = mailboxes.owner_by_address(self.db, owner_address.lower())
            if known is None:
                owner = self._create_mailbox(owner_address.lower(), display_name)
            else:
                owner = self._rename(known, display_name)
            mailboxes.insert_connection(self.db, connection_id, owner.id)
            for grant in grants:
                mailboxes.insert_grant(self.db, owner.id, grant)
        return owner

    def grants(self, owner: Owner) -> list[str]:
        """The addresses that an owner may send as, besides its own."""
        return mailboxes.grants(self.db, owner.id)

    def outbox(self) -> list[OutboxMail]:
        """The mails to recipients outside the sandbox, oldest first."""
        return outbox.mails(self.db)

    def load_sample(self, sample: Sample, connection_id: str) -> Owner:
        """Create a connection with a sample mailbox, in one transaction."""
        with self.db.transaction():
            owner = self.connect(connection_id, sample.address, sample.display_name)
            mailbox = self.mailbox(owner)
            for names in sample.folders:
                folders.ensure(mailbox, names)
            keys: dict[tuple[str, ...], int] = {}
            for item in sample.mails:
                if item.folder not in keys:
                    keys[item.folder] = folders.ensure(mailbox, item.folder)
                delivery.deliver(
                    mailbox,
                    item.mail,
                    folder_id=keys[item.folder],
                    received=item.received,
                    is_read=item.is_read,
                    is_flagged=item.is_flagged,
                )
            for name, series in sample.calendars.items():
                events.import_events(mailbox, item_folders.ensure(mailbox, item_folders.CALENDARS, name), series)
            for name, cards in sample.contacts.items():
                folder = item_folders.ensure(mailbox, item_folders.CONTACT_FOLDERS, name)
                for card in cards:
                    contacts.insert(mailbox, folder.id, card)
            whole(search_index.update(self.db))
        if sample.skipped:
            self.note_import(connection_id, SEED_FOLDER, sample.size, sample.skipped)
            _warn_of(connection_id, sample.skipped)
        return owner

    def note_import(
        self, connection_id: str, place: str, imported: int, skipped: Sequence[SkippedItem], *, status: int = 201
    ) -> None:
        """Record an import, and what it left out, in the journal and the log."""
        texts = [str(item) for item in skipped]

        def note() -> None:
            entry = self.traffic.journal.add_import(
                self.clock.now(),
                time.time_ns() // 1000,
                connection=connection_id,
                place=place,
                status=status,
                imported=imported,
                skipped=texts,
            )
            REQUESTS.info("%s", line_of(entry))

        self.turn.on_loop(note)

    def reset(self) -> None:
        """Load the sample mailboxes again, keep the other connections with empty mailboxes, and delete everything else.

        The clock follows the server's again, which may set it back; a move of the clock ends.
        """
        from outlook_emulator.sandbox.samples import load

        # Loaded before anything is deleted: the folder of a sample may no longer exist.
        samples = {id: (name, load(name)) for id, name in state.read_samples(self.db)}
        kept = [(id, owner, self.grants(owner)) for id, owner in self.connections().items() if id not in samples]
        with self.db.transaction():
            # Read before it is deleted: a cursor from before the reset must not fit an epoch after it.
            epoch = epochs.current(self.db)
            self.db.clear()
            epochs.start(self.db, beyond=epoch)
            self._write_name(self.db)
            self._move = None
            self.clock.restore(ClockState())
            self._start_rng()
            for id, (name, sample) in samples.items():
                self.load_named_sample(name, sample, id)
            for id, owner, grants in kept:
                self.connect(id, owner.address, owner.display_name, grants)
        self.use(self._settings_at_start)
        self.turn.on_loop(self.traffic.start_over)

    def save(self, name: str) -> Snapshot:
        """Save a snapshot, which replaces an earlier one with the same name. Raises InvalidRequest for a bad name."""
        if not NAME.fullmatch(name):
            rule = "1 to 64 letters, digits, -_ and inner dots"
            raise InvalidRequest(f"A snapshot name has {rule}, unlike '{name[:70]}'.")
        before, now = epochs.valid(self.db), self.clock.now()
        # Cursors from now on name an epoch that the snapshot does not know, so a restore makes them invalid.
        epochs.start(self.db, after=before)
        image = self._image({epochs.KEY: epochs.to_text(before), TAKEN: str(now)})
        return self._snapshots.keep(name, image, now)

    def restore(
        self, name: str, check_ids: CheckIds = lambda ids: None, check_more: CheckMore = lambda db: None
    ) -> None:
        """Restore a snapshot; the sandbox is unchanged on error. A file that others may have changed is checked.

        Restores the connections, the clock and the random generator as well; a move of the clock ends. Raises NotFound,
        Conflict for a file that cannot be used, and what `check_ids` raises.
        """
        self._check_snapshot(name)
        is_own = self._snapshots.is_own(name)
        try:
            with closing(Database(image=self._snapshots.image(name))) as saved:
                if not is_own:
                    self._check_content(saved, check_more)
                epochs.start(saved, after=epochs.valid(saved), beyond=epochs.current(self.db))
                self._replace(saved, check_ids)
        except ValueError as error:
            raise Conflict(f"The snapshot '{name}' cannot be restored: {error}.") from error

    def snapshots(self) -> list[Snapshot]:
        """All snapshots, by name."""
        return self._snapshots.every()

    def drop_snapshot(self, name: str) -> None:
        """Delete a snapshot. Raises NotFound."""
        self._check_snapshot(name)
        self._snapshots.drop(name)

    def drop_snapshots(self) -> None:
        """Delete all snapshots."""
        self._snapshots.clear()

    def export(self) -> bytes:
        """The sandbox without its snapshots as an SQLite file, for `import_file` of this server or another."""
        return self._image({})

    def import_file(
        self,
        file: bytes,
        prefix: str = "",
        check_ids: CheckIds = lambda ids: None,
        check_more: CheckMore = lambda db: None,
    ) -> None:
        """Replace everything with the content of an exported file; the sandbox is unchanged on error.

        Connection ids get the prefix. Raises InvalidRequest with the problem of the file, and what `check_ids` raises.
        """
        from outlook_emulator.sandbox.imports import adopt
        from outlook_emulator.sandbox.samples import names

        samples = {*names(), *(name for _, name in state.read_samples(self.db))}
        try:
            with closing(Database(image=file)) as imported:
                self._check_content(imported, check_more)
                adopt(imported, prefix=prefix, samples=samples, epoch=epochs.current(self.db))
                self._replace(imported, check_ids)
        except ValueError as error:
            raise InvalidRequest(f"The file cannot be imported: {error}.") from error

    def check_rows(self) -> None:
        """Check the rows of the sandbox, whose file somebody may have edited. Raises ValueError with the problem."""
        from outlook_emulator.sandbox.imports import check_rows

        check_rows(self.db, now=self._base_now())

    def _check_content(self, db: Database, check_more: CheckMore) -> None:
        from outlook_emulator.sandbox.imports import check

        check(db, now=self._base_now())
        check_more(db)

    def _base_now(self) -> int:
        """What the base clock shows, which the clock of a sandbox in a file will follow."""
        return self.clock.now() - self.clock.shift

    async def move_clock(self, to: int) -> None:
        """Move the clock to `to`; work that falls due runs in order, each item at its own time.

        If the work fails, the clock stays at its time. Raises ValueError as `SandboxClock.check` does, and Conflict
        during another move or when the sandbox is reset, replaced or deleted meanwhile.
        """
        if self._move is not None:
            raise Conflict(f"The clock of the sandbox '{self.name}' is being moved already.")
        # Time must not pass by itself here, or work could fall due behind the instant that the move has reached.
        with self.clock.held():
            self.clock.check(to)
            move = self._move = object()
            try:
                for due in self.clock.stops(to, self._waiting):
                    await self.turn.free()
                    if isawaitable(running := due.run(self, self.clock.now())):
                        await running
                    if self._move is not move:
                        raise Conflict(
                            f"The sandbox '{self.name}' was reset, replaced or deleted while its clock was moved."
                        )
            finally:
                # A reset ends this move, and another one may have begun since.
                if self._move is move:
                    self._move = None

    def _waiting(self) -> list[tuple[int | None, Due]]:
        return [(due.next_at(self), due) for due in self.due]

    def close(self) -> None:
        self.end_waits()
        self.db.close()

    def end_waits(self) -> None:
        """End a move of the clock, and all requests that wait for one."""
        self._move = None
        self.traffic.waits.end()

    def load_named_sample(self, name: str, sample: Sample, connection_id: str) -> Owner:
        """Load a sample mailbox, and remember its name for `reset`."""
        owner = self.load_sample(sample, connection_id)
        state.write_samples(self.db, [*state.read_samples(self.db), (connection_id, name)])
        return owner

    def _check_snapshot(self, name: str) -> None:
        if name not in (names := self._snapshots.names()):
            there = f"There are: {', '.join(names)}." if names else "There is none."
            raise NotFound(f"No snapshot '{name[:100]}' of the sandbox '{self.name}' exists. {there}")

    def _image(self, values: Mapping[str, str]) -> bytes:
        return self.db.image({state.RNG: state.rng_to_text(self.rng), **state.OF_FILE, **values})

    def _replace(self, other: Database, check_ids: CheckIds) -> None:
        """Take over another database. Raises ValueError for unreadable state, and what `check_ids` raises."""
        # All that can fail comes first: after the content is replaced there is no way back.
        check_ids(mailboxes.connections(other))
        clock, rng = state.read_clock(other), state.read_rng(other)
        for key in (state.RNG, TAKEN, *state.OF_FILE):
            sandbox_state.delete(other, key)
        self._write_name(other)
        self.db.take_over(other)
        self.turn.on_loop(self.traffic.leave_epoch)
        self._move = None
        self.clock.restore(clock)
        if rng is None:
            self._start_rng()
        else:
            self.rng = rng

    def _write_name(self, db: Database) -> None:
        if self.db.path is not None:
            state.write_name(db, self.name)

    def _rename(self, owner: Owner, display_name: str) -> Owner:
        """Change the display name of an owner, unless the new one is empty."""
        if display_name and display_name != owner.display_name:
            mailboxes.rename_owner(self.db, owner.id, display_name)
        return owner._replace(display_name=display_name or owner.display_name)

    def _create_mailbox(self, address: str, display_name: str) -> Owner:
        # Random rather than counted: ids contain the key, and must not fit a mailbox of another sandbox.
        while mailboxes.owner(self.db, key := self.rng.getrandbits(31)) is not None:
            pass
        mailboxes.insert(self.db, key, address, display_name or address.partition("@")[0])
        folders.create_well_known(self.db, key)
        owner = owner_of(self.db, key)
        mailbox = self.mailbox(owner)
        delivery.deliver_waiting_mail(mailbox)
        invitations.deliver_waiting_invitations(mailbox)
        return owner

    def _start_rng(self) -> None:
        # The seed includes the position in the change feed: a restarted sandbox must not issue the same ids again.
        self.rng = Random(f"{self.settings.seed_of_ids} {self.name} {changes.last(self.db)}")


def _single_address(text: str, field: str) -> str:
    try:
        (parsed,) = addresses.parse(text)
    except (InvalidRecipients, ValueError):
        raise InvalidField(field, f"must be one mail address, not '{text[:200]}'.") from None
    return parsed.address


def _warn_of(connection_id: str, skipped: Sequence[SkippedItem]) -> None:
    # Nobody reads the answer if the server loads a seed folder at its start.
    for item in skipped[:_WARNINGS]:
        _log.warning("The mailbox of %s was loaded without %s", connection_id, item)
    if len(skipped) > _WARNINGS:
        _log.warning("The mailbox of %s was loaded without %d more parts", connection_id, len(skipped) - _WARNINGS)
