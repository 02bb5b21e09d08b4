"""Parses internet messages (RFC 5322 and MIME)."""

from __future__ import annotations

import re
from mimetypes import MimeTypes

from outlook_emulator.enums import Importance
from outlook_emulator.errors import InvalidRequest, TooMuchContent
from outlook_emulator.mailbox.formats.charsets import as_utf_8
from outlook_emulator.mailbox.formats.mime_addresses import read_addresses
from outlook_emulator.mailbox.formats.mime_body import Content, find_content
from outlook_emulator.mailbox.formats.mime_headers import (
    Headers,
    header_text,
    is_own_header,
    read_date,
    read_headers,
    read_ids,
)
from outlook_emulator.mailbox.formats.mime_limits import MAX_ADDRESSES
from outlook_emulator.mailbox.formats.mime_parts import Part, is_broken, parse_parts
from outlook_emulator.mailbox.formats.skipped import Parsed, SkippedItem
from outlook_emulator.mailbox.message import DEFAULT_IMPORTANCE, Address, Attachment, Mail

__all__ = ["headers_of", "is_broken", "parse", "parse_lenient", "read_addresses"]

# A text needs one of these headers to count as a mail; other texts have `name:` lines too.
_MAIL_FIELDS = frozenset(
    {"from", "to", "cc", "bcc", "reply-to", "sender", "subject", "date", "message-id", "mime-version", "received"}
    | {"return-path", "delivered-to", "in-reply-to", "references", "apparently-to", "x-mailer"}
)
_MAIL_PREFIXES = ("content-", "resent-", "list-")
_LINE_END = re.compile(rb"\r{0,2}\n|\r")
_MBOX = b"From "
# With the time that such a line has, since a text may begin a paragraph with the word.
_NEXT_IN_MBOX = re.compile(rb"\r?\n\r?\nFrom (?>[^\r\n]*?\d\d:\d\d)[^\r\n]*+\r?\n(?=[!-9;-~]++:)")
_OUTLOOK_FILE = b"\xd0\xcf\x11\xe0"
# In this order: the first one with a known word counts.
_IMPORTANCE_HEADERS = ("importance", "x-priority", "x-msmail-priority", "priority")
# X-Priority counts from 1, the highest, to 5, and often goes on with a word, as in "5 (Lowest)".
_IMPORTANCES = {
    **dict.fromkeys(("high", "urgent", "1", "2"), Importance.High),
    **dict.fromkeys(("normal", "3"), Importance.Normal),
    **dict.fromkeys(("low", "non-urgent", "4", "5"), Importance.Low),
}
# Without the tables of the machine, so that a type gets the same extension everywhere.
_TYPES = MimeTypes(filenames=())
_MORE_EXTENSIONS = {
    "text/vcard": ".vcf",
    "application/pgp-signature": ".asc",
    "application/pgp-encrypted": ".asc",
    "application/pkcs7-mime": ".p7m",
    "application/pkcs7-signature": ".p7s",
    "application/ms-tnef": ".dat",
}
# A protected Office mail and PGP/MIME. S/MIME is missing, because its type is also that of a mere signature.
_ENCRYPTED_MAIL = frozenset({"application/x-microsoft-rpmsg-message", "application/pgp-encrypted"})


def parse(raw: bytes) -> Mail:
    """Parse a mail; the result keeps the bytes in `raw`.

    An HTML body is preferred to a plain one; line ends of the body become `\\r\\n`. Every other part is an attachment,
    and gets a name if it has none. A nested mail is named after its subject. Broken mails are read as far as possible.
    Raises InvalidRequest if the bytes are not a mail, and TooMuchContent.
    """
    return parse_lenient(raw).items[0]


def parse_lenient(raw: bytes) -> Parsed[Mail]:
    """Parse a mail as `parse` does, and tell which lines of its headers were left out."""
    if raw.startswith(_OUTLOOK_FILE):
        raise InvalidRequest(
            "The content is an Outlook item (.msg), not a mail in internet format. Save it as .eml in Outlook, or"
            " convert it, for example with the 'msgconvert' program."
        )
    data = _without_mark(raw)
    further = list(_NEXT_IN_MBOX.finditer(data)) if data.startswith(_MBOX) else []
    if further:
        end = further[0].start()
        raw = raw[: len(raw) - len(data) + end] if raw.endswith(data) else data[:end]
        data = data[:end]
    root = parse_parts(data)
    names = {field.name.lower() for field in root.headers.fields}
    if _MAIL_FIELDS.isdisjoint(names) and not any(name.startswith(_MAIL_PREFIXES) for name in names):
        raise InvalidRequest(
            "The content is not a mail: it has none of the headers From, To, Cc, Subject, Date, Message-ID,"
            " MIME-Version or Content-Type."
        )
    skipped = _skipped(raw, data, root)
    if further:
        what = "1 further mail" if len(further) == 1 else f"{len(further)} further mails"
        reason = "The file is an mbox of several mails. Only its first is delivered."
        skipped.append(SkippedItem(what, len(_LINE_END.findall(raw)) + 3, reason))
    return Parsed([_mail(raw, root)], skipped)


def headers_of(raw: bytes) -> list[tuple[str, str]]:
    """The names and decoded values of all headers of a mail, in their order. Raises TooMuchContent."""
    headers = read_headers(_without_mark(raw), 0)
    return headers.decoded(headers.fields)


def _without_mark(raw: bytes) -> bytes:
    # A byte order mark or a blank line at the front would make all headers part of the body.
    # Some editors save a mail as UTF-16.
    return as_utf_8(raw).lstrip()


def _mail(raw: bytes, root: Part) -> Mail:
    headers = root.headers
    people = {name: _addresses(headers, name) for name in ("from", "to", "cc", "bcc", "reply-to")}
    if sum(map(len, people.values())) > MAX_ADDRESSES:
        raise TooMuchContent(f"The headers of the mail have more than {MAX_ADDRESSES} addresses.")
    content = find_content(root)
    attached = [_attachment(part, content, number) for number, part in enumerate(content.attached, start=1)]
    return Mail(
        sender=next(iter(people["from"]), None),
        to=people["to"],
        cc=people["cc"],
        bcc=people["bcc"],
        reply_to=people["reply-to"],
        subject=headers.value("subject"),
        body=content.body.text if content.body is not None else "",
        is_html=content.body is not None and content.body.content_type == "text/html",
        importance=_importance(headers),
        sent=read_date(headers.value("date")),
        message_id=next(iter(read_ids(headers.value("message-id"))), None),
        in_reply_to=next(iter(read_ids(headers.value("in-reply-to"))), None),
        references=read_ids(headers.value("references")),
        headers=tuple(headers.decoded([field for field in headers.fields if not is_own_header(field.name)])),
        attachments=tuple(attached),
        is_encrypted=root.content_type == "multipart/encrypted" or any(map(_is_encrypted, content.attached)),
        raw=raw,
    )


def _skipped(raw: bytes, data: bytes, root: Part) -> list[SkippedItem]:
    skipped = []
    # Lines are counted in the file, whose blank lines at the front are not part of the mail.
    number = 1 + (len(_LINE_END.findall(raw[: len(raw) - len(data)])) if raw.endswith(data) else 0)
    position = 0
    lines = [line for part in root.walk() for line in part.headers.odd_lines]
    for line in sorted(lines):
        # Counted on from the line before, which may be one of many thousands.
        number += len(_LINE_END.findall(data, position, line.start))
        position = line.start
        text = header_text(line.text[:80])
        skipped.append(SkippedItem(f"header line '{text}'", number, "It is not of the form 'Name: value'."))
    return skipped


def _addresses(headers: Headers, name: str) -> tuple[Address, ...]:
    return tuple(address for value in headers.values(name) for address in read_addresses(value))


def _importance(headers: Headers) -> int:
    words = [re.match(r"[\w-]*", headers.value(name).lower()) for name in _IMPORTANCE_HEADERS]
    return next((_IMPORTANCES[word[0]] for word in words if word and word[0] in _IMPORTANCES), DEFAULT_IMPORTANCE)


def _attachment(part: Part, content: Content, number: int) -> Attachment:
    content_id = part.headers.value("content-id")
    # A Content-ID alone makes nothing inline: a part that calls itself an attachment may have one too.
    is_shown = bool(content_id) and part.disposition != "attachment"
    return Attachment(
        name=part.file_name or _default_name(part, number),
        content=part.content,
        content_type=part.content_type,
        is_inline=is_shown or (id(part) in content.related and part.disposition == "inline"),
        content_id=content_id.strip("<> ") or None,
    )


def _default_name(part: Part, number: int) -> str:
    if part.content_type == "text/calendar":
        return "invite.ics"
    if part.content_type == "message/rfc822":
        return f"{_subject(part) or f'attachment-{number}'}.eml"
    other = ".txt" if part.content_type.startswith(("text/", "message/")) else ".bin"
    extension = _MORE_EXTENSIONS.get(part.content_type) or _TYPES.guess_extension(part.content_type) or other
    return f"attachment-{number}{extension}"


def _subject(part: Part) -> str:
    try:
        headers = part.parts[0].headers if part.parts else read_headers(part.content.lstrip(), 0)
    except TooMuchContent:
        return ""
    return headers.value("subject")


def _is_encrypted(part: Part) -> bool:
    name, content_type = part.file_name.lower(), part.content_type
    if content_type in ("application/pkcs7-mime", "application/x-pkcs7-mime"):
        # The same type serves for opaque signatures and bare certificates, so its parameter decides.
        smime_type = part.parameters.by_name.get("smime-type", "").lower()
        return smime_type in ("enveloped-data", "authenveloped-data") or (not smime_type and name.endswith(".p7m"))
    return content_type in _ENCRYPTED_MAIL or name == "message.rpmsg"
