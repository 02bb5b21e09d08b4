"""The compiled statements: they are up to date, fit the schema, and use indexes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from outlook_emulator.store import sql
from outlook_emulator.store.database import Database
from outlook_emulator.store.new_rows import NewContent, NewMessage
from outlook_emulator.store.records import (
    AttachmentInfo,
    Change,
    Contact,
    Event,
    Folder,
    Message,
    OutboxMail,
    Owner,
    StoredMail,
)
from outlook_emulator.store.schema.compile import TARGET, source
from outlook_emulator.store.schema.tables import FACETS

WHOLE = frozenset(
    {"CONNECTIONS", "OUTBOX_MAILS", "QUESTIONS", "CALLBACKS", "PUSHES", "ANYONE_CALLED", "RENAME_REFERENCES"}
    | {"COUNT_OUTBOX", "FOLDER_COUNTS", "CHANGE_SIZES", "ALL_EVENTS", "EARLIER_STATES"}
)
"""The statements that read or change all rows of a table. Counts for the overview read an index."""

SORTED = frozenset({"MESSAGE_BY_MESSAGE_ID"})
"""The statements that sort: the changes since the last search, and the few copies of a mail."""

RECORDS = {
    "MAILBOX": Owner,
    "MAILBOX_BY_ADDRESS": Owner,
    "CONNECTIONS": Owner,
    "CONNECTIONS_BESIDE": Owner,
    "FOLDER": Folder,
    "FOLDER_BY_WELL_KNOWN": Folder,
    "ROOT_FOLDERS": Folder,
    "CHILD_FOLDERS": Folder,
    "ATTACHMENTS": AttachmentInfo,
    "STORED_MAIL": StoredMail,
    "MESSAGE": Message,
    "MESSAGE_ANYWHERE": Message,
    "MESSAGE_BY_MESSAGE_ID": Message,
    "OUTBOX_MAILS": OutboxMail,
    "OUTBOX_BEFORE": OutboxMail,
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


def nulls(statement: str) -> Any:
    """A null for each parameter."""
    if "?" in statement:
        return (None,) * statement.count("?")
    return dict.fromkeys(re.findall(r":(\w+)", statement))


@pytest.fixture(scope="module")
def db() -> Iterator[Database]:
    database = Database()
    yield database
    database.close()


def plan(db: Database, statement: str) -> list[str]:
    return [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {statement}", nulls(statement))]


def test_the_file_is_up_to_date() -> None:
    """`sql.py` is what the tables and statements of `store/schema` compile to."""
    assert source() == TARGET.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", STATEMENTS)
def test_statement_fits_the_schema(db: Database, name: str) -> None:
    """SQLite can compile every statement: its tables and columns exist."""
    statement = STATEMENTS[name]

    assert db.execute(f"EXPLAIN {statement}", nulls(statement)).fetchall()


@pytest.mark.parametrize("name", sorted(STATEMENTS.keys() - WHOLE))
def test_no_table_is_read_whole(db: Database, name: str) -> None:
    """A statement finds its rows by an index or a key, so it costs the same in a mailbox of 100,000."""
    scanned = [step for step in plan(db, STATEMENTS[name]) if step.startswith("SCAN") and step.split()[1] in TABLES]

    assert [] == scanned


@pytest.mark.parametrize("name", sorted(STATEMENTS.keys() - SORTED))
def test_order_comes_from_an_index(db: Database, name: str) -> None:
    """A statement gets its order from an index, and does not sort."""
    assert [] == [step for step in plan(db, STATEMENTS[name]) if "TEMP B-TREE" in step]


@pytest.mark.parametrize("name", LISTS)
def test_list_reads_the_rarest_facet(db: Database, name: str) -> None:
    """A mail list uses the index of its rarest filter, or the folder's index if it has no filter."""
    facets = LISTS[name].split("+")
    index = f"message_{next((facet for facet in reversed(FACETS) if facet in facets), 'folder')}"

    assert plan(db, STATEMENTS[name])[0].startswith(f"SEARCH message USING INDEX {index} (folder_id=? AND received>?")


def test_every_combination_of_filters_has_a_list() -> None:
    """There is a list for unread, flagged and attachments, each on or off, times four choices of importance."""
    assert 2**3 * 4 == len(LISTS)


def test_search_reads_the_text_index_backwards(db: Database) -> None:
    """Text search reads the full-text index in descending row order."""
    (step,) = plan(db, sql.SEARCH)

    # SQLite's notation: M9 is a MATCH on the whole table, followed by an upper and a lower bound of the rowid.
    assert step.startswith("SCAN message_search VIRTUAL TABLE INDEX")
    assert step.endswith("M9><")


@pytest.mark.parametrize(("statement", "record"), [(sql.INSERT_EVENT, Event), (sql.INSERT_CONTACT, Contact)])
def test_positional_insert_takes_a_record(statement: str, record: Any) -> None:
    """An insert without names takes the fields of its record in their order, without the id."""
    columns = statement.partition("(")[2].partition(")")[0].split(", ")

    assert [*record._fields[1:]] == columns


@pytest.mark.parametrize("name", [*RECORDS, *LISTS])
def test_record_fits_its_select(db: Database, name: str) -> None:
    """A record's fields are the columns of its statement, in the same order."""
    record: Any = RECORDS.get(name, Message)
    statement = STATEMENTS[name]
    description = db.execute(statement, dict.fromkeys(nulls(statement), 0)).description
    columns = [re.sub(r"_\d+$", "", column[0]) for column in description]
    expected = columns[1:] if name.startswith("CONNECTIONS") else columns
    if name == "STORED_MAIL":
        # A large content is not in its column; the last one has its length.
        expected = [*expected[:-2], "raw"]

    assert list(record._fields) == expected


def test_a_message_list_is_newest_first(db: Database) -> None:
    """A list is ordered by time of receipt, newest first, and then by id."""
    content = NewContent("text", 0, 0, "", "", "", "", "text", 0, 0, 0, 0, 0, "text", "text", None, "text", None)
    message = NewMessage(1, 7, db.insert(sql.INSERT_CONTENT, content), 0, 0, 0, 1, 0, "")
    keys = [db.insert(sql.INSERT_MESSAGE, message._replace(received=at)) for at in (30, 10, 30, 20)]
    page = {"folder_id": 7, "since": 0, "until": 100, "below": 0, "top": 3, "skip": 0}

    assert [keys[2], keys[0], keys[3]] == [row[0] for row in db.all(sql.LIST_MESSAGES["unread"], page)]
