"""Heavy requests with large mails, calendars, address books, seed folders and sandboxes."""

from __future__ import annotations

import io
import zipfile
from base64 import b64encode
from collections.abc import Awaitable, Callable
from functools import cache
from random import Random
from typing import Any

import orjson

from outlook_emulator.content_limits import ATTACHMENTS, ITEMS, RECIPIENTS
from tests.heavy_requests import APIM, SANDBOX, Heavy, post, refused
from tests.loop_lag import Answer, Caller

_MB = 1 << 20
_CONNECTION = f"{SANDBOX}/connections/me"
_CALENDAR = f"{_CONNECTION}/calendars/Calendar"
_CONTACTS = f"{_CONNECTION}/contactfolders/Contacts"
_HTML = "<p>Gr\u00fc\u00dfe &amp; more, in <b>bold</b> words.</p>\r\n" * 120_000
_MIME, _ICS, _VCF, _ZIP = "message/rfc822", "text/calendar", "text/vcard", "application/zip"


@cache
def _file(megabytes: int) -> str:
    return b64encode(Random(1).randbytes(megabytes * _MB)).decode()


def _mail(**members: Any) -> dict[str, Any]:
    return {"To": "me@outlook.com", "Subject": "Large", "Body": "<p>Hello</p>", **members}


def _attached(megabytes: int) -> dict[str, Any]:
    return _mail(Attachments=[{"Name": "large.bin", "ContentBytes": _file(megabytes)}])


def _eml(megabytes: int) -> bytes:
    content = _file(megabytes)
    lines = "\r\n".join(content[start : start + 76] for start in range(0, len(content), 76))
    head = "From: eve@example.com\r\nSubject: Large\r\nMIME-Version: 1.0\r\n"
    part = 'Content-Type: application/octet-stream; name="large.bin"\r\nContent-Transfer-Encoding: base64\r\n'
    return f"{head}{part}\r\n{lines}\r\n".encode()


def _long_line(megabytes: int) -> bytes:
    head = "From: eve@example.com\r\nSubject: Large\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n"
    return f"{head}\r\n<p>Gr\u00fc\u00dfe</p>{'<i>and</i> more ' * (megabytes * _MB // 16)}".encode()


def _calendar(count: int) -> bytes:
    times = "DTSTART:20260301T100000Z\r\nDTEND:20260301T110000Z\r\n"
    event = f"BEGIN:VEVENT\r\nUID:e{{0}}\r\n{times}SUMMARY:Event {{0}}\r\nEND:VEVENT\r\n"
    events = "".join(event.format(number) for number in range(count))
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:test\r\n{events}END:VCALENDAR\r\n".encode()


def _cards(count: int) -> bytes:
    card = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Person {0}\r\nN:{0};Person;;;\r\nEMAIL:p{0}@example.com\r\nEND:VCARD\r\n"
    return "".join(card.format(number) for number in range(count)).encode()


def _seed_folder(mails: int) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("mailbox.toml", 'address = "zoe@example.com"\ndisplay_name = "Zoe"\n')
        for number in range(mails):
            file.writestr(f"Inbox/{number}.eml", f"From: eve@example.com\r\nSubject: Mail {number}\r\n\r\nHello\r\n")
    return content.getvalue()


def send_file(method: str, path: str, content: bytes = b"", kind: str = "") -> Callable[[Caller], Awaitable[Answer]]:
    """Sends a file."""
    return lambda caller: caller.send(method, path, content, {"content-type": kind} if kind else None)


async def _warm(caller: Caller) -> None:
    """One small request of each kind."""
    await caller.json("POST", f"{APIM}/v2/Mail", _attached(0))
    (mail, *_) = (await caller.json("GET", f"{APIM}/v2/Mail?includeAttachments=true"))["value"]
    await caller.send("GET", f"{APIM}/Mail/{mail['Id']}?includeAttachments=true")
    await caller.send("GET", f"{_CONNECTION}/messages/{mail['Id']}")
    reply = orjson.dumps({"Body": "Thanks"})
    await caller.send("POST", f"{APIM}/v3/Mail/ReplyTo/{mail['Id']}", reply, {"content-type": "application/json"})
    eml = await caller.send("GET", f"{_CONNECTION}/messages/{mail['Id']}/mime")
    for path, content, kind in (
        (f"{_CONNECTION}/deliver", eml.body, _MIME),
        (f"{_CALENDAR}/import", _calendar(1), _ICS),
        (f"{_CONTACTS}/import", _cards(1), _VCF),
        (f"{SANDBOX}/seed-zip?connection=warm", _seed_folder(1), _ZIP),
    ):
        answer = await caller.send("POST", path, content, {"content-type": kind})
        assert answer.status == 201, answer.body
    await caller.send("GET", f"{_CALENDAR}/export")
    await caller.send("GET", f"{_CONTACTS}/export")


def _with(*requests: Callable[[Caller], Awaitable[Answer]]) -> Callable[[Caller], Awaitable[None]]:
    """The state after some requests."""

    async def prepare(caller: Caller) -> None:
        await _warm(caller)
        for request in requests:
            answer = await request(caller)
            assert 200 <= answer.status < 300, answer.body[:500]

    return prepare


def _of_newest(request: Callable[[Caller, dict[str, Any]], Awaitable[Answer]]) -> Callable[[Caller], Awaitable[Answer]]:
    """A request about the newest mail, whose facts are read without its text."""

    async def send(caller: Caller) -> Answer:
        (mail,) = (await caller.json("GET", f"{_CONNECTION}/messages?top=1"))["value"]
        return await request(caller, mail)

    return send


def done(size: int = 0) -> Callable[[Answer], None]:
    """The request succeeded, with an answer of that many bytes at least."""

    def check(answer: Answer) -> None:
        assert 200 <= answer.status < 300, answer.body[:500]
        assert len(answer.body) >= size

    return check


_SEND = f"{APIM}/v2/Mail"
_LARGE = post(_SEND, _attached(16))
_LONG = post(_SEND, _mail(Body=_HTML))
_TINY = {"Name": "a.txt", "ContentBytes": "aGVsbG8="}
_SNAPSHOT = send_file("PUT", f"{SANDBOX}/snapshots/one")

HEAVY_FILES = (
    Heavy("send a large attachment", _with(), _LARGE, done()),
    Heavy("send a long body", _with(), _LONG, done()),
    Heavy("send a long document", _with(), post(_SEND, _mail(Body=f"<html><body>{_HTML}</body></html>")), done()),
    Heavy(
        "send many attachments",
        _with(),
        post(_SEND, _mail(Attachments=[_TINY] * 200_000)),
        refused(413, f"more than {ITEMS.most} items"),
    ),
    Heavy(
        "send some attachments too many",
        _with(),
        post(_SEND, _mail(Attachments=[_TINY] * (ATTACHMENTS.most + 1))),
        refused(413, f"at most {ATTACHMENTS.most}"),
    ),
    Heavy(
        "send to many recipients",
        _with(),
        post(_SEND, _mail(To=";".join(f"p{number}@example.com" for number in range(200_000)))),
        refused(413, f"more than {RECIPIENTS.most}"),
    ),
    Heavy(
        "send to as many as allowed",
        _with(),
        post(_SEND, _mail(To=";".join(f"p{n}@b.c" for n in range(RECIPIENTS.most)))),
        done(),
    ),
    Heavy(
        "list large attachments", _with(_LARGE), send_file("GET", f"{_SEND}?includeAttachments=true"), done(20 * _MB)
    ),
    Heavy(
        "export a large mail",
        _with(_LARGE),
        _of_newest(lambda caller, mail: caller.send("GET", f"{_CONNECTION}/messages/{mail['id']}/mime")),
        done(20 * _MB),
    ),
    Heavy(
        "export a long mail",
        _with(_LONG),
        _of_newest(lambda caller, mail: caller.send("GET", f"{_CONNECTION}/messages/{mail['id']}/mime")),
        done(5 * _MB),
    ),
    Heavy(
        "show a long mail",
        _with(_LONG),
        _of_newest(lambda caller, mail: caller.send("GET", f"{_CONNECTION}/messages/{mail['id']}")),
        done(5 * _MB),
    ),
    Heavy(
        "reply to a long mail",
        _with(_LONG),
        _of_newest(
            lambda caller, mail: caller.send(
                "POST",
                f"{APIM}/v3/Mail/ReplyTo/{mail['id']}",
                orjson.dumps({"Body": "Thanks"}),
                {"content-type": "application/json"},
            )
        ),
        done(),
    ),
    Heavy("deliver a large mail", _with(), send_file("POST", f"{_CONNECTION}/deliver", _eml(16), _MIME), done()),
    Heavy("deliver a long line", _with(), send_file("POST", f"{_CONNECTION}/deliver", _long_line(4), _MIME), done()),
    Heavy("import a calendar", _with(), send_file("POST", f"{_CALENDAR}/import", _calendar(1_500), _ICS), done()),
    Heavy(
        "export a calendar",
        _with(send_file("POST", f"{_CALENDAR}/import", _calendar(1_500), _ICS)),
        send_file("GET", f"{_CALENDAR}/export"),
        done(_MB // 8),
    ),
    Heavy("import contacts", _with(), send_file("POST", f"{_CONTACTS}/import", _cards(3_000), _VCF), done()),
    Heavy(
        "export contacts",
        _with(send_file("POST", f"{_CONTACTS}/import", _cards(3_000), _VCF)),
        send_file("GET", f"{_CONTACTS}/export"),
        done(_MB // 8),
    ),
    Heavy(
        "load a large seed folder",
        _with(),
        send_file("POST", f"{SANDBOX}/seed-zip?connection=zoe", _seed_folder(800), _ZIP),
        done(),
    ),
    Heavy("save a large sandbox", _with(*[_LARGE] * 6), _SNAPSHOT, done()),
    Heavy(
        "restore a large sandbox",
        _with(_LARGE, _LARGE, _LARGE, _SNAPSHOT),
        send_file("POST", f"{SANDBOX}/snapshots/one/restore"),
        done(),
    ),
    Heavy(
        "export a large sandbox", _with(_LARGE, _LARGE, _LARGE), send_file("GET", f"{SANDBOX}/export"), done(40 * _MB)
    ),
)
"""Requests of the kind that people make with the files they have, and larger."""
