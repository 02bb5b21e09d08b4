"""Writing a Mail as an internet message. Nothing is left to chance: equal mails give equal bytes."""

from __future__ import annotations

import re
from base64 import encodebytes
from binascii import b2a_qp
from collections.abc import Iterable, Iterator
from email.utils import format_datetime
from hashlib import sha256

from emulator.clock import moment
from emulator.enums import Importance
from emulator.mailbox.message import Attachment, Mail
from emulator.mailbox.mime_headers import line, written_addresses, written_parameter, written_text
from emulator.mailbox.mime_parts import is_mail, read_mail
from emulator.mailbox.text import plain_text

# The headers that are fields of a Mail.
OWN_HEADERS = frozenset({"from", "to", "cc", "bcc", "reply-to", "subject", "date", "message-id", "in-reply-to"})
OWN_HEADERS |= {"references", "importance", "x-priority", "x-msmail-priority", "priority"}
_PRIORITIES = {Importance["High"]: ("high", "1"), Importance["Low"]: ("low", "5")}
_MEDIA_TYPE = re.compile(r"(?!multipart/)[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")
_LONG_LINE = re.compile(rb"[^\n]{999}")


def compose(mail: Mail) -> bytes:
    """The mail as bytes: unchanged when it came from outside, otherwise as RFC 5322 asks, in UTF-8.

    An HTML body travels with its plain text beside it. Controls in headers become blanks, so no value can add a header
    of its own; times lose their fraction of a second, inline attachments come first, and line ends become `\\r\\n`.
    """
    if mail.raw is not None:
        return mail.raw
    lines = [line(name, value) for name, value in _headers(mail)]
    return b"".join(lines) + b"MIME-Version: 1.0\r\n" + _content(mail)


def _headers(mail: Mail) -> Iterator[tuple[str, str]]:
    if mail.sent is not None:
        yield "Date", format_datetime(moment(mail.sent))
    senders = (mail.sender,) if mail.sender else ()
    people = {"From": senders, "To": mail.to, "Cc": mail.cc, "Reply-To": mail.reply_to, "Bcc": mail.bcc}
    for name, addresses in people.items():
        if addresses:
            yield name, written_addresses(addresses)
    if mail.subject:
        yield "Subject", written_text(mail.subject)
    ids = {"Message-ID": mail.message_id, "In-Reply-To": mail.in_reply_to, "References": " ".join(mail.references)}
    yield from ((name, value) for name, value in ids.items() if value)
    if mail.importance in _PRIORITIES:
        yield from zip(("Importance", "X-Priority"), _PRIORITIES[Importance(mail.importance)], strict=True)
    yield from _extra_headers(mail.headers)


def _extra_headers(headers: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for name, value in headers:
        clean = re.sub(r"[^\x21-\x39\x3b-\x7e]", "", name)
        lower = clean.lower()
        if clean and lower not in OWN_HEADERS and lower != "mime-version" and not lower.startswith("content-"):
            yield clean, written_text(value)


def _content(mail: Mail) -> bytes:
    inline = [_attachment(attachment) for attachment in mail.attachments if attachment.is_inline]
    attached = [_attachment(attachment) for attachment in mail.attachments if not attachment.is_inline]
    content = _body(mail)
    if inline:
        content = _multipart("related", [content, *inline])
    return _multipart("mixed", [content, *attached]) if attached else content


def _body(mail: Mail) -> bytes:
    if not mail.is_html:
        return _text("plain", mail.body)
    return _multipart("alternative", [_text("plain", plain_text(mail.body)), _text("html", mail.body)])


def _text(subtype: str, text: str) -> bytes:
    data = re.sub(r"\r\n|\r|\n", "\r\n", text).encode("utf-8", "replace")
    is_plain = data.isascii() and b"\0" not in data and not _LONG_LINE.search(data)
    encoding = "7bit" if is_plain else "quoted-printable"
    headers = f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return headers.encode() + (data if is_plain else re.sub(rb"(?<!\r)\n", b"\r\n", b2a_qp(data)))


def _attachment(attachment: Attachment) -> bytes:
    content_type = _media_type(attachment)
    disposition = "inline" if attachment.is_inline else "attachment"
    name = written_parameter("filename", attachment.name) if attachment.name else ""
    content_id = re.sub(r"[\x00-\x20\x7f<>]", "", attachment.content_id or "")
    # RFC 2046 allows base64 for everything but messages.
    is_message = content_type.startswith("message/")
    lines = [
        line("Content-Type", content_type),
        line("Content-Disposition", disposition + name),
        line("Content-ID", f"<{content_id}>") if content_id else b"",
        line("Content-Transfer-Encoding", "8bit" if is_message else "base64"),
        b"\r\n",
        attachment.content if is_message else encodebytes(attachment.content).replace(b"\n", b"\r\n"),
    ]
    return b"".join(lines)


def _media_type(attachment: Attachment) -> str:
    named = attachment.content_type.lower()
    is_broken_mail = named == "message/rfc822" and not is_mail(read_mail(attachment.content).headers)
    return "application/octet-stream" if is_broken_mail or not _MEDIA_TYPE.fullmatch(named) else named


def _multipart(subtype: str, parts: list[bytes]) -> bytes:
    boundary = _boundary(parts)
    opening = f'Content-Type: multipart/{subtype}; boundary="{boundary}"\r\n'.encode()
    delimiter = f"\r\n--{boundary}".encode()
    return b"".join([opening, *(delimiter + b"\r\n" + part for part in parts), delimiter, b"--\r\n"])


def _boundary(parts: list[bytes]) -> str:
    # Taken from the content, which therefore cannot hold it.
    digest = sha256()
    for part in parts:
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return f"=_{digest.hexdigest()[:40]}"
