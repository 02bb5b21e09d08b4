"""The statements of the emulator, which `compile.py` compiles to `sql.py`.

`STATEMENTS` maps the name of a constant to a statement, or to a dict of variants.
"""

from __future__ import annotations

from itertools import product
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Executable,
    Select,
    Table,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    tuple_,
    union_all,
    update,
)

from outlook_emulator.store.new_rows import NewChange, NewContent, NewMessage
from outlook_emulator.store.records import (
    AttachmentInfo,
    Callback,
    Change,
    Contact,
    Event,
    Folder,
    ItemFolder,
    Message,
    MessageHead,
    OutboxMail,
    Owner,
    PushTrigger,
    Question,
    StoredMail,
    Subscription,
    facet_key,
)
from outlook_emulator.store.schema import approval_tables, callback_tables, item_tables, tables
from outlook_emulator.store.schema.snapshot_statements import SNAPSHOT_STATEMENTS

sandbox_state = tables.table_of(tables.SandboxState)
mailbox = tables.table_of(tables.MailboxRow)
connection = tables.table_of(tables.ConnectionRow)
_beside = connection.alias()
grant = tables.table_of(tables.Grant)
folder = tables.table_of(tables.FolderRow)
content = tables.table_of(tables.Content)
attachment = tables.table_of(tables.AttachmentRow)
message = tables.table_of(tables.MessageRow)
change = tables.table_of(tables.ChangeRow)
outbox_mail = tables.table_of(tables.OutboxMailRow)
search_entry = tables.table_of(tables.SearchEntry)
calendar = tables.table_of(item_tables.CalendarRow)
event = item_tables.event
contact_folder = tables.table_of(item_tables.ContactFolderRow)
contact = item_tables.contact
list_entry = tables.table_of(item_tables.ListEntryRow)
callback = tables.table_of(callback_tables.CallbackRow)
subscription = tables.table_of(callback_tables.SubscriptionRow)
push = tables.table_of(callback_tables.PushRow)
question = tables.table_of(approval_tables.QuestionRow)
# Literals. SQLAlchemy writes every LIMIT for SQLite with an OFFSET, whose value would be a parameter if left to it.
_ZERO: ColumnElement[Any] = literal_column("0")
_ONE: ColumnElement[Any] = literal_column("1")
_EMPTY: ColumnElement[Any] = literal_column("''")


def _columns(record: Any, *sources: Table) -> list[ColumnElement[Any]]:
    """The columns of a record's fields, each from the first source that has the name."""
    return [next(source.c[name] for source in sources if name in source.c) for name in record._fields]


def _insert(into: Table, *left_out: str) -> Executable:
    return insert(into).values({c.name: bindparam(c.name) for c in into.c if c.name not in left_out})


def _insert_record(into: Table, record: Any, *optional: str) -> Executable:
    """An insert of a record's fields, in which an empty text stands for NULL in the `optional` columns.

    The driver takes longer to bind None than SQLite takes to compare a text.
    """
    names = tuple(c.name for c in into.c if c.name in record._fields)
    if names != record._fields:
        raise ValueError(f"The fields of {record.__name__} are not the columns of {into.name} in their order.")
    values: dict[str, Any] = {name: bindparam(name) for name in names}
    return insert(into).values(values | {name: func.nullif(values[name], _EMPTY) for name in optional})


_MESSAGES = select(*_columns(Message, message, content)).join(content, content.c.id == message.c.content_id)
_HEADS = select(*_columns(MessageHead, message, content)).join(content, content.c.id == message.c.content_id)
_OUTBOX = select(*_columns(OutboxMail, outbox_mail, content)).join(content, content.c.id == outbox_mail.c.content_id)
_NEWEST_FIRST = (message.c.received.desc(), message.c.id.desc())
_FACETS: dict[str, ColumnElement[bool]] = {
    # Literals, not parameters: SQLite uses a partial index only if the statement contains the condition.
    "unread": message.c.is_read == _ZERO,
    "flagged": message.c.is_flagged == _ONE,
    "attachment": message.c.has_attachments == _ONE,
    "low": message.c.importance == _ZERO,
    "normal": message.c.importance == _ONE,
    "high": message.c.importance == literal_column("2"),
}
# The key breaks ties, so that a page can begin behind any message, however many were received at the same instant.
_RECEIVED = (
    message.c.received >= bindparam("since"),
    tuple_(message.c.received, message.c.id) < tuple_(bindparam("until"), bindparam("below")),
)


def _lists(messages: Select[Any]) -> dict[str, Executable]:
    """A list of messages for each combination of facets."""
    # A statement for each combination: a condition such as `:unread = 0 OR is_read = 0` could use no partial index.
    lists: dict[str, Executable] = {}
    either = (False, True)
    for unread, flagged, attached, importance in product(either, either, either, ("", "low", "normal", "high")):
        key = facet_key(unread, flagged, attached, importance)
        conditions = [_FACETS[name] for name in key.split("+") if name]
        lists[key] = (
            messages.where(message.c.folder_id == bindparam("folder_id"), *_RECEIVED, *conditions)
            .order_by(*_NEWEST_FIRST)
            .limit(bindparam("top"))
            .offset(bindparam("skip"))
        )
    return lists


def _own(record: Any, source: Table, *keys: str) -> Select[Any]:
    """Select a record by the values of these columns."""
    return select(*_columns(record, source)).where(*(source.c[key] == bindparam(key) for key in keys))


def _unless_large(column: Any) -> tuple[Any, ...]:
    """The bytes in a column if there are few, null otherwise, and their number."""
    size = func.length(column)
    return case((size < bindparam("large"), column)), size


def _item_folders(source: Table) -> Executable:
    """The calendars or contact folders of a mailbox, sorted by name."""
    own = source.c.mailbox_id == bindparam("mailbox_id")
    return select(*_columns(ItemFolder, source)).where(own).order_by(source.c.name, source.c.id)


def _page(rows: Select[Any], source: Table, *conditions: ColumnElement[bool]) -> Executable:
    """The rows with keys from one to another, in the order of their keys."""
    return rows.where(source.c.id > bindparam("after"), source.c.id <= bindparam("until"), *conditions).order_by(
        source.c.id
    )


def _update(source: Table, *left_out: str) -> Executable:
    changed = [c.name for c in source.c if c.name not in ("id", *left_out)]
    return update(source).where(source.c.id == bindparam("key")).values({name: bindparam(name) for name in changed})


# `lowered` is Python's, since SQLite's own `lower` knows only ASCII.
_HAS_SUBJECT = or_(
    bindparam("subject") == literal_column("''"),
    func.instr(func.lowered(content.c.subject), bindparam("subject")) > _ZERO,
)
_PENDING: ColumnElement[Any] = literal_column("'pending'")
_LIVE = subscription.c.expires > bindparam("now")
_EVENTS = select(*_columns(Event, event))
_IN_CALENDAR = event.c.calendar_id == bindparam("calendar_id")

POSITIONAL = {"INSERT_EVENT", "INSERT_CONTACT", "INSERT_CONTENT", "INSERT_MESSAGE", "APPEND_CHANGE"}
"""The inserts that take their values in the order of the columns: fifty names take as long as the insert."""

STATEMENTS: dict[str, Executable | dict[str, Executable]] = {
    # the sandbox
    "STATE": select(sandbox_state.c.value).where(sandbox_state.c.key == bindparam("key")),
    "SET_STATE": insert(sandbox_state).prefix_with("OR REPLACE").values(key=bindparam("key"), value=bindparam("value")),
    "INSERT_MAILBOX": _insert(mailbox, "inbox_id", "sent_id", "deleted_id"),
    "SET_MAILBOX_FOLDERS": update(mailbox)
    .where(mailbox.c.id == bindparam("mailbox_id"))
    .values({name: bindparam(name) for name in ("inbox_id", "sent_id", "deleted_id")}),
    "RENAME_OWNER": update(mailbox)
    .where(mailbox.c.id == bindparam("mailbox_id"))
    .values(display_name=bindparam("display_name")),
    "MAILBOX": _own(Owner, mailbox, "id"),
    "MAILBOX_BY_ADDRESS": _own(Owner, mailbox, "address"),
    "INSERT_CONNECTION": _insert(connection),
    "CONNECTION": select(connection.c.mailbox_id).where(connection.c.id == bindparam("id")),
    "CONNECTIONS": select(connection.c.id, *_columns(Owner, mailbox))
    .join(mailbox, mailbox.c.id == connection.c.mailbox_id)
    .order_by(connection.c.id),
    "CONNECTIONS_BESIDE": select(connection.c.id, *_columns(Owner, mailbox))
    .join(mailbox, mailbox.c.id == connection.c.mailbox_id)
    .where(
        connection.c.mailbox_id == select(_beside.c.mailbox_id).where(_beside.c.id == bindparam("id")).scalar_subquery()
    ),
    # Two connections to one mailbox may name the same address.
    "INSERT_GRANT": _insert(grant).prefix_with("OR IGNORE"),  # type: ignore[attr-defined]
    "GRANT": select(grant.c.address).where(
        grant.c.mailbox_id == bindparam("mailbox_id"), grant.c.address == bindparam("address")
    ),
    "GRANTS": select(grant.c.address).where(grant.c.mailbox_id == bindparam("mailbox_id")).order_by(grant.c.address),
    # folders
    "INSERT_FOLDER": _insert(folder, "id"),
    "FOLDER": _own(Folder, folder, "id", "mailbox_id"),
    "FOLDER_BY_WELL_KNOWN": _own(Folder, folder, "mailbox_id", "well_known"),
    # A statement of its own, since a parameter that is null equals nothing in SQL.
    "ROOT_FOLDERS": select(*_columns(Folder, folder))
    .where(folder.c.mailbox_id == bindparam("mailbox_id"), folder.c.parent_id.is_(None))
    .order_by(folder.c.name, folder.c.id),
    "CHILD_FOLDERS": select(*_columns(Folder, folder))
    .where(folder.c.mailbox_id == bindparam("mailbox_id"), folder.c.parent_id == bindparam("parent_id"))
    .order_by(folder.c.name, folder.c.id),
    # mail
    "INSERT_CONTENT": _insert_record(content, NewContent, "sender", "recipients_to", "recipients_cc", "reply_to"),
    "CONVERSATION_OF": select(content.c.conversation_id)
    .where(content.c.message_id == bindparam("message_id"))
    .limit(_ONE)
    .offset(_ZERO),
    "INSERT_ATTACHMENT": _insert(attachment, "id"),
    "ATTACHMENTS": select(*_columns(AttachmentInfo, attachment))
    .where(attachment.c.content_id == bindparam("content_id"))
    .order_by(attachment.c.id),
    "ATTACHMENT_CONTENT": select(*_unless_large(attachment.c.content)).where(attachment.c.id == bindparam("id")),
    "CONTENT_USERS": union_all(
        select(message.c.id).where(message.c.content_id == bindparam("content_id")),
        select(outbox_mail.c.id).where(outbox_mail.c.content_id == bindparam("content_id")),
    ),
    "DELETE_ATTACHMENTS": delete(attachment).where(attachment.c.content_id == bindparam("content_id")),
    "DELETE_CONTENT": delete(content).where(content.c.id == bindparam("content_id")),
    "STORED_MAIL": select(
        *(column for column in _columns(StoredMail, content) if column.name != "raw"), *_unless_large(content.c.raw)
    ).where(content.c.id == bindparam("id")),
    "BODY": select(content.c.body).where(content.c.id == bindparam("id")),
    "INSERT_MESSAGE": _insert_record(message, NewMessage, "recipients_bcc"),
    "COPY_MESSAGE": insert(message).from_select(
        [c.name for c in message.c if c.name != "id"],
        select(
            *(
                bindparam("to_folder_id").label("folder_id") if c.name == "folder_id" else c
                for c in message.c
                if c.name != "id"
            )
        ).where(message.c.id == bindparam("id")),
    ),
    "DELETE_MESSAGE": delete(message).where(message.c.id == bindparam("id")),
    "MARK_READ": update(message).where(message.c.id == bindparam("message_id")).values(is_read=_ONE),
    "MARK_UNREAD": update(message).where(message.c.id == bindparam("message_id")).values(is_read=_ZERO),
    "FLAG": update(message).where(message.c.id == bindparam("message_id")).values(is_flagged=_ONE),
    "UNFLAG": update(message).where(message.c.id == bindparam("message_id")).values(is_flagged=_ZERO),
    "SET_LAST_VERB": update(message).where(message.c.id == bindparam("message_id")).values(last_verb=bindparam("verb")),
    "MESSAGE": _MESSAGES.where(message.c.id == bindparam("id"), message.c.mailbox_id == bindparam("mailbox_id")),
    "MESSAGE_BY_MESSAGE_ID": _MESSAGES.where(
        content.c.message_id == bindparam("message_id"), message.c.mailbox_id == bindparam("mailbox_id")
    )
    .order_by(message.c.id)
    .limit(_ONE)
    .offset(_ZERO),
    "LIST_MESSAGES": _lists(_MESSAGES),
    "LIST_KEYS": _lists(select(message.c.id, message.c.is_read, message.c.is_flagged)),
    # search
    "SEARCH_ENTRY": select(search_entry.c.rowid_).where(search_entry.c.message_id == bindparam("message_id")),
    "SET_SEARCH_ENTRY": insert(search_entry)
    .prefix_with("OR REPLACE")
    .values(message_id=bindparam("message_id"), rowid_=bindparam("rowid")),
    "DELETE_SEARCH_ENTRY": delete(search_entry).where(search_entry.c.message_id == bindparam("message_id")),
    "CHANGED_MESSAGES": select(change.c.seq, change.c.item_id)
    .where(change.c.seq > bindparam("seq"), change.c.kind == literal_column("'message'"))
    .order_by(change.c.seq)
    .limit(bindparam("top"))
    .offset(_ZERO),
    "MESSAGE_ANYWHERE": _MESSAGES.where(message.c.id == bindparam("id")),
    "MESSAGE_HEAD": _HEADS.where(message.c.id == bindparam("id")),
    "MESSAGE_HEADS": _page(
        _HEADS,
        message,
        message.c.content_id > bindparam("newer"),
        _HAS_SUBJECT,
        or_(bindparam("mailbox_id") == _ZERO, message.c.mailbox_id == bindparam("mailbox_id")),
    ),
    # calendars
    "INSERT_CALENDAR": _insert(calendar, "id"),
    "CALENDARS": _item_folders(calendar),
    "INSERT_EVENT": _insert(event, "id"),
    "UPDATE_EVENT": _update(event, "mailbox_id", "created", "master_id", "original_start"),
    "DELETE_EVENT": delete(event).where(event.c.id == bindparam("id")),
    "EVENT": _own(Event, event, "id", "mailbox_id"),
    "EVENT_BY_EXTERNAL_ID": _EVENTS.where(
        event.c.mailbox_id == bindparam("mailbox_id"),
        event.c.external_id == bindparam("external_id"),
        event.c.master_id.is_(None),
    ),
    "EVENTS_BY_UID": _EVENTS.where(
        event.c.mailbox_id == bindparam("mailbox_id"), event.c.uid == bindparam("uid"), event.c.master_id.is_(None)
    ).order_by(event.c.id),
    "EXCEPTIONS": _EVENTS.where(event.c.master_id == bindparam("master_id")).order_by(event.c.original_start),
    "EXCEPTION": _EVENTS.where(
        event.c.master_id == bindparam("master_id"), event.c.original_start == bindparam("original_start")
    ),
    "EVENTS": _EVENTS.where(_IN_CALENDAR, event.c.master_id.is_(None)).order_by(event.c.start_at, event.c.id),
    # A time window finds short events by their start, and long events and series by their whole span.
    "SHORT_EVENTS": _EVENTS.where(
        _IN_CALENDAR,
        event.c.reach == _ZERO,
        event.c.start_at >= bindparam("earliest"),
        # Of those that start at the earliest instant, the ones that an earlier page did not have.
        or_(event.c.start_at > bindparam("earliest"), event.c.id > bindparam("after")),
        event.c.start_at < bindparam("until"),
    )
    .order_by(event.c.start_at, event.c.id)
    .limit(bindparam("top"))
    .offset(_ZERO),
    "LONG_EVENTS": select(event.c.id).where(
        _IN_CALENDAR,
        event.c.reach > _ZERO,
        event.c.span_end >= bindparam("since"),
        event.c.span_start < bindparam("until"),
    ),
    # By a span and not by LIKE: SQLite compiles a statement again whenever a parameter of LIKE changes.
    "INVITATIONS": select(list_entry.c.owner_id, list_entry.c.value)
    .where(
        list_entry.c.member == literal_column("'attendees'"),
        list_entry.c.kind == literal_column("'event'"),
        or_(
            list_entry.c.value == bindparam("address"),
            (list_entry.c.value >= bindparam("since")) & (list_entry.c.value < bindparam("until")),
        ),
    )
    .order_by(list_entry.c.owner_id),
    "EVENT_ANYWHERE": _EVENTS.where(event.c.id == bindparam("id")),
    "ALL_EVENTS": _EVENTS,
    "EVENT_PAGE": _page(_EVENTS, event, event.c.master_id.is_(None)),
    "INSERT_LIST_ENTRY": _insert(list_entry, "id"),
    "DELETE_LIST_ENTRIES": delete(list_entry).where(
        list_entry.c.kind == bindparam("kind"), list_entry.c.owner_id == bindparam("owner_id")
    ),
    # contacts
    "INSERT_CONTACT_FOLDER": _insert(contact_folder, "id"),
    "CONTACT_FOLDERS": _item_folders(contact_folder),
    "INSERT_CONTACT": _insert(contact, "id"),
    "UPDATE_CONTACT": _update(contact, "mailbox_id", "folder_id", "created"),
    "DELETE_CONTACT": delete(contact).where(contact.c.id == bindparam("id")),
    "CONTACT": _own(Contact, contact, "id", "mailbox_id"),
    "CONTACTS": select(*_columns(Contact, contact))
    .where(contact.c.folder_id == bindparam("folder_id"))
    .order_by(contact.c.display_name, contact.c.id),
    # approvals
    "INSERT_QUESTION": _insert(question, "id", "answer", "answered", "withdrawn"),
    "QUESTION": _own(Question, question, "token"),
    "QUESTIONS": select(*_columns(Question, question)).order_by(question.c.id),
    "ANSWER_QUESTION": update(question)
    .where(question.c.id == bindparam("question_id"))
    .values(answer=bindparam("answer"), answered=bindparam("answered")),
    "WITHDRAW_QUESTION": update(question).where(question.c.id == bindparam("question_id")).values(withdrawn=_ONE),
    # the outbox
    "INSERT_OUTBOX_MAIL": _insert(outbox_mail, "id"),
    "OUTBOX_MAILS": _OUTBOX.order_by(outbox_mail.c.id),
    "OUTBOX_MAIL": _OUTBOX.where(outbox_mail.c.id == bindparam("id")),
    "OUTBOX_BEFORE": _OUTBOX.where(outbox_mail.c.id < bindparam("before"))
    .order_by(outbox_mail.c.id.desc())
    .limit(bindparam("top"))
    .offset(_ZERO),
    "OUTBOX_PAGE": _page(_OUTBOX, outbox_mail, outbox_mail.c.content_id > bindparam("newer"), _HAS_SUBJECT),
    "SET_OUTBOX_RECIPIENTS": update(outbox_mail)
    .where(outbox_mail.c.id == bindparam("outbox_id"))
    .values(recipients=bindparam("left")),
    "DELETE_OUTBOX_MAIL": delete(outbox_mail).where(outbox_mail.c.id == bindparam("outbox_id")),
    "CONTENT_FLAGS": select(content.c.importance, content.c.has_attachments).where(content.c.id == bindparam("id")),
    "OUTBOX_MAIL_SOURCE": select(outbox_mail.c.content_id, outbox_mail.c.mailbox_id).where(
        outbox_mail.c.id == bindparam("id")
    ),
    # the change feed
    "APPEND_CHANGE": _insert_record(change, NewChange, "before"),
    "LAST_CHANGE": select(func.coalesce(func.max(change.c.seq), _ZERO)),
    "LAST_CHANGE_AT": select(func.coalesce(func.max(change.c.at), _ZERO)),
    "FIRST_CHANGE": select(func.coalesce(func.min(change.c.seq), _ZERO)),
    "EARLIER_STATES": select(change.c.seq, change.c.before).where(change.c.before.is_not(None)),
    "CHANGE_SIZES": select(change.c.seq, func.length(change.c.before))
    .where(change.c.before.is_not(None))
    .order_by(change.c.seq.desc()),
    "CHANGE_UNTIL": select(func.max(change.c.at)).where(change.c.seq <= bindparam("seq")),
    "DELETE_CHANGES": delete(change).where(change.c.seq <= bindparam("seq")),
    "CHANGES_OF": select(*_columns(Change, change))
    .where(
        change.c.mailbox_id == bindparam("mailbox_id"),
        change.c.kind == bindparam("kind"),
        change.c.at > bindparam("after"),
    )
    .order_by(change.c.at)
    .limit(bindparam("top"))
    .offset(_ZERO),
    "REMOVALS": select(change.c.action, change.c.item_id)
    .where(
        change.c.seq > bindparam("after"),
        change.c.seq <= bindparam("until"),
        # A sum, so that SQLite does not read the whole mailbox by its index.
        change.c.mailbox_id + _ZERO == bindparam("mailbox_id"),
        change.c.kind == literal_column("'message'"),
        change.c.action.in_((literal_column("'deleted'"), literal_column("'moved'"))),
    )
    .order_by(change.c.seq),
    "CHANGES": select(*_columns(Change, change))
    .where(change.c.seq > bindparam("seq"))
    .order_by(change.c.seq)
    .limit(bindparam("top"))
    .offset(_ZERO),
    # callbacks, subscriptions and push triggers
    "INSERT_CALLBACK": _insert(callback, "id", "attempted", "last_status", "last_error"),
    "FIRST_CALLBACK": select(*_columns(Callback, callback))
    .where(callback.c.url == bindparam("url"), callback.c.state == _PENDING)
    .order_by(callback.c.id)
    .limit(_ONE)
    .offset(_ZERO),
    "WAITING_CALLBACK": select(callback.c.id)
    .where(
        callback.c.url == bindparam("url"),
        callback.c.state == _PENDING,
        callback.c.kind == bindparam("kind"),
        callback.c.reference == bindparam("reference"),
        callback.c.attempts == _ZERO,
        callback.c.attempted.is_(None),
    )
    .limit(_ONE)
    .offset(_ZERO),
    "CANCEL_CALLBACKS": update(callback)
    .where(
        callback.c.state == _PENDING,
        callback.c.kind == bindparam("of"),
        callback.c.reference == bindparam("named"),
    )
    .values(state=literal_column("'cancelled'")),
    "TRIM_CALLBACKS": delete(callback).where(callback.c.id <= bindparam("below"), callback.c.state != _PENDING),
    "POSTPONE_CALLBACK": update(callback).where(callback.c.id == bindparam("key")).values(due=bindparam("until")),
    "BEGIN_ATTEMPT": update(callback).where(callback.c.id == bindparam("key")).values(attempted=bindparam("attempted")),
    # A callback that is cancelled during an attempt stays cancelled.
    "RECORD_ATTEMPT": update(callback)
    .where(callback.c.id == bindparam("key"), callback.c.state == _PENDING)
    .values({n: bindparam(n) for n in ("state", "attempts", "due", "attempted", "last_status", "last_error")}),
    "CALLBACKS": select(*_columns(Callback, callback)).order_by(callback.c.id),
    "CALLBACK": _own(Callback, callback, "id"),
    "CALLBACK_PAGE": _page(select(*_columns(Callback, callback)), callback),
    "INSERT_SUBSCRIPTION": _insert(subscription),
    "SUBSCRIPTION": _own(Subscription, subscription, "id", "mailbox_id"),
    "LIVE_SUBSCRIPTIONS": select(*_columns(Subscription, subscription))
    .where(_LIVE)
    .order_by(subscription.c.expires, subscription.c.id),
    "SUBSCRIPTIONS_SEEN": update(subscription)
    .where(_LIVE, subscription.c.seen < bindparam("position"))
    .values(seen=bindparam("position")),
    "RENEW_SUBSCRIPTION": update(subscription)
    .where(subscription.c.id == bindparam("key"))
    .values(url=bindparam("url"), expires=bindparam("expires")),
    "DELETE_SUBSCRIPTION": delete(subscription).where(subscription.c.id == bindparam("id")),
    "DELETE_EXPIRED_SUBSCRIPTIONS": delete(subscription).where(subscription.c.expires <= bindparam("now")),
    "SET_PUSH": insert(push).prefix_with("OR REPLACE").values({c.name: bindparam(c.name) for c in push.c}),
    "PUSH": _own(PushTrigger, push, "connection_id", "name"),
    "PUSHES_OF": _own(PushTrigger, push, "connection_id").order_by(push.c.name),
    "PUSHES": select(*_columns(PushTrigger, push)).order_by(push.c.connection_id, push.c.name),
    "MOVE_PUSH": update(push)
    .where(push.c.connection_id == bindparam("of"), push.c.name == bindparam("named"))
    .values(cursor=bindparam("cursor")),
    "DELETE_PUSH": delete(push).where(
        push.c.connection_id == bindparam("connection_id"), push.c.name == bindparam("name")
    ),
    **SNAPSHOT_STATEMENTS,
}

SEARCH_COLUMNS = (
    "message_id",
    "subject",
    "body",
    "sender",
    "recipients_to",
    "recipients_cc",
    "recipients_bcc",
    "attachments",
    "tags",
)
# The index is named, since the planner may choose the other index on the state.
_FROM_WAITING = "FROM callback INDEXED BY callback_url WHERE state = 'pending'"
RAW_STATEMENTS = {
    # In one statement, since a mailbox has many of them and a sandbox may have thousands of mailboxes.
    "INSERT_WELL_KNOWN_FOLDERS": "INSERT INTO folder (mailbox_id, name, well_known)"
    " SELECT :mailbox_id, value, key FROM json_each(:folders) RETURNING well_known, id",
    "MAILBOXES_BY_ADDRESS": f"SELECT {', '.join(Owner._fields)} FROM mailbox"
    " WHERE address IN (SELECT value FROM json_each(:addresses))",
    "RESERVE_ATTACHMENT": "UPDATE attachment SET content = zeroblob(:size) WHERE id = :id",
    "RESERVE_RAW": "UPDATE content SET raw = zeroblob(:size) WHERE id = :id",
    # Skips from URL to URL in the index of pending callbacks, however many are pending for each.
    "ANYONE_CALLED": "SELECT 1 FROM subscription UNION ALL SELECT 1 FROM push"
    " UNION ALL SELECT 1 FROM callback WHERE state = 'pending' LIMIT 1",
    "CALLBACKS_DUE": f"WITH RECURSIVE waited (url) AS (SELECT min(url) {_FROM_WAITING}"
    f" UNION ALL SELECT (SELECT min(url) {_FROM_WAITING} AND url > waited.url)"
    " FROM waited WHERE waited.url IS NOT NULL)"
    " SELECT waited.url, callback.due FROM waited"
    f" JOIN callback ON callback.id = (SELECT min(id) {_FROM_WAITING} AND url = waited.url)",
    "MERGE_INDEX": "INSERT INTO message_search (message_search, rank) VALUES ('merge', :pages)",
    # Two counts in indexes: a sum over the rows would read all of them.
    "FOLDER_COUNTS": "SELECT folder.mailbox_id, folder.id,"
    " (SELECT count(*) FROM message INDEXED BY message_folder WHERE folder_id = folder.id),"
    " (SELECT count(*) FROM message WHERE folder_id = folder.id AND is_read = 0) FROM folder",
    "COUNT_OUTBOX": "SELECT count(*) FROM outbox_mail",
    "SEARCH": "SELECT rowid, message_id FROM message_search WHERE message_search MATCH :match"
    " AND rowid >= :since AND rowid < :until ORDER BY rowid DESC LIMIT :top",
    "FORGET_MESSAGE": "DELETE FROM message_search WHERE rowid = :rowid",
    "INDEX_MESSAGE": f"INSERT INTO message_search (rowid, {', '.join(SEARCH_COLUMNS)})"
    f" VALUES (:rowid, {', '.join(f':{name}' for name in SEARCH_COLUMNS)})",
}
