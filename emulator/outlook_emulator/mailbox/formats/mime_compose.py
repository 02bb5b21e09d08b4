"""Composes internet messages with the email package. Equal mails give equal bytes."""

from __future__ import annotations

import re
from base64 import encodebytes
from collections.abc import Iterator
from email import message_from_bytes
from email.charset import BASE64, QP, Charset
from email.header import Header
from email.message import Message
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.policy import compat32
from email.utils import format_datetime, quote
from hashlib import sha256

from outlook_emulator.clock import moment
from outlook_emulator.enums import Importance
from outlook_emulator.mailbox.formats.mime_headers import CONTROLS, is_own_header
from outlook_emulator.mailbox.message import Address, Attachment, Mail
from outlook_emulator.mailbox.text import plain_text

_PRIORITIES = {Importance.High: ("high", "1"), Importance.Low: ("low", "5")}
# Not multipart: the package would look for parts in the content of a file.
_MEDIA_TYPE = re.compile(r"(?!multipart/)[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")
# RFC 5322 limits lines to 998 characters; unlike plain text, encoded words can be folded anywhere.
_LONGEST_PLAIN = 900
# Not the newer header classes of the package: they change texts that only look encoded, and lose spaces when they
# fold. Headers are folded when they are set, so the headers of a nested mail stay unchanged.
_POLICY = compat32.clone(linesep="\r\n", max_line_length=None)
# The package's own choice for UTF-8 is base64, in which nobody can read a raw mail.
_UTF_8 = Charset("utf-8")
_UTF_8.body_encoding = QP
_LONG_UTF_8 = Charset("utf-8")
_LONG_UTF_8.body_encoding = BASE64
LARGE = 512 * 1024
"""From this length on, a content is put in its place when the rest of the message is serialized."""
_STEP = 57 * 4096
"""Bytes that are encoded at once: whole lines of base64."""
_LONG_TEXT = 64 * 1024
"""Characters. Python's quoted-printable takes half a second for a megabyte, in which the server answers nobody."""


def compose(mail: Mail) -> bytes:
    """Serialize a mail: its original bytes if it came from outside, otherwise an RFC 5322 message in UTF-8.

    An HTML body has a plain text alternative. Control characters in headers become spaces, so that no value can add a
    header. Times lose their fraction of a second, inline attachments come first, and line ends become `\\r\\n`.
    """
    if mail.raw is not None:
        return mail.raw
    large = _LargeContents(_digest(mail))
    message = _content(mail, large)
    for name, value in _headers(mail):
        message[name] = value
    return large.filled(message.as_bytes())


class _LargeContents:
    """The large contents of a message, which are put in their places when the rest of it is serialized.

    The package works on the whole of a content several times, and lets no other thread run meanwhile.
    """

    def __init__(self, digest: str) -> None:
        self._digest = digest
        self._contents: list[bytes] = []

    def place(self, content: bytes) -> str:
        """Keep a content; returns the text that stands in its place."""
        self._contents.append(content)
        return self._place(len(self._contents) - 1)

    def filled(self, text: bytes) -> bytes:
        """A serialized message with the contents in base64 in their places."""
        if not self._contents:
            return text
        pieces: list[bytes] = []
        # From place to place, wherever each stands: the order of the parts is not that of the contents.
        start = 0
        for place in self._found.finditer(text):
            pieces.append(text[start : place.start()])
            content, start = self._contents[int(place[1])], place.end()
            for at in range(0, len(content), _STEP):
                pieces.append(encodebytes(content[at : at + _STEP]).replace(b"\n", b"\r\n"))
        return b"".join((*pieces, text[start:]))

    @property
    def _found(self) -> re.Pattern[bytes]:
        return re.compile(self._place("([0-9]+)").encode())

    def _place(self, number: object) -> str:
        return f"=_large_{self._digest}_{number}="


def compose_report(mail: Mail, status: bytes, original: bytes) -> bytes:
    """Serialize a delivery report: its text, the fields for programs, and the mail that it is about (RFC 6522).

    `status` and `original` are the content of the parts message/delivery-status and message/rfc822.
    """
    digest = _digest(mail)
    large = _LargeContents(digest)
    texts = [_body_text("plain", plain_text(mail.body), large), _body_text("html", mail.body, large)]
    machine, returned = _nested("message/delivery-status", status), _nested("message/rfc822", original)
    parts = [_multipart("alternative", digest, texts), *(part for part in (machine, returned) if part is not None)]
    message = _multipart("report", digest, parts)
    message.set_param("report-type", "delivery-status")
    for name, value in _headers(mail):
        message[name] = value
    return large.filled(message.as_bytes())


def _headers(mail: Mail) -> Iterator[tuple[str, str]]:
    if mail.sent is not None:
        yield "Date", format_datetime(moment(mail.sent))
    senders = (mail.sender,) if mail.sender else ()
    people = {"From": senders, "To": mail.to, "Cc": mail.cc, "Reply-To": mail.reply_to, "Bcc": mail.bcc}
    for name, addresses in people.items():
        if any(map(any, addresses)):
            yield name, _folded(name, ", ".join(_address(address) for address in addresses if any(address)))
    if mail.subject:
        yield "Subject", _text("Subject", mail.subject)
    ids = {"Message-ID": mail.message_id, "In-Reply-To": mail.in_reply_to, "References": " ".join(mail.references)}
    yield from ((name, _folded(name, _clean(value))) for name, value in ids.items() if value)
    if mail.importance in _PRIORITIES:
        yield from zip(("Importance", "X-Priority"), _PRIORITIES[Importance(mail.importance)], strict=True)
    others = ((re.sub(r"[^\x21-\x39\x3b-\x7e]", "", name), value) for name, value in mail.headers)
    yield from ((name, _text(name, value)) for name, value in others if name and not is_own_header(name))


def _clean(value: str) -> str:
    # Lone surrogates cannot be encoded.
    return CONTROLS.sub(" ", value).encode("utf-8", "replace").decode().strip(" ")


def _is_plain(value: str) -> bool:
    # A text that only looks like an encoded word is encoded, or readers would decode it.
    return value.isascii() and "=?" not in value and len(value) < _LONGEST_PLAIN


def _text(name: str, value: str) -> str:
    clean = _clean(value)
    return Header(clean, None if _is_plain(clean) else _UTF_8, header_name=name).encode(linesep="\r\n")


def _folded(name: str, value: str) -> str:
    if value.isascii():
        return Header(value, header_name=name).encode(linesep="\r\n")
    # Non-ASCII addresses and ids cannot be encoded words, so they are written as plain UTF-8 (RFC 6532).
    return value.encode().decode("ascii", "surrogateescape")


def _address(entry: Address) -> str:
    # An angle bracket or a blank would end the address, and what follows could be taken for another one.
    address, name = re.sub(r"[\s<>]", "", _clean(entry.address)), _clean(entry.name)
    words = f'"{quote(name)}"' if _is_plain(name) else _text("", name)
    return f"{words} <{address}>" if name else address


def _content(mail: Mail, large: _LargeContents) -> Message:
    digest = _digest(mail)
    invitations = [attachment for attachment in mail.attachments if _is_invitation(attachment)]
    inline = [
        _attachment(attachment, large)
        for attachment in mail.attachments
        if attachment.is_inline and attachment not in invitations
    ]
    attached = [
        _attachment(attachment, large)
        for attachment in mail.attachments
        if not attachment.is_inline and attachment not in invitations
    ]
    content = _body_text("html" if mail.is_html else "plain", mail.body, large)
    forms = [content, *map(_invitation, invitations)]
    if mail.is_html:
        # The plainest form first (RFC 2046): readers show the last one that they understand.
        forms.insert(0, _body_text("plain", plain_text(mail.body), large))
    if len(forms) > 1:
        content = _multipart("alternative", digest, forms)
    if inline:
        content = _multipart("related", digest, [content, *inline])
    return _multipart("mixed", digest, [content, *attached]) if attached else content


def _is_invitation(attachment: Attachment) -> bool:
    """Whether an attachment is the calendar part of an invitation (RFC 6047) instead of a file."""
    return attachment.is_inline and attachment.content_type.lower().startswith("text/calendar; method=")


def _invitation(attachment: Attachment) -> Message:
    part = Message(policy=_POLICY)
    part["Content-Type"] = f"{attachment.content_type}; charset=utf-8"
    part.set_payload(attachment.content.decode("utf-8", "replace"), _UTF_8)
    return part


def _digest(mail: Mail) -> str:
    # For the boundary between parts: a hash of the content, which the content cannot contain.
    digest = sha256(mail.body.encode("utf-8", "replace"))
    for attachment in mail.attachments:
        digest.update(attachment.content)
    return digest.hexdigest()[:40]


def _multipart(subtype: str, digest: str, parts: list[Message]) -> Message:
    return MIMEMultipart(subtype, boundary=f"=_{subtype}_{digest}", _subparts=parts, policy=_POLICY)


def _body_text(subtype: str, text: str, large: _LargeContents) -> Message:
    part = Message(policy=_POLICY)
    part["Content-Type"] = f"text/{subtype}"
    charset = _UTF_8 if len(text) <= _LONG_TEXT else _LONG_UTF_8
    if len(text) < LARGE:
        part.set_payload(text.encode("utf-8", "replace").decode(), charset)
    else:
        part.set_payload("", charset)
        part.set_payload(large.place(text.encode("utf-8", "replace")))
    return part


def _attachment(attachment: Attachment, large: _LargeContents) -> Message:
    media_type = attachment.content_type.lower()
    part = _nested(media_type, attachment.content) if media_type.startswith("message/") else None
    if part is None:
        is_large = len(attachment.content) >= LARGE
        part = MIMEApplication(b"" if is_large else attachment.content, policy=_POLICY)
        if is_large:
            part.set_payload(large.place(attachment.content))
        if _MEDIA_TYPE.fullmatch(media_type) and not media_type.startswith("message/"):
            part.set_type(media_type)
    name = _clean(attachment.name)
    is_plain = re.fullmatch(r"[\w .-]*", name, re.ASCII)
    disposition = "inline" if attachment.is_inline else "attachment"
    # Other names as in RFC 2231: encoded words are not allowed in parameters.
    part.add_header("Content-Disposition", disposition, filename=name if is_plain else ("utf-8", "", name))
    if content_id := re.sub(r"[\s<>]", "", _clean(attachment.content_id or "")):
        part["Content-ID"] = _folded("Content-ID", f"<{content_id}>")
    return part


def _nested(media_type: str, content: bytes) -> Message | None:
    # RFC 2046 forbids base64 in message parts, so content that is not a valid message becomes an ordinary file.
    if not _MEDIA_TYPE.fullmatch(media_type):
        return None
    try:
        part = message_from_bytes(f"Content-Type: {media_type}\r\n\r\n".encode() + content, policy=_POLICY)
        inner = part.get_payload()
        # Tried here, since a part that cannot be written would fail the whole mail.
        part.as_bytes()
    except Exception:  # The package raises many kinds of exceptions on broken headers.
        return None
    # The length of a message is the number of its headers; without any, the content is no message.
    return part if isinstance(inner, list) and any(map(len, inner)) else None
