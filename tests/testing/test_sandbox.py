"""A sandbox in a test's hand: mailboxes and mails, the clock, what left, what is waited for and answered."""

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


def test_a_mailbox_as_it_is_asked_for(box: Sandbox) -> None:
    """Name, address, display name, further addresses and first mails are as given; the rest follows from the name."""
    connection = box.connect(
        "bob",
        "robert@example.org",
        display_name="Bob",
        send_as=["team@example.org"],
        mails=[{"from": "x@example.org", "subject": "First"}],
    )
    plain = box.connect("eve")
    facts = {entry["id"]: entry for entry in box.admin.request("GET", "/connections")["value"]}

    assert (f"{box.name}-bob", "robert@example.org") == (connection.id, connection.address)
    assert ("Bob", ["team@example.org"], connection.url) == tuple(
        facts[connection.id][name] for name in ("displayName", "sendAs", "runtimeUrl")
    )
    assert ["First"] == [mail["Subject"] for mail in connection.mails()]
    assert ("eve@example.com", facts[plain.id]["runtimeUrl"]) == (plain.address, plain.url)


def test_mailboxes_of_one_sandbox_meet(box: Sandbox, ann: Connection) -> None:
    """A mail to another mailbox lands there, one to nobody's address in the outbox."""
    bob = box.connect("bob")
    send(ann, f"{bob.address}; Out@example.net")
    (departed,) = box.outbox.mails()
    shown = message_from_bytes(box.outbox.mime(departed))

    assert [("Hello", ann.address)] == [(mail["Subject"], mail["From"]) for mail in bob.mails()]
    assert (["Out@example.net"], "Hello") == (departed["recipients"], shown["Subject"])
    assert ["Hello"] == [mail["Subject"] for mail in ann.mails("Sent Items")]


def test_the_outbox_is_searched(box: Sandbox, ann: Connection) -> None:
    """By whole address and by a part of the subject, both without case; what is given must all fit."""
    send(ann, "one@example.net", Subject="The Budget")
    send(ann, "two@example.net", Subject="Lunch")

    assert [2, 1, 0, 1, 0] == [
        len(box.outbox.mails(**asked))
        for asked in (
            {},
            {"recipient": "ONE@example.net"},
            {"recipient": "one"},
            {"subject": "budget"},
            {"recipient": "two@example.net", "subject": "budget"},
        )
    ]


def test_mails_from_outside(ann: Connection) -> None:
    """A mail arrives in parts or whole, as bytes or a file, where and how it is told to; the message is given."""
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


def test_mail_that_cannot_arrive(ann: Connection) -> None:
    """What the emulator refuses is raised with its reason; a whole mail has no parts besides."""
    with pytest.raises(TypeError, match="cannot be combined with subject and from"):
        ann.deliver(EML, subject="x", sender="x@example.org")
    with pytest.raises(AdminError, match=r"400 to POST /sandboxes/.*/deliver: .*received"):
        ann.deliver(subject="x", received="soon")


def test_a_folder_that_is_not_there(ann: Connection) -> None:
    """To look for mails in it is the test's mistake."""
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        ann.mails("Nowhere")


def test_the_clock_is_moved(place: Server) -> None:
    """By words, seconds and timedeltas, to instants, frozen, and running again; each move tells the time."""
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


def test_wait_for_what_came(box: Sandbox, ann: Connection) -> None:
    """What fits is given; where nothing does, the near misses are told."""
    ann.deliver(subject="The Budget", sender="x@example.org")
    (item,) = box.wait(subject="budget", sender="x@example.org", connection=ann.id)

    assert ("mail", ann.address) == (item["kind"], item["recipients"][0] if item["recipients"] else ann.address)
    with pytest.raises(AssertionError, match=r"0 of 1 came in 0 seconds(.|\n)*nearest miss: .*The Budget"):
        box.wait(subject="Lunch", timeout=0)
    with pytest.raises(AdminError, match="'kind' must be one of"):
        box.wait(kind="letter", timeout=0)
    with pytest.raises(TypeError, match=r"wait\(\) has no condition 'subjet'; it has connection, count"):
        box.wait(subjet="Lunch")


def test_answer_a_waiting_mail(box: Sandbox, ann: Connection, listener: Stub) -> None:
    """The newest open question with that subject is answered, once; whoever waits for it is called."""
    bob = box.connect("bob")
    message = {"To": bob.address, "Subject": "The Budget", "Options": "Yes, No"}
    order = {"NotificationUrl": listener.url, "Message": message}
    ann.http.post("/approvalmail/$subscriptions", json=order).raise_for_status()
    answered = box.answer("Yes", subject="budget")

    assert ("Yes", bob.address) == (answered["answer"], answered["answeredBy"])
    assert listener.wait()[0].body == b'{"SelectedOption":"Yes"}'
    with pytest.raises(AssertionError, match=r"No open question has 'budget' in its subject\. Open questions: \[\]"):
        box.answer("Yes", subject="budget")


def test_it_is_told_apart(box: Sandbox, ann: Connection) -> None:
    """What is shown of the objects says which they are."""
    assert f"<Server {box.server.url}>" == repr(box.server)
    assert f"<Sandbox {box.name} at {box.server.url}>" == repr(box)
    assert f"<Connection {ann.id} of ann@example.com>" == repr(ann)


def test_two_tests_of_one_server_have_faults_of_their_own(place: Server) -> None:
    """A fault of one sandbox is none of another's, and gone with it."""
    with place.sandbox() as first, place.sandbox() as other:
        first.faults.add("bad-gateway")
        faulty, sound = first.connect(), other.connect()
        assert (502, 200) == tuple(box.http.get("/testconnection").status_code for box in (faulty, sound))


def test_a_rule_that_is_refused(box: Sandbox) -> None:
    """What the emulator does not know is refused with its reason, and nothing is armed."""
    with pytest.raises(AdminError, match=r"400 to POST .*/faults"):
        box.faults.add("throttled", operation="NoSuchOperation")
    assert [] == box.faults.ledger()


def test_a_journal_of_a_sandbox(ann: Connection) -> None:
    """Only what was asked of the sandbox's own connections is in its journal."""
    ann.mails()
    assert {ann.id} == {entry["connection"] for entry in ann.sandbox.journal.entries()}
