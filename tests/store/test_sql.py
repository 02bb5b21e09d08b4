"""The compiled statements: they are those that were declared, they fit the schema, and none reads a whole table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from outlook_emulator.store import sql
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import AttachmentFacts, Change, Folder, Message, OutboxMail, Owner, StoredMail
from outlook_emulator.store.schema.compile import TARGET, source
from outlook_emulator.store.schema.tables import FACETS

WHOLE = frozenset(
    {"CONNECTIONS", "OUTBOX_MAILS", "QUESTIONS", "CALLBACKS", "PUSHES", "ANYONE_CALLED", "RENAME_REFERENCES"}
)
"""The statements that answer with every row of a table, or change it."""

SORTED = frozenset({"CHANGED_MESSAGES", "MESSAGE_BY_MESSAGE_ID"})
"""The statements that sort: what changed since the last search, and the few copies of one mail."""

RECORDS = {
    "MAILBOX": Owner,
    "MAILBOX_BY_ADDRESS": Owner,
    "CONNECTIONS": Owner,
    "FOLDER": Folder,
    "FOLDER_BY_WELL_KNOWN": Folder,
    "ROOT_FOLDERS": Folder,
    "CHILD_FOLDERS": Folder,
    "ATTACHMENTS": AttachmentFacts,
    "STORED_MAIL": StoredMail,
    "MESSAGE": Message,
    "MESSAGE_ANYWHERE": Message,
    "MESSAGE_BY_MESSAGE_ID": Message,
    "OUTBOX_MAILS": OutboxMail,
    "CHANGES": Change,
}


def _statements() -> Iterator[tuple[str, str]]:
    for name, value in vars(sql).items():
        if isinstance(value, str) and name.isupper():
            yield name, value
        elif isinstance(value, dict) and name.isupper():
            yield from ((f"{name} {key}".strip(), text) for key, text in value.items())


STATEMENTS = dict(_statements())
LISTS = {f"LIST_MESSAGES {key}".strip(): key for key in sql.LIST_MESSAGES}
TABLES = frozenset(re.findall(r"CREATE TABLE \"?(\w+)", " ".join(sql.SCHEMA)))


def nothing(statement: str) -> dict[str, None]:
    """A null for each parameter."""
    return dict.fromkeys(re.findall(r":(\w+)", statement))


@pytest.fixture(scope="module")
def db() -> Iterator[Database]:
    made = Database()
    yield made
    made.close()


def plan(db: Database, statement: str) -> list[str]:
    return [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {statement}", nothing(statement))]


def test_the_file_is_up_to_date() -> None:
    """What is checked in is what tables.py and statements.py compile to."""
    assert source() == TARGET.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", STATEMENTS)
def test_statement_fits_the_schema(db: Database, name: str) -> None:
    """Every statement names tables and columns that exist: SQLite can make a program of it."""
    statement = STATEMENTS[name]

    assert db.execute(f"EXPLAIN {statement}", nothing(statement)).fetchall()


@pytest.mark.parametrize("name", sorted(STATEMENTS.keys() - WHOLE))
def test_no_table_is_read_whole(db: Database, name: str) -> None:
    """A statement finds its rows by an index or a key, so it costs the same in a mailbox of 100,000."""
    scanned = [step for step in plan(db, STATEMENTS[name]) if step.startswith("SCAN") and step.split()[1] in TABLES]

    assert [] == scanned


@pytest.mark.parametrize("name", sorted(STATEMENTS.keys() - SORTED))
def test_order_comes_from_an_index(db: Database, name: str) -> None:
    """A statement hands out its rows in the order they are kept, without sorting them first."""
    assert [] == [step for step in plan(db, STATEMENTS[name]) if "TEMP B-TREE" in step]


@pytest.mark.parametrize("name", LISTS)
def test_list_reads_the_rarest_facet(db: Database, name: str) -> None:
    """A filtered mail list walks the index of its rarest filter; an unfiltered one that of the folder."""
    facets = LISTS[name].split("+")
    index = f"message_{next((one for one in reversed(FACETS) if one in facets), 'folder')}"

    assert plan(db, STATEMENTS[name])[0].startswith(f"SEARCH message USING INDEX {index} (folder_id=? AND received>?")


def test_every_combination_of_filters_has_a_list() -> None:
    """Unread, flagged and with attachments, each on or off, times four ways to ask for an importance."""
    assert 2**3 * 4 == len(LISTS)


def test_search_uses_the_text_index_from_its_end(db: Database) -> None:
    """Text search is answered by the full text index, in descending row order."""
    (step,) = plan(db, sql.SEARCH)

    # SQLite's notation: M9 is MATCH on the whole table; an upper and a lower bound of rowid follow.
    assert step.startswith("SCAN message_search VIRTUAL TABLE INDEX")
    assert step.endswith("M9><")


@pytest.mark.parametrize("name", [*RECORDS, *LISTS])
def test_record_fits_its_select(db: Database, name: str) -> None:
    """A record has the columns of its select, in the same order."""
    record: Any = RECORDS.get(name, Message)
    statement = STATEMENTS[name]
    columns = [
        re.sub(r"_\d+$", "", one[0]) for one in db.execute(statement, dict.fromkeys(nothing(statement), 0)).description
    ]
    carried = columns[1:] if name == "CONNECTIONS" else columns

    assert list(record._fields) == carried


def test_a_message_list_is_newest_first(db: Database) -> None:
    """The order is the one asked for: time of receipt downwards, and the later id where two are equal."""
    row = {"mailbox_id": 1, "folder_id": 7, "is_read": 0, "is_flagged": 0, "importance": 1, "has_attachments": 0}
    content = nothing(sql.INSERT_CONTENT) | dict.fromkeys(
        ("message_id", "subject", "preview", "body", "headers"), "text"
    )
    numbers = ("conversation_id", "sent", "is_html", "importance", "has_attachments", "has_files", "is_encrypted")
    content_id = db.insert(sql.INSERT_CONTENT, content | dict.fromkeys(numbers, 0))
    keys = [
        db.insert(sql.INSERT_MESSAGE, row | {"content_id": content_id, "received": at, "recipients_bcc": None})
        for at in (30, 10, 30, 20)
    ]
    page = {"folder_id": 7, "since": 0, "until": 100, "top": 3, "skip": 0}

    assert [keys[2], keys[0], keys[3]] == [one[0] for one in db.all(sql.LIST_MESSAGES["unread"], page)]
