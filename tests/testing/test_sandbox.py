"""A sandbox in a test: mailboxes, mails, the clock, the outbox, waits and answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email import message_from_bytes

import httpx
import pytest

from outlook_emulator.testing import AdminError, Connection, Sandbox, Server
from tests.conftest import START
from tests.paths import EML
from tests.stub import Stub

EML = EML / "inline-image.eml"
HOUR = timedelta(hours=1)


def send(sender: Connection, to: str, **more: object) -> None:
    body = {"To": to, "Subject": "Hello", "Body": "<p>Hello</p>", **more}
    sender.http.post("/v2/Mail", json=body).raise_for_status()


def test_connect_with_options(box: Sandbox) -> None:
    """A mailbox has the given name, address, display name, aliases and mails; missing values follow from the name."""
    connection = box.connect(
        "bob",
        "robert@example.org",
        display_name="Bob",
        send_as=["team@example.org"],
        mails=[{"from": "x@example.org", "subject": "First"}],
    )
    plain = box.connect("eve")
    facts = {entry["id"]: entry for entry in box.admin.request("GET", "/connections")["value"]}

    assert (f"{box.name}.bob", "robert@example.org") == (connection.id, connection.address)
    assert ("Bob", ["team@example.org"], connection.url) == tuple(
        facts[connection.id][name] for name in ("displayName", "sendAs", "runtimeUrl")
    )
    assert ["First"] == [mail["Subject"] for mail in connection.mails()]
    assert ("eve@example.com", facts[plain.id]["runtimeUrl"]) == (plain.address, plain.url)


def test_mail_between_mailboxes(box: Sandbox, ann: Connection) -> None:
    """A mail to another mailbox of the sandbox is delivered there; a mail to any other address goes to the outbox."""
    bob = box.connect("bob")
    send(ann, f"{bob.address}; Out@example.net")
    (departed,) = box.outbox.mails()
    shown = message_from_bytes(box.outbox.mime(departed))

    assert [("Hello", ann.address)] == [(mail["Subject"], mail["From"]) for mail in bob.mails()]
    assert (["Out@example.net"], "Hello") == (departed["recipients"], shown["Subject"])
    assert ["Hello"] == [mail["Subject"] for mail in ann.mails("Sent Items")]


def test_outbox_body_and_attachments(box: Sandbox, ann: Connection) -> None:
    """An outbox mail has its text, its HTML and its attachments, whose content can be read."""
    files = [{"Name": "résumé.txt", "ContentBytes": "SGVsbG8="}, {"Name": "b.bin", "ContentBytes": "AP8="}]
    mail = {"To": "eve@example.net", "Subject": "Hi", "Body": "<p>A <b>line</b></p>", "Attachments": files}
    ann.http.post("/v2/Mail", json=mail).raise_for_status()
    (sent,) = box.outbox.mails()

    assert ("A line", "<p>A <b>line</b></p>") == (sent["text"].strip(), sent["html"])
    assert [("résumé.txt", 5, False), ("b.bin", 2, False)] == [
        (attachment["name"], attachment["size"], attachment["isInline"]) for attachment in sent["attachments"]
    ]
    assert [b"Hello", b"\x00\xff"] == [box.outbox.attachment(sent, file["Name"]) for file in files]
    with pytest.raises(AssertionError, match=r"The mail has no attachment 'a\.txt'\. Attachments: \['r"):
        box.outbox.attachment(sent, "a.txt")


def test_outbox_search(box: Sandbox, ann: Connection) -> None:
    """The outbox is searched by full address and by part of the subject, ignoring case; all conditions must match."""
    send(ann, "one@example.net", Subject="The Budget")
    send(ann, "two@example.net", Subject="Lunch")

    assert [2, 1, 0, 1, 0] == [
        len(box.outbox.mails(**filters))
        for filters in (
            {},
            {"recipient": "ONE@example.net"},
            {"recipient": "one"},
            {"subject": "budget"},
            {"recipient": "two@example.net", "subject": "budget"},
        )
    ]


def test_deliver(ann: Connection) -> None:
    """A mail is delivered from keywords, bytes or a file, with the given options, and the message is returned."""
    received = START.replace(tzinfo=None) - HOUR
    parts = ann.deliver(subject="Parts", text="x", sender="x@example.org", is_read=True, received=received)
    whole = ann.deliver(b"From: y@example.org\r\nSubject: Bytes\r\n\r\nx\r\n", folder="Archive", is_flagged=True)
    file = ann.deliver(EML)

    assert [file["Id"], parts["Id"]] == [mail["Id"] for mail in ann.mails()]
    assert ("x@example.org", True, (START - HOUR).isoformat()) == (
        parts["From"],
        parts["IsRead"],
        parts["DateTimeReceived"],
    )
    assert [("Bytes", "y@example.org")] == [(mail["Subject"], mail["From"]) for mail in ann.mails("Archive")]
    assert [whole["Id"]] == [mail["Id"] for mail in ann.mails("Archive", fetchOnlyFlagged=True)]


def test_invalid_delivery(ann: Connection) -> None:
    """An invalid mail raises the emulator's reason, and a MIME mail cannot be combined with keywords."""
    with pytest.raises(TypeError, match="cannot be combined with subject and from"):
        ann.deliver(EML, subject="x", sender="x@example.org")
    with pytest.raises(AdminError, match=r"400 to POST /sandboxes/.*/deliver: .*received"):
        ann.deliver(subject="x", received="soon")


def test_unknown_folder(ann: Connection) -> None:
    """Listing an unknown folder raises an error."""
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        ann.mails("Nowhere")


def test_clock(place: Server) -> None:
    """The clock accepts durations, seconds, timedeltas and instants, can be frozen, and returns the time after each
    move.
    """
    with place.sandbox(clock=START) as box:
        clock = box.clock
        steps = [
            clock.now(),
            clock.advance("1h30m"),
            clock.advance(90),
            clock.advance(timedelta(microseconds=1)),
            clock.set("2026-03-02T12:00:00Z"),
            clock.set(datetime(2026, 3, 2, 13)),
            clock.follow(),
            clock.freeze(),
            clock.freeze(datetime(2026, 3, 2, 14, tzinfo=UTC)),
        ]
        with pytest.raises(AdminError, match=r"409 to POST .*/clock: .*backwards"):
            clock.set(START)

    ahead = [timedelta(0), 1.5 * HOUR, 1.5 * HOUR + timedelta(seconds=90)]
    ahead += [ahead[-1] + timedelta(microseconds=1), 3 * HOUR, 4 * HOUR, 4 * HOUR, 4 * HOUR, 5 * HOUR]
    assert ahead == [step - START for step in steps]


def test_wait(box: Sandbox, ann: Connection) -> None:
    """`wait` returns the matches, or raises with the near misses."""
    ann.deliver(subject="The Budget", sender="x@example.org")
    (item,) = box.wait(subject="budget", sender="x@example.org", connection=ann.id)

    assert ("mail", ann.address) == (item["kind"], item["recipients"][0] if item["recipients"] else ann.address)
    with pytest.raises(AssertionError, match=r"0 of 1 came in 0 seconds(.|\n)*nearest miss: .*The Budget"):
        box.wait(subject="Lunch", timeout=0)
    with pytest.raises(AdminError, match="'kind' must be one of"):
        box.wait(kind="letter", timeout=0)
    with pytest.raises(TypeError, match=r"wait\(\) has no condition 'subjet'; it has connection, count"):
        box.wait(subjet="Lunch")


def test_answer(box: Sandbox, ann: Connection, listener: Stub) -> None:
    """`answer` answers the newest open question with that subject once, and the callback is sent."""
    bob = box.connect("bob")
    message = {"To": bob.address, "Subject": "The Budget", "Options": "Yes, No"}
    order = {"NotificationUrl": listener.url, "Message": message}
    ann.http.post("/approvalmail/$subscriptions", json=order).raise_for_status()
    answered = box.answer("Yes", subject="budget")

    assert ("Yes", bob.address) == (answered["answer"], answered["answeredBy"])
    assert listener.wait()[0].body == b'{"SelectedOption":"Yes"}'
    with pytest.raises(AssertionError, match=r"No open question has 'budget' in its subject\. Open questions: \[\]"):
        box.answer("Yes", subject="budget")


def test_a_callback_after_an_answer(box: Sandbox, ann: Connection, listener: Stub) -> None:
    """Once a wait for a callback returns, the callback was sent; `callbacks.wait` waits until it is done."""
    message = {"To": "boss@example.net", "Subject": "The Budget", "Options": "Yes, No"}
    order = {"NotificationUrl": f"{listener.url}/answered", "Message": message}
    ann.http.post("/approvalmail/$subscriptions", json=order).raise_for_status()
    question = box.answer("Yes")
    (callback,) = box.wait(kind="callback", reference=question["id"])

    assert [b'{"SelectedOption":"Yes"}'] == [request.body for request in listener.requests]
    assert ("done", 200, callback["body"]) == (callback["state"], callback["lastStatus"], '{"SelectedOption":"Yes"}')
    assert [callback] == box.callbacks.wait(url=order["NotificationUrl"], timeout=1)


def test_callbacks(box: Sandbox, ann: Connection, listener: Stub) -> None:
    """Callbacks are listed by kind, URL and cause; a wait for one that keeps failing shows how far it is."""
    listener.answer_with(503, 200)
    created = ann.http.post("/MailSubscriptionPoke/$subscriptions", json={"NotificationUrl": listener.url})
    ann.deliver(subject="News")
    (poke,) = box.wait(kind="poke")
    with pytest.raises(AssertionError, match=r"nearest miss: .*'state': 'pending', .*'lastStatus': 503"):
        box.callbacks.wait(reference=created.json()["id"], timeout=0)
    box.clock.advance("1s")
    (done,) = box.callbacks.wait(reference=created.json()["id"], newer_than=None)

    assert (poke["id"], "done", 2) == (done["id"], done["state"], done["attempts"])
    assert [1, 1, 0, 0] == [
        len(box.callbacks.entries(**match))
        for match in ({}, {"kind": "poke", "url": listener.url}, {"kind": "answer"}, {"reference": "other"})
    ]


def test_repr(box: Sandbox, ann: Connection) -> None:
    """The repr of each object identifies it."""
    assert f"<Server {box.server.url}>" == repr(box.server)
    assert f"<Sandbox {box.name} at {box.server.url}>" == repr(box)
    assert f"<Connection {ann.id} of ann@example.com>" == repr(ann)


def test_sandboxes_have_separate_faults(place: Server) -> None:
    """A fault applies to one sandbox only."""
    with place.sandbox() as first, place.sandbox() as other:
        first.faults.add("bad-gateway")
        faulty, sound = first.connect(), other.connect()
        assert (502, 200) == tuple(box.http.get("/testconnection").status_code for box in (faulty, sound))


def test_invalid_rule(box: Sandbox) -> None:
    """An invalid rule raises the emulator's reason, and nothing is armed."""
    with pytest.raises(AdminError, match=r"400 to POST .*/faults"):
        box.faults.add("throttled", operation="NoSuchOperation")
    assert [] == box.faults.ledger()


def test_journal(ann: Connection) -> None:
    """The journal contains only requests to the sandbox's own connections."""
    ann.mails()
    assert {ann.id} == {entry["connection"] for entry in ann.sandbox.journal.entries()}
