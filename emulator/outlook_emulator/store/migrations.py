"""Migrates databases of earlier schema versions.

A database is loaded into memory, taken from version to version by the statements of each step, and copied table by
table into a new database. So a migrated database has the schema of a new one to the letter. To change the schema,
increment SCHEMA_VERSION, and add the step from the version before, with that version's fingerprint.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256

from outlook_emulator.store.failures import is_passing
from outlook_emulator.store.repairs import repair

SchemaRow = tuple[str, str, str, str | None]
"""A row of `sqlite_schema`: type, name, table and SQL text."""

_VERSIONS = {
    "1e1a3bc2954bad9c": (1,),
    "07235795799e4005": (1,),
    "c56a9ec19d5c668d": (1,),
    "5e1a13c9a0aabd2d": (2,),
    "f1cfc31cdfa1a109": (3,),
    "547a622cfcce4dff": (4,),
    # Files of version 5 with this schema have an index more.
    "58e05dd26ea17b1a": (4,),
    "33ff1f51bd7fcffc": (5, 6),
}
"""The versions that had each known schema. Some versions were in use with several schemas."""

_STEPS: dict[int, tuple[str, ...]] = {
    1: (
        # Calendars and contacts came with version 2; each mailbox has one of each from its beginning.
        "CREATE TABLE calendar (id INTEGER PRIMARY KEY, mailbox_id, name, is_default)",
        "INSERT INTO calendar (mailbox_id, name, is_default) SELECT id, 'Calendar', 1 FROM mailbox",
        "CREATE TABLE contact_folder (id INTEGER PRIMARY KEY, mailbox_id, name, is_default)",
        "INSERT INTO contact_folder (mailbox_id, name, is_default) SELECT id, 'Contacts', 1 FROM mailbox",
        "CREATE TABLE event (body, is_html, required, optional, resources)",
        "CREATE TABLE element (id)",
    ),
    2: (
        # Earlier states of events came with version 3.
        "ALTER TABLE change ADD COLUMN before",
        # From version 3 on, an instant is a position in the change feed, so that no two entries may share one.
        # A running maximum: each entry is at least one microsecond later than the entry before.
        "CREATE TEMP TABLE later AS SELECT seq, seq + max(at - seq) OVER (ORDER BY seq) AS at FROM change",
        "UPDATE change SET at = (SELECT later.at FROM temp.later WHERE later.seq = change.seq)",
        "DROP TABLE temp.later",
    ),
    3: (
        "ALTER TABLE fact RENAME TO sandbox_state",
        "ALTER TABLE departure RENAME TO outbox_mail",
        "ALTER TABLE element RENAME TO list_entry",
        'ALTER TABLE "indexed" RENAME TO search_entry',
    ),
    4: (
        # From version 5 on, lists of addresses end in a semicolon.
        *(
            f"UPDATE event SET {column} = {column} || ';' WHERE {column} <> '' AND {column} NOT LIKE '%;'"
            for column in ("required", "optional", "resources")
        ),
        # Documents of bodies came with it; earlier bodies are shown as they were sent.
        "ALTER TABLE content ADD COLUMN stored_body",
        "ALTER TABLE event ADD COLUMN stored_body",
        # An earlier state is a list of all columns of the event. Two came behind the first eleven: `stored_body` and
        # `shown_as_html`.
        (
            "UPDATE change SET before = (SELECT json_group_array(value) FROM"
            " (SELECT key + 2 * (key > 10) AS place, value FROM json_each(change.before)"
            " UNION ALL SELECT 11, NULL UNION ALL SELECT 12, 0 ORDER BY place)) WHERE before IS NOT NULL"
        ),
    ),
    5: (
        # From version 6 on, the document of a short text is made when it is read.
        *(
            f"UPDATE {table} SET stored_body = ''"
            " WHERE is_html = 0 AND stored_body IS NOT NULL AND length(body) <= 65536"
            for table in ("content", "event")
        ),
    ),
    # Version 7 has an index more, and no values that cannot be read.
    6: (),
}
"""For each version, the statements that lead to the next one. Columns that are new and may be null need none."""


def migrate(old: sqlite3.Connection, new: sqlite3.Connection) -> list[str]:
    """Copy the content of a database of an earlier version into a new and empty one. Changes `old`.

    Returns which values were replaced, because they cannot be read. Raises ValueError for a damaged database or a
    foreign one.
    """
    check(old)
    try:
        for version in range(_version(old), max(_STEPS) + 1):
            for statement in _STEPS[version]:
                old.execute(statement)
        new.execute("BEGIN IMMEDIATE")
        for table in [*_tables(new), "message_search", "sqlite_sequence"]:
            _copy(old, new, table)
        repaired = repair(new, _tables(new))
        new.execute("COMMIT")
    except sqlite3.DatabaseError as error:
        if new.in_transaction:
            new.rollback()
        if is_passing(error):
            raise
        raise ValueError(f"it is damaged: {str(error)[:200]}") from error
    return repaired


def _version(connection: sqlite3.Connection) -> int:
    """The version from which a database is migrated: the one that it names if its schema is of that, else the first."""
    (named,) = connection.execute("PRAGMA user_version").fetchone()
    versions = _VERSIONS[_fingerprint(connection)]
    return named if named in versions else versions[0]


def check(connection: sqlite3.Connection) -> None:
    """Raise ValueError unless a database has the schema of an earlier version."""
    try:
        is_known = _fingerprint(connection) in _VERSIONS
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise ValueError(f"it is not a readable SQLite database: {str(error)[:200]}") from error
    if not is_known:
        raise ValueError("its schema is that of no version of this emulator")


def schema_of(connection: sqlite3.Connection) -> frozenset[SchemaRow]:
    """The rows of a database's schema. No table is read for it, so no code of a foreign schema runs."""
    rows = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema")
    # SQLite makes the helper tables of the search index, in a form that its version decides.
    return frozenset(
        (kind, name, table, None if kind == "table" and str(name).startswith("message_search_") else text)
        for kind, name, table, text in rows
    )


def _fingerprint(connection: sqlite3.Connection) -> str:
    """A short text that is equal for equal schemas."""
    rows = sorted(map(repr, schema_of(connection)))
    return sha256("\n".join(rows).encode("utf-8", "backslashreplace")).hexdigest()[:16]


def _tables(connection: sqlite3.Connection) -> Iterator[str]:
    for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
        if not name.startswith(("sqlite_", "message_search")):
            yield name


def _copy(old: sqlite3.Connection, new: sqlite3.Connection, table: str) -> None:
    """Copy the rows of a table, if the old database has it; new columns get their defaults."""
    there = _columns(old, table)
    columns = ", ".join(f'"{name}"' for name in _columns(new, table) if name in there)
    if not columns:
        return
    if table == "message_search":
        columns = f"rowid, {columns}"
    marks = ", ".join("?" * (columns.count(",") + 1))
    with closing(old.cursor()) as rows:
        rows.execute(f'SELECT {columns} FROM "{table}"')
        new.executemany(f'INSERT INTO "{table}" ({columns}) VALUES ({marks})', rows)


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [row[0] for row in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))]
