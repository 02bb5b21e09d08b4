"""The rows that a database has at hand for waits are those that it stores."""

from __future__ import annotations

from contextlib import suppress

from outlook_emulator import testing
from outlook_emulator.app import create_app
from outlook_emulator.enums import ChangeAction
from outlook_emulator.mailbox import changes
from outlook_emulator.store import mail
from outlook_emulator.store.database import Database
from outlook_emulator.store.fresh_rows import FreshRows
from outlook_emulator.testing.target import AppTarget


def follow(db: Database) -> FreshRows:
    db.fresh = FreshRows()
    return db.fresh


def append(db: Database, times: int = 1) -> None:
    for _ in range(times):
        changes.append(db, 1, ChangeAction.CREATED, 1, 1, 0)


def test_what_requests_write() -> None:
    app = AppTarget(create_app())
    with testing.Server(app) as server:
        ann = server.connect("ann", "ann@example.com")
        bob = ann.sandbox.connect("bob", "bob@example.com")
        db = app.app.state.sandboxes.named(ann.sandbox.name).db
        fresh, seq = follow(db), changes.last(db)

        def send(**members: str) -> None:
            body = {"To": "bob@example.com", "Subject": "Hi", "Body": "<p>1</p>", **members}
            ann.http.post("/v2/Mail", json=body).raise_for_status()

        send(Cc="ann@example.com", Subject="")
        send(Bcc="ann@example.com")
        bob.deliver(b"Subject: Without a sender\r\n\r\nHello")
        first, second, _ = bob.http.get("/v2/Mail?fetchOnlyUnread=false").json()["value"]
        bob.http.post(f"/Mail/Move/{first['Id']}?folderPath=Archive").raise_for_status()
        bob.http.delete(f"/Mail/{second['Id']}").raise_for_status()
        taken = fresh.take()

        assert taken is not None
        assert not taken.has_outbox_mail
        assert taken.changes == changes.after(db, seq)
        assert len(taken.heads) >= 4
        assert taken.heads == {key: mail.message_head(db, key) for key in taken.heads}

        send(To="x@example.net")
        taken = fresh.take()

        assert taken is not None
        assert taken.has_outbox_mail
        assert len(taken.changes) == len(taken.heads) == 1


def test_rows_that_are_undone() -> None:
    db = Database()
    fresh = follow(db)
    append(db)
    with suppress(KeyError), db.transaction():
        append(db)
        raise KeyError

    assert fresh.take() is None
    append(db)
    assert fresh.take() is not None
    db.close()


def test_more_rows_than_are_kept() -> None:
    db = Database()
    fresh = follow(db)
    append(db, 501)

    assert fresh.take() is None
    db.close()
