"""Mail that cannot be delivered: the request succeeds, and a non-delivery report arrives in the sender's Inbox."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, cast

import pytest

from tests.conftest import Connection, Sandbox
from tests.mailbox.triggers.test_mail_triggers import NEW, Poller
from tests.stub import Stub

NOBODY = "nobody@contoso.invalid"
POSTMASTER = "MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.com"
FORWARD = "/codeless/api/v2.0/me/messages/{id}/forward"
CALLBACK = "http://127.0.0.1:9/resume"


def read(raw: bytes) -> EmailMessage:
    """Parse a mail with Python's own email package."""
    return message_from_bytes(raw, policy=policy.default)


def failed_recipients(connection: Connection, report: dict[str, Any]) -> list[dict[str, str]]:
    """The recipients in the fields for programs of a report."""
    machine = next(
        part for part in read(connection.mime(report["Id"])).walk() if part.get_content_type().endswith("-status")
    )
    _, *groups = cast(list[EmailMessage], machine.get_payload())
    return [{name: str(value) for name, value in group.items()} for group in groups]


def inbox_subjects(connection: Connection) -> list[str]:
    return [mail["Subject"] for mail in connection.mails()]


def undeliverable(sandbox: Sandbox, *addresses: str) -> None:
    """Arm the fault for some addresses, or for all."""
    more: dict[str, Any] = {"addresses": list(addresses)} if addresses else {}
    sandbox.faults.add("undeliverable", **more)


@pytest.mark.parametrize("path", ["/Mail", "/v2/Mail"])
@pytest.mark.parametrize("address", [NOBODY, "nobody@invalid", "Nobody@A.B.Invalid"])
def test_mail_to_an_address_nobody_can_have_answers_200(
    sandbox: Sandbox, alice: Connection, path: str, address: str
) -> None:
    """The send succeeds and has its copy in Sent Items; a report arrives in the Inbox.

    Recorded from the Office 365 twin: microsoft/Power-Fx O365OutlookTests, 2023-12 (a mail `Undeliverable: …` from
    `MicrosoftExchange…@…`). That `.invalid` stands for such addresses is RFC 6761's promise.
    """
    answer = alice.http.post(path, json={"To": address, "Subject": "Lunch?", "Body": "<p>Noon</p>"})

    assert (answer.status_code, answer.content) == (200, b"")
    report = alice.mail()
    assert report["From"] == POSTMASTER
    assert report["To"] == alice.address
    assert report["Subject"] == "Undeliverable: Lunch?"
    assert not report["IsRead"]
    assert address in report["Body"]
    assert f"The domain {address.rpartition('@')[2]} does not exist." in report["Body"]
    assert report["BodyPreview"].startswith("Delivery has failed to these recipients or groups:")
    assert [mail["Subject"] for mail in alice.mails("Sent Items")] == ["Lunch?"]
    assert sandbox.outbox.mails() == []


def test_the_report_is_a_multipart_report(alice: Connection) -> None:
    """Its MIME form has a text, the fields for programs, and the mail that came back.

    RFC 3464 and RFC 6522; the statuses are those of the vendor's table of Exchange Online's reports.
    """
    alice.send(NOBODY, "Grüße", "<p>Bis bald, ö</p>", Bcc="dana@contoso.invalid")
    report = alice.mail()
    mime = read(alice.mime(report["Id"]))
    human, machine, original = mime.iter_parts()

    assert (mime.get_content_type(), mime.get_param("report-type")) == ("multipart/report", "delivery-status")
    assert mime["From"].addresses[0].addr_spec == POSTMASTER
    assert mime["From"].addresses[0].display_name == "Microsoft Outlook"
    assert mime["Subject"] == "Undeliverable: Grüße"
    assert mime["Auto-Submitted"] == "auto-replied"
    assert mime["Message-ID"] == report["InternetMessageId"]
    assert [part.get_content_type() for part in human.iter_parts()] == ["text/plain", "text/html"]
    assert machine.get_content_type() == "message/delivery-status"
    assert {group["Final-Recipient"] for group in failed_recipients(alice, report)} == {
        f"rfc822;{NOBODY}",
        "rfc822;dana@contoso.invalid",
    }
    assert {(group["Action"], group["Status"]) for group in failed_recipients(alice, report)} == {("failed", "5.4.310")}
    assert original.get_content_type() == "message/rfc822"
    (sent,) = cast(list[EmailMessage], original.get_payload())
    body = sent.get_body(("html",))
    assert (sent["Subject"], sent["To"], sent["Bcc"]) == ("Grüße", NOBODY, None)
    assert sent["Message-ID"] == mime["In-Reply-To"] == alice.mail("Sent Items")["InternetMessageId"]
    assert body is not None
    assert "Bis bald, ö" in body.get_content()


def test_the_original_is_an_attached_item_that_the_connector_skips(alice: Connection) -> None:
    """The report has an attachment, which is not shown, and belongs to the conversation of the mail.

    Vendor's page of the Office 365 twin: attached items, non-delivery reports among them, are skipped.
    """
    alice.send(NOBODY, "Lunch?")
    report = alice.mail()

    assert (report["HasAttachment"], report["Attachments"]) == (True, [])
    assert report["ConversationId"] == alice.mail("Sent Items")["ConversationId"]
    assert alice.get(f"/Mail/{report['Id']}", includeAttachments=True)["Attachments"] == []


def test_mixed_recipients_the_others_get_their_mail(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """One report names all addresses that failed; the others get the mail, inside the sandbox and outside.

    Inferred: a report about several recipients is one mail, as Exchange sends it.
    """
    alice.send(f"{bob.address};{NOBODY};carol@example.org", Cc="dana@contoso.invalid", Bcc="erin@example.org")

    assert inbox_subjects(bob) == ["Hello"]
    assert inbox_subjects(alice) == ["Undeliverable: Hello"]
    assert sorted(group["Final-Recipient"] for group in failed_recipients(alice, alice.mail())) == [
        "rfc822;dana@contoso.invalid",
        f"rfc822;{NOBODY}",
    ]
    (out,) = sandbox.outbox.mails()
    assert sorted(out["recipients"]) == ["carol@example.org", "erin@example.org"]


@pytest.mark.parametrize("address", ["a@example.com", "a@x.example", "a@contoso.test", "a@localhost", "a@invalid.org"])
def test_other_reserved_names_are_ordinary_recipients(sandbox: Sandbox, alice: Connection, address: str) -> None:
    """Mail to names that tests and examples use goes to the outbox.

    Inferred: RFC 6761 promises of `.invalid` alone that it never exists.
    """
    alice.send(address)

    assert alice.mails() == []
    assert [mail["recipients"] for mail in sandbox.outbox.mails()] == [[address]]


def test_a_mailbox_in_the_sandbox_is_reached_whatever_its_domain(sandbox: Sandbox, alice: Connection) -> None:
    """An address that somebody in the sandbox has is deliverable (inferred)."""
    dana = sandbox.connect("dana", "dana@contoso.invalid")
    alice.send(dana.address)

    assert inbox_subjects(dana) == ["Hello"]
    assert alice.mails() == []


@pytest.mark.parametrize("path", ["/v2/Mail/ReplyTo/{id}", "/v3/Mail/ReplyTo/{id}", "/Mail/ReplyTo/{id}?comment=x"])
def test_replies_alike(alice: Connection, path: str) -> None:
    """A reply to a sender nobody can have comes back.

    Recorded from the Office 365 twin for sending (microsoft/Power-Fx, 2023-12); for replies inferred.
    """
    id = alice.deliver(sender=NOBODY, subject="Question")["Id"]
    answer = alice.http.post(path.format(id=id), json={"Body": "Yes"})

    assert answer.status_code == 200
    assert inbox_subjects(alice) == ["Undeliverable: RE: Question", "Question"]


def test_forwards_alike(alice: Connection) -> None:
    """A forward to nobody comes back, with what was forwarded.

    Recorded from the Office 365 twin for sending (microsoft/Power-Fx, 2023-12); for forwards inferred.
    """
    id = alice.deliver(subject="Plan", attachments=[{"Name": "plan.txt", "ContentBytes": "YQ=="}])["Id"]
    answer = alice.http.post(FORWARD.format(id=id), json={"ToRecipients": NOBODY})

    assert answer.status_code == 202
    assert inbox_subjects(alice) == ["Undeliverable: FW: Plan", "Plan"]
    assert b"plan.txt" in alice.mime(alice.mails()[0]["Id"])


@pytest.mark.parametrize("path", ["/approvalmail/$subscriptions", "/mailwithoptions/$subscriptions"])
def test_approval_and_options_mails_alike(alice: Connection, path: str) -> None:
    """The subscription is made, and the mail comes back.

    Recorded from the Office 365 twin for sending (microsoft/Power-Fx, 2023-12); for approval mails inferred.
    """
    message = {"To": NOBODY, "Subject": "Which?", "Options": "Yes,No"}
    answer = alice.http.post(path, json={"NotificationUrl": CALLBACK, "Message": message})

    assert answer.status_code == 201
    assert inbox_subjects(alice) == ["Undeliverable: Which?"]


def test_invitations_alike(alice: Connection) -> None:
    """Invitation, update and cancellation each come back to the organizer.

    Notes from live use of the Office 365 twin (MShekow/outlook-calendar-sync): a flow that invites an attendee who does
    not exist brings a non-delivery mail to the organizer.
    """
    event = alice.meet("Review", RequiredAttendees=NOBODY)
    assert inbox_subjects(alice) == ["Undeliverable: Review"]
    assert b"text/calendar" in alice.mime(alice.mail()["Id"])

    alice.change(
        event["Id"],
        Subject="Review 2",
        Start="2026-03-04T11:00:00Z",
        End="2026-03-04T12:00:00Z",
        RequiredAttendees=NOBODY,
    )
    assert inbox_subjects(alice)[0] == "Undeliverable: Review 2"

    alice.http.delete(f"/datasets/calendars/tables/Calendar/items/{event['Id']}").raise_for_status()
    assert inbox_subjects(alice) == [
        "Undeliverable: Canceled: Review 2",
        "Undeliverable: Review 2",
        "Undeliverable: Review",
    ]


def test_an_invitation_that_comes_back_is_in_no_calendar(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """The attendee whose mail comes back does not get the event; the other one does.

    Inferred: events reach attendees by mail.
    """
    carol = sandbox.connect("carol")
    undeliverable(sandbox, bob.address)
    alice.meet("Review", RequiredAttendees=f"{bob.address};{carol.address}")

    assert (bob.events(), bob.mails()) == ([], [])
    assert [event["Subject"] for event in carol.events()] == ["Review"]
    assert inbox_subjects(alice) == ["Undeliverable: Review"]


def test_responses_alike(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """A response that comes back does not reach the organizer's event.

    Inferred: a response is a mail to the organizer.
    """
    event = alice.meet("Review", RequiredAttendees=bob.address)
    undeliverable(sandbox, alice.address)
    bob.respond(bob.events()[0]["Id"], "decline", SendResponse=True)

    assert inbox_subjects(bob)[0] == "Undeliverable: Declined: Review"
    assert alice.mails() == []
    path = f"/datasets/calendars/tables/Calendar/items/{event['Id']}"
    assert [attendee["Status"]["Response"] for attendee in alice.get(path)["Attendees"]] == ["None"]


def test_a_report_fires_the_mail_triggers(sandbox: Sandbox, alice: Connection, listener: Stub) -> None:
    """A report is a new mail: it fires a poll with a subject filter, and pokes a subscription.

    Inferred: a report is a mail like any other.
    """
    poller = Poller(alice, NEW, subjectFilter="undeliverable")
    path = "/MailSubscriptionPoke/$subscriptions"
    alice.post(path, {"NotificationUrl": listener.url}, folderPath="Inbox")
    alice.send(NOBODY, "Lunch?")
    sandbox.advance()

    assert poller.subjects() == ["Undeliverable: Lunch?"]
    assert [request.method for request in listener.wait()] == ["POST"]


def test_a_report_obeys_the_virtual_clock(sandbox: Sandbox, alice: Connection) -> None:
    """The report is received at the sandbox's time, at once (inferred: Exchange takes seconds to minutes)."""
    sandbox.clock.advance("3d")
    alice.send(NOBODY)

    now = sandbox.api.get("/clock").json()["now"][:19]
    assert alice.mail()["DateTimeReceived"] == f"{now}+00:00"


def test_no_report_about_a_report(sandbox: Sandbox, alice: Connection) -> None:
    """A mail to the address that reports come from never comes back, so that no workflow answers reports for ever.

    Inferred: RFC 3464 forbids reports about reports.
    """
    undeliverable(sandbox)
    alice.send("carol@example.org")
    alice.post(f"/v3/Mail/ReplyTo/{alice.mail()['Id']}", {"Body": "Noted"})

    assert inbox_subjects(alice) == ["Undeliverable: Hello"]
    assert [mail["recipients"] for mail in sandbox.outbox.mails()] == [[POSTMASTER]]


def test_a_report_goes_to_the_address_that_the_mail_was_sent_from(sandbox: Sandbox) -> None:
    """A mail sent as a shared mailbox comes back to that mailbox (inferred)."""
    team = sandbox.connect("team", "team@example.com")
    alice = sandbox.connect("alice", send_as=["team@example.com"])
    alice.send(NOBODY, From="team@example.com")

    assert inbox_subjects(team) == ["Undeliverable: Hello"]
    assert alice.mails() == []


def test_of_a_very_large_mail_only_the_headers_come_back(alice: Connection) -> None:
    """A mail of more than 1 MB comes back without its content.

    Exchange documents a limit of 10 MB. Ours is lower, because composing the report keeps other callers waiting.
    """
    alice.send(NOBODY, "Big", "x" * (1024 * 1024 + 1))
    mime = alice.mime(alice.mail()["Id"])

    assert len(mime) < 10_000
    assert b"Subject: Big" in mime


def test_a_report_is_kept_by_a_snapshot(sandbox: Sandbox, alice: Connection) -> None:
    """A report survives saving and restoring the sandbox."""
    alice.send(NOBODY)
    sandbox.snapshots.save("after")
    alice.http.delete(f"/Mail/{alice.mail()['Id']}").raise_for_status()
    sandbox.snapshots.restore("after")

    assert inbox_subjects(alice) == ["Undeliverable: Hello"]
