"""The ways to look at a mail, which the pages of a message and of an outbox mail share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from starlette.responses import Response

from outlook_emulator.errors import InvalidRequest, NotFound
from outlook_emulator.mailbox.formats import mime
from outlook_emulator.mailbox.formats.charsets import decode_text
from outlook_emulator.mailbox.text import plain_text
from outlook_emulator.server.web import mail_frame
from outlook_emulator.server.web.download import download
from outlook_emulator.server.web.page import PageRequest
from outlook_emulator.store import mail as mail_store
from outlook_emulator.store.database import Database
from outlook_emulator.store.records import AttachmentInfo

MIME = "message/rfc822"
_LONGEST_TEXT = 200_000
"""How many characters of a text or of a source a page shows."""
_LABELS = {"html": "HTML", "text": "Text", "headers": "Headers", "source": "Source", "json": "As the connector answers"}


class MailBody(NamedTuple):
    """The body of a mail: its HTML, or plain text."""

    text: str
    is_html: bool


def view_of(request: PageRequest, body: MailBody, *, more: Sequence[str] = ()) -> str:
    """The view that the query names, else the one that fits the body; `more` are views besides those of each mail.

    Raises InvalidRequest.
    """
    views = _views(body, more)
    chosen = request.query.get("view") or views[0]
    if chosen not in views:
        raise InvalidRequest(f"This mail has no view '{chosen[:50]}'. There are: {', '.join(views)}.")
    return chosen


async def show(
    request: PageRequest,
    view: str,
    body: MailBody,
    files: Sequence[AttachmentInfo],
    source: Callable[[], Awaitable[bytes]],
    *,
    more: Sequence[str] = (),
) -> dict[str, Any]:
    """The values of the template `mail_views.html` for a view."""
    here = request.page.path
    values: dict[str, Any] = {
        "view": view,
        "views": [(_LABELS[name], request.url(here, view=name)) for name in _views(body, more)],
        "view_label": _LABELS[view],
        "files": files,
        "sandbox_of_frame": mail_frame.SANDBOX,
        "with_images": request.query.get("images") == "1",
        "has_remote_images": view == "html" and body.is_html and mail_frame.has_remote_images(body.text),
    }
    if view == "text":
        text = plain_text(body.text) if body.is_html else body.text
        values |= _cut(text.replace("\r\n", "\n"))
    elif view == "headers":
        values["headers"] = mime.headers_of(await source())
    elif view == "source":
        values |= _cut(decode_text(await source(), None).replace("\r\n", "\n"))
    return values


def frame(request: PageRequest, db: Database, body: MailBody, files: Sequence[AttachmentInfo]) -> Response:
    """The HTML of a mail for the frame on its page. Raises NotFound."""
    if not body.is_html:
        raise NotFound("This mail has no HTML.")
    return mail_frame.respond(
        body.text, files, lambda key: mail_store.attachment_bytes(db, key), request.query.get("images") == "1"
    )


def file_of(request: PageRequest, db: Database, files: Sequence[AttachmentInfo]) -> Response:
    """The attachment whose number the path names, counted from 1. Raises NotFound."""
    number = request.path["file"]
    if not (number.isascii() and number.isdecimal() and len(number) < 9 and 1 <= int(number) <= len(files)):
        raise NotFound(f"This mail has no attachment '{number[:20]}'.")
    info = files[int(number) - 1]
    return download(info.name, mail_store.attachment_bytes(db, info.id), info.content_type)


def source_file(subject: str, source: bytes) -> Response:
    """A mail as an `.eml` file."""
    return download(f"{subject[:100] or 'mail'}.eml", source, MIME)


def _views(body: MailBody, more: Sequence[str]) -> list[str]:
    return [*(["html"] if body.is_html else []), "text", "headers", "source", *more]


def _cut(text: str) -> dict[str, Any]:
    return {"text": text[:_LONGEST_TEXT], "is_cut": len(text) > _LONGEST_TEXT}
