"""How bodies and attachments are stored and read."""

from __future__ import annotations

import struct
import zlib
from base64 import b64encode
from collections.abc import Mapping
from email.message import EmailMessage
from io import BytesIO
from typing import Any
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from outlook_contract.probes.probe import Need, probe
from outlook_contract.probes.probe_run import ProbeRun

_READ = ("Body", "IsHtml", "BodyPreview", "HasAttachment")
_ATTACHMENT = ("Name", "ContentType", "Size", "IsInline", "ContentId")


def picture(length: int) -> bytes:
    """A picture of one pixel, whose file has at least this length."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    comment = chunk(b"tEXt", b"Comment\0" + b"x" * length)
    pixels = chunk(b"IDAT", zlib.compress(b"\0\0"))
    return b"\x89PNG\r\n\x1a\n" + head + comment + pixels + chunk(b"IEND", b"")


def file(name: str, content: bytes) -> dict[str, str]:
    """An attachment as a request has it."""
    return {"Name": name, "ContentBytes": b64encode(content).decode("ascii")}


def _data_uri(content: bytes) -> str:
    return f"data:image/png;base64,{b64encode(content).decode('ascii')}"


@probe(
    3,
    "stored-bodies",
    "How does the body of a sent mail read: fragments, text, scripts, styles and images in data URIs?",
    settles=("stored-html", "stored-css", "stored-text", "data-uri-images"),
    needs=(Need.ADDRESS,),
)
def stored_bodies(run: ProbeRun) -> None:
    """Sends bodies of several kinds, and reads them."""
    bodies: Mapping[str, tuple[str, str]] = {
        "a fragment": ("<p>Hi <b>you</b></p>", "stored-html"),
        "a document": (
            '<!DOCTYPE html><html lang="en"><head><title>T</title></head><body class="c"><p>Hi</p></body></html>',
            "stored-html",
        ),
        "a document without a head": ("<html><body><p>Hi</p></body></html>", "stored-html"),
        "another charset": (
            '<html><head><meta charset="iso-8859-1"></head><body><p>Hi</p></body></html>',
            "stored-html",
        ),
        "a comment": ("<!-- note --><p>Hi</p>", "stored-html"),
        "a script": ("<p>Hi</p><script>alert(1)</script>", "stored-html"),
        "an event handler": ('<p onclick="alert(1)">Hi</p>', "stored-html"),
        "a style": ("<style>p {color:red;margin:0} b{color:blue}</style><p>Hi</p>", "stored-css"),
        "text in version 2": ("Hi  you\nnext & <line", "stored-text"),
        "no text": ("", "stored-html"),
        "an image in a data URI": (f'<p>Hi <img src="{_data_uri(picture(10_000))}"></p>', "data-uri-images"),
    }
    for about, (body, deviation) in bodies.items():
        run.respond(f"{about}: send", run.sent(about, Body=body))
        _record(run, about, deviation)
    text = "Hi  you,\n\n\tsee <https://example.com/a?b=1&c=2> & \"that\" or 'this'\r\nwww.example.com"
    for about, more in (("text in version 1", {"IsHtml": False}), ("text in version 1 by default", {})):
        message = {"To": run.mailbox.address, "Subject": run.name(about), "Body": text, **more}
        run.respond(f"{about}: send", run.mailbox.call("SendEmail", message))
        _record(run, about, "stored-text")


def _record(run: ProbeRun, about: str, deviation: str) -> None:
    listed = run.look_for(about)
    if listed is None:
        run.record(about, "did not arrive", deviation)
        return
    run.record(about, {**_members(listed), "Attachments": _attachments(listed)}, deviation)
    single = run.mailbox.ok("GetEmail", messageId=listed["Id"])
    run.record(f"{about}: Get email reads the same", _members(single) == _members(listed), deviation)


def _members(mail: Mapping[str, Any]) -> dict[str, Any]:
    return {name: mail.get(name, "(missing)") for name in _READ}


def _attachments(mail: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{name: item.get(name, "(missing)") for name in _ATTACHMENT} for item in mail["Attachments"]]


def _mail_in_mail() -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "inner@example.com", "other@example.com", "Inner"
    message.set_content("Inner text")
    return message.as_bytes()


_EVENT = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//probe//EN\r\nBEGIN:VEVENT\r\nUID:probe-1\r\n"
    b"DTSTAMP:20260101T090000Z\r\nDTSTART:20260101T090000Z\r\nSUMMARY:Inner\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


def _archive() -> bytes:
    content = BytesIO()
    with ZipFile(content, "w", ZIP_STORED) as archive:
        archive.writestr(ZipInfo("inner.eml"), _mail_in_mail())
    return content.getvalue()


@probe(
    17,
    "skipped-attachments",
    "Which attachments does the connector show, with which members, and what is HasAttachment without any?",
    settles=(
        *("has-attachment-skipped", "attachment-size", "attachment-content-null"),
        *("attachment-content-missing", "cid-by-name"),
    ),
    needs=(Need.ADDRESS,),
)
def skipped_attachments(run: ProbeRun) -> None:
    """Sends mails with one attachment each, of kinds that the connector may skip."""
    files = {
        "an eml file": file("inner.eml", _mail_in_mail()),
        "an ics file": file("inner.ics", _EVENT),
        "a msg file": file("inner.msg", b"\xd0\xcf\x11\xe0" + b"\0" * 508),
        "a zip file": file("inner.zip", _archive()),
        "a text file": file("a.txt", b"text"),
        "a picture": file("a.png", picture(100)),
    }
    for about, attachment in files.items():
        run.respond(f"{about}: send", run.sent(about, Attachments=[attachment]))
        mail = run.look_for(about)
        if mail is None:
            run.record(about, "did not arrive", "has-attachment-skipped")
            continue
        shown = {"HasAttachment": mail["HasAttachment"], "Attachments": _attachments(mail)}
        run.record(about, shown, "has-attachment-skipped", "attachment-size")
        only = run.mailbox.find(run.name(about), fetchOnlyWithAttachment=True)
        run.record(f"{about}: fetchOnlyWithAttachment finds it", only is not None, "has-attachment-skipped")
    run.attempt(_contents)
    body = '<p>See <img src="cid:a.png"></p>'
    run.sent("a picture that the body names", Body=body, Attachments=[files["a picture"]])
    mail = run.look_for("a picture that the body names")
    shown = mail and {"HasAttachment": mail["HasAttachment"], "Body": mail["Body"], "Attachments": _attachments(mail)}
    run.record("a picture that the body names", shown, "cid-by-name")
    without = {"To": run.mailbox.address, "Subject": run.name("no content"), "Body": "x"}
    for about, entry in (("left out", {"Name": "a.txt"}), ("null", {"Name": "a.txt", "ContentBytes": None})):
        exchange = run.mailbox.raw("POST", "/v2/Mail", json={**without, "Attachments": [entry]})
        run.respond(f"content {about}", exchange, "attachment-content-missing")


def _contents(run: ProbeRun) -> None:
    """How ContentBytes reads, with and without includeAttachments, in each operation."""
    mail = run.look_for("a text file")
    if mail is None:
        return
    for include in (False, True):
        reads = {
            "GetEmail": run.mailbox.ok("GetEmail", messageId=mail["Id"], includeAttachments=include),
            "GetEmailsV2": run.mailbox.find(mail["Subject"], includeAttachments=include),
        }
        content = {
            operation: read and [item.get("ContentBytes", "(missing)") for item in read["Attachments"]]
            for operation, read in reads.items()
        }
        run.record(f"ContentBytes with includeAttachments {include}", content, "attachment-content-null")


@probe(
    20,
    "size-limits",
    "Where are the limits of inline images, mails and options, and what says so?",
    settles=("inline-image-size", "text-large-mail", "inline-image-quoted"),
    needs=(Need.ADDRESS,),
    has_heavy_parts=True,
)
def size_limits(run: ProbeRun) -> None:
    """Sends an image just below and just above the documented size, a mail that is too large, and 101 options."""
    for about, length in (("just below 1 MB", 1_048_576), ("just above 1 MB", 1_048_580)):
        image = f'<img src="data:image/png;base64,{"A" * length}">'
        exchange = run.sent(f"image {about}", Body=f"<p>{image}</p>")
        run.respond(f"an image whose base64 text is {about}", exchange, "inline-image-size")
    mail = run.look_for("image just below 1 MB")
    if mail is not None:
        body = {"Body": "<p>Answer</p>", "Subject": run.name("answer to an image")}
        exchange = run.mailbox.call("ReplyToV3", body, messageId=mail["Id"])
        run.respond("a reply to a mail with a large image", exchange, "inline-image-quoted")
    if run.heavy:
        large = file("large.bin", b"\0" * (51 * 1024 * 1024))
        run.respond("a mail of 51 MB", run.sent("51 MB", Attachments=[large]), "text-large-mail")
    options = ",".join(f"Option {number}" for number in range(101))
    message = {"To": run.mailbox.address, "Subject": run.name("101 options"), "Options": options}
    url = run.callback_url or "https://example.com/callback"
    exchange = run.mailbox.call("SendMailWithOptions", {"NotificationUrl": url, "Message": message})
    if "location" in exchange.headers:
        run.mailbox.remember_subscription(exchange.headers["location"])
    run.respond("101 options", exchange)


@probe(
    25,
    "attachment-downloads",
    "With which headers does an attachment come by itself?",
    settles=("attachment-content-type",),
    needs=(Need.ADDRESS,),
)
def attachment_downloads(run: ProbeRun) -> None:
    """Sends attachments of several kinds, and gets each by itself."""
    files = {
        "a.txt": "Grüße".encode(),
        "b.txt": "Grüße".encode("iso-8859-1"),
        "a.png": picture(10),
        "a.json": b'{"a": 1}',
        "a.html": b"<p>x</p>",
        "none": b"\0\1\2",
        "größe.txt": b"x",
    }
    mail = run.to_self("files", Attachments=[file(name, content) for name, content in files.items()])
    by_name = {item["Name"]: item for item in mail["Attachments"]}
    for name, content in files.items():
        if name not in by_name:
            run.record(name, "not shown", "attachment-content-type")
            continue
        exchange = run.mailbox.call("GetAttachment", messageId=mail["Id"], attachmentId=by_name[name]["Id"])
        headers = {header: exchange.headers.get(header, "(no header)") for header in ("Content-Type",)}
        headers["Content-Disposition"] = exchange.headers.get("Content-Disposition", "(no header)")
        headers["ContentType in the mail"] = by_name[name].get("ContentType")
        headers["the content is whole"] = exchange.body == content
        run.record(name, {"status": exchange.status, **headers}, "attachment-content-type")
