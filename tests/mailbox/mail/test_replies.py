"""Replies and forwards: recipients, content and conversations."""

from __future__ import annotations

import base64
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from azure.connectors.outlook import (
    ClientSendAttachment,
    ClientSendHtmlMessage,
    DirectForwardMessage,
    ReplyHtmlMessage,
)
from azure.connectors.sdk.exceptions import ConnectorException

from tests.bodies import BEFORE_FRAGMENT
from tests.conftest import Connection, Sandbox
from tests.paths import EML

FORWARD = "/codeless/api/v2.0/me/messages/{}/forward"
VERSIONS = (1, 2, 3)


def reply(connection: Any, version: int, id: str, *, text: str = "Yes", reply_all: bool = False) -> Any:
    """Reply through one of the three versions, with only its required fields, and return the response."""
    if version == 1:
        return connection.http.post(f"/Mail/ReplyTo/{id}", params={"comment": text, "replyAll": str(reply_all)})
    body = {"Body": text, "ReplyAll": reply_all}
    return connection.http.post(f"/v{version}/Mail/ReplyTo/{id}", json=body)


def read(connection: Any, mail: dict[str, Any]) -> EmailMessage:
    """A message's MIME, parsed by Python's email package."""
    return message_from_bytes(connection.mime(mail["Id"]), policy=policy.default)


def deliver(connection: Any, name: str) -> dict[str, Any]:
    """Deliver one of the .eml fixtures and return the message."""
    raw = (EML / f"{name}.eml").read_bytes()
    answer = connection.api.post(
        f"/connections/{connection.id}/deliver", content=raw, headers={"Content-Type": "message/rfc822"}
    )
    assert answer.status_code == 201, answer.text
    message: dict[str, Any] = answer.json()["message"]
    return message


def lines(mail: dict[str, Any]) -> tuple[Any, Any, Any]:
    return mail["To"], mail["Cc"], mail["Bcc"]


@pytest.fixture
def carol(sandbox: Sandbox) -> Any:
    return sandbox.connect("carol")


@pytest.fixture
def question(alice: Connection, bob: Connection) -> dict[str, Any]:
    """Bob's copy of a mail from Alice."""
    alice.send(bob.address, subject="Plans", body="<p>Lunch?</p>")
    return bob.mail()


# --- Replies in three versions ---


@pytest.mark.parametrize("version", VERSIONS)
def test_a_reply_goes_back_to_the_sender(
    alice: Connection, bob: Connection, question: dict[str, Any], version: int
) -> None:
    """Each version responds with an empty 200; the reply is unread for the recipient and read in Sent Items."""
    answer = reply(bob, version, question["Id"])

    assert (answer.status_code, answer.content) == (200, b"")
    for copy in (alice.mail(), bob.mail("Sent Items")):
        assert (copy["Subject"], copy["From"]) == ("RE: Plans", bob.address)
        assert lines(copy) == (alice.address, None, None)
    assert (alice.mail()["IsRead"], bob.mail("Sent Items")["IsRead"]) == (False, True)
    assert bob.mail() == question


def test_the_sdk_replies_with_every_member(
    alice: Connection, bob: Connection, question: dict[str, Any], sandbox: Sandbox
) -> None:
    """Every member of the SDK's reply model reaches the mail."""
    bob.sdk(
        "reply_to_async",
        ReplyHtmlMessage(
            to="carol@example.org",
            cc="dave@example.org",
            bcc="eve@example.org",
            subject="Another subject",
            body="<p>See you</p>",
            reply_all=True,
            importance="High",
            attachments=[ClientSendAttachment(name="map.txt", content_bytes="aGVsbG8=")],
        ),
        question["Id"],
    )

    mail = bob.mail("Sent Items")
    assert lines(mail) == ("carol@example.org", "dave@example.org", "eve@example.org")
    assert (mail["Subject"], mail["Importance"], mail["IsHtml"]) == ("Another subject", 2, True)
    assert [attachment["Name"] for attachment in mail["Attachments"]] == ["map.txt"]
    assert sandbox.outbox.mails()[0]["recipients"] == ["carol@example.org", "dave@example.org", "eve@example.org"]
    assert alice.mails() == []


@pytest.mark.parametrize("version", VERSIONS)
def test_a_replys_importance_is_low(alice: Connection, bob: Connection, question: dict[str, Any], version: int) -> None:
    """The documented default importance of a reply is Low, whatever the original's importance."""
    reply(bob, version, question["Id"])

    assert alice.mail()["Importance"] == 0


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize(("name", "level"), [("Low", 0), ("Normal", 1), ("high", 2), (None, 0)])
def test_a_reply_can_set_its_importance(
    alice: Connection, bob: Connection, question: dict[str, Any], version: int, name: str | None, level: int
) -> None:
    """Versions 2 and 3 accept an importance."""
    bob.post(f"/v{version}/Mail/ReplyTo/{question['Id']}", {"Body": "Hi", "Importance": name})

    assert alice.mail()["Importance"] == level


@pytest.mark.parametrize(
    ("path", "body", "is_html"),
    [
        ("/v2/Mail/ReplyTo/{}", {}, True),
        ("/v2/Mail/ReplyTo/{}", {"IsHtml": True}, True),
        ("/v2/Mail/ReplyTo/{}", {"IsHtml": False}, False),
        ("/v3/Mail/ReplyTo/{}", {}, True),
        ("/v3/Mail/ReplyTo/{}", {"IsHtml": False}, True),
    ],
)
def test_the_format_of_a_reply(
    alice: Connection, bob: Connection, question: dict[str, Any], path: str, body: dict[str, Any], is_html: bool
) -> None:
    """Version 2 sends HTML unless `IsHtml` is false; version 3 always sends HTML."""
    bob.post(path.format(question["Id"]), {"Body": "a <b>c</b>", **body})

    mail = alice.mail()
    assert mail["IsHtml"] is True
    assert ("converted from text" in mail["Body"]) is not is_html
    assert ("a <b>c</b>" if is_html else "a &lt;b&gt;c&lt;/b&gt;") in mail["Body"]
    assert mail["BodyPreview"].startswith("a c" if is_html else "a <b>c</b>")


@pytest.mark.parametrize("is_html", [True, False])
def test_a_comment_takes_the_format_of_the_original(alice: Connection, bob: Connection, is_html: bool) -> None:
    """Version 1's plain comment is shown as typed, in a mail of the original's format."""
    alice.post("/Mail", {"To": bob.address, "Subject": "Plans", "Body": "Lunch?", "IsHtml": is_html})
    reply(bob, 1, bob.mail()["Id"], text="1 < 2 &\nso on")

    mail = alice.mail()
    assert ("converted from text" in mail["Body"]) is not is_html
    assert mail["BodyPreview"].replace("\r\n", "\n").startswith("1 < 2 &\nso on\n")


def test_the_first_version_needs_a_comment(alice: Connection, bob: Connection, question: dict[str, Any]) -> None:
    """Version 1 sends nothing without its required parameter `comment`."""
    for path in ("", "?comment="):
        answer = bob.http.post(f"/Mail/ReplyTo/{question['Id']}{path}")
        assert answer.status_code == 400
        assert "'comment'" in answer.json()["message"]
    assert alice.mails() == bob.mails("Sent Items") == []


@pytest.mark.parametrize("version", [2, 3])
def test_a_reply_may_be_empty(alice: Connection, bob: Connection, question: dict[str, Any], version: int) -> None:
    """No member of a reply is required; an empty reply contains only the quoted original."""
    bob.post(f"/v{version}/Mail/ReplyTo/{question['Id']}", {})

    assert alice.mail()["BodyPreview"].startswith("From: alice@example.com")


# --- Subjects ---


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("Plans", "RE: Plans"),
        ("RE: Plans", "RE: Plans"),
        ("re: Plans", "re: Plans"),
        ("FW: Plans", "RE: Plans"),
        ("fw:Plans", "RE: Plans"),
        ("FW: RE: Plans", "RE: Plans"),
        ("FW: Fw:  Plans", "RE: Plans"),
        ("", "RE: "),
        ("Report", "RE: Report"),
    ],
)
@pytest.mark.parametrize("version", VERSIONS)
def test_the_prefix_of_a_reply_is_not_repeated(
    alice: Connection, bob: Connection, version: int, subject: str, expected: str
) -> None:
    """A subject gets the prefix `RE: ` unless it already has one, in any case; it takes the place of an `FW: `."""
    bob.deliver(sender=alice.address, subject=subject)
    reply(bob, version, bob.mail()["Id"])

    assert bob.mail("Sent Items")["Subject"] == expected


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("Plans", "FW: Plans"),
        ("fw: Plans", "fw: Plans"),
        ("RE: Plans", "FW: Plans"),
        ("RE: FW: Plans", "FW: Plans"),
        ("AW: Plans", "FW: AW: Plans"),
    ],
)
def test_the_prefix_of_a_forward_is_not_repeated(bob: Connection, subject: str, expected: str) -> None:
    """A subject gets the prefix `FW: ` unless it already has one; it takes the place of an `RE: `.

    In Exchange a subject has one prefix (documented in MS-OXOMSG).
    """
    bob.deliver(subject=subject)
    bob.post(FORWARD.format(bob.mail()["Id"]), {"ToRecipients": "x@example.org"})

    assert bob.mail("Sent Items")["Subject"] == expected


@pytest.mark.parametrize("subject", ["", "  ", None])
def test_a_reply_without_a_subject_takes_the_originals(
    alice: Connection, bob: Connection, question: dict[str, Any], subject: str | None
) -> None:
    """A reply with an empty subject takes the original's subject, as documented."""
    bob.post(f"/v3/Mail/ReplyTo/{question['Id']}", {"Body": "Yes", "Subject": subject})

    assert alice.mail()["Subject"] == "RE: Plans"


def test_a_replys_own_subject_gets_no_prefix(alice: Connection, bob: Connection, question: dict[str, Any]) -> None:
    """A reply's own subject gets no prefix, and the reply stays in the conversation."""
    bob.post(f"/v3/Mail/ReplyTo/{question['Id']}", {"Body": "Yes", "Subject": "Dinner"})

    assert alice.mail()["Subject"] == "Dinner"
    assert alice.mail()["ConversationId"] == alice.mail("Sent Items")["ConversationId"]


# --- The quoted original ---


def test_an_html_reply_quotes_the_original(alice: Connection, bob: Connection) -> None:
    """An HTML reply ends with the original's escaped header lines and its unchanged body."""
    alice.send(bob.address, subject="1 < 2", body="<p>Lunch &amp; <b>more</b></p>", Cc="x@example.org")
    question = bob.mail()
    reply(bob, 3, question["Id"], text="<p>Yes</p>")

    body = alice.mail()["Body"]
    assert body.startswith(BEFORE_FRAGMENT + "<p>Yes</p>")
    assert body.index("<p>Yes</p>") < body.index("1 &lt; 2") < body.index("<p>Lunch &amp; <b>more</b></p>")
    for line in ("<b>From:</b> alice@", "<b>Sent:</b> ", "<b>To:</b> bob@", "<b>Cc:</b> x@", "<b>Subject:</b> 1 &lt;"):
        assert line in body


def test_a_text_reply_quotes_the_original_as_text(alice: Connection, bob: Connection) -> None:
    """A plain-text reply to an HTML mail quotes its visible text without tags."""
    alice.send(bob.address, subject="Plans", body="<p>Lunch &amp; <b>more</b></p>")
    bob.post(f"/v2/Mail/ReplyTo/{bob.mail()['Id']}", {"Body": "Yes", "IsHtml": False})

    mail = alice.mail()
    body = (
        message_from_bytes(alice.mime(mail["Id"]), policy=policy.default)
        .get_content()
        .replace("\r\n", "\n")
        .rstrip("\n")
    )
    assert body.startswith("Yes\n\n____")
    assert "From: alice@example.com\n" in body
    assert "Subject: Plans\n" in body
    assert body.endswith("Lunch & more")
    assert "Cc:" not in body
    assert "Yes<br>\r\n<br>\r\n____" in mail["Body"]


def test_an_html_reply_quotes_text_safely(alice: Connection, bob: Connection) -> None:
    """An HTML reply escapes the text of a plain original."""
    bob.deliver(sender=alice.address, text="a <script>\nnext")
    reply(bob, 3, bob.mail()["Id"])

    assert "a &lt;script&gt;<br>next" in alice.mail()["Body"]


# --- Recipients ---


@pytest.mark.parametrize("version", VERSIONS)
def test_reply_all_excludes_the_replier(
    alice: Connection, bob: Connection, carol: Any, sandbox: Sandbox, version: int
) -> None:
    """A reply to all goes once to the sender and every other recipient, and never to the replier."""
    alice.send("BOB@example.com; x@example.org", Cc="carol@example.com; alice@example.com; bob@example.com")
    reply(bob, version, bob.mail()["Id"], reply_all=True)

    assert lines(bob.mail("Sent Items")) == ("alice@example.com;x@example.org", "carol@example.com", None)
    assert len(bob.mails()) == 1
    assert [message["Subject"] for message in carol.mails()] == ["RE: Hello", "Hello"]
    assert [outbox_mail["recipients"] for outbox_mail in sandbox.outbox.mails()] == [
        ["x@example.org"],
        ["x@example.org"],
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_plain_reply_is_for_the_sender_only(alice: Connection, bob: Connection, carol: Any, version: int) -> None:
    """Without `ReplyAll` only the sender gets the reply."""
    alice.send(bob.address, Cc=carol.address)
    reply(bob, version, bob.mail()["Id"])

    assert lines(bob.mail("Sent Items")) == (alice.address, None, None)
    assert len(carol.mails()) == 1


@pytest.mark.parametrize("reply_all", [False, True])
def test_reply_to_is_honoured(alice: Connection, bob: Connection, sandbox: Sandbox, reply_all: bool) -> None:
    """A reply goes to the Reply-To addresses instead of the sender."""
    alice.sdk(
        "send_email_async",
        ClientSendHtmlMessage(
            to=f"{bob.address};x@example.org", subject="Hi", body="Hi", reply_to="desk@example.org;help@example.org"
        ),
    )
    reply(bob, 3, bob.mail()["Id"], reply_all=reply_all)

    desk = "desk@example.org;help@example.org"
    assert lines(bob.mail("Sent Items")) == (f"{desk};x@example.org" if reply_all else desk, None, None)
    assert alice.mails() == []


def test_reply_all_from_bcc_reaches_visible_recipients(alice: Connection, bob: Connection, carol: Any) -> None:
    """A Bcc recipient's reply to all goes to the visible recipients, not to the other Bcc recipients."""
    alice.send("x@example.org", Bcc=f"{bob.address};{carol.address}")
    reply(bob, 3, bob.mail()["Id"], reply_all=True)

    assert lines(bob.mail("Sent Items")) == ("alice@example.com;x@example.org", None, None)
    assert len(carol.mails()) == 1


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"To": "x@example.org"}, ("x@example.org", None, None)),
        ({"To": "x@example.org", "ReplyAll": True}, ("x@example.org", "carol@example.com", None)),
        ({"Cc": "x@example.org"}, ("alice@example.com", "x@example.org", None)),
        ({"Bcc": "x@example.org"}, ("alice@example.com", None, "x@example.org")),
        ({"To": "", "Cc": ""}, ("alice@example.com", None, None)),
    ],
)
def test_a_reply_can_replace_recipients(
    alice: Connection, bob: Connection, fields: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    """A To, Cc or Bcc line in the reply replaces that line only."""
    alice.send(bob.address, Cc="carol@example.com")
    bob.post(f"/v3/Mail/ReplyTo/{bob.mail()['Id']}", {"Body": "Yes", **fields})

    assert lines(bob.mail("Sent Items")) == expected


@pytest.mark.parametrize("reply_all", [False, True])
def test_reply_to_own_sent_mail_goes_to_its_recipients(
    alice: Connection, bob: Connection, carol: Any, reply_all: bool
) -> None:
    """A reply to one's own sent mail goes to the recipients of that mail."""
    alice.send(f"{bob.address}; alice@example.com", Cc=carol.address)
    reply(alice, 3, alice.mail("Sent Items")["Id"], reply_all=reply_all)

    answer = alice.mails("Sent Items")[0]
    assert lines(answer) == (bob.address, carol.address if reply_all else None, None)
    assert [message["Subject"] for message in bob.mails()] == ["RE: Hello", "Hello"]
    assert [message["Subject"] for message in alice.mails()] == ["Hello"]


@pytest.mark.parametrize("reply_all", [False, True])
def test_reply_to_a_mail_to_oneself(alice: Connection, reply_all: bool) -> None:
    """A reply to a mail that one sent only to oneself goes to oneself."""
    alice.send(alice.address)
    reply(alice, 3, alice.mail()["Id"], reply_all=reply_all)

    assert [message["Subject"] for message in alice.mails()] == ["RE: Hello", "Hello"]


def test_a_mail_without_a_sender_needs_recipients(alice: Connection) -> None:
    """A reply to a mail without a sender is rejected unless the request has recipients."""
    raw = b"Subject: Who?\r\nMessage-ID: <who@example.org>\r\n\r\nGuess.\r\n"
    answer = alice.api.post(f"/connections/{alice.id}/deliver", content=raw, headers={"Content-Type": "message/rfc822"})
    id = answer.json()["message"]["Id"]
    response = reply(alice, 3, id)

    assert (response.status_code, response.json()["error"]["code"]) == (400, "ErrorInvalidRecipients")
    assert alice.mails("Sent Items") == []
    alice.sdk("reply_to_async", ReplyHtmlMessage(to="x@example.org", body="Hi"), id)
    assert alice.mail("Sent Items")["To"] == "x@example.org"


# --- Conversations ---


def test_a_conversation_of_three(alice: Connection, bob: Connection, carol: Any, sandbox: Sandbox) -> None:
    """Replies and forwards share one conversation in each mailbox; `References` lists all earlier mails in order."""
    alice.send(bob.address, subject="Plans")
    sandbox.advance("1m")
    reply(bob, 3, bob.mail()["Id"])
    sandbox.advance("1m")
    alice.sdk("forward_email_async", DirectForwardMessage(to_recipients=carol.address), alice.mail()["Id"])
    sandbox.advance("1m")
    reply(carol, 3, carol.mail()["Id"])

    last = alice.mails()[0]
    chain = [alice.mails("Sent Items")[1], alice.mails()[1], alice.mails("Sent Items")[0], last]
    assert [message["Subject"] for message in chain] == ["Plans", "RE: Plans", "FW: Plans", "RE: Plans"]
    assert len({message["ConversationId"] for message in chain}) == 1
    assert len({message["ConversationId"] for message in bob.mails() + bob.mails("Sent Items")}) == 1
    assert len({message["ConversationId"] for message in carol.mails() + carol.mails("Sent Items")}) == 1
    ids = [message["InternetMessageId"] for message in chain]
    assert len(set(ids)) == 4
    for position, mail in enumerate(chain):
        mime = read(alice, mail)
        assert (mime["References"] or "").split() == ids[:position]
        assert mime["In-Reply-To"] == (ids[position - 1] if position else None)


def test_equal_subjects_do_not_join_conversations(alice: Connection, bob: Connection) -> None:
    """A new mail starts a conversation, even with the subject of another one."""
    alice.send(bob.address, subject="Plans")
    alice.send(bob.address, subject="RE: Plans")

    assert len({message["ConversationId"] for message in bob.mails()}) == 2


def test_delivered_mail_joins_its_conversation(alice: Connection) -> None:
    """Delivered mails join conversations by the Message-IDs they refer to, in any order of arrival."""
    first = deliver(alice, "thread-1")
    third = deliver(alice, "thread-3")
    second = deliver(alice, "thread-2")
    other = deliver(alice, "plain")

    assert first["ConversationId"] == second["ConversationId"] == third["ConversationId"]
    assert other["ConversationId"] != first["ConversationId"]


def test_an_outside_reply_joins_the_conversation(alice: Connection, bob: Connection, sandbox: Sandbox) -> None:
    """A reply delivered from outside joins the conversation of the sent mail, and so does the next reply."""
    alice.send("x@example.org", subject="Plans")
    sent = alice.mail("Sent Items")
    raw = (
        "From: X <x@example.org>\r\nTo: alice@example.com\r\nSubject: AW: Plans\r\nMessage-ID: <x-1@example.org>\r\n"
        f"In-Reply-To: {sent['InternetMessageId']}\r\n\r\nFine.\r\n"
    )
    shown = alice.deliver(raw.encode())
    reply(alice, 3, shown["Id"])

    assert shown["ConversationId"] == sent["ConversationId"]
    answer = alice.mails("Sent Items")[0]
    assert answer["ConversationId"] == sent["ConversationId"]
    assert read(alice, answer)["In-Reply-To"] == "<x-1@example.org>"
    # RFC 5322, 3.6.4: without References, the new References start with In-Reply-To.
    assert read(alice, answer)["References"].split() == [sent["InternetMessageId"], "<x-1@example.org>"]


# --- Forwarding ---


def test_a_forward_is_accepted(
    alice: Connection, bob: Connection, question: dict[str, Any], carol: Any, sandbox: Sandbox
) -> None:
    """Forwarding responds with an empty 202 and sends to all recipients; the original is unchanged."""
    order = {"Comment": "FYI", "ToRecipients": f"{carol.address}; x@example.org;"}
    answer = bob.http.post(FORWARD.format(question["Id"]), json=order)

    assert (answer.status_code, answer.content) == (202, b"")
    assert "content-type" not in answer.headers
    mail = carol.mail()
    assert (mail["Subject"], mail["From"]) == ("FW: Plans", bob.address)
    assert lines(mail) == ("carol@example.com;x@example.org", None, None)
    assert mail["BodyPreview"].split()[:3] == ["FYI", "From:", "alice@example.com"]
    assert mail["Body"].endswith("<div><p>Lunch?</p></div></body></html>")
    assert sandbox.outbox.mails()[0]["recipients"] == ["x@example.org"]
    assert bob.mail() == question
    assert alice.mails() == []


@pytest.mark.parametrize("is_html", [True, False])
def test_a_comment_is_text(alice: Connection, bob: Connection, is_html: bool) -> None:
    """The optional comment is shown as typed, in a mail of the original's format."""
    alice.post("/Mail", {"To": bob.address, "Subject": "Plans", "Body": "Lunch?", "IsHtml": is_html})
    id = bob.mail()["Id"]
    bob.sdk("forward_email_async", DirectForwardMessage(comment="1 < 2\nok", to_recipients=alice.address), id)
    bob.sdk("forward_email_async", DirectForwardMessage(to_recipients=alice.address), id)

    without, commented = alice.mails()
    for mail in (without, commented):
        assert ("converted from text" in mail["Body"]) is not is_html
    assert commented["BodyPreview"].replace("\r\n", "\n").startswith("1 < 2\nok\n")
    assert without["BodyPreview"].lstrip("_\r\n").startswith("From: alice@example.com")


@pytest.mark.parametrize(("name", "level"), [("Low", 0), ("Normal", 1), ("High", 2)])
def test_a_forward_is_as_important_as_the_original(alice: Connection, bob: Connection, name: str, level: int) -> None:
    """A forward keeps the importance of the original."""
    alice.send(bob.address, Importance=name)
    bob.sdk("forward_email_async", DirectForwardMessage(to_recipients=alice.address), bob.mail()["Id"])

    assert alice.mail()["Importance"] == level


def test_a_forward_keeps_all_attachments(alice: Connection, bob: Connection, carol: Any) -> None:
    """A forward keeps all attachments with their types, including those that the connector does not show."""
    files = {
        "a.txt": b"hello",
        "mail.eml": b"From: x@example.org\r\n\r\nHi\r\n",
        "invite.ics": b"BEGIN",
        "b.bin": b"\xff",
    }
    shapes = [{"Name": name, "ContentBytes": base64.b64encode(data).decode()} for name, data in files.items()]
    alice.send(bob.address, Attachments=shapes)
    bob.sdk("forward_email_async", DirectForwardMessage(to_recipients=carol.address), bob.mail()["Id"])

    mail = carol.mails(includeAttachments=True)[0]
    shown = {attachment["Name"]: base64.b64decode(attachment["ContentBytes"]) for attachment in mail["Attachments"]}
    assert shown == {"a.txt": b"hello", "b.bin": b"\xff"}
    assert mail["HasAttachment"] is True
    kept = list(read(carol, mail).iter_attachments())
    assert [part.get_filename() for part in kept] == list(files)
    assert kept[1].get_content_type() == "message/rfc822"
    assert kept[2].get_payload(decode=True) == b"BEGIN"


def test_a_forward_keeps_inline_pictures(alice: Connection, bob: Connection) -> None:
    """A forward keeps inline images with their content ids."""
    message = deliver(bob, "inline-image")
    bob.sdk("forward_email_async", DirectForwardMessage(to_recipients=alice.address), message["Id"])

    names = ("Name", "ContentType", "Size", "IsInline", "ContentId")
    mail = alice.mail()
    expected = [[attachment[name] for name in names] for attachment in message["Attachments"]]
    assert expected == [[attachment[name] for name in names] for attachment in mail["Attachments"]]
    assert f"cid:{message['Attachments'][0]['ContentId']}" in mail["Body"]


def test_a_reply_drops_the_originals_attachments(alice: Connection, bob: Connection) -> None:
    """A reply has its own attachments only."""
    alice.send(bob.address, Attachments=[{"Name": "a.txt", "ContentBytes": "aGVsbG8="}])
    attachments = [{"name": "b.txt", "content_bytes": "aGVsbG8="}]
    bob.post(f"/v2/Mail/ReplyTo/{bob.mail()['Id']}", {"body": "Hi", "attachments": attachments})

    assert [attachment["Name"] for attachment in alice.mail()["Attachments"]] == ["b.txt"]


@pytest.mark.parametrize(
    ("order", "code"),
    [
        ({}, "ErrorInvalidRequest"),
        ({"Comment": "FYI"}, "ErrorInvalidRequest"),
        ({"ToRecipients": ""}, "ErrorInvalidRecipients"),
        ({"ToRecipients": " ; "}, "ErrorInvalidRecipients"),
        ({"ToRecipients": "carol@example.com; nobody"}, "ErrorInvalidRecipients"),
        ({"ToRecipients": ["carol@example.com"]}, "ErrorInvalidRequest"),
    ],
)
def test_a_rejected_forward_sends_nothing(
    bob: Connection, question: dict[str, Any], carol: Any, order: dict[str, Any], code: str
) -> None:
    """A forward without valid recipients is rejected with 400, and nothing is sent."""
    answer = bob.http.post(FORWARD.format(question["Id"]), json=order)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert carol.mails() == bob.mails("Sent Items") == []


# --- Origin headers, encryption and errors ---


@pytest.mark.parametrize(
    ("operation_type", "path", "body"),
    [
        ("Reply", "/Mail/ReplyTo/{}?comment=Hi", None),
        ("Reply", "/v2/Mail/ReplyTo/{}", {"Body": "Hi"}),
        ("Reply", "/v3/Mail/ReplyTo/{}", {"Body": "Hi"}),
        ("Forward", FORWARD, {"ToRecipients": "alice@example.com"}),
    ],
)
def test_the_operation_type_header(
    alice: Connection, bob: Connection, question: dict[str, Any], operation_type: str, path: str, body: Any
) -> None:
    """Replies and forwards have the documented origin headers, each once, with their own operation type."""
    agent = "azure-logic-apps/1.0 (workflow abc; version 085)"
    headers = {"User-Agent": agent, "x-ms-workflow-run-id": "0858CU21", "x-ms-client-request-id": "r"}
    bob.http.post(path.format(question["Id"]), json=body, headers=headers)

    stamped = [item for item in read(alice, alice.mail()).items() if item[0].startswith("x-ms-mail-")]
    assert stamped == [
        ("x-ms-mail-application", f"Azure Logic Apps; User-Agent: {agent}"),
        ("x-ms-mail-operation-type", operation_type),
        ("x-ms-mail-workflow", "x-ms-workflow-run-id: 0858CU21; x-ms-client-request-id: r;"),
    ]


@pytest.mark.parametrize("name", ["smime-encrypted", "pgp-encrypted"])
@pytest.mark.parametrize("version", VERSIONS)
def test_an_encrypted_mail_cannot_be_answered(alice: Connection, sandbox: Sandbox, name: str, version: int) -> None:
    """Replying to an encrypted mail fails as documented in every version, and nothing is sent."""
    message = deliver(alice, name)
    answer = reply(alice, version, message["Id"])

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "ErrorInvalidOperation"
    assert "The request has failed" in answer.json()["message"]
    assert alice.mails("Sent Items") == sandbox.outbox.mails() == []


def test_the_sdk_raises_on_a_reply_to_an_encrypted_mail(alice: Connection) -> None:
    """The SDK raises an exception when a reply to an encrypted mail is rejected."""
    id = deliver(alice, "smime-encrypted")["Id"]
    with pytest.raises(ConnectorException, match="request has failed"):
        alice.sdk("reply_to_async", ReplyHtmlMessage(body="Hi"), id)

    assert alice.mails("Sent Items") == []


def test_a_forwarded_encrypted_mail_stays_encrypted(alice: Connection, bob: Connection) -> None:
    """An encrypted mail can be forwarded; its recipient cannot reply to it either."""
    deliver(alice, "smime-encrypted")
    alice.sdk("forward_email_async", DirectForwardMessage(to_recipients=bob.address), alice.mail()["Id"])
    answer = reply(bob, 3, bob.mail()["Id"])

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "ErrorInvalidOperation")
    assert bob.mail()["HasAttachment"] is True


def test_a_signed_mail_can_be_answered(alice: Connection) -> None:
    """A signed mail that is not encrypted can be replied to."""
    message = deliver(alice, "signed")

    assert reply(alice, 3, message["Id"]).status_code == 200


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"To": "nobody"}, "One or more recipients are invalid."),
        ({"Importance": "Urgent"}, "'Importance'"),
        ({"ReplyAll": "perhaps"}, "'ReplyAll'"),
        ({"Attachments": [{"Name": "a", "ContentBytes": "?"}]}, "'Attachments[0].ContentBytes'"),
        ({"Body": 5}, "'Body'"),
    ],
)
def test_a_rejected_reply_sends_nothing(
    alice: Connection, bob: Connection, question: dict[str, Any], version: int, change: dict[str, Any], named: str
) -> None:
    """An invalid reply is rejected with 400 and the member's name, and nothing is sent."""
    answer = bob.http.post(f"/v{version}/Mail/ReplyTo/{question['Id']}", json={"Body": "Hi", **change})

    assert answer.status_code == 400
    assert named in answer.json()["message"]
    assert alice.mails() == bob.mails("Sent Items") == []


@pytest.mark.parametrize("path", ["/v2/Mail/ReplyTo/{}", "/v3/Mail/ReplyTo/{}", FORWARD])
def test_a_missing_body_is_rejected(bob: Connection, question: dict[str, Any], path: str) -> None:
    """The body is required: zero bytes are rejected even with a JSON content type."""
    answer = bob.http.post(path.format(question["Id"]), headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "ErrorInvalidRequest")
    assert bob.mails("Sent Items") == []


def test_a_moved_mail_can_be_answered(alice: Connection, bob: Connection, question: dict[str, Any]) -> None:
    """A reply to a moved mail has the same recipient and conversation."""
    moved = bob.sdk("move_async", question["Id"], "Archive")
    reply(bob, 3, moved["Id"])

    assert alice.mail()["ConversationId"] == alice.mail("Sent Items")["ConversationId"]
    assert read(alice, alice.mail())["In-Reply-To"] == question["InternetMessageId"]


def test_an_html_reply_keeps_the_pictures_it_quotes(alice: Connection, bob: Connection) -> None:
    """A reply keeps the inline images of the quoted body."""
    original = deliver(alice, "inline-image")
    alice.post(f"/v3/Mail/ReplyTo/{original['Id']}", {"To": bob.address, "Body": "<p>Nice</p>"})
    answer = bob.mail()
    shown = [attachment for attachment in answer["Attachments"] if attachment["IsInline"]]

    assert 1 == len(shown)
    assert f"cid:{shown[0]['ContentId']}" in answer["Body"]
    assert answer["HasAttachment"] is False


def test_reply_all_excludes_the_repliers_tagged_address(alice: Connection, sandbox: Sandbox) -> None:
    """A reply to all leaves out the replier's own address with a tag, such as `bob+news@example.com`."""
    bob = sandbox.connect("bob")
    alice.send("bob+news@example.com; carol@example.net", subject="All")
    bob.post(f"/v3/Mail/ReplyTo/{bob.mail()['Id']}", {"Body": "Yes", "ReplyAll": True})

    assert "alice@example.com;carol@example.net" == bob.mail("Sent Items")["To"]
    assert 1 == len(bob.mails())
