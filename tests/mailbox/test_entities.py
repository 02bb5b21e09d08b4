"""Number entities of thousands of digits, which no HTML reader may fail at, in everything that holds HTML."""

from __future__ import annotations

from tests.conftest import Connection

HTML = f"<p>From &#{'9' * 4301}; to &#{'0' * 4301}90;</p>"
TEXT = "From \ufffd to Z"


def test_in_a_mail_and_a_reply(alice: Connection, bob: Connection) -> None:
    alice.send(bob.address, body=HTML)
    mail = bob.mail()
    assert mail["BodyPreview"] == TEXT
    bob.post(f"/v3/Mail/ReplyTo/{mail['Id']}", {"Body": HTML})
    assert alice.mail()["BodyPreview"].startswith(TEXT)


def test_in_mail_from_outside(alice: Connection) -> None:
    alice.deliver(sender="eve@example.com", html=HTML)
    assert alice.mail()["BodyPreview"] == TEXT
    assert alice.get("/v2/Mail", searchQuery="from to z")["value"]


def test_in_an_event_and_the_export_of_its_calendar(alice: Connection) -> None:
    alice.meet(Body=HTML)
    export = alice.api.get(f"/connections/{alice.id}/calendars/Calendar/export")
    assert TEXT in export.text
