"""Databases of earlier versions, made by those versions, are migrated; the old file is kept."""

from __future__ import annotations

import gzip
import json
import sqlite3
from contextlib import closing
from itertools import chain
from pathlib import Path

import httpx
import pytest

from outlook_emulator.serving import running
from outlook_emulator.settings import Settings
from outlook_emulator.store import calendar, change_feed, images, migrations
from outlook_emulator.store.database import Database
from outlook_emulator.store.opening import SCHEMA_VERSION, IncompatibleFile
from outlook_emulator.store.records import Event

OLD = Path(__file__).parent / "old"
FILES = sorted(path.name.removesuffix(".sqlite.gz") for path in OLD.glob("*.sqlite.gz"))


def old_image(name: str) -> bytes:
    return gzip.decompress((OLD / f"{name}.gz").read_bytes())


def count(db: Database, table: str, condition: str = "1") -> int:
    (number,) = db.one(f"SELECT count(*) FROM {table} WHERE {condition}", {})
    return int(number)


@pytest.mark.parametrize("name", FILES)
def test_file_of_an_earlier_version_is_migrated(tmp_path: Path, name: str) -> None:
    """All rows are there, the schema is that of a new database, and the old file is beside the new one."""
    path, image = tmp_path / "old.sqlite", old_image(f"{name}.sqlite")
    path.write_bytes(image)
    with closing(sqlite3.connect(path)) as before:
        rows = [before.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("message", "change")]
    for _ in range(2):
        with closing(Database(path)) as db, closing(Database()) as new:
            assert migrations.schema_of(db._connection) == migrations.schema_of(new._connection)
            assert rows == [count(db, "message"), count(db, "change")]
            # A sent copy and a delivered one of three mails, and one from outside.
            assert count(db, "message", "folder_id IN (SELECT inbox_id FROM mailbox)") >= 4
            assert count(db, "message_search", "message_search MATCH 'quarter'") >= 3
            assert count(db, "calendar") == count(db, "contact_folder") == count(db, "mailbox") == 2
            assert count(db, "change") == count(db, "(SELECT DISTINCT at FROM change)")
            assert not count(db, "event", "required <> '' AND required NOT LIKE '%;'")
            db.check()

    version = images.version_of(image)
    assert ["old.sqlite", f"old.sqlite.v{version}"] == sorted(file.name for file in tmp_path.iterdir())
    assert image == (tmp_path / f"old.sqlite.v{version}").read_bytes()
    assert {0o600} == {file.stat().st_mode & 0o777 for file in tmp_path.iterdir() if file.suffix != ".sqlite"}


def test_recent_writes_of_an_old_file_are_migrated(tmp_path: Path) -> None:
    """What a killed server of an earlier version left in the log of its file is migrated too."""
    path = tmp_path / "old.sqlite"
    path.write_bytes(old_image("v4.sqlite"))
    killed = sqlite3.connect(path)
    killed.execute("PRAGMA journal_mode = WAL")
    killed.execute("INSERT INTO sandbox_state VALUES ('late', 'yes')")
    killed.commit()
    files = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    killed.close()
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    assert "old.sqlite-wal" in files

    with closing(Database(path)) as db:
        assert 1 == count(db, "sandbox_state", "key = 'late'")


def test_a_failed_migration_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration that fails half-way leaves the old file as it was, and nothing beside it."""
    path, image = tmp_path / "old.sqlite", old_image("v4.sqlite")
    path.write_bytes(image)
    monkeypatch.setitem(migrations._STEPS, 4, ("INSERT INTO event (id) SELECT 1 FROM event",))

    with pytest.raises(IncompatibleFile, match=r"old\.sqlite"):
        Database(path)
    assert [path] == list(tmp_path.iterdir())
    assert image == path.read_bytes()


@pytest.mark.parametrize("change", ["CREATE VIEW foreign_view AS SELECT 1", "DROP TABLE fact"])
def test_foreign_schema_of_an_earlier_version_is_refused(tmp_path: Path, change: str) -> None:
    """A database that only claims an earlier version is refused as a file and as an image, and is left as it was."""
    path = tmp_path / "old.sqlite"
    path.write_bytes(old_image("v3.sqlite"))
    with closing(sqlite3.connect(path)) as foreign:
        foreign.execute(change)
    image = path.read_bytes()

    with pytest.raises(IncompatibleFile, match="no version of this emulator"):
        Database(path)
    with pytest.raises(ValueError, match="no version of this emulator"):
        Database(image=image)
    assert image == path.read_bytes()


@pytest.mark.parametrize("name", ["v1.sqlite", "v3.snapshot", "v4.snapshot", "v5.snapshot"])
def test_image_of_an_earlier_version_is_migrated(name: str) -> None:
    """Snapshots and exports of earlier versions can be read, and their images then have the present version."""
    with closing(Database(image=old_image(name))) as db:
        assert count(db, "message") >= 7
        again = db.image()

    assert SCHEMA_VERSION == images.version_of(again)
    with closing(Database(image=again)) as db:
        assert count(db, "message") >= 7


def test_earlier_states_of_events_are_migrated() -> None:
    """The change feed keeps events as they were before a change, in the columns that they had in its version."""
    with closing(sqlite3.connect(":memory:")) as old:
        images.deserialize(old, old_image("v4.sqlite"))
        (columns,) = old.execute("SELECT group_concat(name) FROM pragma_table_info('event')").fetchone()
        old.execute(
            f"UPDATE change SET before = (SELECT json_array({columns}) FROM event LIMIT 1) WHERE kind = 'event'"
        )
        old.commit()
        image = old.serialize()

    with closing(Database(image=image)) as db:
        event = next(calendar.all_events(db))
        assert {event} == {Event._make(json.loads(state)) for _, state in change_feed.earlier_states(db)}


def test_texts_of_an_earlier_version_are_shown_as_before(tmp_path: Path) -> None:
    """Version 5 kept the HTML document of each text; it is now made when the text is read."""
    path = tmp_path / "old.sqlite"
    path.write_bytes(old_image("v5.sqlite"))
    with closing(sqlite3.connect(path)) as before:
        (kept,) = before.execute("SELECT stored_body FROM content WHERE subject = 'Number 0'").fetchone()
        (kept_event,) = before.execute("SELECT DISTINCT stored_body FROM event").fetchone()
    assert "The quarter &lt;begins&gt; &amp; &quot;ends&quot;&nbsp; here.<br>" in kept

    with (
        running(Settings(data=str(tmp_path))) as served,
        httpx.Client(base_url=served.url, headers={"authorization": "Bearer x"}, trust_env=False) as http,
    ):
        mails = http.get("/apim/outlook/ben/v2/Mail?fetchOnlyUnread=false").json()["value"]
        events = http.get("/apim/outlook/ben/datasets/calendars/v2/tables/Calendar/items").json()["value"]

    assert [kept] == [mail["Body"] for mail in mails if mail["Subject"] == "Number 0"]
    assert [kept_event] == [event["Body"] for event in events]
    with closing(Database(path)) as db:
        assert not count(db, "content", "is_html = 0 AND stored_body <> ''")


def test_every_version_has_a_step() -> None:
    """Each schema version before the present one has a step, and a known schema."""
    assert (
        list(range(1, SCHEMA_VERSION)) == sorted(migrations._STEPS) == sorted({*chain(*migrations._VERSIONS.values())})
    )
