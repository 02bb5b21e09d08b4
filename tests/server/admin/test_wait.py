"""Waiting over HTTP: for what is there, for what comes, in vain, and in nobody's way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from typing import Any

import httpx
import pytest

from tests.conftest import Connection, Sandbox, Server
from tests.stub import Stub

LONG = 30
"""Seconds to wait for what does come: only a broken test waits so long."""


def wait(sandbox: Sandbox, **order: Any) -> dict[str, Any]:
    """What a wait answers that must succeed."""
    answer = sandbox.api.post("/wait", json={"timeoutSeconds": 0, **order})
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


def found(sandbox: Sandbox, **order: Any) -> list[dict[str, Any]]:
    matches: list[dict[str, Any]] = wait(sandbox, **order)["value"]
    return matches


def subjects(sandbox: Sandbox, **order: Any) -> list[str]:
    return [item["subject"] for item in found(sandbox, **order)]


def missed(sandbox: Sandbox, **order: Any) -> list[dict[str, Any]]:
    """The near misses of a wait that ends at once."""
    answer = sandbox.api.post("/wait", json={"timeoutSeconds": 0, **order})
    assert answer.status_code == 408, answer.text
    misses: list[dict[str, Any]] = answer.json()["nearMisses"]
    return misses


class Waiting:
    """A wait that the server has begun; `end` gives its status and what it answers."""

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
        # Requests are read in the order they come in: once these are answered, the other one has been looked at.
        for _ in range(2):
            with httpx.Client(base_url=sandbox.api.base_url, verify=False) as later:
                assert later.get("/clock").status_code == 200
        yield Waiting(connection)


# For what is there


def test_a_mail_that_is_there(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """It is told with its id, people, time, folder and connection, and without delay."""
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


def test_a_mail_that_left(sandbox: Sandbox, alice: Connection) -> None:
    """Mail to somebody outside is told with its number in the outbox."""
    alice.send("carol@example.net", "Out", "<p>Far &amp; away</p>")
    (mail,) = found(sandbox, recipient="carol@example.net", text="far & away")
    departed = sandbox.outbox.mails()[0]

    assert (str(departed["id"]), "Out", None) == (mail["id"], mail["subject"], mail["connection"])
    assert departed["departedAt"] == mail["receivedAt"]
    assert missed(sandbox, recipient="carol@example.net", newerThan=departed["id"])[0]["differs"] == ["newerThan"]


def test_all_that_match_come_oldest_first(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """An answer has everything that fits, however few were asked for."""
    for subject in ("One", "Two", "Three"):
        bob.deliver(subject=subject)

    assert ["One", "Two", "Three"] == subjects(sandbox)
    assert ["Two", "Three"] == subjects(sandbox, subject="t", count=2)
    assert [] == subjects(sandbox, connection=bob.id, count=3)[3:]
    assert missed(sandbox, count=4) == []


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
    """Each condition lets through what fits, wherever it lies."""
    alice.deliver(subject="First", folder="Work/New", text="nothing")
    bob.deliver(subject="Second", html="<p>hidden &amp; <b>seen</b></p>")
    if "connection" in order:
        order = {"connection": f"{sandbox.name}-{order['connection']}"}

    assert expected == subjects(sandbox, **order)


def test_sent_copies_count_where_they_are_asked_for(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """Who waits for mail does not mean the copy that its sender keeps."""
    alice.send(bob.address, "Hello")

    assert [bob.id] == [item["connection"] for item in found(sandbox)]
    assert [alice.id] == [item["connection"] for item in found(sandbox, folder="Sent Items")]


def test_newer_than_a_mail(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """What came after a mail counts, in other mailboxes too, and wherever the mail has gone since."""
    first = alice.deliver(subject="First")["Id"]
    assert missed(sandbox, newerThan=first)[0]["differs"] == ["newerThan"]
    bob.deliver(subject="Second")
    alice.send("carol@example.net", "Third")
    before = subjects(sandbox, newerThan=first)
    alice.post(f"/Mail/Move/{first}", folderPath="Archive")

    assert ["Second", "Third"] == before == subjects(sandbox, newerThan=first)
    assert ["Third"] == subjects(sandbox, newerThan=bob.mail()["Id"])


def test_events(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """An event is told for each calendar it lies in; one that is changed afterwards is no new one."""
    meeting = alice.meet("Review", RequiredAttendees=bob.address)
    (event,) = found(sandbox, kind="event", recipient=bob.address, **{"from": alice.address})

    assert {
        "kind": "event",
        "id": bob.events()[0]["Id"],
        "subject": "Review",
        "from": alice.address,
        "recipients": [bob.address],
        "start": "2026-03-04T10:00:00.0000000+00:00",
        "connection": bob.id,
    } == event
    assert [alice.id, bob.id] == [item["connection"] for item in found(sandbox, kind="event", count=2)]
    alice.change(meeting["Id"], Subject="Preview", Start=meeting["Start"], End=meeting["End"])
    misses = missed(sandbox, kind="event", connection=alice.id, newerThan=meeting["Id"])
    assert [(bob.id, ["connection"]), (alice.id, ["newerThan"])] == [
        (miss["connection"], miss["differs"]) for miss in misses
    ]
    assert ["Preview", "Preview"] == [miss["subject"] for miss in misses]


def test_pokes_and_callbacks(sandbox: Sandbox, alice: Connection, bob: Connection, listener: Stub) -> None:
    """Calls are found by URL and by what they are about; a poke is a callback as well."""
    url = f"{listener.url}/x"
    subscription = alice.post("/MailSubscriptionPoke/$subscriptions", {"NotificationUrl": url}).json()["id"]
    alice.deliver()
    (entry,) = sandbox.callbacks()
    (poke,) = found(sandbox, kind="poke", url=url, reference=subscription)

    assert (str(entry["id"]), "poke", url, "done") == (poke["id"], poke["kind"], poke["url"], poke["state"])
    assert [poke] == found(sandbox, kind="callback")
    assert missed(sandbox, kind="poke", newerThan=entry["id"])[0]["differs"] == ["newerThan"]
    assert missed(sandbox, kind="poke", url="http://localhost/y", text="z")[0]["differs"] == ["text", "url"]


# For what comes


def test_a_mail_that_comes(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """The answer is there with the mail; others are served meanwhile, and what does not fit ends nothing."""
    with begun(sandbox, connection=bob.id, subject="code") as waiting:
        alice.send(bob.address, "Something else")
        alice.send(alice.address, "Code")
        assert ["Something else"] == [mail["Subject"] for mail in bob.mails()]
        alice.send(bob.address, "Code")
        status, answer = waiting.end()

    assert (200, ["Code"]) == (status, [item["subject"] for item in answer["value"]])
    assert 0 < answer["waitedSeconds"] < LONG


def test_several_that_come(sandbox: Sandbox, alice: Connection) -> None:
    """A count is reached by what was there and what comes, delivered and left."""
    alice.deliver(subject="One")
    with begun(sandbox, count=3) as waiting:
        alice.deliver(subject="Two")
        alice.send("carol@example.net", "Three")
        status, answer = waiting.end()

    assert (200, ["One", "Two", "Three"]) == (status, [item["subject"] for item in answer["value"]])


def test_a_mail_that_is_moved_in(sandbox: Sandbox, alice: Connection) -> None:
    """A mail counts once it lies in the folder."""
    id = alice.deliver()["Id"]
    with begun(sandbox, folder="Archive") as waiting:
        alice.post(f"/Mail/Move/{id}", folderPath="Archive")
        status, answer = waiting.end()

    assert (200, "Archive") == (status, answer["value"][0]["folder"])


def test_a_connection_that_comes(sandbox: Sandbox) -> None:
    """Who is waited for need not be there yet."""
    with begun(sandbox, connection=f"{sandbox.name}-bob") as waiting:
        sandbox.connect("bob").deliver(subject="Welcome")
        status, answer = waiting.end()

    assert (200, "Welcome") == (status, answer["value"][0]["subject"])


def test_an_event_and_a_poke_that_come(sandbox: Sandbox, alice: Connection, bob: Connection, listener: Stub) -> None:
    """Events and pokes end a wait of theirs, several at once."""
    alice.post("/MailSubscriptionPoke/$subscriptions", {"NotificationUrl": listener.url})
    with begun(sandbox, kind="event", recipient=bob.address) as event, begun(sandbox, kind="poke") as poke:
        alice.meet("Review", RequiredAttendees=bob.address)
        alice.deliver()
        ends = [event.end(), poke.end()]

    assert [(200, "event"), (200, "poke")] == [(status, answer["value"][0]["kind"]) for status, answer in ends]


def test_a_reset_meanwhile(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """After a reset the wait goes on: all that comes then is new."""
    old = [bob.deliver(subject=f"Old {number}")["Id"] for number in range(3)]
    with begun(sandbox, connection=bob.id, newerThan=old[-1]) as waiting:
        assert sandbox.api.post("/reset").status_code == 200
        bob.deliver(subject="New")
        status, answer = waiting.end()

    assert (200, ["New"]) == (status, [item["subject"] for item in answer["value"]])


def test_an_end_meanwhile(sandbox: Sandbox, alice: Connection, server: Server) -> None:
    """Nothing comes to a sandbox that is deleted: the wait ends there."""
    with begun(sandbox) as waiting:
        assert server.http.delete(f"/_emulator/api/sandboxes/{sandbox.name}").status_code == 204
        status, answer = waiting.end()

    assert (404, "ErrorItemNotFound") == (status, answer["error"]["code"])
    assert f"The sandbox '{sandbox.name}' was deleted." == answer["error"]["message"]


# In vain


def test_near_misses(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """A timeout names what came closest, that which differs least first, of equals the newest."""
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
    assert ["recipient", "subject"] == missed(sandbox, recipient="x@y.z", subject="?", count=2)[0]["differs"]


def test_nothing_at_all(sandbox: Sandbox) -> None:
    """Where nothing is, nothing was near."""
    assert [[], [], [], []] == [missed(sandbox, kind=kind) for kind in ("mail", "event", "callback", "poke")]
    assert [] == missed(sandbox, connection="nobody", recipient="no@body.at", folder="none")


def test_gone_mails_are_no_match(sandbox: Sandbox, alice: Connection) -> None:
    """A mail that was deleted is where deleted mails are, and then nowhere."""
    alice.deliver()
    for folder in ("Inbox", "Deleted Items"):
        (mail,) = found(sandbox)
        assert folder == mail["folder"]
        assert alice.http.delete(f"/Mail/{mail['id']}").status_code == 200

    assert [] == missed(sandbox)
    answer = sandbox.api.post("/wait", json={"newerThan": mail["id"]})
    assert (400, True) == (answer.status_code, "'newerThan' names no mail" in answer.text)


# Bad input


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
        ({"kind": "poke", "subject": "x"}, "'subject' does not apply to the kind 'poke'"),
        ({"url": "http://localhost"}, "'url' does not apply to the kind 'mail'"),
    ],
)
def test_refused(sandbox: Sandbox, alice: Connection, order: dict[str, Any], text: str) -> None:
    """What cannot be waited for is refused at once, by the name of the member."""
    answer = sandbox.api.post("/wait", json=order)

    assert (400, True) == (answer.status_code, text in answer.json()["message"]), answer.text


def test_ids_of_others_are_refused(sandbox: Sandbox, alice: Connection) -> None:
    """The id of an event is none of a mail, nor the other way round."""
    event, mail = alice.meet()["Id"], alice.deliver()["Id"]
    answers = [
        sandbox.api.post("/wait", json={"kind": kind, "newerThan": id})
        for kind, id in (("mail", event), ("event", mail))
    ]

    assert [400, 400] == [answer.status_code for answer in answers]
    assert "'newerThan' names no message of this sandbox" in answers[0].text
