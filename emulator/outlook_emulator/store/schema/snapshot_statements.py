"""The statements for snapshots and imported sandboxes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import String, bindparam, delete, func, literal_column, select, type_coerce, update

from outlook_emulator.store.schema import callback_tables, item_tables, tables

sandbox_state = tables.table_of(tables.SandboxState)
connection = tables.table_of(tables.ConnectionRow)
push = tables.table_of(callback_tables.PushRow)
callback = tables.table_of(callback_tables.CallbackRow)
content = tables.table_of(tables.Content)
message = tables.table_of(tables.MessageRow)
outbox_mail = tables.table_of(tables.OutboxMailRow)
event, contact = item_tables.event, item_tables.contact

SNAPSHOT_STATEMENTS: dict[str, Any] = {
    "DELETE_STATE": delete(sandbox_state).where(sandbox_state.c.key == bindparam("named")),
    "RENAME_CONNECTION": update(connection).where(connection.c.id == bindparam("of")).values(id=bindparam("to")),
    "RENAME_PUSHES": update(push).where(push.c.connection_id == bindparam("of")).values(connection_id=bindparam("to")),
    "RENAME_REFERENCES": update(callback)
    .where(callback.c.kind == bindparam("of"))
    .values(reference=type_coerce(bindparam("prefix"), String) + callback.c.reference),
    "NEWEST": {
        table.name: select(func.coalesce(func.max(table.c.id), literal_column("0")))
        for table in (content, message, outbox_mail, event, contact, callback)
    },
}
