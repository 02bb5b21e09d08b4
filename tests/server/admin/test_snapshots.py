"""Snapshots, export and import over HTTP: restored state, pollers, callbacks, waits, invalid files, and restarts."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from outlook_emulator.app import create_app
from outlook_emulator.clock import VirtualClock, iso_ticks, microseconds
from outlook_emulator.enums import CallbackState
from outlook_emulator.mailbox.mail import search_index
from outlook_emulator.server.admin.routes import ROOT
from outlook_emulator.settings import Settings
from outlook_emulator.slices import whole
from tests.conftest import START, Connection, Sandbox, Server, new_sandbox
from tests.mailbox.triggers.test_mail_triggers import EVERY, NEW, TABLE, Poller, fire
from tests.server.admin.test_wait import LONG, begun
from tests.server.webhooks.test_delivery import MAIL, pick, put, running, subjects, subscribe, trigger
from tests.stub import Stub

SQLITE = "application/vnd.sqlite3"
MAIL_SUBSCRIPTION = "/MailSubscription/$subscriptions"


def save(sandbox: Sandbox, name: str = "one") -> dict[str, Any]:
    answer = sandbox.api.put(f"/snapshots/{name}")
    assert answer.status_code == 201, answer.text
    facts: dict[str, Any] = answer.json()
    return facts


def restore(sandbox: Sandbox, name: str = "one") -> dict[str, Any]:
    answer = sandbox.api.post(f"/snapshots/{name}/restore")
    assert answer.status_code == 200, answer.text
    facts: dict[str, Any] = answer.json()
    return facts


NEW_PUSH = "INSERT INTO push SELECT 'alice', 'news', id,"


def export(sandbox: Sandbox) -> bytes:
    answer = sandbox.api.get("/export")
    assert (200, SQLITE) == (answer.status_code, answer.headers["content-type"])
    return answer.content


def import_file(sandbox: Sandbox, file: bytes, **query: Any) -> httpx.Response:
    return sandbox.api.post("/import", content=file, params=query, headers={"Content-Type": SQLITE})


def names(sandbox: Sandbox) -> list[str]:
    return [snapshot["name"] for snapshot in sandbox.api.get("/snapshots").json()["value"]]


def shown(sandbox: Sandbox) -> dict[str, Any]:
    state: dict[str, Any] = sandbox.server.http.get(f"{ROOT}/sandboxes/{sandbox.name}").json()
    return state


def everything(sandbox: Sandbox) -> dict[str, list[Any]]:
    """Return all content of a sandbox except its epochs."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.deserialize(export(sandbox))
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        tables_of = {
            name: db.execute(f'SELECT * FROM "{name}"').fetchall() for name in tables if name != "message_search"
        }
    tables_of["sandbox_state"] = sorted(row for row in tables_of["sandbox_state"] if row[0] != "epochs")
    return tables_of


@pytest.fixture
def other(server: Server) -> Iterator[Sandbox]:
    """A second sandbox."""
    with new_sandbox(server) as sandbox:
        yield sandbox


# Save and restore


def test_save_list_and_delete(sandbox: Sandbox, alice: Connection) -> None:
    """A snapshot has a name, a size and the sandbox's time, is listed by name, and can be deleted."""
    sandbox.advance("1h")
    second, first = save(sandbox, "two"), save(sandbox, "a.one")
    listed = sandbox.api.get("/snapshots").json()
    gone = sandbox.api.delete("/snapshots/two")

    now = microseconds(datetime.fromisoformat(sandbox.api.get("/clock").json()["now"]))
    assert {"name": "two", "takenAt": iso_ticks(now), "bytes": second["bytes"]} == second
    assert second["bytes"] > 100_000
    assert {"value": [first, second]} == listed
    assert ((204, b""), ["a.one"]) == ((gone.status_code, gone.content), names(sandbox))


def test_restore_brings_everything_back(sandbox: Sandbox, alice: Connection, bob: Connection, listener: Stub) -> None:
    """A restore brings back mails, events, contacts, questions, subscriptions, callbacks, connections and the clock."""
    alice.send(f"{bob.address}; out@example.net", "Kept")
    alice.meet("Review", RequiredAttendees=bob.address)
    alice.post("/datasets/contacts/tables/Contacts/items", {"GivenName": "Carol", "HomePhones": ["1"]})
    alice.http.post(
        "/approvalmail/$subscriptions",
        json={"NotificationUrl": listener.url, "Message": {"To": bob.address, "Options": "Yes, No"}},
    )
    subscribe(bob, listener.url)
    assert sandbox.api.post("/clock", json={"freeze": True, "advance": "2h"}).status_code == 200
    sandbox.advance()
    (question,) = sandbox.api.get("/questions").json()["value"]
    save(sandbox)
    before = everything(sandbox)
    facts = shown(sandbox), sandbox.api.get("/clock").json()
    sandbox.api.post(f"/questions/{question['id']}/answer", json={"option": "Yes"})
    sandbox.api.post("/clock", json={"freeze": False, "advance": "9h"})
    sandbox.connect("carol")
    bob.send(alice.address, "Dropped")
    alice.meet("Later")
    mail = bob.mails()[0]["Id"]
    bob.http.delete(f"/Mail/{mail}")
    restored = restore(sandbox)

    assert before == everything(sandbox)
    assert facts == (restored, sandbox.api.get("/clock").json())
    assert [None] == [question["answer"] for question in sandbox.api.get("/questions").json()["value"]]
    assert 404 == sandbox.api.get(f"/connections/{sandbox.name}-carol/subscriptions").status_code
    assert mail == bob.mails()[0]["Id"]


def test_ids_after_a_restore(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """After each restore the same requests produce the same new ids, and no id from before the snapshot."""

    def create_items() -> set[str]:
        alice.send(bob.address)
        connection = sandbox.api.post("/connections").json()["id"]
        mail = bob.mails()[0]
        return {mail["Id"], mail["InternetMessageId"], mail["ConversationId"], alice.meet()["Id"], connection}

    before = create_items()
    save(sandbox)
    rounds = [create_items()]
    for _ in range(2):
        restore(sandbox)
        rounds.append(create_items())

    assert [rounds[0]] * 3 == rounds
    assert set() == before & rounds[0]


def test_a_reset_after_a_restore(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """A reset removes what a restore brought back but keeps the snapshot, which can be restored again."""
    alice.send(bob.address, "Kept")
    save(sandbox)
    before = everything(sandbox)
    restore(sandbox)
    assert sandbox.api.post("/reset").status_code == 200
    empty = bob.mails()
    restore(sandbox)

    assert ([], before) == (empty, everything(sandbox))


def test_unknown_snapshot(sandbox: Sandbox, alice: Connection) -> None:
    """An unknown snapshot responds 404 with the names of the existing ones, and nothing changes."""
    before = everything(sandbox)
    missing = [sandbox.api.post("/snapshots/x/restore"), sandbox.api.delete("/snapshots/x")]
    save(sandbox, "b")
    save(sandbox, "a")
    missing += [sandbox.api.post("/snapshots/x%00%2e%2e/restore"), sandbox.api.delete("/snapshots/%2e%2e%5cbox")]

    assert [404] * 4 == [response.status_code for response in missing]
    assert ["There is none."] * 2 + ["There are: a, b."] * 2 == [
        response.json()["error"]["message"].partition(" exists. ")[2] for response in missing
    ]
    assert before == everything(sandbox)


@pytest.mark.parametrize("name", ["a b", ".a", "a.", "a..b", "x" * 65, "%C3%A4", "a%00"])
def test_invalid_name(sandbox: Sandbox, name: str) -> None:
    """A name that is not safe as a file name is rejected with the rule for names."""
    answer = sandbox.api.put(f"/snapshots/{name}")

    assert (400, []) == (answer.status_code, names(sandbox))
    assert "A snapshot name has 1 to 64 letters, digits, -_ and inner dots" in answer.json()["message"]


# Pollers


@pytest.mark.parametrize("path", EVERY)
def test_poll_urls_after_a_restore(sandbox: Sandbox, alice: Connection, path: str) -> None:
    """Poll URLs from before the snapshot are valid after its restore; URLs from the undone period are rejected."""
    before = Poller(alice, path, **EVERY[path])
    save(sandbox)
    fire(alice, path)
    dropped = Poller(alice, path, **EVERY[path])
    first_answer = before.ask(first := before.location)
    since = before.last.headers["location"]
    restore(sandbox)
    refused = [alice.http.get(position) for position in (dropped.location, since)]
    none = before.ask(first)
    fire(alice, path)
    again = before.ask(first)
    fresh = Poller(alice, path, **EVERY[path])

    assert [400, 400] == [response.status_code for response in refused]
    assert "or to what a reset or a restored snapshot has undone" in refused[0].json()["message"]
    assert ([], first_answer) == (none, again)
    assert [] == fresh.ask()


def test_restored_pollers_continue(sandbox: Sandbox, alice: Connection) -> None:
    """A workflow that was restored with its sandbox continues to poll, also through the next restore."""
    poller = Poller(alice, NEW)
    alice.deliver(subject="Kept")
    assert ["Kept"] == poller.subjects()
    save(sandbox)
    kept = poller.location
    for subject in ("First", "Second"):
        poller.location = kept
        alice.deliver(subject=subject)
        assert [subject] == poller.subjects()
        alice.deliver(subject="More")
        assert ["More"] == poller.subjects()
        restore(sandbox)
    assert 400 == alice.http.get(poller.location).status_code


def test_saving_does_not_affect_pollers(sandbox: Sandbox, alice: Connection) -> None:
    """Saving a snapshot does not affect poll URLs."""
    poller = Poller(alice, NEW)
    save(sandbox)
    alice.deliver(subject="One")
    save(sandbox)
    alice.deliver(subject="Two")

    assert ["One", "Two"] == poller.subjects()


def test_snapshots_of_several_times(sandbox: Sandbox, alice: Connection) -> None:
    """Snapshots of different times can be restored in any order, each with its poll URLs."""
    calendar = f"{TABLE}/onnewitems"
    states = [Poller(alice, calendar).location]
    save(sandbox, "first")
    alice.meet("One")
    states.append(Poller(alice, calendar).location)
    save(sandbox, "second")
    alice.meet("Two")
    states.append(Poller(alice, calendar).location)

    def statuses() -> list[int]:
        return [alice.http.get(state).status_code for state in states]

    seen = [statuses()]
    for name in ("first", "second", "first"):
        restore(sandbox, name)
        seen.append(statuses())

    assert [[200, 200, 202], [202, 400, 400], [200, 202, 400], [202, 400, 400]] == seen


# Callbacks


def test_subscriptions_are_restored(sandbox: Sandbox, alice: Connection, listener: Stub) -> None:
    """Subscriptions of the snapshot are poked after the restore, later ones are not."""
    kept = subscribe(alice, f"{listener.url}/kept")
    alice.deliver()
    sandbox.advance()
    save(sandbox)
    subscribe(alice, f"{listener.url}/dropped")
    assert 200 == alice.http.delete(f"{MAIL_SUBSCRIPTION}/{kept}", params={"options": options(alice)}).status_code
    restore(sandbox)
    sandbox.advance()
    heard = len(listener.requests)
    alice.deliver()
    entries = sandbox.made_callbacks()

    assert 1 == heard
    assert ["/kept", "/kept"] == [request.path for request in listener.requests]
    assert [kept, kept] == [entry["reference"] for entry in entries]


def options(alice: Connection) -> str:
    """Return the query parameter `options` of a subscription's URL."""
    answer = alice.post(MAIL, {"NotificationUrl": "http://localhost/x"})
    return httpx.URL(answer.headers["location"]).params["options"]


def test_pending_callback_is_sent_again(sandbox: Sandbox, alice: Connection, listener: Stub) -> None:
    """A retry that was pending in the snapshot is due again after the restore, with the same remaining attempts."""
    listener.answer_with(500, 200)
    subscribe(alice, listener.url)
    alice.deliver()
    (waiting,) = sandbox.made_callbacks()
    save(sandbox)
    sandbox.advance("1s")
    (done,) = sandbox.made_callbacks()
    restore(sandbox)
    (again,) = sandbox.made_callbacks()
    sandbox.advance("1s")
    (last,) = sandbox.made_callbacks()

    assert ("pending", "done", "done") == (waiting["state"], done["state"], last["state"])
    assert waiting == again
    assert (done, 3) == (last, len(listener.requests))


def test_callback_in_progress_is_not_recorded(sandbox: Sandbox, alice: Connection, listener: Stub) -> None:
    """The result of a callback that was in progress during a restore is not recorded in the restored sandbox."""
    release = threading.Event()
    listener.respond = lambda heard: (200 if release.wait(10) else 500, "text/plain", b"")
    save(sandbox)
    put(alice, trigger(listener.url))
    alice.deliver(subject="Dropped")
    listener.wait()
    restore(sandbox)
    put(alice, trigger(f"{listener.url}/new"))
    alice.deliver(subject="New")
    listener.wait(2)
    release.set()
    entries = sandbox.made_callbacks()

    assert [("done", 1, f"{listener.url}/new")] == [pick(entry, "state", "attempts", "url") for entry in entries]
    assert [["Dropped"], ["New"]] == [subjects(request) for request in listener.requests]


def test_push_trigger_continues(sandbox: Sandbox, alice: Connection, listener: Stub) -> None:
    """A restored push trigger continues where it was: old items are not pushed again, new items are."""
    put(alice, trigger(listener.url))
    alice.deliver(subject="Before")
    sandbox.advance()
    save(sandbox)
    alice.deliver(subject="Dropped")
    sandbox.advance()
    assert 204 == sandbox.api.delete(f"/connections/{alice.id}/triggerConfigs/news").status_code
    restore(sandbox)
    sandbox.advance()
    alice.deliver(subject="After")
    sandbox.advance()

    assert [["Before"], ["Dropped"], ["After"]] == [subjects(request) for request in listener.requests]


def test_restore_resumes_delivery(sandbox: Sandbox, alice: Connection, listener: Stub) -> None:
    """A callback that was in progress at the snapshot is sent again after the restore, without further requests."""
    release = threading.Event()
    listener.respond = lambda heard: (200 if release.wait(10) else 500, "text/plain", b"")
    subscribe(alice, listener.url)
    alice.deliver()
    listener.wait()
    save(sandbox)
    release.set()
    (done,) = sandbox.made_callbacks()
    restore(sandbox)
    listener.wait(2)
    (again,) = sandbox.made_callbacks()

    assert ("done", done) == (again["state"], again)


# Waits


def test_wait_during_a_restore(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """A wait continues after a restore: it returns items added afterwards, and no undone items."""
    bob.deliver(subject="Kept")
    save(sandbox)
    bob.deliver(subject="Dropped")
    with begun(sandbox, connection=bob.id, count=3) as waiting:
        restore(sandbox)
        bob.deliver(subject="One")
        bob.deliver(subject="Two")
        status, answer = waiting.end()

    assert (200, ["Kept", "One", "Two"]) == (status, [mail["subject"] for mail in answer["value"]])


@pytest.mark.parametrize("anchor", ["Kept", "Dropped"])
def test_wait_for_newer_mail_during_a_restore(sandbox: Sandbox, bob: Connection, anchor: str) -> None:
    """`newerThan` means items after that mail, even if the restore has removed the mail."""
    ids = {"Old": bob.deliver(subject="Old")["Id"], "Kept": bob.deliver(subject="Kept")["Id"]}
    save(sandbox)
    for subject in ("Between", "Dropped"):
        ids[subject] = bob.deliver(subject=subject)["Id"]
    count = 2 if anchor == "Kept" else 1
    with begun(sandbox, connection=bob.id, newerThan=ids[anchor], count=count + 1) as waiting:
        restore(sandbox)
        for number in range(count + 1):
            bob.deliver(subject=f"New {number}")
        status, answer = waiting.end()

    assert (200, [f"New {number}" for number in range(count + 1)]) == (
        status,
        [mail["subject"] for mail in answer["value"]],
    )


def test_wait_for_newer_events_and_callbacks(sandbox: Sandbox, alice: Connection, listener: Stub) -> None:
    """`newerThan` also continues after a restore for events and callbacks."""
    alice.meet("Kept")
    subscribe(alice, listener.url)
    alice.deliver()
    sandbox.advance()
    save(sandbox)
    event = alice.meet("Dropped")["Id"]
    alice.deliver()
    call = sandbox.made_callbacks()[-1]["id"]
    with (
        begun(sandbox, kind="event", newerThan=event) as events,
        begun(sandbox, kind="poke", newerThan=str(call)) as pokes,
    ):
        restore(sandbox)
        alice.meet("New")
        alice.deliver()
        (_, events_body), (_, poked) = events.end(), pokes.end()

    assert ["New"] == [event["subject"] for event in events_body["value"]]
    assert 1 == len(poked["value"])


def test_wait_during_an_import(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """A wait continues in the sandbox that an import has replaced."""
    file = export(sandbox)
    bob.deliver(subject="Dropped")
    with begun(sandbox, recipient=bob.address, subject="New") as waiting:
        assert 200 == import_file(sandbox, file).status_code
        bob.deliver(subject="New")
        status, _ = waiting.end()

    assert (200, ["New"]) == (status, [mail["Subject"] for mail in bob.mails()])


def test_clock_move_during_a_restore(sandbox: Sandbox, alice: Connection, listener: Stub) -> None:
    """A clock request that a restore interrupts responds 409; the sandbox has the snapshot's clock, which can move."""
    release = threading.Event()
    listener.respond = lambda heard: (200 if release.wait(10) else 500, "text/plain", b"")
    assert sandbox.api.post("/clock", json={"freeze": True}).status_code == 200
    save(sandbox)
    before = sandbox.api.get("/clock").json()
    subscribe(alice, listener.url)
    alice.deliver()
    listener.wait()
    with closing(HTTPConnection(sandbox.server.url.partition("://")[2], timeout=LONG)) as connection:
        connection.request("POST", f"{ROOT}/sandboxes/{sandbox.name}/clock", json.dumps({"advance": "5h"}))
        # The server reads requests in order: when these have responses, the earlier request is in progress.
        for _ in range(2):
            with httpx.Client(base_url=sandbox.api.base_url, verify=False) as later:
                assert later.get("/clock").json() == before
        restore(sandbox)
        release.set()
        answer = connection.getresponse()
        refusal = json.loads(answer.read())
    after = sandbox.api.get("/clock").json()
    sandbox.advance("1h")

    assert 409 == answer.status
    assert "was reset, replaced or deleted while its clock was moved" in refusal["message"]
    assert before == after
    hours = [datetime.fromisoformat(clock["now"]) for clock in (before, sandbox.api.get("/clock").json())]
    assert timedelta(hours=1) == hours[1] - hours[0]


# Export and import


def test_an_export_is_one_file(sandbox: Sandbox, alice: Connection, tmp_path: Path) -> None:
    """An export is one complete SQLite database that any tool can open."""
    alice.deliver(subject="Here")
    path = tmp_path / "sandbox.sqlite"
    path.write_bytes(export(sandbox))
    with closing(sqlite3.connect(path)) as db:
        verdict = db.execute("PRAGMA integrity_check").fetchall()
        rows = db.execute("SELECT subject FROM content").fetchall()

    assert ([("ok",)], [("Here",)]) == (verdict, rows)


def test_an_import_replaces_everything(sandbox: Sandbox, other: Sandbox, alice: Connection, bob: Connection) -> None:
    """An import replaces the whole sandbox, and a prefix gives the copied connections other ids."""
    alice.send(bob.address, "Carried")
    save(sandbox)
    lost = other.connect("lost")
    lost.deliver(subject="Lost")
    save(other, "mine")
    answer = import_file(other, export(sandbox), connectionPrefix="copy-")
    copied = f"copy-{bob.id}"
    url = str(bob.http.base_url).rstrip("/").replace(bob.id, copied)
    with httpx.Client(base_url=url, headers={"Authorization": "Bearer token"}) as http:
        mails = http.get("/v2/Mail", params={"fetchOnlyUnread": False}).json()["value"]

    assert {"name": other.name, "connections": [f"copy-{alice.id}", copied]} == answer.json()
    assert bob.mails() == mails
    assert 404 == other.api.get(f"/connections/{lost.id}/subscriptions").status_code
    # Each sandbox keeps its own snapshots.
    assert (["one"], ["mine"]) == (names(sandbox), names(other))


def test_import_of_existing_connections(sandbox: Sandbox, other: Sandbox, alice: Connection) -> None:
    """An import whose connection ids belong to another sandbox responds 409 with an id, and nothing changes."""
    other.connect("zoe")
    before = everything(other)
    answer = import_file(other, export(sandbox))

    assert (409, before) == (answer.status_code, everything(other))
    assert f"'{alice.id}' belongs to the sandbox '{sandbox.name}'" in answer.json()["message"]


def test_import_of_own_export(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """Importing a sandbox's own export restores its state; poll URLs from before the import are rejected."""
    poller = Poller(alice, NEW)
    alice.send(bob.address, "Kept")
    file, before = export(sandbox), everything(sandbox)
    bob.deliver(subject="Dropped")
    answer = import_file(sandbox, file)
    facts = shown(sandbox)

    assert (200, facts) == (answer.status_code, answer.json())
    assert [*before, "Kept"] == [*everything(sandbox), bob.mail()["Subject"]]
    assert 400 == alice.http.get(poller.location).status_code


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda file: b"", "it is not an SQLite database"),
        (lambda file: b'{"name": "x"}', "it is not an SQLite database"),
        (lambda file: file[: len(file) // 2], "not a readable SQLite database|it is damaged"),
        (lambda file: file[:8192] + b"\x07" * 4096 + file[12288:], "not a readable SQLite database|it is damaged"),
        ("PRAGMA user_version = 99", "it has schema version 99, this emulator needs"),
        ("CREATE TABLE evil (x)", "its table 'evil' does not belong to this emulator's schema"),
        ("CREATE VIEW evil AS SELECT 1", "its view 'evil' does not belong"),
        (
            "CREATE TRIGGER evil AFTER UPDATE ON sandbox_state BEGIN DELETE FROM content; END",
            "its trigger 'evil' does not belong",
        ),
        ("ALTER TABLE contact ADD COLUMN shoe_size TEXT", "its table 'contact' does not belong"),
        ("DROP TABLE push", "the table 'push' is missing"),
        ("UPDATE content SET body = x'00'", "its table 'content' has a value of the wrong kind"),
        ("DELETE FROM mailbox", "refers to a missing mailbox"),
        ("UPDATE connection SET id = 'a/b'", "A connection id has"),
        ("INSERT INTO sandbox_state VALUES ('clock', 'noon')", "its clock cannot be read"),
        (f"{NEW_PUSH} 'OnNothing', 'http://x', '{{}}', 0, '', 0 FROM mailbox", "must be a trigger of the connector"),
        (
            f"""{NEW_PUSH} 'OnNewEmailV2', 'http://x', '{{"to": "x", "y": "z"}}', 0, '', 0 FROM mailbox""",
            "'alice/news' cannot be polled: The trigger 'OnNewEmailV2' has no parameter 'y'.",
        ),
    ],
)
def test_invalid_import(sandbox: Sandbox, alice: Connection, change: Any, reason: str) -> None:
    """A file that is not an export of this version is rejected with the reason, and nothing changes."""
    alice.deliver()
    before = everything(sandbox)
    file = export(sandbox)
    if isinstance(change, str):
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
            db.deserialize(file)
            db.execute(change)
            file = db.serialize()
    else:
        file = change(file)
    answer = import_file(sandbox, file)

    assert (400, "ErrorInvalidRequest") == (answer.status_code, answer.json()["error"]["code"])
    assert any(part in answer.json()["message"] for part in reason.split("|"))
    assert before == everything(sandbox)


@pytest.mark.parametrize("prefix", ["a/", "%", "x" * 128])
def test_invalid_prefix(sandbox: Sandbox, alice: Connection, prefix: str) -> None:
    """A prefix that makes invalid connection ids is rejected and nothing changes."""
    before = everything(sandbox)
    answer = import_file(sandbox, export(sandbox), connectionPrefix=prefix)

    assert (400, before) == (answer.status_code, everything(sandbox))


def send(app: Any, method: str, path: str, sandbox: str = "default", **more: Any) -> httpx.Response:
    async def call() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x", trust_env=False) as http:
            return await http.request(method, f"{ROOT}/sandboxes/{sandbox}{path}", **more)

    return asyncio.run(call())


def test_import_that_is_too_large() -> None:
    """A file above the limit responds 413, and a server with that limit exports none."""
    app = create_app(Settings(max_export_bytes=100_000), VirtualClock(START))
    answer = send(app, "POST", "/import", content=bytes(100_001))
    export = send(app, "GET", "/export")
    app.state.sandboxes.close()

    assert (413, "RequestBodyTooLarge") == (answer.status_code, answer.json()["error"]["code"])
    assert (409, "Conflict") == (export.status_code, export.json()["error"]["code"])
    assert "At most 100000 bytes can be exported and imported." in export.json()["message"]


def test_export_above_the_largest_body() -> None:
    """An export can be imported, also if it is larger than other bodies may be."""
    app = create_app(Settings(max_body_bytes=100_000), VirtualClock(START))
    file = send(app, "GET", "/export").content
    answer = send(app, "POST", "/import", content=file)
    app.state.sandboxes.close()

    assert len(file) > 100_000
    assert answer.status_code == 200


@pytest.fixture(scope="module")
def office() -> Iterator[Starlette]:
    """An app whose default sandbox has a sample mailbox, with a second sandbox as the target of imports."""
    app = create_app(Settings(seed="office"), VirtualClock(START))
    default = app.state.sandboxes.default
    whole(search_index.update(default.db))
    app.state.sandboxes.create("target").save("empty")
    yield app
    app.state.sandboxes.close()


@pytest.mark.slow
@settings(max_examples=80, derandomize=True, database=None, deadline=None)
@given(
    st.lists(
        st.tuples(st.one_of(st.integers(0, 99), st.integers(0, 4095), st.integers(0, 10**6)), st.integers(0, 255)),
        min_size=1,
        max_size=5,
    )
)
def test_import_of_a_damaged_file(office: Starlette, changes: list[tuple[int, int]]) -> None:
    """An import of a damaged export either changes nothing or leaves a consistent sandbox that can be reset."""
    file, target = bytearray(office.state.sandboxes.default.export()), office.state.sandboxes.named("target")
    for at, value in changes:
        file[at % len(file)] = value
    target.restore("empty")
    before = target.connections()
    answer = send(office, "POST", "/import?connectionPrefix=x-", "target", content=bytes(file))
    after = target.connections()
    target.db.check()
    again = send(office, "POST", "/reset", "target")

    assert (answer.status_code, after) in [(200, {**after}), (400, before)]
    assert 200 == again.status_code


# Restarts


@pytest.mark.slow
def test_snapshots_survive_a_restart(tmp_path: Path, listener: Stub) -> None:
    """With a data folder, a snapshot and all its content, pending callbacks included, survive a restart."""
    clock, settings = VirtualClock(START), Settings(data=str(tmp_path))
    runtime, admin = "/apim/outlook/alice", f"{ROOT}/sandboxes/default"
    listener.answer_with(500, 200)
    with running(settings, clock) as http:
        http.post(f"{runtime}{MAIL}", json={"NotificationUrl": listener.url})
        http.post(f"{admin}/connections/alice/deliver", json={"from": "x@example.org", "subject": "Kept"})
        http.post(f"{admin}/clock", json={"advance": "0s"})
        saved = http.put(f"{admin}/snapshots/one").json()
        before = http.get(f"{admin}/export").content
        http.post(f"{admin}/clock", json={"advance": "1h"})
        http.delete(f"{runtime}/Mail/{http.get(f'{runtime}/v2/Mail').json()['value'][0]['Id']}")
    with running(settings, clock) as http:
        listed = http.get(f"{admin}/snapshots").json()["value"]
        empty = http.get(f"{runtime}/v2/Mail").json()["value"]
        http.post(f"{admin}/snapshots/one/restore").raise_for_status()
        after = http.get(f"{admin}/export").content
    with running(settings, clock) as http:
        http.post(f"{admin}/clock", json={"advance": "1s"})
        (call,) = http.get(f"{admin}/callbacks").json()["value"]
        mails = [mail["Subject"] for mail in http.get(f"{runtime}/v2/Mail").json()["value"]]
        sandboxes = [sandbox["name"] for sandbox in http.get(f"{ROOT}/sandboxes").json()["value"]]

    assert ([saved], []) == (listed, empty)
    assert rows(before) == rows(after)
    assert (("done", 2), ["Kept"], ["default"]) == (pick(call, "state", "attempts"), mails, sandboxes)


def rows(image: bytes) -> dict[str, list[Any]]:
    with closing(sqlite3.connect(":memory:")) as db:
        db.deserialize(image)
        return {table: db.execute(f"SELECT * FROM {table}").fetchall() for table in ("content", "message", "callback")}


def test_a_damaged_snapshot(tmp_path: Path) -> None:
    """A damaged snapshot is listed without a time, and its restore responds with the reason."""
    app = create_app(Settings(data=str(tmp_path)), VirtualClock(START))
    send(app, "PUT", "/snapshots/one")
    (tmp_path / "default.snapshots" / "one.sqlite").write_bytes(b"Dear diary")
    listed = send(app, "GET", "/snapshots").json()
    answer = send(app, "POST", "/snapshots/one/restore")
    app.state.sandboxes.close()

    assert {"value": [{"name": "one", "takenAt": None, "bytes": 10}]} == listed
    assert (409, True) == (answer.status_code, "it is not an SQLite database" in json.dumps(answer.json()))


def test_callbacks_are_restored(sandbox: Sandbox, alice: Connection, listener: Stub) -> None:
    """A restore brings back the callbacks of the snapshot, and their numbering continues from there."""
    subscribe(alice, listener.url)
    alice.deliver()
    sandbox.made_callbacks()
    save(sandbox)
    before = sandbox.made_callbacks()
    alice.deliver()
    dropped = sandbox.made_callbacks()
    restore(sandbox)
    after = sandbox.made_callbacks()
    alice.deliver()
    again = sandbox.made_callbacks()

    assert before == after
    assert [event["id"] for event in dropped] == [event["id"] for event in again]
    assert {CallbackState.DONE} == {event["state"] for event in again}
