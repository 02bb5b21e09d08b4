"""Databases of deleted sandboxes are emptied for new ones, which cannot be told from those that were made anew."""

from __future__ import annotations

import sqlite3

import httpx
import pytest

from outlook_emulator.clock import VirtualClock
from outlook_emulator.settings import Settings
from outlook_emulator.store import mailboxes, opening, sandbox_state
from outlook_emulator.store.database import Database
from outlook_emulator.store.opening import open_memory
from outlook_emulator.store.spare import SpareDatabases
from outlook_emulator.testing import Server
from tests.conftest import START


@pytest.fixture
def spares() -> SpareDatabases:
    return SpareDatabases()


def used(spares: SpareDatabases, writes: int = 1) -> Database:
    """A database in which something was written and deleted."""
    db = Database(spares=spares)
    for number in range(writes):
        mailboxes.insert(db, number + 1, f"{number}@example.com", "x" * 1000)
    # The rows of a table without any may have left something, too.
    sandbox_state.put(db, "key", "secret")
    sandbox_state.delete(db, "key")
    return db


@pytest.mark.parametrize("writes", [1, 20])
def test_an_emptied_database_has_the_bytes_of_a_new_one(spares: SpareDatabases, writes: int) -> None:
    """What was written before leaves no trace in the image of a database that is used again."""
    used(spares, writes).close()
    assert len(spares) == 1
    assert Database(spares=spares).image() == Database().image()
    assert len(spares) == 0


def test_a_statement_while_a_database_is_closed() -> None:
    """A thread that comes too late learns that the database is closed."""

    class Late(SpareDatabases):
        def keep(self, connection: sqlite3.Connection) -> None:
            with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
                sandbox_state.get(db, "key")
            connection.close()

    db = Database(spares=Late())
    db.close()


def test_a_database_that_has_grown_is_not_kept(spares: SpareDatabases) -> None:
    """A database with many more pages than a new one would take more memory, with small pages or usual ones."""
    used(spares, writes=150).close()
    used(spares, writes=500).close()
    assert len(spares) == 0


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO message_search (message_id, subject) VALUES (1, 'secret')",
        "DROP TABLE question",
        "BEGIN",
    ],
)
def test_a_database_that_cannot_become_like_new_is_not_kept(spares: SpareDatabases, statement: str) -> None:
    """A database whose search index, schema or transaction is not as at first is closed."""
    db = Database(spares=spares)
    db.execute(statement)
    db.close()
    assert len(spares) == 0
    assert Database(spares=spares).image() == Database().image()


def test_a_late_statement_does_not_reach_the_next_owner(spares: SpareDatabases) -> None:
    """A request that was under way when its sandbox was deleted fails, as with a closed database."""
    late = used(spares)
    late.close()
    Database(spares=spares)
    for use in (lambda: late.one("SELECT 1", {}), late.transaction, late.image):
        with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
            use()


def test_a_database_that_a_thread_closes(spares: SpareDatabases) -> None:
    """A sandbox may be deleted in a thread that has its database to itself; a late statement fails there as well."""
    late = used(spares)
    with late.lent():
        late.close()
    Database(spares=spares)
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        late.one("SELECT 1", {})


def test_a_statement_that_has_not_ended(spares: SpareDatabases) -> None:
    """A request that still reads rows when its sandbox is deleted never reads those of another sandbox."""
    late = used(spares)
    for key in "abc":
        sandbox_state.put(late, key, "x")
    rows = late.execute("SELECT key FROM sandbox_state")
    next(rows)
    late.close()
    new = Database(spares=spares)
    sandbox_state.put(new, "z", "secret")
    with pytest.raises(sqlite3.Error):
        list(rows)


def test_few_are_kept_and_unused_ones_are_closed(spares: SpareDatabases) -> None:
    """Spare databases take memory, so few are kept, and none when no sandboxes are created any more."""
    for db in [used(spares) for _ in range(20)]:
        db.close()
    assert 0 < len(spares) < 20
    spares.close_unused()
    assert len(spares)
    spares.close_unused()
    assert len(spares) == 0


@pytest.mark.parametrize("is_used_up", [False, True])
def test_a_sandbox_in_a_spare_database_is_the_same_as_the_one_before(
    monkeypatch: pytest.MonkeyPatch, is_used_up: bool
) -> None:
    """With the same seed, a sandbox with the name of a deleted one has the same ids and the same export.

    If the deleted one cannot be emptied, a new database is made ready before it is needed.
    """
    with Server.in_process(Settings(random_seed=7), VirtualClock(START)) as server:
        first = _export(server, is_used_up)
        # What follows the deletion is done before the response to another request.
        server.check()
        monkeypatch.setattr(opening, "open_memory", _only_for_images)
        assert first == _export(server, False)


def _only_for_images(*, has_small_pages: bool = False) -> sqlite3.Connection:
    assert not has_small_pages
    return open_memory()


def _export(server: Server, is_used_up: bool) -> bytes:
    """The file of a sandbox with a mail, which is then deleted."""
    admin = server.admin("/sandboxes/t1")
    mail = {"from": "ada@example.org", "to": "me@example.com", "subject": "Hello", "text": "secret"}
    admin.request("PUT", json={"connections": [{"id": "me", "address": "me@example.com", "mails": [mail]}]})
    with httpx.Client(
        transport=server.transport(),
        base_url=f"{server.url}/apim/outlook/me",
        headers={"Authorization": "Bearer token"},
    ) as http:
        http.get("/v2/Mail", params={"folderPath": "Inbox"}).raise_for_status()
        file = admin.send("GET", "/export").content
        if is_used_up:
            http.get("/v2/Mail", params={"searchQuery": "secret"}).raise_for_status()
    admin.request("DELETE")
    admin.close()
    return file
