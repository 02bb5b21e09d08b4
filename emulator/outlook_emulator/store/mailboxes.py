"""Mailboxes with their owners, the connections that open them, and the addresses owners may use."""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from outlook_emulator.store import sql
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import Owner


def insert(db: Database, mailbox_id: int, address: str, display_name: str) -> None:
    """Add a mailbox without folders; `set_folders` completes it."""
    # In two steps, since folders refer to their mailbox and the mailbox to three of its folders.
    db.execute(sql.INSERT_MAILBOX, {"id": mailbox_id, "address": address, "display_name": display_name})


def set_folders(db: Database, mailbox_id: int, *, inbox_id: int, sent_id: int, deleted_id: int) -> None:
    """Name the folders of a mailbox that mail operations need most."""
    values = {"mailbox_id": mailbox_id, "inbox_id": inbox_id, "sent_id": sent_id, "deleted_id": deleted_id}
    db.execute(sql.SET_MAILBOX_FOLDERS, values)
    db.kept_owners.clear()


def rename_owner(db: Database, mailbox_id: int, display_name: str) -> None:
    """Change an owner's display name."""
    db.execute(sql.RENAME_OWNER, {"mailbox_id": mailbox_id, "display_name": display_name})
    db.kept_owners.clear()


def owner(db: Database, mailbox_id: int) -> Owner | None:
    """The owner of a mailbox."""
    row = db.one(sql.MAILBOX, {"id": mailbox_id})
    return None if row is None else Owner._make(row)


def owner_by_address(db: Database, address: str) -> Owner | None:
    """The owner with that address, which must be in lower case."""
    owner = db.kept_owners.get(address)
    if owner is None and (row := db.one(sql.MAILBOX_BY_ADDRESS, {"address": address})) is not None:
        owner = Owner._make(row)
        db.kept_owners.keep(address, owner)
    return owner


def owners_by_address(db: Database, addresses: Iterable[str]) -> dict[str, Owner]:
    """The owners with these addresses, which must be in lower case, by address."""
    rows = db.all(sql.MAILBOXES_BY_ADDRESS, {"addresses": orjson.dumps([*addresses]).decode()})
    return {owner.address: owner for owner in map(Owner._make, rows)}


def insert_connection(db: Database, connection_id: str, mailbox_id: int) -> None:
    """Add a connection to a mailbox."""
    db.execute(sql.INSERT_CONNECTION, {"id": connection_id, "mailbox_id": mailbox_id})


def has_connection(db: Database, connection_id: str) -> bool:
    """Whether a connection with that id exists."""
    return db.one(sql.CONNECTION, {"id": connection_id}) is not None


def connections(db: Database) -> dict[str, Owner]:
    """The owner behind each connection id, ordered by id."""
    return {row[0]: Owner._make(row[1:]) for row in db.all(sql.CONNECTIONS, {})}


def connections_beside(db: Database, connection_id: str) -> dict[str, Owner]:
    """The owner behind a connection id, and behind each other one of the same mailbox."""
    return {row[0]: Owner._make(row[1:]) for row in db.all(sql.CONNECTIONS_BESIDE, {"id": connection_id})}


def rename_connection(db: Database, old: str, new: str) -> None:
    """Change the id of a connection, and with it that of its push triggers."""
    db.execute(sql.RENAME_CONNECTION, {"of": old, "to": new})
    db.execute(sql.RENAME_PUSHES, {"of": old, "to": new})


def insert_grant(db: Database, mailbox_id: int, address: str) -> None:
    """Let an owner send as a further address and read its mailbox; the address must be in lower case."""
    db.execute(sql.INSERT_GRANT, {"mailbox_id": mailbox_id, "address": address})


def has_grant(db: Database, mailbox_id: int, address: str) -> bool:
    """Whether an owner may use a further address, which must be in lower case."""
    return db.one(sql.GRANT, {"mailbox_id": mailbox_id, "address": address}) is not None


def grants(db: Database, mailbox_id: int) -> list[str]:
    """The further addresses that an owner may use, in order."""
    return [address for (address,) in db.all(sql.GRANTS, {"mailbox_id": mailbox_id})]
