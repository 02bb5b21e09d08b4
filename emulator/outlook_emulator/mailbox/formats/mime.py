"""Parses internet messages (RFC 5322 and MIME) with the email package."""

from __future__ import annotations

import re
from codecs import lookup
from collections.abc import Iterator
from email import errors, message_from_bytes, utils
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.parser import BytesHeaderParser
from email.policy import Compat32
from mimetypes import MimeTypes
from typing import Any, NamedTuple, cast

from outlook_emulator.clock import microseconds
from outlook_emulator.enums import Importance
from outlook_emulator.errors import InvalidRequest
from outlook_emulator.mailbox.formats.mime_compose import CONTROLS, compose, is_own_header
from outlook_emulator.mailbox.message import DEFAULT_IMPORTANCE, Address, Attachment, Mail

__all__ = ["compose", "parse", "read_addresses"]

MAX_DEPTH = 100

# A text needs one of these headers to count as a mail; other texts have `name:` lines too.
_MAIL_FIELDS = frozenset(
    {"from", "to", "cc", "bcc", "reply-to", "sender", "subject", "date", "message-id", "mime-version", "received"}
)
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
    "message/delivery-status": ".txt",
    "message/disposition-notification": ".txt",
    "application/pgp-signature": ".asc",
    "application/pgp-encrypted": ".asc",
    "application/pkcs7-mime": ".p7m",
    "application/pkcs7-signature": ".p7s",
    "application/ms-tnef": ".dat",
}
# A protected Office mail and PGP/MIME. S/MIME is missing, because its type is also that of a mere signature.
_ENCRYPTED_MAIL = frozenset({"application/x-microsoft-rpmsg-message", "application/pgp-encrypted"})
# Browsers and mail programs read these charsets as their supersets, as the WHATWG Encoding Standard says. The last
# four are codecs of Python that are not charsets of mail.
_MEANT = {"iso8859-1": "cp1252", "iso8859-9": "cp1254", "gb2312": "gb18030", "gbk": "gb18030", "euc_kr": "cp949"}
_MEANT |= {"shift_jis": "cp932", **dict.fromkeys(("unicode-escape", "raw-unicode-escape", "idna", "punycode"), "utf-8")}
_ENCODED_WORD = re.compile(r"=\?[^?\s]+\?[qQ]\?[^?\s]*\?=")
_SPECIALS = re.compile(r'[(),.:;<>@\[\]"\\]')
# Newer Python versions are strict by default, and would drop all addresses of a header with a single odd one.
_LENIENT: dict[str, Any] = {"strict": False} if getattr(utils, "supports_strict_parsing", False) else {}


# Triggers skip mails with these. Defects of headers are left out: such mails can still be shown whole.
_BREAKING = (
    errors.NoBoundaryInMultipartDefect,
    errors.StartBoundaryNotFoundDefect,
    errors.CloseBoundaryNotFoundDefect,
    errors.MultipartInvariantViolationDefect,
    errors.InvalidBase64CharactersDefect,
    errors.InvalidBase64LengthDefect,
)


class _Headers(Compat32):
    # Headers are read as clean text on one line, and written unchanged into a nested mail.

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        text = decode_text(value.encode("ascii", "surrogateescape"), None)
        return name, "\r\n".join(CONTROLS.sub(" ", line) for line in re.split(r"[\r\n]+", text))

    def header_fetch_parse(self, name: str, value: str) -> str:
        # Headers with parameters are cut, because the package reads parameters in quadratic time.
        limit = 10_000 if name.lower().startswith("content-") else len(value)
        return value[:limit].replace("\r\n", "")

    def fold_binary(self, name: str, value: str) -> bytes:
        return f"{name}: {value}\r\n".encode()


class _Part(Message):
    # A mail or one of its parts; the depth of the root is 1.
    depth = 1

    def attach(self, payload: Any) -> None:
        # Checked during parsing, because the package slows down with each level and later recurses.
        payload.depth = self.depth + 1
        if payload.depth > MAX_DEPTH:
            raise InvalidRequest(f"The mail nests its parts more than {MAX_DEPTH} deep.")
        super().attach(payload)

    def get_param(self, *args: Any, **options: Any) -> Any:
        # The package raises on parameters with mixed or very high numbers, or with a NUL in their charset.
        try:
            value = super().get_param(*args, **options)
            return utils.collapse_rfc2231_value(value) if isinstance(value, tuple) else value
        except (LookupError, TypeError, ValueError):
            return options.get("failobj", args[1] if len(args) > 1 else None)

    def header(self, name: str) -> str:
        return read_text(self.get(name, ""))

    def file_name(self) -> str:
        # Not get_filename, because it unquotes a second time.
        return read_text(self.get_param("filename", "", "content-disposition") or self.get_param("name", ""))

    def content(self) -> bytes:
        # The content of a message/… part is already parsed into parts.
        payload: Any = self.get_payload() if self.is_multipart() else self.get_payload(decode=True)
        return payload if isinstance(payload, bytes) else b"".join(part.as_bytes() for part in payload)

    def text(self) -> str:
        return re.sub(r"\r\n|\r|\n", "\r\n", decode_text(self.content(), self.get_content_charset()))


_POLICY = _Headers(linesep="\r\n")


def parse(raw: bytes) -> Mail:
    """Parse a mail; the result keeps the bytes in `raw`.

    An HTML body is preferred to a plain one; line ends of the body become `\\r\\n`. Every other part is an attachment,
    and gets a name if it has none. A nested mail is serialized again and named after its subject. Broken MIME is parsed
    as far as possible. Raises InvalidRequest if the bytes are not a mail, or if parts are nested more than 100 deep.
    """
    try:
        return _mail(raw)
    except InvalidRequest:
        raise
    except Exception as error:
        # The email package raises many kinds of exceptions on broken headers.
        raise InvalidRequest(f"The mail cannot be parsed: {error}") from error


def _mail(raw: bytes) -> Mail:
    # A byte order mark or a blank line at the front would make all headers part of the body.
    root = cast(_Part, message_from_bytes(raw.removeprefix(b"\xef\xbb\xbf").lstrip(), _Part, policy=_POLICY))
    if _MAIL_FIELDS.isdisjoint(name.lower() for name in root.keys()):  # noqa: SIM118
        raise InvalidRequest(
            "The content is not a mail: it has none of the headers From, To, Cc, Subject, Date, Message-ID or"
            " MIME-Version."
        )
    leaves = list(_leaves(root))
    body, shown = _body(leaves)
    attached = [leaf for leaf in leaves if leaf not in shown]
    return Mail(
        sender=next(iter(_addresses(root, "from")), None),
        to=_addresses(root, "to"),
        cc=_addresses(root, "cc"),
        bcc=_addresses(root, "bcc"),
        reply_to=_addresses(root, "reply-to"),
        subject=root.header("subject"),
        body=body.text() if body is not None else "",
        is_html=body is not None and body.get_content_type() == "text/html",
        importance=_importance(root),
        sent=_date(root.header("date")),
        message_id=next(iter(_ids(root.header("message-id"))), None),
        in_reply_to=next(iter(_ids(root.header("in-reply-to"))), None),
        references=_ids(root.header("references")),
        headers=tuple((name, read_text(value)) for name, value in root.items() if not is_own_header(name)),
        attachments=tuple(_attachment(leaf, number) for number, leaf in enumerate(attached, start=1)),
        is_encrypted=root.get_content_type() == "multipart/encrypted" or any(map(_is_encrypted, attached)),
        raw=raw,
    )


def is_broken(raw: bytes) -> bool:
    """Whether the MIME structure of a mail is broken, or a part cannot be decoded."""
    message = message_from_bytes(raw)
    for part in message.walk():
        if not part.is_multipart():
            part.get_payload(decode=True)
        if any(isinstance(defect, _BREAKING) for defect in part.defects):
            return True
    return False


def decode_text(data: bytes, charset: str | None) -> str:
    """Decode `data` in its charset if that is known and correct, otherwise as UTF-8, Windows-1252 or Latin-1."""
    for name in (_codec(charset), "utf-8", "cp1252"):
        try:
            text = data.decode(name)
        except ValueError:
            text = data.decode(name, "replace")
            # A damaged text in the correct charset loses few of its characters; with a wrong charset it loses most.
            if text.count("\ufffd") * 10 > sum(not character.isascii() for character in text):
                continue
        # Some codecs, such as UTF-7, give lone surrogates, which can be neither stored nor sent.
        return text.encode("utf-8", "replace").decode()
    return data.decode("latin-1")


def _codec(charset: str | None) -> str:
    try:
        name = lookup(charset or "utf-8").name
        # Raises for codecs that are no charsets, such as base64 and rot13: the look-up finds them as well.
        "".encode(name)
    except (LookupError, ValueError):
        return "utf-8"
    return _MEANT.get(name, name)


def read_text(value: str) -> str:
    """Decode an unstructured header, such as a subject, to text on one line."""
    # Only up to the end of the last encoded word, because the package takes quadratic time for the rest.
    end = value.rfind("?=", 0, 100_000) + 2
    try:
        pieces: list[tuple[Any, str | None]] = decode_header(CONTROLS.sub(" ", value[:end]))
    except (HeaderParseError, ValueError):
        pieces = [(value[:end], None)]
    text = "".join(piece if isinstance(piece, str) else decode_text(piece, charset) for piece, charset in pieces)
    return CONTROLS.sub(" ", text + value[end:]).strip(" ")


def read_addresses(value: str) -> tuple[Address, ...]:
    """All addresses of an address header in order, including those inside groups."""
    # Many senders leave special characters unescaped in encoded words, and a single quote would swallow the rest.
    value = _ENCODED_WORD.sub(lambda word: _SPECIALS.sub(lambda special: f"={ord(special[0]):02X}", word[0]), value)
    if re.sub(r"\\.", "", value).count('"') % 2:
        value = value.replace('"', "")
    try:
        pairs = utils.getaddresses([value], **_LENIENT)
    except RecursionError:  # deeply nested comments
        return ()
    return tuple(Address(address, read_text(name)) for name, address in pairs if name or address)


def _addresses(root: _Part, name: str) -> tuple[Address, ...]:
    return tuple(address for value in root.get_all(name, []) for address in read_addresses(value))


def _date(value: str) -> int | None:
    try:
        return microseconds(utils.parsedate_to_datetime(value[:200]))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _ids(value: str) -> tuple[str, ...]:
    # Without ids in angle brackets, the bare words are the ids.
    return tuple(re.findall(r"<[^<>\s]+>", value)) or tuple(value.split())


def _importance(root: _Part) -> int:
    words = [re.match(r"[\w-]*", root.header(name).lower()) for name in _IMPORTANCE_HEADERS]
    return next((_IMPORTANCES[word[0]] for word in words if word and word[0] in _IMPORTANCES), DEFAULT_IMPORTANCE)


class _Leaf(NamedTuple):
    part: _Part
    alternative: _Part | None  # the outermost multipart/alternative around the part
    is_related: bool  # to the body, rather than the body itself


def _leaves(part: _Part, alternative: _Part | None = None, is_related: bool = False) -> Iterator[_Leaf]:
    if part.get_content_maintype() != "multipart" or not part.is_multipart():
        yield _Leaf(part, alternative, is_related)
        return
    subtype, children = part.get_content_subtype(), cast("list[_Part]", part.get_payload())
    if subtype == "alternative" and alternative is None:
        alternative = part
    for index, child in enumerate(children):
        yield from _leaves(child, alternative, is_related or (subtype == "related" and index > 0))


def _body(leaves: list[_Leaf]) -> tuple[_Part | None, set[_Leaf]]:
    # The part to show, and all text parts that are alternatives of it.
    texts = [leaf for leaf in leaves if _is_text(leaf)]
    if not texts:
        return None, set()
    first = texts[0]
    same = [leaf for leaf in texts if leaf is first or (leaf.alternative and leaf.alternative is first.alternative)]
    html = (leaf.part for leaf in same if leaf.part.get_content_type() == "text/html")
    return next(html, first.part), set(same)


def _is_text(leaf: _Leaf) -> bool:
    # A multipart without its boundary is shown as text, as mail programs do.
    part = leaf.part
    is_text = part.get_content_type() in ("text/plain", "text/html") or part.get_content_maintype() == "multipart"
    return is_text and not leaf.is_related and part.get_content_disposition() != "attachment" and not part.file_name()


def _attachment(leaf: _Leaf, number: int) -> Attachment:
    part, disposition = leaf.part, leaf.part.get_content_disposition()
    content, content_type, content_id = part.content(), part.get_content_type(), part.header("content-id")
    # A Content-ID alone makes nothing inline: a part that calls itself an attachment may have one too.
    is_shown = bool(content_id) and disposition != "attachment"
    return Attachment(
        name=part.file_name() or _default_name(content_type, content, number),
        content=content,
        content_type=content_type,
        is_inline=is_shown or (leaf.is_related and disposition == "inline"),
        content_id=content_id.strip("<> ") or None,
    )


def _default_name(content_type: str, content: bytes, number: int) -> str:
    if content_type == "text/calendar":
        return "invite.ics"
    if content_type == "message/rfc822":
        # Only the headers: nothing else of the nested mail is needed here.
        subject = BytesHeaderParser(policy=_POLICY).parsebytes(content).get("subject", "")
        return f"{read_text(subject) or f'attachment-{number}'}.eml"
    extension = _MORE_EXTENSIONS.get(content_type) or _TYPES.guess_extension(content_type) or ".bin"
    return f"attachment-{number}{extension}"


def _is_encrypted(leaf: _Leaf) -> bool:
    part = leaf.part
    name, content_type = part.file_name().lower(), part.get_content_type()
    if content_type in ("application/pkcs7-mime", "application/x-pkcs7-mime"):
        # The same type serves for opaque signatures and bare certificates, so its parameter decides.
        smime_type = str(part.get_param("smime-type", "")).lower()
        return smime_type in ("enveloped-data", "authenveloped-data") or (not smime_type and name.endswith(".p7m"))
    return content_type in _ENCRYPTED_MAIL or name == "message.rpmsg"
