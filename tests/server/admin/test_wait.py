"""Waiting over HTTP: for existing items, for new items, timeouts, and concurrent requests."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from typing import Any

import httpx
import pytest

from outlook_emulator import testing
from outlook_emulator.app import create_app
from outlook_emulator.mailbox import changes
from outlook_emulator.server import slices
from outlook_emulator.settings import Settings
from outlook_emulator.store import fresh_rows
from outlook_emulator.testing.target import AppTarget
from tests.conftest import Connection, Sandbox, Server
from tests.stub import Stub

LONG = 30
"""Timeout in seconds for items that do arrive; a passing test never waits this long."""


def wait(sandbox: Sandbox, **order: Any) -> dict[str, Any]:
    """Wait, which must succeed, and return the response."""
    answer = sandbox.api.post("/wait", json={"timeoutSeconds": 0, **order})
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


def matches(sandbox: Sandbox, **order: Any) -> list[dict[str, Any]]:
    matches: list[dict[str, Any]] = wait(sandbox, **order)["value"]
    return matches


def subjects(sandbox: Sandbox, **order: Any) -> list[str]:
    return [item["subject"] for item in matches(sandbox, **order)]


def near_misses(sandbox: Sandbox, **order: Any) -> list[dict[str, Any]]:
    """Return the near misses of a wait with a timeout of zero."""
    answer = sandbox.api.post("/wait", json={"timeoutSeconds": 0, **order})
    assert answer.status_code == 408, answer.text
    misses: list[dict[str, Any]] = answer.json()["nearMisses"]
    return misses


class Waiting:
    """A wait in progress; `end` returns the status and body of the response."""

    def __init__(self, connection: HTTPConnection) -> None:
        self._connection = connection

    def end(self) -> tuple[int, dict[str, Any]]:
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read())


@contextmanager
def begun(sandbox: Sandbox, **order: Any) -> Iterator[Waiting]:
    with closing(HTTPConnection(sandbox.server.url.partition("://")[2], timeout=LONG)) as connection:
        body = json.dumps({"timeoutSeconds": LONG, **order})
        connection.request("POST", f"/_emulator/api/sandboxes/{sandbox.name}/wait", body)
        # The server reads requests in order: when these have responses, the wait has started.
        for _ in range(2):
            with httpx.Client(base_url=sandbox.api.base_url, verify=False) as later:
                assert later.get("/clock").status_code == 200
        yield Waiting(connection)


# Existing items


def test_existing_mail(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """A wait for an existing mail returns it at once with its id, people, time, folder and connection."""
    alice.send(f"{bob.address}; carol@example.net", "Your code", Cc="dan@example.net")
    answer = wait(sandbox, recipient="BOB@example.com", subject="CODE", **{"from": "Alice@Example.com"})
    (mail,) = answer["value"]

    assert {
        "kind": "mail",
        "id": bob.mail()["Id"],
        "subject": "Your code",
        "from": alice.address,
        "recipients": [bob.address, "carol@example.net", "dan@example.net"],
        "receivedAt": bob.mail()["DateTimeReceived"],
        "connection": bob.id,
        "folder": "Inbox",
    } == mail
    assert 0 <= answer["waitedSeconds"] < LONG


def test_outbox_mail(sandbox: Sandbox, alice: Connection) -> None:
    """A mail to an outside address is returned with its outbox number."""
    alice.send("carol@example.net", "Out", "<p>Far &amp; away</p>")
    (mail,) = matches(sandbox, recipient="carol@example.net", text="far & away")
    departed = sandbox.outbox.mails()[0]

    assert (str(departed["id"]), "Out", None) == (mail["id"], mail["subject"], mail["connection"])
    assert departed["departedAt"] == mail["receivedAt"]
    assert near_misses(sandbox, recipient="carol@example.net", newerThan=departed["id"])[0]["differs"] == ["newerThan"]


def test_all_matches_oldest_first(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """A wait returns all matches, oldest first, even if `count` is lower."""
    for subject in ("One", "Two", "Three"):
        bob.deliver(subject=subject)

    assert ["One", "Two", "Three"] == subjects(sandbox)
    assert ["Two", "Three"] == subjects(sandbox, subject="t", count=2)
    assert [] == subjects(sandbox, connection=bob.id, count=3)[3:]
    assert near_misses(sandbox, count=4) == []


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ({"connection": "alice"}, ["First"]),
        ({"connection": "bob"}, ["Second"]),
        ({"recipient": "bob+news@example.com"}, ["Second"]),
        ({"folder": "work/new"}, ["First"]),
        ({"folder": "inbox"}, ["Second"]),
        ({"from": "stranger@example.org"}, ["First", "Second"]),
        ({"text": "HIDDEN & seen"}, ["Second"]),
    ],
)
def test_conditions(
    sandbox: Sandbox, alice: Connection, bob: Connection, order: dict[str, Any], expected: list[str]
) -> None:
    """Each condition selects the matching mails in any folder."""
    alice.deliver(subject="First", folder="Work/New", text="nothing")
    bob.deliver(subject="Second", html="<p>hidden &amp; <b>seen</b></p>")
    if "connection" in order:
        order = {"connection": f"{sandbox.name}.{order['connection']}"}

    assert expected == subjects(sandbox, **order)


def test_sent_items_match_only_by_folder(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """A wait ignores copies in Sent Items unless it names the folder."""
    alice.send(bob.address, "Hello")

    assert [bob.id] == [item["connection"] for item in matches(sandbox)]
    assert [alice.id] == [item["connection"] for item in matches(sandbox, folder="Sent Items")]


def test_newer_than_a_mail(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """`newerThan` selects later mails in all mailboxes, even after the named mail was moved."""
    first = alice.deliver(subject="First")["Id"]
    assert near_misses(sandbox, newerThan=first)[0]["differs"] == ["newerThan"]
    bob.deliver(subject="Second")
    alice.send("carol@example.net", "Third")
    before = subjects(sandbox, newerThan=first)
    alice.post(f"/Mail/Move/{first}", folderPath="Archive")

    assert ["Second", "Third"] == before == subjects(sandbox, newerThan=first)
    assert ["Third"] == subjects(sandbox, newerThan=bob.mail()["Id"])


def test_newer_than_a_mail_that_moves_during_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """The change feed is searched in short steps, between which the mail may be moved once more."""
    monkeypatch.setattr(changes, "SPAN", 3, raising=False)
    monkeypatch.setattr(slices, "SLICE", 0)
    app = create_app(Settings(max_calls=0))
    path, box = "/apim/outlook/alice", "/_emulator/api/sandboxes/default"
    db = app.state.sandboxes.default.db
    longest = 0

    def read_all(statement: str, parameters: Any) -> list[Any]:
        nonlocal longest
        rows: list[Any] = db.execute(statement, parameters).fetchall()
        longest = max(longest, len(rows) if " FROM change " in statement else 0)
        return rows

    async def run(pauses: int) -> list[str]:
        transport = httpx.ASGITransport(app)
        headers = {"Authorization": "Bearer x"}
        async with httpx.AsyncClient(transport=transport, base_url="http://x", headers=headers) as http:
            await http.post(f"{box}/reset")
            await http.get(f"{path}/v2/Mail")
            for subject in ("Old", "Named", "New"):
                mail = {"from": "eve@example.org", "subject": subject, "text": "x"}
                answer = await http.post(f"{box}/connections/alice/deliver", json=mail)
                answer.raise_for_status()
                if subject == "Named":
                    named = moving = (await http.get(f"{box}/connections/alice/messages")).json()["value"][0]["id"]
            for folder in ("Archive", "Inbox") * 3:
                moving = (await http.post(f"{path}/Mail/Move/{moving}?folderPath={folder}")).json()["Id"]
            waiting = asyncio.create_task(http.post(f"{box}/wait", json={"newerThan": named, "timeoutSeconds": 0}))
            for _ in range(pauses):
                await asyncio.sleep(0)
            (await http.post(f"{path}/Mail/Move/{moving}?folderPath=Archive")).raise_for_status()
            return [item["subject"] for item in (await waiting).json()["value"]]

    with closing(app.state.sandboxes):
        monkeypatch.setattr(db, "all", read_all)
        results = [asyncio.run(run(pauses)) for pauses in range(0, 30, 3)]

    assert [["New"]] * 10 == results
    assert longest <= 3


def test_events(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """An event is returned once per calendar, and changing an event does not make it newer."""
    meeting = alice.meet("Review", RequiredAttendees=bob.address)
    (event,) = matches(sandbox, kind="event", recipient=bob.address, **{"from": alice.address})

    assert {
        "kind": "event",
        "id": bob.events()[0]["Id"],
        "subject": "Review",
        "from": alice.address,
        "recipients": [bob.address],
        "start": "2026-03-04T10:00:00.0000000+00:00",
        "connection": bob.id,
    } == event
    assert [alice.id, bob.id] == [item["connection"] for item in matches(sandbox, kind="event", count=2)]
    alice.change(meeting["Id"], Subject="Preview", Start=meeting["Start"], End=meeting["End"])
    misses = near_misses(sandbox, kind="event", connection=alice.id, newerThan=meeting["Id"])
    assert [(bob.id, ["connection"]), (alice.id, ["newerThan"])] == [
        (miss["connection"], miss["differs"]) for miss in misses
    ]
    assert ["Preview", "Preview"] == [miss["subject"] for miss in misses]


def test_pokes_and_callbacks(sandbox: Sandbox, alice: Connection, bob: Connection, listener: Stub) -> None:
    """Callbacks match by URL and reference, and a poke is also a callback."""
    url = f"{listener.url}/x"
    subscription = alice.post("/MailSubscriptionPoke/$subscriptions", {"NotificationUrl": url}).json()["id"]
    alice.deliver()
    (entry,) = sandbox.made_callbacks()
    (poke,) = matches(sandbox, kind="poke", url=url, reference=subscription)

    assert (str(entry["id"]), "poke", url, "done") == (poke["id"], poke["kind"], poke["url"], poke["state"])
    assert [poke] == matches(sandbox, kind="callback")
    assert near_misses(sandbox, kind="poke", newerThan=entry["id"])[0]["differs"] == ["newerThan"]
    assert near_misses(sandbox, kind="poke", url="http://localhost/y", text="z")[0]["differs"] == ["url", "text"]


# New items


def test_new_mail(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """A wait responds when the mail arrives; until then, the server handles other requests and ignores other mails."""
    with begun(sandbox, connection=bob.id, subject="code") as waiting:
        alice.send(bob.address, "Something else")
        alice.send(alice.address, "Code")
        assert ["Something else"] == [mail["Subject"] for mail in bob.mails()]
        alice.send(bob.address, "Code")
        status, answer = waiting.end()

    assert (200, ["Code"]) == (status, [item["subject"] for item in answer["value"]])
    assert 0 < answer["waitedSeconds"] < LONG


@pytest.mark.parametrize("most", [500, 0], ids=["at hand", "read back"])
def test_several_new_mails(sandbox: Sandbox, alice: Connection, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Existing and new mails, delivered or sent to outside addresses, count towards `count`."""
    monkeypatch.setattr(fresh_rows, "_MOST", most)
    alice.deliver(subject="One")
    with begun(sandbox, count=3) as waiting:
        alice.deliver(subject="Two")
        alice.send("carol@example.net", "Three")
        status, answer = waiting.end()

    assert (200, ["One", "Two", "Three"]) == (status, [item["subject"] for item in answer["value"]])


def test_moved_mail(sandbox: Sandbox, alice: Connection) -> None:
    """A mail counts once it has been moved to the folder."""
    id = alice.deliver()["Id"]
    with begun(sandbox, folder="Archive") as waiting:
        alice.post(f"/Mail/Move/{id}", folderPath="Archive")
        status, answer = waiting.end()

    assert (200, "Archive") == (status, answer["value"][0]["folder"])


def test_new_connection(sandbox: Sandbox) -> None:
    """A wait can name a connection that does not exist yet."""
    with begun(sandbox, connection=f"{sandbox.name}.bob") as waiting:
        sandbox.connect("bob").deliver(subject="Welcome")
        status, answer = waiting.end()

    assert (200, "Welcome") == (status, answer["value"][0]["subject"])


def test_new_event_and_poke(sandbox: Sandbox, alice: Connection, bob: Connection, listener: Stub) -> None:
    """Several waits for events and pokes can run at once."""
    alice.post("/MailSubscriptionPoke/$subscriptions", {"NotificationUrl": listener.url})
    with begun(sandbox, kind="event", recipient=bob.address) as event, begun(sandbox, kind="poke") as poke:
        alice.meet("Review", RequiredAttendees=bob.address)
        alice.deliver()
        ends = [event.end(), poke.end()]

    assert [(200, "event"), (200, "poke")] == [(status, answer["value"][0]["kind"]) for status, answer in ends]


def test_reset_during_a_wait(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """A wait continues after a reset, and all items added afterwards are newer."""
    old = [bob.deliver(subject=f"Old {number}")["Id"] for number in range(3)]
    with begun(sandbox, connection=bob.id, newerThan=old[-1]) as waiting:
        assert sandbox.api.post("/reset").status_code == 200
        bob.deliver(subject="New")
        status, answer = waiting.end()

    assert (200, ["New"]) == (status, [item["subject"] for item in answer["value"]])


def test_delete_during_a_wait(sandbox: Sandbox, alice: Connection, server: Server) -> None:
    """A wait ends with 404 when its sandbox is deleted."""
    with begun(sandbox) as waiting:
        assert server.http.delete(f"/_emulator/api/sandboxes/{sandbox.name}").status_code == 204
        status, answer = waiting.end()

    assert (404, "ErrorItemNotFound") == (status, answer["error"]["code"])
    assert f"The sandbox '{sandbox.name}' was deleted." == answer["error"]["message"]


# What happened during the wait


def test_a_mail_that_is_gone_again_counts(sandbox: Sandbox, alice: Connection) -> None:
    """A mail that came during the wait counts, even if it was deleted before enough of them had come."""
    with begun(sandbox, subject="code", count=2) as waiting:
        alice.deliver(subject="Code 1", folder="Deleted Items")
        alice.http.delete(f"/Mail/{alice.mail('Deleted Items')['Id']}").raise_for_status()
        assert [] == alice.mails("Deleted Items")
        alice.deliver(subject="Code 2")
        status, answer = waiting.end()

    assert (200, ["Code 1", "Code 2"]) == (status, [item["subject"] for item in answer["value"]])


def test_a_mail_after_one_that_is_gone(sandbox: Sandbox, alice: Connection) -> None:
    """A mail is newer than the one that a wait names, even if that one was deleted since."""
    old = alice.deliver(subject="Old", folder="Deleted Items")["Id"]
    with begun(sandbox, newerThan=old) as mail, begun(sandbox, newerThan=old, recipient="carol@example.net") as outside:
        alice.http.delete(f"/Mail/{old}").raise_for_status()
        alice.deliver(subject="New")
        alice.http.delete(f"/Mail/{alice.mail()['Id']}").raise_for_status()
        alice.http.delete(f"/Mail/{alice.mail('Deleted Items')['Id']}").raise_for_status()
        alice.send("carol@example.net", "Out")
        ends = [mail.end(), outside.end()]

    assert [(200, ["New"]), (200, ["Out"])] == [
        (status, [item["subject"] for item in answer["value"]]) for status, answer in ends
    ]


def test_a_moved_mail_counts_once(sandbox: Sandbox, alice: Connection) -> None:
    """Moving a mail gives it another id, but does not make it another mail; the answer has the new id."""
    with begun(sandbox, count=2) as waiting:
        id = alice.deliver(subject="One")["Id"]
        alice.post(f"/Mail/Move/{id}", folderPath="Archive")
        alice.deliver(subject="Two")
        status, answer = waiting.end()

    assert (200, [alice.mail("Archive")["Id"], alice.mail()["Id"]]) == (
        status,
        [item["id"] for item in answer["value"]],
    )


def test_an_outbox_mail_counts_once(sandbox: Sandbox, alice: Connection) -> None:
    """A mail that a new mailbox takes from the outbox is the same mail."""
    with begun(sandbox, recipient="carol@example.com", count=2) as waiting:
        alice.send("carol@example.com", "First")
        carol = sandbox.connect("carol")
        assert ["First"] == [mail["Subject"] for mail in carol.mails()]
        alice.send("carol@example.com", "Second")
        status, answer = waiting.end()

    assert (200, ["First", "Second"]) == (status, [item["subject"] for item in answer["value"]])
    assert [carol.id, carol.id] == [item["connection"] for item in answer["value"]]


def test_a_new_connection_to_an_old_mailbox(sandbox: Sandbox, alice: Connection) -> None:
    """A wait that names a connection sees the mails that its mailbox had before."""
    alice.deliver(subject="Old")
    with begun(sandbox, connection=f"{sandbox.name}.second") as waiting:
        second = sandbox.connect("second", alice.address)
        status, answer = waiting.end()

    assert (200, second.id) == (status, answer["value"][0]["connection"])


def test_a_busy_server_counts_what_came_in_time() -> None:
    """A wait whose mail came in time does not end with 408 if the server is busy beyond its deadline."""

    async def story() -> httpx.Response:
        app = create_app(Settings())
        traffic, loop = app.state.sandboxes.default.traffic, asyncio.get_running_loop()
        late = loop.time() + 2 * LONG

        def written() -> None:
            look()
            # The mail is there, and before anything else happens, the deadline passes.
            loop.time = lambda: late  # type: ignore[method-assign]

        look, traffic.written = traffic.written, written
        headers = {"Authorization": "Bearer anything"}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
            order = {"subject": "code", "timeoutSeconds": LONG}
            waiting = asyncio.create_task(client.post("/_emulator/api/sandboxes/default/wait", json=order))
            while traffic.observer is None:
                await asyncio.sleep(0)
            await client.post("/apim/outlook/ann/v2/Mail", json={"To": "x@example.net", "Subject": "Code", "Body": "1"})
            return await waiting

    answer = asyncio.run(story())

    assert (200, ["Code"]) == (answer.status_code, [item["subject"] for item in answer.json()["value"]])


class _Rows:
    """A cursor that counts the rows that are read from it."""

    def __init__(self, cursor: sqlite3.Cursor, counted: Counter[str]) -> None:
        self._cursor, self._counted = cursor, counted
        self.lastrowid = cursor.lastrowid

    def fetchone(self) -> Any:
        row = self._cursor.fetchone()
        self._counted["rows"] += row is not None
        return row

    def fetchall(self) -> list[Any]:
        rows = self._cursor.fetchall()
        self._counted["rows"] += len(rows)
        return rows

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fetchall())


def _work_of_a_send(mails: int, waits: int) -> Counter[str]:
    """The statements that a send runs and the rows that it reads, with mails in the sandbox and open waits."""
    counted: Counter[str] = Counter()
    app = AppTarget(create_app())
    with testing.Server(app) as server:
        ann = server.connect("ann")
        sandbox = app.app.state.sandboxes.named(ann.sandbox.name)
        ann.sandbox.connect("bob", "bob@example.com", mails=[{"from": "x@example.org", "subject": "Old"}] * mails)
        for _ in range(mails):
            _send(ann, "carol@example.net")
        url = httpx.URL(f"{server.url}/_emulator/api/sandboxes/{sandbox.name}/wait")
        for number in range(waits):
            order = json.dumps({"subject": f"code {number}!", "timeoutSeconds": 60}).encode()
            app.thread.send("POST", url, [(b"Content-Length", b"%d" % len(order))], order)
        _send(ann, "bob@example.com")
        execute = sandbox.db.execute

        def counting(*arguments: Any) -> Any:
            counted["statements"] += 1
            return _Rows(execute(*arguments), counted)

        sandbox.db.execute = counting
        _send(ann, "bob@example.com")
        sandbox.db.execute = execute
    return counted


def _send(connection: testing.Connection, to: str) -> None:
    mail = {"To": to, "Subject": "Hello", "Body": "Hello"}
    connection.http.post("/v2/Mail", json=mail).raise_for_status()


def test_what_a_write_costs() -> None:
    """A write runs no statement for waits that are for other subjects, however many they are."""
    assert _work_of_a_send(mails=1, waits=0) == _work_of_a_send(mails=40, waits=30)


# Callbacks


def test_callbacks_count_once_they_were_attempted(
    sandbox: Sandbox, alice: Connection, bob: Connection, listener: Stub
) -> None:
    """A wait for a callback ends when it was attempted, one for a finished callback when it was delivered."""
    listener.answer_with(503, 200)
    order = {"NotificationUrl": listener.url, "Message": {"To": bob.address, "Subject": "Lunch", "Options": "Soup"}}
    alice.post("/approvalmail/$subscriptions", order)
    question = sandbox.answer("Soup")["id"]
    (callback,) = matches(sandbox, kind="callback", reference=question, timeoutSeconds=LONG)
    miss = near_misses(sandbox, kind="callback", reference=question, until="finished")[0]

    assert ("pending", 1, 503, None) == tuple(
        callback[name] for name in ("state", "attempts", "lastStatus", "lastError")
    )
    assert (["until"], callback["id"]) == (miss["differs"], miss["id"])
    with begun(sandbox, kind="callback", url=listener.url, until="finished") as waiting:
        sandbox.advance("1s")
        status, answer = waiting.end()
    assert (200, "done", 2) == (status, answer["value"][0]["state"], answer["value"][0]["attempts"])


def test_a_cancelled_callback_is_finished(sandbox: Sandbox, alice: Connection, listener: Stub) -> None:
    """A callback that will not be sent any more is finished; one that is only queued is that at once."""
    listener.status = 503
    created = alice.post("/MailSubscriptionPoke/$subscriptions", {"NotificationUrl": listener.url})
    with begun(sandbox, kind="poke", until="finished") as waiting:
        alice.deliver()
        assert ["pending"] == [item["state"] for item in matches(sandbox, kind="poke", until="queued")]
        alice.http.delete(created.headers["Location"]).raise_for_status()
        status, answer = waiting.end()

    assert (200, "cancelled") == (status, answer["value"][0]["state"])


# Timeouts


def test_near_misses(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """A timeout names the near misses, sorted by fewest differences, then newest first."""
    for number in range(4):
        alice.deliver(subject=f"Code {number}")
    bob.deliver(subject="Password")
    alice.send("carol@example.net", "Cod")
    answer = sandbox.api.post("/wait", json={"recipient": bob.address, "subject": "code", "timeoutSeconds": 0.01})
    body = answer.json()

    assert (408, ["status", "message", "error", "source", "nearMisses"]) == (answer.status_code, list(body))
    assert (408, "Timeout") == (body["status"], body["error"]["code"])
    assert "0 of 1 came in 0.01 seconds. The nearest miss differs in: subject." == body["error"]["message"]
    assert [
        ("Password", ["subject"]),
        *((f"Code {number}", ["recipient"]) for number in (3, 2, 1, 0)),
    ] == [(miss["subject"], miss["differs"]) for miss in body["nearMisses"]]
    assert ["recipient", "subject"] == near_misses(sandbox, recipient="x@y.z", subject="?", count=2)[0]["differs"]


def test_empty_sandbox(sandbox: Sandbox) -> None:
    """An empty sandbox has no near misses."""
    assert [[], [], [], []] == [near_misses(sandbox, kind=kind) for kind in ("mail", "event", "callback", "poke")]
    assert [] == near_misses(sandbox, connection="nobody", recipient="no@body.at", folder="none")


def test_deleted_mails(sandbox: Sandbox, alice: Connection) -> None:
    """A deleted mail matches in Deleted Items until it is deleted there as well."""
    alice.deliver()
    for folder in ("Inbox", "Deleted Items"):
        (mail,) = matches(sandbox)
        assert folder == mail["folder"]
        assert alice.http.delete(f"/Mail/{mail['id']}").status_code == 200

    assert [] == near_misses(sandbox)
    answer = sandbox.api.post("/wait", json={"newerThan": mail["id"]})
    assert (400, True) == (answer.status_code, "'newerThan' names no mail" in answer.text)


# Invalid requests


@pytest.mark.parametrize(
    ("order", "text"),
    [
        ({"kind": "letter"}, "'kind' must be one of mail, event, callback, poke, not 'letter'"),
        ({"count": 0}, "'count' must be from 1 to 1000, not 0"),
        ({"count": 1001}, "'count' must be"),
        ({"count": "many"}, "count"),
        ({"timeoutSeconds": -1}, "'timeoutSeconds' must be from 0 to 60, not -1"),
        ({"timeoutSeconds": 60.5}, "'timeoutSeconds' must be"),
        ({"timeoutSeconds": "soon"}, "timeoutSeconds"),
        ({"newerThan": "yesterday"}, "Id is malformed."),
        ({"newerThan": 7}, "'newerThan' names no mail of this sandbox: '7'"),
        ({"newerThan": "9" * 50}, "Id is malformed."),
        ({"newerThan": True}, "newerThan"),
        ({"kind": "event", "newerThan": "7"}, "Id is malformed."),
        ({"kind": "poke", "newerThan": "x"}, "'newerThan' names no poke of this sandbox: 'x'"),
        ({"kind": "event", "folder": "Inbox"}, "'folder' does not apply to the kind 'event'"),
        ({"until": "finished"}, "'until' does not apply to the kind 'mail'"),
        ({"kind": "poke", "until": "later"}, "'until' must be one of queued, attempted, finished, not 'later'"),
        ({"kind": "poke", "subject": "x"}, "'subject' does not apply to the kind 'poke'"),
        ({"url": "http://localhost"}, "'url' does not apply to the kind 'mail'"),
    ],
)
def test_invalid_wait(sandbox: Sandbox, alice: Connection, order: dict[str, Any], text: str) -> None:
    """An invalid wait is rejected at once with the name of the member."""
    answer = sandbox.api.post("/wait", json=order)

    assert (400, True) == (answer.status_code, text in answer.json()["message"]), answer.text


def test_ids_of_another_kind_are_rejected(sandbox: Sandbox, alice: Connection) -> None:
    """The id of an event is rejected for a mail, and the other way round."""
    event, mail = alice.meet()["Id"], alice.deliver()["Id"]
    answers = [
        sandbox.api.post("/wait", json={"kind": kind, "newerThan": id})
        for kind, id in (("mail", event), ("event", mail))
    ]

    assert [400, 400] == [answer.status_code for answer in answers]
    assert "'newerThan' names no message of this sandbox" in answers[0].text
