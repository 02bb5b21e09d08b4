"""The pages of the mails of a mailbox: the list of a folder, a message, and a form that delivers one."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, NamedTuple

from starlette.responses import Response

from outlook_emulator.enums import Importance
from outlook_emulator.errors import ConnectorError, InvalidField, InvalidRequest
from outlook_emulator.ids import IdKind, looks_like_id
from outlook_emulator.mailbox import addresses
from outlook_emulator.mailbox.mail import folders, listing, reading
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.server.slices import in_slices
from outlook_emulator.server.times import read_instant
from outlook_emulator.server.web import approvals, mail_views
from outlook_emulator.server.web.mail_views import MailBody
from outlook_emulator.server.web.page import Page, PageRequest
from outlook_emulator.store import mail as mail_store
from outlook_emulator.store.records import Counts, Facets, Folder, Message, MessageKey

_TOP = 50
_DAY = 86_400_000_000
_IMPORTANCES = ("low", "normal", "high")
_LARGEST_KEY = 2**63 - 1


class ListedFolder(NamedTuple):
    """A folder in the tree beside a list. `reference` names it in URLs, `depth` is 0 at the root."""

    id: int
    name: str
    reference: str
    depth: int
    counts: Counts


# The list of a folder


async def load_list(request: PageRequest) -> dict[str, Any]:
    mailbox, query = request.mailbox, request.query
    folder_id = folders.resolve(mailbox, query.get("folder") or "Inbox")
    # The messages first: other requests may run during a search.
    messages, problem = await _messages(request, folder_id, query)
    tree = tree_of(mailbox)
    folder = next(listed for listed in tree if listed.id == folder_id)
    filters = {name: query[name] for name in (*_FILTERS, "folder") if query.get(name)}
    here = request.page.path
    last = messages[_TOP - 1] if len(messages) > _TOP else None
    return {
        "title": folder.name,
        "owner": mailbox.owner,
        "folder": folder,
        "folders": tree,
        "rows": [_row(mailbox, message) for message in messages[:_TOP]],
        "problem": problem,
        "is_filtered": any(name != "folder" for name in filters),
        "shows_recipients": folder_id == mailbox.owner.sent_id,
        "importances": [(name, name.capitalize()) for name in reversed(_IMPORTANCES)],
        "newest": request.url(here, **filters) if query.get("before") else "",
        "older": request.url(here, **filters, before=f"{last.received}-{last.id}") if last else "",
    }


_FILTERS = ("search", "unread", "flagged", "attachment", "importance", "since", "until")


async def _messages(request: PageRequest, folder_id: int, query: Any) -> tuple[list[Message], str]:
    """One message more than a page shows, and why a filter was refused."""
    mailbox = request.mailbox
    facets = Facets(
        bool(query.get("unread")),
        bool(query.get("flagged")),
        bool(query.get("attachment")),
        listing.importance_facet(query.get("importance", "")),
    )
    try:
        place: dict[str, Any] = {
            "since": _day(query.get("since", ""), "since"),
            "until": _end_of_day(query.get("until", ""), "until"),
            "before": _position(query.get("before", "")),
            "top": _TOP + 1,
        }
        if not (search := query.get("search", "").strip()):
            return listing.page(mailbox, folder_id, facets, **place), ""
        return await in_slices(listing.search_page(mailbox, search, folder_id, facets, **place), request.sandbox), ""
    except ConnectorError as error:
        # The page stays, so that the filter can be mended.
        error.rename("field", "Search")
        return [], error.original


def _day(text: str, name: str) -> int | None:
    return read_instant(text, name) if text else None


def _end_of_day(text: str, name: str) -> int | None:
    start = _day(text, name)
    # A day without a time belongs to the list as a whole.
    return start + _DAY if start is not None and len(text) == len("2026-03-02") else start


def _position(text: str) -> MessageKey | None:
    if not text:
        return None
    received, _, key = text.rpartition("-")
    try:
        position = MessageKey(int(received), int(key))
    except ValueError:
        position = None
    if position is None or not all(-_LARGEST_KEY <= number <= _LARGEST_KEY for number in position):
        raise InvalidRequest(f"'{text[:50]}' is no position in a folder.")
    return position


def tree_of(mailbox: Mailbox) -> list[ListedFolder]:
    """All folders of a mailbox: the well-known ones first, each followed by those below it."""
    counts = mail_store.folder_counts(mailbox.db).get(mailbox.owner.id, {})
    listed: list[ListedFolder] = []

    def add(folder: Folder, path: str | None, depth: int) -> None:
        # A folder whose name looks like a path or an id can only be named by its id.
        is_plain = path is not None and "/" not in folder.name and not looks_like_id(folder.name)
        own = f"{path}/{folder.name}" if path else folder.name
        reference = own if is_plain else folders.ID_PREFIX + mailbox.id_of(IdKind.FOLDER, folder.id)
        listed.append(ListedFolder(folder.id, folder.name, reference, depth, counts.get(folder.id, Counts(0, 0))))
        for child in folders.children(mailbox, folder.id):
            add(child, own if is_plain else None, depth + 1)

    order = list(folders.WELL_KNOWN)
    roots = folders.children(mailbox, None)
    for root in sorted(roots, key=lambda folder: order.index(folder.well_known) if folder.well_known else len(order)):
        add(root, "", 0)
    return listed


def _row(mailbox: Mailbox, message: Message) -> dict[str, Any]:
    return {
        "id": mailbox.id_of(IdKind.MESSAGE, message.id),
        "message": message,
        "to": addresses.split(message.recipients_to),
        "importance": _IMPORTANCES[message.importance],
    }


# A message


async def load_message(request: PageRequest) -> dict[str, Any]:
    mailbox = request.mailbox
    message = _message(request)
    folder = mail_store.folder(mailbox.db, mailbox.owner.id, message.folder_id)
    assert folder is not None
    body, files = _body(message), reading.files_of(mailbox, message.content_id)
    view = mail_views.view_of(request, body, more=("json",))
    tree = tree_of(mailbox)
    return {
        "title": message.subject or "(no subject)",
        "message": message,
        "folder": next(listed for listed in tree if listed.id == folder.id),
        "folders": tree,
        "importance": _IMPORTANCES[message.importance],
        "recipients": [
            (label, addresses.split(joined))
            for label, joined in (
                ("To", message.recipients_to),
                ("Cc", message.recipients_cc),
                ("Bcc", message.recipients_bcc),
                ("Reply to", message.reply_to),
            )
            if joined
        ],
        "question": approvals.question_in(request.sandbox, message.body),
        "state_of": approvals.state_of,
        **(await _answer_of_connector(request) if view == "json" else {}),
        **await mail_views.show(request, view, body, files, lambda: _source(request), more=("json",)),
    }


async def _answer_of_connector(request: PageRequest) -> dict[str, Any]:
    """What Get email answers, and the curl line that gets it."""
    with_files = request.query.get("files") == "1"
    query = {"includeAttachments": "true"} if with_files else {}
    answer = await request.connector("GET", request.path["connection"], f"/Mail/{request.path['message']}", query=query)
    return {"answer": answer, "with_files": with_files, "curl": answer.curl(request.server_url)}


def load_frame(request: PageRequest) -> Response:
    mailbox, message = request.mailbox, _message(request)
    return mail_views.frame(request, mailbox.db, _body(message), reading.files_of(mailbox, message.content_id))


def load_file(request: PageRequest) -> Response:
    mailbox, message = request.mailbox, _message(request)
    return mail_views.file_of(request, mailbox.db, reading.files_of(mailbox, message.content_id))


async def load_source(request: PageRequest) -> Response:
    return mail_views.source_file(_message(request).subject, await _source(request))


def mark_read(request: PageRequest) -> None:
    reading.mark_as_read(request.mailbox, message_id=request.path["message"])


def mark_unread(request: PageRequest) -> None:
    reading.mark_as_unread(request.mailbox, message_id=request.path["message"])


def flag(request: PageRequest) -> None:
    reading.flag(request.mailbox, message_id=request.path["message"])


def unflag(request: PageRequest) -> None:
    reading.unflag(request.mailbox, message_id=request.path["message"])


def move(request: PageRequest) -> str:
    """Move the message, and go to its page: a moved message has another id, and so another address."""
    mailbox = request.mailbox
    moved = reading.move(mailbox, message_id=request.path["message"], folder_path=request.form.text("folder"))
    return request.url(request.page.path, message=mailbox.id_of(IdKind.MESSAGE, moved.message.id))


def delete(request: PageRequest) -> str:
    """Delete the message, and go to the list in which it was."""
    mailbox, message = request.mailbox, _message(request)
    folder = next(listed for listed in tree_of(mailbox) if listed.id == message.folder_id)
    reading.delete(mailbox, message_id=request.path["message"])
    return request.url(_LIST, folder=folder.reference)


def _message(request: PageRequest) -> Message:
    return reading.message_of(request.mailbox, request.path["message"], "message")


def _body(message: Message) -> MailBody:
    return MailBody(message.body, message.is_html == 1)


async def _source(request: PageRequest) -> bytes:
    content: bytes = (await request.admin("GetMessageMime")).content
    return content


# Delivery


def load_delivery(request: PageRequest) -> dict[str, Any]:
    return {"owner": request.owner, "importances": list(Importance.__members__)}


async def deliver(request: PageRequest) -> str:
    """Deliver a mail that was written in the form, and go to its page."""
    form = request.form
    if not form.text("from"):
        raise InvalidField("from", "must be one mail address.")
    parts: dict[str, Any] = form.filled("from", "to", "cc", "subject", "importance", "folder")
    parts["html" if form.text("format") == "html" else "text"] = form.raw("body")
    parts["attachments"] = [
        {"Name": file.name, "ContentBytes": b64encode(file.content).decode("ascii")}
        for file in form.files.get("attachments", ())
    ]
    return _page_of(request, await request.admin("DeliverMail", parts))


async def deliver_files(request: PageRequest) -> str:
    """Deliver `.eml` files, and go to the mail if there is one, else to the list. Refused files stop no others."""
    files = request.form.files.get("mails", ())
    if not files:
        raise InvalidField("mails", "must be a file at least.")
    pages, problems = [], []
    for file in files:
        try:
            mail = await request.admin("DeliverMail", content=file.content, media_type=mail_views.MIME)
            pages.append(_page_of(request, mail))
        except ConnectorError as error:
            problems.append(f"{file.name}: {error.original}")
    if problems:
        raise InvalidRequest("\n".join([f"Delivered {len(pages)} of {len(files)} files.", *problems]))
    return pages[0] if len(pages) == 1 else request.url(_LIST)


def _page_of(request: PageRequest, delivered: Any) -> str:
    return request.url(_MESSAGE, message=delivered["message"]["Id"])


_LIST = "/s/{sandbox}/m/{connection}/mail"
_MESSAGE = f"{_LIST}/message/{{message}}"

PAGES = (
    Page(
        path=_LIST,
        title="Mail",
        template="mail.html",
        nav="Mail",
        load=load_list,
        actions={"import": deliver_files},
    ),
    Page(
        path=f"{_LIST}/deliver",
        title="Deliver a mail",
        template="deliver.html",
        section="Mail",
        load=load_delivery,
        actions={"deliver": deliver, "import": deliver_files},
    ),
    Page(
        path=_MESSAGE,
        title="Message",
        template="message.html",
        section="Mail",
        load=load_message,
        actions={
            "read": mark_read,
            "unread": mark_unread,
            "flag": flag,
            "unflag": unflag,
            "move": move,
            "delete": delete,
            "answer": approvals.answer,
        },
    ),
    Page(path=f"{_MESSAGE}/html", load=load_frame),
    Page(path=f"{_MESSAGE}/files/{{file}}", load=load_file),
    Page(path=f"{_MESSAGE}/source", load=load_source),
)
