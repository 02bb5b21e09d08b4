"""The pages of the mails that left the sandbox."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from outlook_emulator.errors import InvalidRequest, NotFound
from outlook_emulator.mailbox import addresses
from outlook_emulator.mailbox.access import owner_of
from outlook_emulator.server.web import approvals, mail_views
from outlook_emulator.server.web.mail_views import MailBody
from outlook_emulator.server.web.page import Page, PageRequest
from outlook_emulator.store import mail as mail_store
from outlook_emulator.store import outbox
from outlook_emulator.store.records import OutboxMail

_TOP = 50


def load_outbox(request: PageRequest) -> dict[str, Any]:
    text = request.query.get("before", "")
    if text and not _is_key(text):
        raise InvalidRequest(f"'{text[:50]}' is no position in the outbox.")
    mails = outbox.before(request.sandbox.db, int(text) if text else mail_store.EVER, _TOP + 1)
    here = request.page.path
    return {
        "mails": [
            {"id": mail.id, "at": mail.at, "sender": mail.sender, "subject": mail.subject, "to": _recipients(mail)}
            for mail in mails[:_TOP]
        ],
        "total": outbox.count(request.sandbox.db),
        "newest": request.url(here) if text else "",
        "older": request.url(here, before=mails[_TOP - 1].id) if len(mails) > _TOP else "",
    }


async def load_mail(request: PageRequest) -> dict[str, Any]:
    db, mail = request.sandbox.db, _mail(request)
    body = _body(request, mail)
    files = mail_store.attachments(db, mail.content_id)
    view = mail_views.view_of(request, body)
    return {
        "title": mail.subject or "(no subject)",
        "mail": mail,
        "recipients": _recipients(mail),
        "owner": owner_of(db, source.mailbox_id) if (source := outbox.source(db, mail.id)) else None,
        "question": approvals.question_in(request.sandbox, body.text),
        "state_of": approvals.state_of,
        **await mail_views.show(request, view, body, files, lambda: _source(request)),
    }


def load_frame(request: PageRequest) -> Response:
    db, mail = request.sandbox.db, _mail(request)
    return mail_views.frame(request, db, _body(request, mail), mail_store.attachments(db, mail.content_id))


def load_file(request: PageRequest) -> Response:
    db = request.sandbox.db
    return mail_views.file_of(request, db, mail_store.attachments(db, _mail(request).content_id))


async def load_source(request: PageRequest) -> Response:
    return mail_views.source_file(_mail(request).subject, await _source(request))


def _mail(request: PageRequest) -> OutboxMail:
    text = request.path["outbox_mail"]
    mail = outbox.mail(request.sandbox.db, int(text)) if _is_key(text) else None
    if mail is None:
        raise NotFound(f"No mail '{text[:50]}' is in the outbox.")
    return mail


def _is_key(text: str) -> bool:
    # SQLite takes no number of more digits.
    return text.isascii() and text.isdecimal() and len(text) < 19


def _body(request: PageRequest, mail: OutboxMail) -> MailBody:
    content = mail_store.stored_mail(request.sandbox.db, mail.content_id)
    return MailBody(content.body, content.is_html == 1)


async def _source(request: PageRequest) -> bytes:
    content: bytes = (await request.admin("GetDepartedMime")).content
    return content


def _recipients(mail: OutboxMail) -> list[str]:
    return addresses.split(mail.recipients)


_MAIL = "/s/{sandbox}/outbox/{outbox_mail}"

PAGES = (
    Page(path="/s/{sandbox}/outbox", title="Outbox", template="outbox.html", nav="Outbox", load=load_outbox),
    Page(
        path=_MAIL,
        title="Mail that left",
        template="outbox_mail.html",
        section="Outbox",
        load=load_mail,
        actions={"answer": approvals.answer},
    ),
    Page(path=f"{_MAIL}/html", load=load_frame),
    Page(path=f"{_MAIL}/files/{{file}}", load=load_file),
    Page(path=f"{_MAIL}/source", load=load_source),
)
