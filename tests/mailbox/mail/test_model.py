"""Random operations on three mailboxes, compared with a model made of plain lists."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from outlook_emulator.app import create_app
from outlook_emulator.clock import VirtualClock
from outlook_emulator.settings import Settings

OWNERS = ("alice", "bob", "carol")
INBOX, SENT, DELETED, ARCHIVE = FOLDERS = ("Inbox", "Sent Items", "Deleted Items", "Archive")
OUTSIDER = "x@example.org"
Shown = tuple[str, str, str | None, str | None, bool]


def address(name: str) -> str:
    return name if "@" in name else f"{name}@example.com"


@dataclass(frozen=True)
class MailContent:
    """The content of a mail; people with a mailbox are named by owner, others by address."""

    subject: str
    sender: str
    to: tuple[str, ...]
    cc: tuple[str, ...] = ()


@dataclass(frozen=True)
class Copy:
    """A copy of a mail in a folder; `number` grows with each copy, and `id` is known after the first listing."""

    content: MailContent
    owner: str
    folder: str
    time: int
    number: int
    read: bool = False
    flagged: bool = False
    id: str = ""

    @property
    def shown(self) -> Shown:
        content = self.content
        to, cc = (";".join(map(address, line)) or None for line in (content.to, content.cc))
        return content.subject, address(content.sender), to, cc, self.read


@dataclass
class Model:
    """All copies of all mails, and the subjects of mails sent outside the sandbox."""

    copies: list[Copy] = field(default_factory=list)
    outbox: list[str] = field(default_factory=list)
    stale: list[tuple[str, str]] = field(default_factory=list)
    _numbers: count[int] = field(default_factory=count)

    def send(self, content: MailContent, now: int) -> None:
        """Add a read copy for the sender, an unread copy per owner, and an outbox mail for other recipients."""
        self.place(content, content.sender, SENT, now, read=True)
        reached = dict.fromkeys((*content.to, *content.cc))
        for owner in (address for address in reached if address in OWNERS):
            self.place(content, owner, INBOX, now)
        if OUTSIDER in reached:
            self.outbox.append(content.subject)

    def place(self, content: MailContent, owner: str, folder: str, time: int, *, read: bool = False) -> None:
        self.copies.append(Copy(content, owner, folder, time, next(self._numbers), read))

    def move(self, copy: Copy, folder: str) -> None:
        """Move a copy and give it a new id; the old id becomes invalid."""
        self.forget(copy)
        self.copies.append(replace(copy, folder=folder, number=next(self._numbers), id=""))

    def forget(self, copy: Copy) -> None:
        self.copies.remove(copy)
        self.stale.append((copy.owner, copy.id))

    def change(self, copy: Copy, **fields: Any) -> None:
        self.copies[self.copies.index(copy)] = replace(copy, **fields)

    def folder(self, owner: str, name: str) -> list[Copy]:
        """The copies in a folder, newest first."""
        copies = [copy for copy in self.copies if (copy.owner, copy.folder) == (owner, name)]
        return sorted(copies, key=lambda copy: (copy.time, copy.number), reverse=True)


def answered(content: MailContent, by: str, reply_all: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The To and Cc of a reply; oneself is left out unless nobody else remains."""
    others = tuple(address for address in content.to if address != by)
    author = (others or (by,)) if content.sender == by else (content.sender,)
    if not reply_all:
        return author, ()
    everyone = tuple(address for address in dict.fromkeys((*author, *content.to)) if address != by) or author
    return everyone, tuple(address for address in content.cc if address != by and address not in everyone)


def request(owner: str, method: str, path: str, **query: Any) -> dict[str, Any]:
    """Build the ASGI scope of a request."""
    raw = f"/apim/outlook/{owner}{path}"
    headers = [(b"authorization", b"Key k")]
    scope = {"type": "http", "method": method, "path": raw, "raw_path": raw.encode(), "headers": headers}
    return scope | {"query_string": urlencode(query).encode()}


async def exchange(app: Any, scope: dict[str, Any], body: bytes = b"") -> tuple[int, bytes]:
    """Send a request to the app and return status and body; no HTTP client, because listing dominates the cost."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], b"".join(event.get("body", b"") for event in sent)


EVERYTHING = {"fetchOnlyUnread": False, "top": 500}
LISTS = {
    (owner, folder): request(owner, "GET", "/v2/Mail", folderPath=folder, **EVERYTHING)
    for owner in OWNERS
    for folder in FOLDERS
}


class Mailboxes(RuleBasedStateMachine):
    """Each rule changes the server and the model alike; afterwards both must agree."""

    @initialize()
    def start(self) -> None:
        self.clock = VirtualClock(datetime(2026, 3, 2, 9, 0, tzinfo=UTC))
        self.app = create_app(Settings(domain="example.com", max_calls=0), self.clock)
        self.loop = asyncio.new_event_loop()
        self.model = Model()
        self.subjects = count(1)
        for owner in OWNERS:
            self.done(owner, "GET", "/testconnection")

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.loop.close()
            self.app.state.sandboxes.close()

    def call(self, owner: str, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, bytes]:
        scope = request(owner, method, path, **query)
        sent = b"" if body is None else json.dumps(body).encode()
        return self.loop.run_until_complete(exchange(self.app, scope, sent))

    def done(self, owner: str, method: str, path: str, body: Any = None, **query: Any) -> bytes:
        status, answer = self.call(owner, method, path, body, **query)
        assert status < 300, answer
        return answer

    def drawn(self, data: st.DataObject) -> Copy:
        return data.draw(st.sampled_from(self.model.copies))

    def by_id(self, copy: Copy, method: str, path: str, body: Any = None, **query: Any) -> bytes:
        return self.done(copy.owner, method, path.format(copy.id), body, **query)

    # --- Rules ---

    @rule(
        sender=st.sampled_from(OWNERS),
        to=st.lists(st.sampled_from((*OWNERS, OUTSIDER)), min_size=1, max_size=3, unique=True),
        cc=st.lists(st.sampled_from((*OWNERS, OUTSIDER)), max_size=2, unique=True),
        path=st.sampled_from(("/Mail", "/v2/Mail")),
    )
    def send(self, sender: str, to: list[str], cc: list[str], path: str) -> None:
        content = MailContent(f"Mail {next(self.subjects)}", sender, tuple(to), tuple(cc))
        people = {"To": "; ".join(map(address, to)), "Cc": ";".join(map(address, cc))}
        self.done(sender, "POST", path, {**people, "Subject": content.subject, "Body": "Hello"})
        self.model.send(content, self.clock.now())

    @precondition(lambda self: self.model.copies)
    @rule(data=st.data(), reply_all=st.booleans(), version=st.sampled_from((1, 2, 3)))
    def reply(self, data: st.DataObject, reply_all: bool, version: int) -> None:
        copy = self.drawn(data)
        if version == 1:
            self.by_id(copy, "POST", "/Mail/ReplyTo/{}", comment="Yes", replyAll=reply_all)
        else:
            body = {"Body": "Yes", "ReplyAll": reply_all}
            self.by_id(copy, "POST", f"/v{version}/Mail/ReplyTo/{{}}", body)
        subject = copy.content.subject
        prefixed = subject if subject.startswith("RE: ") else f"RE: {subject.removeprefix('FW: ')}"
        to, cc = answered(copy.content, copy.owner, reply_all)
        self.model.send(MailContent(prefixed, copy.owner, to, cc), self.clock.now())

    @precondition(lambda self: self.model.copies)
    @rule(data=st.data(), to=st.lists(st.sampled_from((*OWNERS, OUTSIDER)), min_size=1, max_size=2, unique=True))
    def forward(self, data: st.DataObject, to: list[str]) -> None:
        copy = self.drawn(data)
        order = {"Comment": "FYI", "ToRecipients": ";".join(map(address, to))}
        self.by_id(copy, "POST", "/codeless/api/v2.0/me/messages/{}/forward", order)
        subject = copy.content.subject
        prefixed = subject if subject.startswith("FW: ") else f"FW: {subject.removeprefix('RE: ')}"
        self.model.send(MailContent(prefixed, copy.owner, tuple(to)), self.clock.now())

    @precondition(lambda self: self.model.copies)
    @rule(data=st.data(), folder=st.sampled_from(FOLDERS))
    def move(self, data: st.DataObject, folder: str) -> None:
        copy = self.drawn(data)
        moved = json.loads(self.by_id(copy, "POST", "/Mail/Move/{}", folderPath=folder))
        self.model.move(copy, folder)

        assert (moved["Subject"], moved["IsRead"]) == (copy.content.subject, copy.read)
        assert moved["Id"] != copy.id

    @precondition(lambda self: self.model.copies)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        copy = self.drawn(data)
        self.by_id(copy, "DELETE", "/Mail/{}")
        if copy.folder == DELETED:
            self.model.forget(copy)
        else:
            self.model.move(copy, DELETED)

    @precondition(lambda self: self.model.copies)
    @rule(data=st.data())
    def flag(self, data: st.DataObject) -> None:
        copy = self.drawn(data)
        self.by_id(copy, "POST", "/Mail/Flag/{}")
        self.model.change(copy, flagged=True)

    @precondition(lambda self: self.model.copies)
    @rule(data=st.data())
    def mark_as_read(self, data: st.DataObject) -> None:
        copy = self.drawn(data)
        self.by_id(copy, "POST", "/Mail/MarkAsRead/{}")
        self.model.change(copy, read=True)

    @precondition(lambda self: self.model.stale)
    @rule(
        data=st.data(),
        call=st.sampled_from(
            (
                ("GET", "/Mail/{}"),
                ("DELETE", "/Mail/{}"),
                ("POST", "/Mail/Flag/{}"),
                ("POST", "/Mail/MarkAsRead/{}"),
            )
        ),
    )
    def use_an_old_id(self, data: st.DataObject, call: tuple[str, str]) -> None:
        owner, id = data.draw(st.sampled_from(self.model.stale))
        method, path = call

        assert self.call(owner, method, path.format(id))[0] == 404

    @precondition(lambda self: self.model.copies)
    @rule(data=st.data(), thief=st.sampled_from(OWNERS))
    def use_the_id_of_another(self, data: st.DataObject, thief: str) -> None:
        copy = self.drawn(data)
        status, _ = self.call(thief, "POST", f"/Mail/MarkAsRead/{copy.id}")
        if thief == copy.owner:
            self.model.change(copy, read=True)

        assert status == (200 if thief == copy.owner else 404)

    @rule(minutes=st.integers(1, 90))
    def wait(self, minutes: int) -> None:
        self.clock.advance(timedelta(minutes=minutes))

    # --- What must hold after each ---

    @invariant()
    def mailboxes_look_like_the_model(self) -> None:
        for owner in OWNERS:
            for folder in FOLDERS:
                self.compare(owner, folder)
        ids = [copy.id for copy in self.model.copies] + [id for _, id in self.model.stale]

        assert len(ids) == len(set(ids))
        assert self.model.outbox == [outbox_mail.subject for outbox_mail in self.app.state.sandboxes.default.outbox()]

    def compare(self, owner: str, folder: str) -> None:
        expected = self.model.folder(owner, folder)
        messages = self.listed(LISTS[owner, folder])
        shown = [
            (message["Subject"], message["From"], message["To"], message["Cc"], message["IsRead"])
            for message in messages
        ]

        assert [copy.shown for copy in expected] == shown
        for copy, message in zip(expected, messages, strict=True):
            assert copy.id in ("", message["Id"])
            self.model.change(copy, id=message["Id"])
        if any(copy.flagged for copy in expected):
            query = {"folderPath": folder, "fetchOnlyFlagged": True, **EVERYTHING}
            flagged = self.listed(request(owner, "GET", "/v2/Mail", **query))
            flagged_copies = [copy for copy in self.model.folder(owner, folder) if copy.flagged]
            assert [copy.id for copy in flagged_copies] == [message["Id"] for message in flagged]

    def listed(self, scope: dict[str, Any]) -> list[dict[str, Any]]:
        status, answer = self.loop.run_until_complete(exchange(self.app, scope))
        assert status == 200, answer
        mails: list[dict[str, Any]] = json.loads(answer)["value"]
        return mails


@pytest.mark.slow
def test_three_mailboxes_live_like_the_model() -> None:
    """After any sequence of operations, every folder equals the model's folder."""
    run_state_machine_as_test(
        Mailboxes,
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            derandomize=True,
            database=None,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )
