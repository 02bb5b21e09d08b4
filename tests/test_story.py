"""Microsoft's client sends, reads, answers, forwards, moves and deletes mail between two mailboxes."""

from __future__ import annotations

from azure.connectors.outlook import ClientSendHtmlMessage, DirectForwardMessage, ReplyHtmlMessage

from tests.conftest import Connection, Sandbox


def test_the_sdk_sends_reads_answers_forwards_moves_flags_and_deletes(
    alice: Connection, bob: Connection, sandbox: Sandbox
) -> None:
    """The unchanged SDK takes a mail from sending in one mailbox to deletion in the other."""
    alice.sdk("send_email_async", ClientSendHtmlMessage(to=bob.address, subject="Plans", body="<p>Lunch?</p>"))

    (mail,) = bob.sdk("get_emails_async")["value"]
    assert ("Plans", alice.address) == (mail["Subject"], mail["From"])

    bob.sdk("mark_as_read_async", mail["Id"])
    bob.sdk("flag_async", mail["Id"])
    bob.sdk("reply_to_async", ReplyHtmlMessage(body="<p>Yes</p>"), mail["Id"])
    bob.sdk("forward_email_async", DirectForwardMessage(comment="FYI", to_recipients="carol@example.net"), mail["Id"])

    assert alice.mail()["Subject"] == "RE: Plans"
    assert sandbox.outbox.mails()[0]["recipients"] == ["carol@example.net"]

    moved = bob.sdk("move_async", mail["Id"], "Archive")
    bob.sdk("delete_email_async", moved["Id"])

    assert (bob.mails("Archive"), bob.mails("Inbox")) == ([], [])
    assert bob.mail("Deleted Items")["Subject"] == "Plans"
