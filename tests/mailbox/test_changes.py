"""The change feed: each change appends its entries in its own transaction, and rejected requests append none."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import httpx
import pytest
from starlette.applications import Starlette

from outlook_emulator.app import create_app
from outlook_emulator.clock import VirtualClock
from outlook_emulator.ids import IdKind, encode
from outlook_emulator.mailbox import changes
from outlook_emulator.mailbox.mail import folders
from outlook_emulator.settings import Settings
from outlook_emulator.store.records import Change

ADMIN = "/_emulator/api/sandboxes/default"


class Entry(NamedTuple):
    """A feed entry with names instead of keys."""

    owner: str
    action: str
    folder: str


class Office:
    """An in-process server with a readable feed and the mailboxes alice, bob and carol."""

    def __init__(self, app: Starlette, clock: VirtualClock) -> None:
        self._app = app
        self.clock = clock
        self.sandbox = app.state.sandboxes.default
        for name in ("alice", "bob", "carol"):
            order = {"id": name, "address": f"{name}@example.com", "sendAs": ["desk@example.com"]}
            assert self.call("POST", f"{ADMIN}/connections", json=order).status_code == 201

    def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def exchange() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(self._app), base_url="http://emulator", trust_env=False
            ) as client:
                return await client.request(method, path, headers={"Authorization": "Key k"}, **more)

        return asyncio.run(exchange())

    def on(self, name: str, method: str, path: str, **more: Any) -> httpx.Response:
        return self.call(method, f"/apim/outlook/{name}{path}", **more)

    def do(self, name: str, method: str, path: str, **more: Any) -> httpx.Response:
        """Send a request that must succeed."""
        answer = self.on(name, method, path, **more)
        assert answer.is_success, answer.text
        return answer

    def send(self, to: str, **more: Any) -> None:
        self.do("alice", "POST", "/v2/Mail", json={"To": to, "Subject": "Hello", "Body": "Hello", **more})

    def deliver(self, name: str, **mail: Any) -> str:
        """Deliver a mail from outside and return its id."""
        answer = self.call("POST", f"{ADMIN}/connections/{name}/deliver", json={"from": "x@example.org", **mail})
        assert answer.status_code == 201, answer.text
        id: str = answer.json()["message"]["Id"]
        return id

    def ids(self, name: str, folder: str) -> list[str]:
        query = {"folderPath": folder, "fetchOnlyUnread": False}
        return [mail["Id"] for mail in self.do(name, "GET", "/v2/Mail", params=query).json()["value"]]

    def id(self, name: str, folder: str = "Inbox") -> str:
        (message_id,) = self.ids(name, folder)
        return message_id

    def last(self) -> int:
        return changes.last(self.sandbox.db)

    def since(self, seq: int) -> list[Change]:
        return changes.after(self.sandbox.db, seq)

    def entries(self, seq: int) -> list[Entry]:
        return [self.named(change) for change in self.since(seq)]

    def named(self, change: Change) -> Entry:
        (owner,) = [
            connection for connection in self.sandbox.connections().values() if connection.id == change.mailbox_id
        ]
        tree = folders.children(self.sandbox.mailbox(owner), None)
        (folder,) = [child.name for child in tree if child.id == change.folder_id]
        return Entry(owner.address.partition("@")[0], change.action, folder)

    def everything(self) -> dict[tuple[str, str], list[Any]]:
        """Return all mails of all mailboxes as a client sees them, and the outbox."""
        seen: dict[tuple[str, str], list[Any]] = {}
        for name in ("alice", "bob", "carol"):
            for folder in ("Inbox", "Sent Items", "Archive", "Deleted Items"):
                for flagged in (False, True):
                    query = {"folderPath": folder, "fetchOnlyUnread": False, "fetchOnlyFlagged": flagged}
                    seen[name, f"{folder} {flagged}"] = self.do(name, "GET", "/v2/Mail", params=query).json()["value"]
        seen["", "outbox"] = self.call("GET", f"{ADMIN}/outbox").json()["value"]
        return seen


@pytest.fixture
def office() -> Iterator[Office]:
    clock = VirtualClock(datetime(2026, 3, 2, 9, 0, tzinfo=UTC))
    app = create_app(Settings(domain="example.com"), clock)
    yield Office(app, clock)
    app.state.sandboxes.close()


def key_of(office: Office, change: Change) -> str:
    """Return the wire id of the message that an entry refers to."""
    return encode(IdKind.MESSAGE, change.mailbox_id, change.item_id)


def test_a_send_creates_every_copy(office: Office) -> None:
    """Sending appends one entry for Sent Items and one for each local recipient, at successive times."""
    office.clock.advance(timedelta(minutes=3))
    office.send("bob@example.com; x@example.org; bob@example.com", Cc="carol@example.com", Bcc="alice@example.com")

    assert office.entries(0) == [
        Entry("alice", "created", "Sent Items"),
        Entry("bob", "created", "Inbox"),
        Entry("carol", "created", "Inbox"),
        Entry("alice", "created", "Inbox"),
    ]
    copies = [("alice", "Sent Items"), ("bob", "Inbox"), ("carol", "Inbox"), ("alice", "Inbox")]
    assert [key_of(office, change) for change in office.since(0)] == [office.id(*copy) for copy in copies]
    assert {change.kind for change in office.since(0)} == {"message"}
    assert [change.at - office.clock.now() for change in office.since(0)] == [0, 1, 2, 3]


def test_the_first_version_of_send_does_the_same(office: Office) -> None:
    """The deprecated send appends the same entries."""
    office.do("alice", "POST", "/Mail", json={"To": "bob@example.com", "Subject": "Hi", "Body": "Hi"})

    assert office.entries(0) == [Entry("alice", "created", "Sent Items"), Entry("bob", "created", "Inbox")]


def test_a_delivery_creates_one(office: Office) -> None:
    """Mail from outside appends one entry, regardless of its time of receipt."""
    id = office.deliver("bob", folder="Archive", received="2020-01-01T00:00:00Z", isRead=True, isFlagged=True)

    assert office.entries(0) == [Entry("bob", "created", "Archive")]
    (change,) = office.since(0)
    assert (key_of(office, change), change.at) == (id, office.clock.now())


def test_a_move_deletes_and_creates(office: Office) -> None:
    """A move deletes the old id in its folder and creates a new id in the other folder."""
    old = office.deliver("bob")
    seq = office.last()
    new = office.do("bob", "POST", f"/Mail/Move/{old}", params={"folderPath": "Archive"}).json()["Id"]

    entries = {office.named(change): key_of(office, change) for change in office.since(seq)}
    assert entries == {Entry("bob", "deleted", "Inbox"): old, Entry("bob", "moved", "Archive"): new}
    assert len(office.since(seq)) == 2


def test_a_delete_is_a_move_and_then_the_end(office: Office) -> None:
    """Deleting moves a mail to Deleted Items first; deleting it there appends only a deletion."""
    old = office.deliver("bob")
    seq = office.last()
    office.do("bob", "DELETE", f"/Mail/{old}")
    first = office.last()
    binned = office.id("bob", "Deleted Items")
    office.do("bob", "DELETE", f"/Mail/{binned}")

    assert set(office.entries(seq)[: first - seq]) == {
        Entry("bob", "deleted", "Inbox"),
        Entry("bob", "moved", "Deleted Items"),
    }
    assert office.entries(first) == [Entry("bob", "deleted", "Deleted Items")]
    assert key_of(office, office.since(first)[0]) == binned


@pytest.mark.parametrize("path", ["/Mail/Flag/", "/Mail/MarkAsRead/"])
def test_a_flag_is_an_update_and_its_repeat_is_nothing(office: Office, path: str) -> None:
    """A change appends one update; repeating it changes and appends nothing."""
    id = office.deliver("bob")
    seq = office.last()
    office.do("bob", "POST", path + id)
    changed = office.last()
    office.do("bob", "POST", path + id)

    assert office.entries(seq) == [Entry("bob", "updated", "Inbox")]
    assert key_of(office, office.since(seq)[0]) == id
    assert office.last() == changed


@pytest.mark.parametrize(
    ("path", "order"),
    [
        ("/Mail/ReplyTo/{}?comment=Hi", {}),
        ("/v2/Mail/ReplyTo/{}", {"json": {"Body": "Hi"}}),
        ("/v3/Mail/ReplyTo/{}", {"json": {"Body": "Hi"}}),
        ("/codeless/api/v2.0/me/messages/{}/forward", {"json": {"ToRecipients": "alice@example.com"}}),
    ],
)
def test_an_answer_creates_copies_and_updates_the_original(office: Office, path: str, order: dict[str, Any]) -> None:
    """A reply or forward appends its copies and an update of the original, which the flag trigger needs."""
    office.send("bob@example.com")
    original, seq = office.id("bob"), office.last()
    office.do("bob", "POST", path.format(original), **order)

    assert office.entries(seq) == [
        Entry("bob", "created", "Sent Items"),
        Entry("alice", "created", "Inbox"),
        Entry("bob", "updated", "Inbox"),
    ]
    assert key_of(office, office.since(seq)[-1]) == original


def test_a_late_mailbox_gets_its_waiting_mail(office: Office) -> None:
    """Waiting mail is created in its mailbox at the moment when the mailbox is created."""
    office.send("dora@example.com; x@example.org")
    seq = office.last()
    office.clock.advance(timedelta(hours=1))
    office.do("dora", "GET", "/testconnection")

    assert office.entries(seq) == [Entry("dora", "created", "Inbox")]
    assert office.since(seq)[0].at == office.clock.now()


def test_reading_changes_nothing(office: Office) -> None:
    """Reads, searches, folder pickers and connection tests append nothing."""
    id = office.deliver("bob", attachments=[{"Name": "a.txt", "ContentBytes": "aGk="}])
    seq = office.last()
    message = office.do("bob", "GET", f"/Mail/{id}", params={"includeAttachments": True}).json()
    office.do("bob", "GET", f"/Mail/{id}/Attachments/{message['Attachments'][0]['Id']}")
    office.do("bob", "GET", "/Mail", params={"searchQuery": "hello"})
    office.do("bob", "GET", "/v2/Mail", params={"searchQuery": "hello", "from": "x@example.org"})
    office.do("bob", "GET", "/OnFilePickerOpen", params={"operation": "MailFolders"})
    office.do("bob", "GET", "/testconnection")
    office.do("bob", "GET", "/datasets")

    assert office.last() == seq


@pytest.mark.parametrize(
    ("method", "path", "order"),
    [
        ("POST", "/v2/Mail", {"json": {"To": "carol@example.com; nobody", "Subject": "Hi", "Body": "Hi"}}),
        ("POST", "/v2/Mail", {"json": {"To": "carol@example.com", "Body": "Hi"}}),
        ("POST", "/v2/Mail", {"json": {"To": "carol@example.com", "Subject": "", "From": "boss@example.com"}}),
        ("POST", "/v2/Mail", {"content": b'{"To": "carol@example.com", "Subject"'}),
        ("POST", "/Mail", {"json": {"To": "", "Subject": "Hi", "Body": "Hi"}}),
        ("POST", "/Mail/Move/{id}", {"params": {"folderPath": "Nowhere"}}),
        ("POST", "/Mail/Move/{id}", {}),
        ("POST", "/Mail/Move/x", {"params": {"folderPath": "Archive"}}),
        ("DELETE", "/Mail/{id}x", {}),
        ("POST", "/Mail/Flag/{other}", {}),
        ("POST", "/Mail/MarkAsRead/{other}", {}),
        ("DELETE", "/Mail/{other}", {}),
        ("POST", "/Mail/ReplyTo/{id}", {}),
        ("POST", "/v2/Mail/ReplyTo/{id}", {"json": {"Importance": "Urgent"}}),
        ("POST", "/v3/Mail/ReplyTo/{id}", {"json": {"Attachments": [{"Name": "a", "ContentBytes": "?"}]}}),
        ("POST", "/v3/Mail/ReplyTo/{encrypted}", {"json": {"Body": "Hi"}}),
        ("POST", "/codeless/api/v2.0/me/messages/{id}/forward", {"json": {"ToRecipients": "nobody"}}),
        ("POST", "/codeless/api/v2.0/me/messages/{other}/forward", {"json": {"ToRecipients": "carol@example.com"}}),
        ("PUT", "/Mail/{id}", {}),
    ],
)
def test_a_refused_call_appends_nothing(office: Office, method: str, path: str, order: dict[str, Any]) -> None:
    """A request that ends in a 4xx changes neither the feed nor the mailboxes."""
    sealed = (
        "From: x@example.org\r\nSubject: Sealed\r\nMIME-Version: 1.0\r\n"
        'Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name="smime.p7m"\r\n\r\nMIAG\r\n'
    )
    ids = {
        "id": office.deliver("bob"),
        "other": office.deliver("carol"),
        "encrypted": office.deliver("bob", eml=sealed, folder="Archive"),
    }
    before, seq = office.everything(), office.last()
    answer = office.on("bob", method, path.format(**ids), **order)

    assert 400 <= answer.status_code < 500
    assert office.last() == seq
    assert before == office.everything()


@pytest.mark.parametrize(
    ("method", "path", "order"),
    [
        ("POST", "/v2/Mail", {"json": {"To": "carol@example.com;x@example.org", "Subject": "Hi", "Body": "Hi"}}),
        ("POST", "/Mail", {"json": {"To": "carol@example.com;x@example.org", "Subject": "Hi", "Body": "Hi"}}),
        ("POST", "/Mail/Move/{id}?folderPath=Archive", {}),
        ("DELETE", "/Mail/{id}", {}),
        ("DELETE", "/Mail/{binned}", {}),
        ("POST", "/Mail/Flag/{id}", {}),
        ("POST", "/Mail/MarkAsRead/{id}", {}),
        ("POST", "/Mail/ReplyTo/{id}?comment=Hi", {}),
        ("POST", "/v2/Mail/ReplyTo/{id}", {"json": {"Body": "Hi"}}),
        ("POST", "/v3/Mail/ReplyTo/{id}", {"json": {"Body": "Hi", "To": "carol@example.com"}}),
        ("POST", "/codeless/api/v2.0/me/messages/{id}/forward", {"json": {"ToRecipients": "carol@example.com"}}),
    ],
)
def test_a_mutation_and_its_entries_are_one(
    office: Office, caplog: pytest.LogCaptureFixture, method: str, path: str, order: dict[str, Any]
) -> None:
    """If the feed cannot be written, the change is rolled back, because both share one transaction."""
    ids = {"id": office.deliver("bob"), "binned": office.deliver("bob", folder="Deleted Items")}
    before, seq, db = office.everything(), office.last(), office.sandbox.db
    with db.transaction():
        db.execute("CREATE TRIGGER feed_is_full AFTER INSERT ON change BEGIN SELECT RAISE(ABORT, 'full'); END", {})
    refused = office.on("bob", method, path.format(**ids), **order)
    with db.transaction():
        db.execute("DROP TRIGGER feed_is_full", {})

    assert refused.status_code == 500
    assert "full" in caplog.text
    assert office.last() == seq
    assert before == office.everything()
    office.do("bob", method, path.format(**ids), **order)
    assert office.last() > seq


def test_a_send_that_fails_half_way_leaves_no_copy(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    """If one recipient's mailbox cannot be written, no mailbox gets a copy."""
    before, seq, db = office.everything(), office.last(), office.sandbox.db
    carol = office.sandbox.connections()["carol"]
    with db.transaction():
        db.execute(
            f"CREATE TRIGGER no_carol BEFORE INSERT ON change WHEN NEW.mailbox_id = {carol.id}"
            " BEGIN SELECT RAISE(ABORT, 'no carol'); END",
            {},
        )
    message = {"To": "bob@example.com; x@example.org", "Cc": "carol@example.com", "Subject": "Hi", "Body": "Hi"}
    answer = office.on("alice", "POST", "/v2/Mail", json=message)

    assert answer.status_code == 500
    assert "no carol" in caplog.text
    assert office.last() == seq
    assert before == office.everything()


def test_the_feed_is_read_in_order_and_in_pages(office: Office) -> None:
    """Entries are read oldest first with increasing numbers, from any position, up to a limit."""
    for _ in range(3):
        office.deliver("bob")
    db = office.sandbox.db
    every = changes.after(db, 0)

    assert [change.seq for change in every] == sorted({change.seq for change in every})
    assert changes.after(db, every[0].seq) == every[1:]
    assert changes.after(db, 0, top=2) == every[:2]
    assert changes.after(db, every[-1].seq) == []
    assert changes.last(db) == every[-1].seq


def test_an_empty_feed(office: Office) -> None:
    """Creating mailboxes and folders appends nothing, so a new sandbox starts at 0."""
    office.call("POST", f"{ADMIN}/connections/bob/folders", json={"path": "Projects/Apollo"})

    assert office.last() == 0
    assert office.since(0) == []
