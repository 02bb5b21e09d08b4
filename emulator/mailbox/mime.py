"""Mail as bytes: reading an internet message into a Mail, and writing a Mail as one (RFC 5322 and MIME)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from emulator.enums import Importance
from emulator.errors import InvalidRequest
from emulator.mailbox.message import DEFAULT_IMPORTANCE, Address, Attachment, Mail
from emulator.mailbox.mime_compose import OWN_HEADERS, compose
from emulator.mailbox.mime_headers import read_addresses, read_date, read_ids, read_text
from emulator.mailbox.mime_parts import Part, is_mail, read_mail

__all__ = ["compose", "parse"]

MAX_DEPTH = 100

_HIGH, _NORMAL, _LOW = Importance["High"], Importance["Normal"], Importance["Low"]
_IMPORTANCES = {
    "importance": {"high": _HIGH, "normal": _NORMAL, "low": _LOW},
    "x-priority": {"1": _HIGH, "2": _HIGH, "3": _NORMAL, "4": _LOW, "5": _LOW},
    "x-msmail-priority": {"high": _HIGH, "normal": _NORMAL, "low": _LOW},
    "priority": {"urgent": _HIGH, "normal": _NORMAL, "non-urgent": _LOW},
}
_EXTENSIONS = {
    "text/plain": "txt",
    "text/rfc822-headers": "txt",
    "message/delivery-status": "txt",
    "message/disposition-notification": "txt",
    "message/rfc822": "eml",
    "text/calendar": "ics",
    "text/vcard": "vcf",
    "image/jpeg": "jpg",
    "image/svg+xml": "svg",
    "application/pgp-signature": "asc",
    "application/pgp-encrypted": "asc",
    "application/pkcs7-mime": "p7m",
    "application/pkcs7-signature": "p7s",
    "application/ms-tnef": "dat",
}
_ENCRYPTED_MAIL = frozenset({"application/x-microsoft-rpmsg-message", "application/pgp-encrypted"})
_PKCS7 = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})


def parse(raw: bytes) -> Mail:
    """The mail these bytes are, with `raw` kept.

    An HTML body is preferred to a plain one; line ends of the body become `\\r\\n`. Every other part is an attachment,
    with a made-up name when it has none; a nested mail keeps its bytes and is named after its subject. Broken MIME
    gives what can be read. Raises InvalidRequest when this is no mail at all, or one nested more than 100 deep.
    """
    root = read_mail(raw)
    if not is_mail(root.headers):
        raise InvalidRequest(
            "The content is not a mail: it has none of the headers From, To, Cc, Subject, Date, Message-ID or"
            " MIME-Version."
        )
    found = _read(root, MAX_DEPTH)
    body = found.body
    return Mail(
        sender=next(iter(_addresses(root, "from")), None),
        to=_addresses(root, "to"),
        cc=_addresses(root, "cc"),
        bcc=_addresses(root, "bcc"),
        reply_to=_addresses(root, "reply-to"),
        subject=read_text(root.header("subject")),
        body=body.text() if body else "",
        is_html=body is not None and body.content_type == "text/html",
        importance=_importance(root),
        sent=read_date(root.header("date")),
        message_id=next(iter(read_ids(root.header("message-id"))), None),
        in_reply_to=next(iter(read_ids(root.header("in-reply-to"))), None),
        references=read_ids(root.header("references")),
        headers=tuple((name, read_text(value)) for name, value in root.headers if not _is_own(name)),
        attachments=_attachments(found),
        is_encrypted=_is_encrypted(root, found),
        raw=raw,
    )


def _addresses(root: Part, name: str) -> tuple[Address, ...]:
    values = [value for other, value in root.headers if other.lower() == name]
    return tuple(address for value in values for address in read_addresses(value))


def _importance(root: Part) -> int:
    for name, levels in _IMPORTANCES.items():
        word = re.match(r"[\w-]+", root.header(name).strip().lower())
        if word and word[0] in levels:
            return levels[word[0]]
    return DEFAULT_IMPORTANCE


def _is_own(name: str) -> bool:
    lower = name.lower()
    return lower in OWN_HEADERS or lower == "mime-version" or lower.startswith("content-")


@dataclass
class _Found:
    # What a part holds: the part to show, and the parts to attach, each with whether the body shows it.
    body: Part | None = None
    attached: list[tuple[Part, bool]] = field(default_factory=list)

    def add(self, other: _Found) -> None:
        if self.body is None:
            self.body = other.body
        elif other.body is not None:
            self.attached.append((other.body, False))
        self.attached.extend(other.attached)


def _read(part: Part, depth: int, is_related: bool = False) -> _Found:
    if depth == 0:
        raise InvalidRequest(f"The mail nests its parts more than {MAX_DEPTH} deep.")
    children = part.children() if part.content_type.startswith("multipart/") else []
    if not children:
        return _read_leaf(part, is_related)
    subtype = part.content_type.removeprefix("multipart/")
    if subtype == "alternative":
        return _read_alternative(children, depth - 1)
    found = _Found()
    for index, child in enumerate(children):
        found.add(_read(child, depth - 1, subtype == "related" and index > 0))
    return found


def _read_alternative(children: list[Part], depth: int) -> _Found:
    choices = [_read(child, depth) for child in children]
    bodies = [choice.body for choice in choices if choice.body is not None]
    html = [body for body in bodies if body.content_type == "text/html"]
    attached = [entry for choice in choices for entry in choice.attached]
    return _Found(next(iter(html or bodies), None), attached)


def _read_leaf(part: Part, is_related: bool) -> _Found:
    disposition, _ = part.disposition
    # A multipart without its boundary is shown as the text it is, as mail programs do.
    is_text = part.content_type in ("text/plain", "text/html") or part.content_type.startswith("multipart/")
    if is_text and not is_related and disposition != "attachment" and not _file_name(part):
        return _Found(part)
    shown = bool(part.header("content-id")) and disposition != "attachment"
    return _Found(attached=[(part, shown or (is_related and disposition == "inline"))])


def _file_name(part: Part) -> str:
    return part.disposition[1].get("filename") or part.parameters.get("name", "")


def _attachments(found: _Found) -> tuple[Attachment, ...]:
    return tuple(
        _attachment(part, is_inline, number) for number, (part, is_inline) in enumerate(found.attached, start=1)
    )


def _attachment(part: Part, is_inline: bool, number: int) -> Attachment:
    content = part.content()
    return Attachment(
        name=_file_name(part) or _made_up_name(part.content_type, content, number),
        content=content,
        content_type=part.content_type,
        is_inline=is_inline,
        content_id=read_text(part.header("content-id")).strip("<> ") or None,
    )


def _made_up_name(content_type: str, content: bytes, number: int) -> str:
    if content_type == "text/calendar":
        return "invite.ics"
    if content_type == "message/rfc822" and (subject := read_text(read_mail(content).header("subject"))):
        return f"{subject}.eml"
    subtype = content_type.partition("/")[2]
    short = subtype if re.fullmatch(r"[a-z0-9]{2,4}", subtype) else "bin"
    return f"attachment-{number}.{_EXTENSIONS.get(content_type, short)}"


def _is_encrypted(root: Part, found: _Found) -> bool:
    parts = [part for part, _ in found.attached]
    return root.content_type == "multipart/encrypted" or any(map(_hides_the_mail, parts))


def _hides_the_mail(part: Part) -> bool:
    name = _file_name(part).lower()
    if part.content_type in _PKCS7:
        smime_type = part.parameters.get("smime-type", "").lower()
        return smime_type in ("enveloped-data", "authenveloped-data") or (not smime_type and name.endswith(".p7m"))
    return part.content_type in _ENCRYPTED_MAIL or name == "message.rpmsg"
