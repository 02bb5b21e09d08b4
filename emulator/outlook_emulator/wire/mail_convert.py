"""Converts request bodies to mails, and messages to response bodies."""

from __future__ import annotations

import mimetypes
import re
from binascii import Error, a2b_base64, b2a_base64
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar, cast

import orjson

from outlook_emulator.clock import iso_seconds
from outlook_emulator.enums import Importance
from outlook_emulator.errors import InvalidRequest
from outlook_emulator.ids import IdKind, encode
from outlook_emulator.mailbox import addresses
from outlook_emulator.mailbox.mail.reading import AttachedFile, File, MessageView
from outlook_emulator.mailbox.mail.replies import REPLY_IMPORTANCE, Answer
from outlook_emulator.mailbox.message import Address, Attachment, Mail
from outlook_emulator.mailbox.stored_body import shown_body
from outlook_emulator.recent import Recent
from outlook_emulator.steps import STEP
from outlook_emulator.store.records import Owner
from outlook_emulator.wire.large_json import LARGE_JSON, LargeBytes, LongText
from outlook_emulator.wire.mail import (
    BatchResponse,
    Binary,
    ClientReceiveFileAttachment,
    ClientReceiveMessage,
    ClientReceiveMessageStringEnums,
    ClientSendAttachment,
    ClientSendHtmlMessage,
    ClientSendMessage,
    DirectForwardMessage,
    ReplyHtmlMessage,
    ReplyMessage,
)

_Shape = TypeVar("_Shape")
_MOST_KEPT = 1024 * 1024
"""How much written JSON is remembered, in bytes."""
_IMPORTANCE_NAMES = tuple(Importance.__members__)
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)
_UNKNOWN_TYPE = "application/octet-stream"
_LINE_ENDS = re.compile(r"[\r\n]+")
# Not the machine's own tables: a name must have the same type on every machine.
_TYPES = mimetypes.MimeTypes(filenames=())
_OPEN_XML = "application/vnd.openxmlformats-officedocument."
_MORE_TYPES = {
    ".docx": f"{_OPEN_XML}wordprocessingml.document",
    ".xlsx": f"{_OPEN_XML}spreadsheetml.sheet",
    ".pptx": f"{_OPEN_XML}presentationml.presentation",
    ".msg": "application/vnd.ms-outlook",
    ".eml": "message/rfc822",
    ".ics": "text/calendar",
    ".md": "text/markdown",
    ".webp": "image/webp",
}
for _suffix, _type in _MORE_TYPES.items():
    _TYPES.add_type(_type, _suffix)


def draft_from_text(shape: ClientSendMessage) -> Mail:
    """The mail in a first-version body, plain text unless it says otherwise."""
    return _draft(shape, None, shape.get("IsHtml", False))


def draft_from_html(shape: ClientSendHtmlMessage) -> Mail:
    """The mail in a second-version body: always HTML, possibly sent from another address."""
    sender = _people(shape.get("From"))
    if len(sender) > 1:
        raise InvalidRequest("The property 'From' must be one mail address.")
    return _draft(shape, sender[0] if sender else None, True)


def answer_from_message(shape: ReplyMessage) -> Answer:
    """The reply in a second-version body, HTML unless it says otherwise (Learn page)."""
    return _answer(shape, shape.get("IsHtml", True))


def answer_from_html(shape: ReplyHtmlMessage) -> Answer:
    """The reply in a third-version body, always HTML."""
    return _answer(shape, True)


def forwarded(shape: DirectForwardMessage) -> Mail:
    """The recipients and the comment of a forward."""
    return Mail(to=_people(shape["ToRecipients"]), body=shape.get("Comment", ""))


def incoming(shape: Mapping[str, Any], owner: Owner) -> Mail:
    """A mail from outside in an admin request; without a recipient it goes to the owner of the mailbox."""
    sender = _people(shape.get("from"))
    if len(sender) != 1:
        raise InvalidRequest("The property 'from' must be one mail address.")
    html = shape.get("html")
    return Mail(
        sender=sender[0],
        to=_people(shape.get("to")) or (Address(owner.address, owner.display_name),),
        cc=_people(shape.get("cc")),
        subject=_subject(shape.get("subject", "")),
        body=shape.get("text", "") if html is None else html,
        is_html=html is not None,
        importance=Importance[shape["importance"]],
        attachments=_attachments(shape.get("attachments", ())),
    )


def batch(message_views: Sequence[MessageView]) -> BatchResponse[ClientReceiveMessage]:
    """A list of mails in the second version's envelope."""
    return {"value": [_received_json(message_view) for message_view in message_views]}


def first_generation(message_views: Sequence[MessageView]) -> list[ClientReceiveMessageStringEnums]:
    """A list of mails as the first version's array."""
    return [_received_in_words_json(message_view) for message_view in message_views]


def received(message_view: MessageView) -> ClientReceiveMessage:
    """A mail with its importance as a number; key order as recorded."""
    message = message_view.message
    return {
        "Id": encode(IdKind.MESSAGE, message.mailbox_id, message.id),
        "DateTimeReceived": iso_seconds(message.received),
        "HasAttachment": message.has_attachments == 1,
        "InternetMessageId": message.message_id,
        "Subject": message.subject,
        "BodyPreview": message.preview,
        "Importance": message.importance,
        "ConversationId": encode(IdKind.CONVERSATION, message.mailbox_id, message.conversation_id),
        "IsRead": message.is_read == 1,
        "IsHtml": message.shown_as_html,
        "Body": shown_body(message),
        "From": message.sender,
        "To": message.recipients_to,
        "Cc": message.recipients_cc,
        "Bcc": message.recipients_bcc,
        "ReplyTo": message.reply_to,
        "Attachments": _files(message_view),
    }


def received_in_words(message_view: MessageView) -> ClientReceiveMessageStringEnums:
    """A mail with its importance as text; key order as recorded."""
    message = message_view.message
    return {
        "From": message.sender,
        "To": message.recipients_to,
        "Cc": message.recipients_cc,
        "Bcc": message.recipients_bcc,
        "ReplyTo": message.reply_to,
        "Subject": message.subject,
        "Body": shown_body(message),
        "Importance": _IMPORTANCE_NAMES[message.importance],
        "BodyPreview": message.preview,
        "HasAttachment": message.has_attachments == 1,
        "Id": encode(IdKind.MESSAGE, message.mailbox_id, message.id),
        "InternetMessageId": message.message_id,
        "ConversationId": encode(IdKind.CONVERSATION, message.mailbox_id, message.conversation_id),
        "DateTimeReceived": iso_seconds(message.received),
        "IsRead": message.is_read == 1,
        "Attachments": _files(message_view),
        "IsHtml": message.shown_as_html,
    }


def moved(message_view: MessageView) -> ClientReceiveMessageStringEnums:
    """A mail that was moved: like any other with its importance as text, which comes first (recorded)."""
    mail = received_in_words(message_view)
    return {"Importance": mail["Importance"], **mail}


class _Written(Generic[_Shape]):
    """Converts mails as another function does, to JSON that is written already, and remembers it.

    Mails are read much more often than they change. The memory is of the process, by value, so it is never outdated.
    """

    def __init__(self, convert: Callable[[MessageView], _Shape]) -> None:
        self._convert = convert
        self._kept: Recent[MessageView, orjson.Fragment] = Recent(_MOST_KEPT)

    def __call__(self, message_view: MessageView) -> _Shape:
        attachments = message_view.attachments
        if attachments and any(file.content is not None for file in attachments):
            return self._convert(message_view)
        written = self._kept.get(message_view)
        if written is None:
            written = self._write(message_view)
        return cast("_Shape", written)

    def _write(self, message_view: MessageView) -> orjson.Fragment:
        text = orjson.dumps(self._convert(message_view))
        written = orjson.Fragment(text)
        self._kept.keep(message_view, written, len(text))
        return written


_received_json = _Written(received)

_received_in_words_json = _Written(received_in_words)


def raw_bytes(file: File) -> Binary:
    """An attachment as a response body.

    Microsoft's Python client decodes every response as text before it returns the bytes, and fails if they are not
    UTF-8. A charset that has all bytes avoids that, and the bytes stay the same. (Inferred: the content type that the
    real connector sends was never recorded.)
    """
    content_type = file.content_type if _MEDIA_TYPE.fullmatch(file.content_type) else _UNKNOWN_TYPE
    if _is_utf8(file.content):
        return Binary(file.content, content_type)
    return Binary(file.content, f"{content_type}; charset=iso-8859-1")


def _draft(shape: ClientSendMessage | ClientSendHtmlMessage, sender: Address | None, is_html: bool) -> Mail:
    return Mail(
        sender=sender,
        to=_people(shape.get("To")),
        cc=_people(shape.get("Cc")),
        bcc=_people(shape.get("Bcc")),
        reply_to=_people(shape.get("ReplyTo")),
        subject=_subject(shape["Subject"]),
        body=shape["Body"],
        is_html=is_html,
        importance=Importance[shape["Importance"]],
        attachments=_attachments(shape.get("Attachments", ())),
    )


def _answer(shape: ReplyMessage | ReplyHtmlMessage, is_html: bool) -> Answer:
    mail = Mail(
        to=_people(shape.get("To")),
        cc=_people(shape.get("Cc")),
        bcc=_people(shape.get("Bcc")),
        subject=_subject(shape.get("Subject", "")),
        body=shape.get("Body", ""),
        is_html=is_html,
        importance=Importance[shape["Importance"]] if "Importance" in shape else REPLY_IMPORTANCE,
        attachments=_attachments(shape.get("Attachments", ())),
    )
    return Answer(mail, shape.get("ReplyAll", False))


def _people(text: str | None) -> tuple[Address, ...]:
    return addresses.parse(text) if text else ()


def _subject(text: str) -> str:
    # Public workflows send subjects that end in a line feed, which a header cannot hold.
    return _LINE_ENDS.sub(" ", text.rstrip("\r\n"))


def _attachments(shapes: Iterable[ClientSendAttachment]) -> tuple[Attachment, ...]:
    return tuple(_attachment(shape, f"Attachments[{index}]") for index, shape in enumerate(shapes))


def _attachment(shape: ClientSendAttachment, where: str) -> Attachment:
    name = _subject(shape["Name"]).strip()
    if not name:
        raise InvalidRequest(f"The property '{where}.Name' must not be empty.")
    declared, pieces = _data_uri(shape["ContentBytes"])
    if not _MEDIA_TYPE.fullmatch(declared):
        declared = _TYPES.guess_type(name)[0] or _UNKNOWN_TYPE
    return Attachment(name, _decoded(pieces, where), declared)


def _data_uri(text: str | LongText) -> tuple[str, Iterable[str]]:
    """The media type and the base64 of a data URI; an empty type if the text is base64 alone."""
    first, *others = text.pieces if isinstance(text, LongText) else (text,)
    head, comma, content = first.partition(",")
    if not comma:
        return "", (first, *others)
    lowered = head.lower()
    if lowered.startswith("data:") and lowered.endswith(";base64"):
        return head[len("data:") :].partition(";")[0].strip(), (content, *others)
    return "", (first, *others)


def _decoded(pieces: Iterable[str], where: str) -> bytes:
    """The bytes in base64, which may be in several pieces. Raises InvalidRequest."""
    decoded: list[bytes] = []
    rest = ""
    try:
        for piece in pieces:
            # Line ends are allowed, as mail programs write them; without strict mode, any other character would be
            # skipped.
            text = rest + "".join(piece.split())
            # What follows may complete the last characters, or show that the end is none.
            kept = max(len(text) - 1, 0) // 4 * 4
            if text[:kept].endswith("="):
                raise ValueError("more follows the end")
            decoded.append(_from_base64(text[:kept]))
            rest = text[kept:]
        return b"".join((*decoded, _from_base64(rest)))
    except (Error, ValueError):
        raise InvalidRequest(f"The property '{where}.ContentBytes' is not valid base64.") from None


def _from_base64(text: str) -> bytes:
    return a2b_base64(text.encode("ascii"), strict_mode=True)


def _files(message_view: MessageView) -> list[ClientReceiveFileAttachment]:
    return [_file(message_view.message.mailbox_id, file) for file in message_view.attachments]


def _file(mailbox_id: int, attached: AttachedFile) -> ClientReceiveFileAttachment:
    facts, content = attached
    return {
        "Id": encode(IdKind.ATTACHMENT, mailbox_id, facts.id),
        "Name": facts.name,
        "ContentBytes": None if content is None else _base64(content),
        "ContentType": facts.content_type,
        # The length of the content. The Office 365 twin was recorded with more: 531 for a picture of 238 bytes.
        "Size": facts.size,
        "IsInline": facts.is_inline == 1,
        "LastModifiedDateTime": iso_seconds(facts.modified),
        "ContentId": facts.cid,
    }


def _base64(content: bytes) -> Any:
    """Bytes in base64; many stay bytes until they are written."""
    return b2a_base64(content, newline=False).decode("ascii") if len(content) < LARGE_JSON else LargeBytes(content)


def _is_utf8(content: bytes) -> bool:
    decoder = getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(content), STEP):
            decoder.decode(content[start : start + STEP])
        decoder.decode(b"", True)
    except UnicodeDecodeError:
        return False
    return True
