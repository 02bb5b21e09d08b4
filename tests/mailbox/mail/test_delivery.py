"""Sending mail: the content of mailboxes, outbox and responses after a mail was sent, delivered or rejected."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Iterator
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.connectors.outlook import ClientSendAttachment, ClientSendHtmlMessage
from azure.connectors.sdk.exceptions import ConnectorException

from outlook_emulator.app import create_app
from outlook_emulator.clock import VirtualClock
from outlook_emulator.errors import InlineImageTooLarge
from outlook_emulator.mailbox.mail import delivery
from outlook_emulator.mailbox.message import Address, Mail
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.settings import Settings
from tests.bodies import from_fragment, from_text
from tests.conftest import Connection, Sandbox
from tests.paths import EML

FIRST, SECOND = "/Mail", "/v2/Mail"
HELLO = base64.b64encode(b"hello").decode()
Call = Callable[..., httpx.Response]


def draft(**more: Any) -> dict[str, Any]:
    return {"To": "bob@example.com", "Subject": "Hello", "Body": "Hello", **more}


def read(raw: bytes) -> EmailMessage:
    """Parse a mail with Python's own email package."""
    return message_from_bytes(raw, policy=policy.default)


def untouched(*connections: Any) -> bool:
    """Whether none of these connections sent or received a mail."""
    return not any(connection.mails(folder) for connection in connections for folder in ("Inbox", "Sent Items"))


# --- What a send says ---


@pytest.mark.parametrize("path", [FIRST, SECOND])
def test_a_send_answers_with_nothing(alice: Connection, bob: Connection, path: str) -> None:
    """A send returns 200 with an empty body, as recorded."""
    answer = alice.http.post(path, json=draft())

    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "0")
    assert "content-type" not in answer.headers


@pytest.mark.parametrize(("more", "is_html"), [({}, False), ({"IsHtml": False}, False), ({"IsHtml": True}, True)])
def test_the_first_version_sends_text_by_default(
    alice: Connection, bob: Connection, more: dict[str, Any], is_html: bool
) -> None:
    """The first version sends the body as plain text unless `IsHtml` is true."""
    alice.post(FIRST, draft(Body="a <b>c</b>\r\nd", **more))

    mail = bob.mail()
    stored = from_fragment("a <b>c</b>\r\nd") if is_html else from_text("a &lt;b&gt;c&lt;/b&gt;<br>\r\nd")
    assert (mail["Body"], mail["IsHtml"]) == (stored, True)
    assert mail["BodyPreview"] == ("a c d" if is_html else "a <b>c</b>\r\nd")
    assert read(bob.mime(mail["Id"])).get_content_type() == ("multipart/alternative" if is_html else "text/plain")


def test_the_second_version_is_always_html(alice: Connection, bob: Connection) -> None:
    """The second version sends HTML and ignores `IsHtml`, which some callers still send."""
    alice.post(SECOND, draft(Body="<p>one</p><p>two</p>", IsHtml=False))

    mail = bob.mail()
    assert (mail["Body"], mail["IsHtml"]) == (from_fragment("<p>one</p><p>two</p>"), True)
    assert mail["BodyPreview"] == "one\r\ntwo"


def test_the_sdk_sends_every_member(alice: Connection, bob: Connection, sandbox: Sandbox) -> None:
    """Every snake_case property of the SDK's model arrives in both copies."""
    carol = sandbox.connect("carol")
    alice.sdk(
        "send_email_async",
        ClientSendHtmlMessage(
            to=bob.address,
            subject="Plans",
            body="<p>Lunch?</p>",
            cc=carol.address,
            reply_to="desk@example.org;help@example.org",
            importance="High",
        ),
    )

    expected: dict[str, Any] = {
        "Subject": "Plans",
        "Body": from_fragment("<p>Lunch?</p>"),
        "From": alice.address,
        "To": bob.address,
        "Cc": carol.address,
        "Bcc": None,
        "ReplyTo": "desk@example.org;help@example.org",
        "Importance": 2,
        "IsHtml": True,
        "HasAttachment": False,
        "Attachments": [],
    }
    copies = [alice.mail("Sent Items"), bob.mail(), carol.mail()]
    assert [{name: copy[name] for name in expected} for copy in copies] == [expected] * 3
    assert [copy["IsRead"] for copy in copies] == [True, False, False]
    assert len({copy["InternetMessageId"] for copy in copies}) == 1
    assert len({copy["Id"] for copy in copies}) == 3


@pytest.mark.parametrize("path", [FIRST, SECOND])
@pytest.mark.parametrize(
    ("importance", "expected"),
    [(None, 1), ("", 1), ("Low", 0), ("Normal", 1), ("High", 2), ("hIGH", 2), (0, 0), (2, 2), ("2", 2)],
)
def test_importance(alice: Connection, bob: Connection, path: str, importance: Any, expected: int) -> None:
    """Importance defaults to Normal and is accepted by name in any case or by number."""
    alice.post(path, draft(Importance=importance))

    assert bob.mail()["Importance"] == expected


@pytest.mark.parametrize("path", [FIRST, SECOND])
def test_empty_texts_for_no_value(alice: Connection, bob: Connection, path: str) -> None:
    """An empty text instead of a list or a boolean counts as left out: expressions without a value become one."""
    alice.post(path, draft(Attachments="", IsHtml="", Cc="", From=""))

    assert bob.mail()["Attachments"] == []


def test_members_match_without_case_and_unknown_ones_do_not_matter(alice: Connection, bob: Connection) -> None:
    """Property names match without case, and unknown properties are ignored."""
    alice.post(SECOND, {"to": bob.address, "subject": "Hello", "body": "Hi", "cc": None, "Sensitivity": "Private"})

    mail = bob.mail()
    assert (mail["Subject"], mail["Body"], mail["Cc"]) == ("Hello", from_fragment("Hi"), None)


def test_a_mail_may_have_no_body(alice: Connection, bob: Connection) -> None:
    """A mail without a body arrives empty; public workflows omit the body although it is declared."""
    alice.post(SECOND, {"To": bob.address, "Subject": "Hello"})

    mail = bob.mail()
    assert (mail["Body"], mail["BodyPreview"]) == ("", "")


def test_a_subject_is_one_line(alice: Connection, bob: Connection) -> None:
    """Line feeds in a subject are removed, so a subject cannot add headers."""
    alice.send(bob.address, subject="Hello\r\nX-Evil: yes\n")

    mail = bob.mail()
    assert mail["Subject"] == "Hello X-Evil: yes"
    assert "X-Evil" not in read(bob.mime(mail["Id"]))


# --- Who gets what ---


def test_bcc_is_for_the_sender_only(alice: Connection, bob: Connection, sandbox: Sandbox) -> None:
    """Only the sender sees the Bcc recipients, in responses and in the MIME export."""
    carol, dave = sandbox.connect("carol"), sandbox.connect("dave")
    alice.send(bob.address, Cc=carol.address, Bcc=f"{dave.address}; eve@example.org")

    for recipient in (bob, carol, dave):
        mail = recipient.mail()
        assert mail["Bcc"] is None
        assert dave.address.encode() not in recipient.mime(mail["Id"])
        assert b"eve@example.org" not in recipient.mime(mail["Id"])
    sent = alice.mail("Sent Items")
    assert sent["Bcc"] == "dave@example.com;eve@example.org"
    assert read(alice.mime(sent["Id"]))["Bcc"] == "dave@example.com, eve@example.org"
    (outbox_mail,) = sandbox.outbox.mails()
    left = sandbox.api.get(f"/outbox/{outbox_mail['id']}/mime").content
    assert b"Bcc" not in left
    assert dave.address.encode() not in left


def test_bcc_survives_a_move_of_the_sent_mail(alice: Connection, bob: Connection) -> None:
    """The sender's copy keeps its Bcc after a move."""
    alice.send("bob@example.com", Bcc="eve@example.org")
    alice.sdk("move_async", alice.mail("Sent Items")["Id"], "Archive")

    assert alice.mail("Archive")["Bcc"] == "eve@example.org"


def test_everyone_gets_one_copy(alice: Connection, bob: Connection, sandbox: Sandbox) -> None:
    """A recipient listed several times, in any case and on any line, gets one copy."""
    alice.send("bob@example.com; BOB@example.com", Cc="Bob@Example.Com", Bcc="bob+news@example.com")

    assert len(bob.mails()) == 1
    assert len(alice.mails("Sent Items")) == 1
    assert sandbox.outbox.mails() == []


def test_a_mail_to_oneself_is_sent_and_received(alice: Connection) -> None:
    """A mail to oneself appears as read in Sent Items and as unread in the Inbox."""
    alice.send(alice.address)

    sent, received = alice.mail("Sent Items"), alice.mail()
    assert (sent["IsRead"], received["IsRead"]) == (True, False)
    assert sent["Id"] != received["Id"]
    assert sent["ConversationId"] == received["ConversationId"]


def test_connection_addresses_match_without_case(sandbox: Sandbox, alice: Connection) -> None:
    """An owner's address is stored in lower case and receives mail in any spelling."""
    bob = sandbox.connect("bob", address="Bob.Stone@Example.COM")
    alice.send("BOB.stone@example.com")

    assert bob.address == "bob.stone@example.com"
    assert bob.mail()["To"] == "BOB.stone@example.com"
    assert sandbox.outbox.mails() == []


def test_plus_addresses_reach_their_owner(alice: Connection, bob: Connection) -> None:
    """Mail to `name+tag@` reaches `name@` and still shows the tagged address."""
    alice.send("Bob+Invoices+2026@example.com")

    assert bob.mail()["To"] == "Bob+Invoices+2026@example.com"


def test_a_mailbox_with_a_plus_comes_first(alice: Connection, bob: Connection, sandbox: Sandbox) -> None:
    """If the tagged address has its own mailbox, that mailbox gets the mail."""
    tagged = sandbox.connect("tagged", address="bob+news@example.com")
    alice.send("bob+news@example.com")

    assert (len(tagged.mails()), bob.mails()) == (1, [])


def test_tagged_and_outside_addresses_beside_each_other(alice: Connection, bob: Connection, sandbox: Sandbox) -> None:
    """Each of several recipients is reached by the same rules as a single one."""
    tagged = sandbox.connect("tagged", address="bob+news@example.com")
    alice.send("bob+news@example.com; BOB+Invoices@example.com; x+y@example.org; Alice+me@example.com")

    assert [len(connection.mails()) for connection in (tagged, bob, alice)] == [1, 1, 1]
    assert [mail["recipients"] for mail in sandbox.outbox.mails()] == [["x+y@example.org"]]


def test_others_are_noted_in_the_outbox(alice: Connection, bob: Connection, sandbox: Sandbox) -> None:
    """Recipients outside the sandbox share one outbox mail that keeps the addresses as written."""
    alice.send("bob@example.com; Xena@example.org", subject="Out", Cc="yves@example.net", Bcc="zoe@example.net")

    (outbox_mail,) = sandbox.outbox.mails()
    sent = alice.mail("Sent Items")
    assert outbox_mail == {
        "id": outbox_mail["id"],
        "departedAt": sent["DateTimeReceived"],
        "from": alice.address,
        "recipients": ["Xena@example.org", "yves@example.net", "zoe@example.net"],
        "subject": "Out",
        "internetMessageId": sent["InternetMessageId"],
        "text": "Hello",
        "html": "<p>Hello</p>",
        "attachments": [],
    }
    left = read(sandbox.api.get(f"/outbox/{outbox_mail['id']}/mime").content)
    assert (left["To"], left["Cc"]) == ("bob@example.com, Xena@example.org", "yves@example.net")
    assert len(bob.mails()) == 1


def test_mail_within_the_sandbox_leaves_no_trace_outside(alice: Connection, bob: Connection, sandbox: Sandbox) -> None:
    """The outbox stays empty if every recipient has a mailbox."""
    alice.send(bob.address)

    assert sandbox.outbox.mails() == []


@pytest.mark.parametrize("written", ["carol@example.com", "Carol@Example.com", "carol+later@example.com"])
def test_a_mailbox_made_later_claims_its_mail(
    alice: Connection, bob: Connection, sandbox: Sandbox, written: str
) -> None:
    """A mailbox created later receives earlier mail once, with its original time, out of the outbox."""
    alice.send(f"{written}; x@example.org", subject="Early", Bcc="carol@example.com")
    sent = alice.mail("Sent Items")
    sandbox.advance("5m")
    carol = sandbox.connect("carol")

    mail = carol.mail()
    assert ("Early", sent["DateTimeReceived"], False) == (mail["Subject"], mail["DateTimeReceived"], mail["IsRead"])
    assert mail["InternetMessageId"] == sent["InternetMessageId"]
    assert mail["Bcc"] is None
    assert [outbox_mail["recipients"] for outbox_mail in sandbox.outbox.mails()] == [["x@example.org"]]


def test_a_mailbox_made_later_empties_the_outbox(alice: Connection, sandbox: Sandbox) -> None:
    """An outbox mail disappears once all of its recipients have a mailbox."""
    alice.send("carol@example.com")
    carol = sandbox.connect("carol")
    sandbox.connect("carol2", address="carol@example.com")

    assert len(carol.mails()) == 1
    assert sandbox.outbox.mails() == []


def test_sandboxes_do_not_mail_each_other(alice: Connection, sandbox: Sandbox) -> None:
    """The same address in another sandbox is a different mailbox."""
    other = f"{sandbox.name}-other"
    root = f"{sandbox.server.url}/_emulator/api/sandboxes"
    sandbox.server.http.post(root, json={"name": other})
    sandbox.server.http.post(f"{root}/{other}/connections", json={"id": f"{other}-bob", "address": "bob@example.com"})
    alice.send("bob@example.com")
    stranger = f"{sandbox.server.url}/apim/outlook/{other}-bob/v2/Mail"

    assert sandbox.server.http.get(stranger, headers={"Authorization": "Key k"}).json() == {"value": []}
    assert len(sandbox.outbox.mails()) == 1
    sandbox.server.http.delete(f"{root}/{other}")


# --- Attachments ---


@pytest.mark.parametrize("path", [FIRST, SECOND])
@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (HELLO, "text/plain"),
        (f" {HELLO[:4]}\r\n{HELLO[4:]} ", "text/plain"),
        (f"data:text/csv;base64,{HELLO}", "text/csv"),
        (f"data:text/csv;charset=utf-8;base64,{HELLO}", "text/csv"),
        (f"data:;base64,{HELLO}", "text/plain"),
        ({"$content-type": "image/png", "$content": HELLO}, "image/png"),
        ({"$content-type": "text/csv; charset=utf-8", "$content": HELLO}, "text/csv"),
        ({"$content-type": "application/octet-stream", "$content": HELLO}, "application/octet-stream"),
    ],
)
def test_the_ways_to_write_content_bytes(
    alice: Connection, bob: Connection, path: str, content: Any, content_type: str
) -> None:
    """Content bytes are base64 text, a data URI or a Logic Apps object; the last two set the type."""
    alice.post(path, draft(Attachments=[{"Name": "notes.txt", "ContentBytes": content}]))

    mail = bob.mails(includeAttachments=True)[0]
    (file,) = mail["Attachments"]
    assert mail["HasAttachment"] is True
    assert {name: file[name] for name in ("Name", "ContentBytes", "ContentType", "Size", "IsInline", "ContentId")} == {
        "Name": "notes.txt",
        "ContentBytes": HELLO,
        "ContentType": content_type,
        "Size": 5,
        "IsInline": False,
        "ContentId": None,
    }


def test_the_sdk_sends_attachments_in_order(alice: Connection, bob: Connection) -> None:
    """Attachments of the SDK's model reach every copy in order, including empty and binary files."""
    every_byte = bytes(range(256))
    files = {"b.bin": every_byte, "a.pdf": b"%PDF", "empty.docx": b"", "bild ü.png": b"\x89PNG"}
    alice.sdk(
        "send_email_async",
        ClientSendHtmlMessage(
            to=bob.address,
            subject="Files",
            body="<p>Here</p>",
            attachments=[
                ClientSendAttachment(name=name, content_bytes=base64.b64encode(content).decode())
                for name, content in files.items()
            ],
        ),
    )

    for copy in (alice.mails("Sent Items", includeAttachments=True)[0], bob.mails(includeAttachments=True)[0]):
        shown = {attachment["Name"]: base64.b64decode(attachment["ContentBytes"]) for attachment in copy["Attachments"]}
        assert list(files.items()) == list(shown.items())
        assert [attachment["ContentType"] for attachment in copy["Attachments"]] == [
            "application/octet-stream",
            "application/pdf",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            "image/png",
        ]
    exported = read(bob.mime(bob.mail()["Id"]))
    assert list(files.items()) == [(part.get_filename(), part.get_content()) for part in exported.iter_attachments()]


# --- Send as ---


def test_sending_as_somebody_else_needs_a_grant(alice: Connection, bob: Connection, sandbox: Sandbox) -> None:
    """Sending from an address without a grant returns 403, and nothing is delivered."""
    answer = alice.http.post(SECOND, json=draft(From="boss@example.com", Cc="x@example.org"))

    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "ErrorSendAsDenied"
    assert "boss@example.com" in answer.json()["error"]["originalMessage"]
    assert untouched(alice, bob)
    assert sandbox.outbox.mails() == []


def test_sending_as_another_mailbox_of_the_sandbox_needs_a_grant_too(
    alice: Connection, bob: Connection, sandbox: Sandbox
) -> None:
    """Sending from an existing mailbox needs a grant too, and the SDK raises the error."""
    message = ClientSendHtmlMessage(to="bob@example.com", subject="Hi", body="Hi", from_=bob.address)
    with pytest.raises(ConnectorException, match="ErrorSendAsDenied"):
        alice.sdk("send_email_async", message)

    assert untouched(alice, bob)


def test_a_granted_address_is_the_sender(sandbox: Sandbox, bob: Connection) -> None:
    """From shows the granted address, and the mail is filed in the caller's own Sent Items."""
    alice = sandbox.connect("alice", send_as=["Desk@example.com"])
    desk = sandbox.connect("desk")
    alice.sdk(
        "send_email_async",
        ClientSendHtmlMessage(to=bob.address, subject="Hi", body="Hi", from_="Help Desk <desk@EXAMPLE.com>"),
    )

    mail = bob.mail()
    assert mail["From"] == "desk@EXAMPLE.com"
    assert read(bob.mime(mail["Id"]))["From"] == "Help Desk <desk@EXAMPLE.com>"
    assert alice.mail("Sent Items")["From"] == "desk@EXAMPLE.com"
    assert untouched(desk)


def test_the_own_address_needs_no_grant(alice: Connection, bob: Connection) -> None:
    """From may name the caller's own address, in any case, without effect."""
    alice.send(bob.address, From="ALICE@example.com")

    assert bob.mail()["From"] == alice.address


# --- Internet headers ---

FLOW = "azure-logic-apps/1.0 (workflow 3f2a; version 0858) microsoft-flow/1.0"
LOGIC = "azure-logic-apps/1.0 (workflow abc; version 085)"
APPS = "PowerApps/3.25 (Web Player; AppName=Orders)"
RUN = {"x-ms-workflow-name": "daily", "x-ms-workflow-run-id": "0858CU21", "x-ms-client-request-id": "req-1"}
RUN_TEXT = "x-ms-workflow-name: daily; x-ms-workflow-run-id: 0858CU21; x-ms-client-request-id: req-1;"
ENVIRONMENT = "/providers/Microsoft.PowerApps/environments/Env-7"


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        pytest.param(
            {"User-Agent": FLOW, **RUN, "x-ms-environment-id": "Env-7"},
            {
                "application": f"Microsoft Power Automate; User-Agent: {FLOW}",
                "operation-type": "Send",
                "environment-id": "Env-7",
                "workflow": RUN_TEXT,
            },
            id="Power Automate",
        ),
        pytest.param(
            {"User-Agent": FLOW, **RUN},
            {
                "application": f"Microsoft Power Automate; User-Agent: {FLOW}",
                "operation-type": "Send",
                "workflow": RUN_TEXT,
            },
            id="Power Automate, old connection",
        ),
        pytest.param(
            {"User-Agent": APPS, "x-ms-client-environment-id": ENVIRONMENT, **RUN},
            {
                "application": f"Microsoft Power Apps; User-Agent: {APPS}",
                "operation-type": "Send",
                "environment-id": "Env-7",
                "workflow": "x-ms-client-request-id: req-1;",
            },
            id="Power Apps",
        ),
        pytest.param(
            {"User-Agent": "Mozilla/5.0", "x-ms-user-agent": APPS, "x-ms-client-request-id": "req-1"},
            {
                "application": f"Microsoft Power Apps; User-Agent: {APPS}",
                "operation-type": "Send",
                "environment-id": "Default",
                "workflow": "x-ms-client-request-id: req-1;",
            },
            id="Power Apps in a browser",
        ),
        pytest.param(
            {"User-Agent": LOGIC, **RUN, "x-ms-environment-id": "Env-7", "x-ms-client-environment-id": ENVIRONMENT},
            {
                "application": f"Azure Logic Apps; User-Agent: {LOGIC}",
                "operation-type": "Send",
                "workflow": RUN_TEXT,
            },
            id="Logic Apps",
        ),
        pytest.param(
            {"User-Agent": "curl/8.5.0", "x-ms-environment-id": "Env-7", "x-ms-client-request-id": "req-1"},
            {
                "application": "User-Agent: curl/8.5.0",
                "operation-type": "Send",
                "workflow": "x-ms-client-request-id: req-1;",
            },
            id="unknown caller",
        ),
    ],
)
@pytest.mark.parametrize("path", [FIRST, SECOND])
def test_the_headers_the_connector_adds(
    alice: Connection, bob: Connection, sandbox: Sandbox, path: str, sent: dict[str, str], expected: dict[str, str]
) -> None:
    """Every copy, including the outbox mail, has the documented origin headers in order."""
    answer = alice.http.post(path, json=draft(Cc="x@example.org"), headers=sent)

    assert answer.status_code == 200
    (outbox_mail,) = sandbox.outbox.mails()
    copies = [
        alice.mime(alice.mail("Sent Items")["Id"]),
        bob.mime(bob.mail()["Id"]),
        sandbox.api.get(f"/outbox/{outbox_mail['id']}/mime").content,
    ]
    for copy in copies:
        stamped = [(name, value) for name, value in read(copy).items() if name.startswith("x-ms-mail-")]
        assert [(f"x-ms-mail-{name}", value) for name, value in expected.items()] == stamped


def test_each_mail_has_a_request_id_of_its_own(alice: Connection, bob: Connection) -> None:
    """Without a request id from the caller, each mail gets its own generated id."""
    for _ in range(2):
        alice.http.post(SECOND, json=draft(), headers={"User-Agent": LOGIC})

    headers = [read(bob.mime(message["Id"]))["x-ms-mail-workflow"] for message in bob.mails()]
    assert all(len(header) == len("x-ms-client-request-id: ;") + 36 for header in headers)
    assert len(set(headers)) == 2


# --- Refusals ---


@pytest.mark.parametrize("path", [FIRST, SECOND])
@pytest.mark.parametrize(
    ("change", "code", "named"),
    [
        ({"To": None}, "ErrorInvalidRequest", "'To'"),
        ({"To": "", "Cc": None}, "ErrorInvalidRecipients", "contains no recipients"),
        ({"To": " ; ;", "Cc": ";"}, "ErrorInvalidRecipients", "contains no recipients"),
        ({"To": ["bob@example.com"]}, "ErrorInvalidRequest", "'To'"),
        ({"Subject": None}, "ErrorInvalidRequest", "'Subject'"),
        ({"Subject": 5}, "ErrorInvalidRequest", "'Subject'"),
        ({"Importance": "Urgent"}, "ErrorInvalidRequest", "'Importance'"),
        ({"Attachments": {"Name": "a"}}, "ErrorInvalidRequest", "'Attachments'"),
        ({"Attachments": [{"ContentBytes": HELLO}]}, "ErrorInvalidRequest", "'Attachments[0].Name'"),
        ({"Attachments": [{"Name": "a"}]}, "ErrorInvalidRequest", "'Attachments[0].ContentBytes'"),
        ({"Attachments": [{"Name": " ", "ContentBytes": HELLO}]}, "ErrorInvalidRequest", "'Attachments[0].Name'"),
        (
            {"Attachments": [{"Name": "a", "ContentBytes": HELLO}, {"Name": "b", "ContentBytes": "no base64!"}]},
            "ErrorInvalidRequest",
            "'Attachments[1].ContentBytes'",
        ),
        (
            {"Attachments": [{"Name": "a", "ContentBytes": {"$content-type": "a/b", "$content": "%%%"}}]},
            "ErrorInvalidRequest",
            "'Attachments[0].ContentBytes'",
        ),
        (
            {"Attachments": [{"Name": "a", "ContentBytes": {"$content-type": "a/b"}}]},
            "ErrorInvalidRequest",
            "'Attachments[0].ContentBytes'",
        ),
        (
            {"Attachments": [{"Name": "a", "ContentBytes": HELLO.rstrip("=")}]},
            "ErrorInvalidRequest",
            "'Attachments[0].ContentBytes'",
        ),
    ],
)
def test_a_refused_send_writes_nothing(
    alice: Connection, bob: Connection, sandbox: Sandbox, path: str, change: dict[str, Any], code: str, named: str
) -> None:
    """A rejected send returns 400, names the property, and writes to no mailbox and no outbox."""
    answer = alice.http.post(path, json=draft(Cc="x@example.org") | change)

    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == code
    assert named in error["message"] + error["originalMessage"]
    assert untouched(alice, bob)
    assert sandbox.outbox.mails() == []


def test_a_whole_megabyte_of_inline_image_is_the_most(alice: Connection, bob: Connection) -> None:
    """An inline image may have exactly 1 MB of base64 text; images are measured separately."""
    image = "data:image/png;base64," + "A" * 2**20
    alice.send(bob.address, body=f'<img src="{image}"><img src="{image}">')
    answer = alice.http.post(SECOND, json=draft(Body=f"<img src='{image}AAAA'>"))

    assert answer.status_code == 500
    assert answer.json()["error"]["message"] == "File size: 786,435 bytes exceeds the maximum allowed size of 1 MB."
    assert len(bob.mails()) == len(alice.mails("Sent Items")) == 1


def policy_error(answer: httpx.Response) -> dict[str, Any]:
    """The error in a body of the gateway's policies, of which all members are checked but the two texts."""
    assert answer.status_code == 500
    body = answer.json()
    assert list(body) == ["error"]
    error: dict[str, Any] = body["error"]
    assert list(error) == ["code", "message", "source", "path", "policyId", "clientRequestId"]
    assert (error["code"], error["policyId"]) == (500, "")
    assert error["clientRequestId"] == REQUEST_ID
    return error


REQUEST_ID = "00000000-0000-0000-0000-00000000c11e"
LARGE_IMAGE = f'<img src="data:image/png;base64,{base64.b64encode(bytes(1_255_777)).decode()}">'


def carriers(alice: Connection, bob: Connection) -> list[tuple[str, dict[str, Any], str | None]]:
    """Every request that takes an HTML body or attachments: path, body, and the member that `Message` wraps."""
    bob.send(alice.address, "Question")
    id = alice.mail()["Id"]
    reply: dict[str, Any] = {"Body": "<p>Yes</p>"}
    question = {"To": bob.address, "Subject": "Which?", "Options": "Yes,No"}
    return [
        ("/Mail", draft(IsHtml=True), None),
        (SECOND, draft(), None),
        (f"/v2/Mail/ReplyTo/{id}", reply, None),
        (f"/v3/Mail/ReplyTo/{id}", reply, None),
        ("/approvalmail/$subscriptions", {"NotificationUrl": CALLBACK, "Message": question}, "Message"),
        ("/mailwithoptions/$subscriptions", {"NotificationUrl": CALLBACK, "Message": question}, "Message"),
    ]


CALLBACK = "http://127.0.0.1:9/callback"


def test_an_inline_image_over_1_mb_is_a_gateway_500_with_the_recorded_text(alice: Connection, bob: Connection) -> None:
    """Whatever takes an HTML body is refused by the gateway, with the size of the image; nothing is sent.

    Recorded from the Office 365 twin: Azure/logicapps 1300 and Azure/LogicAppsUX 6631. That the size is that of the
    decoded image is inferred: the recorded number cannot be the length of base64 text.
    """
    for path, body, wrapper in carriers(alice, bob):
        (body[wrapper] if wrapper else body)["Body"] = LARGE_IMAGE
        answer = alice.http.post(path, json=body, headers={"x-ms-client-request-id": REQUEST_ID})

        error = policy_error(answer)
        assert error["message"] == "File size: 1,255,777 bytes exceeds the maximum allowed size of 1 MB.", path
    assert bob.mails() == []


def test_a_quoted_image_does_not_count(alice: Connection, bob: Connection) -> None:
    """A reply to a mail with a large image passes: the gateway sees the reply, not the quoted original (inferred)."""
    alice.deliver(html=LARGE_IMAGE)
    id = alice.mail()["Id"]
    answer = alice.http.post(f"/v3/Mail/ReplyTo/{id}", json={"To": bob.address, "Body": "<p>Nice</p>"})

    assert answer.status_code == 200
    assert LARGE_IMAGE in bob.mail()["Body"]


def test_an_attachment_whose_content_bytes_is_null_is_a_gateway_500_too(alice: Connection, bob: Connection) -> None:
    """Whatever takes attachments answers with the recorded failure of the gateway; nothing is sent.

    Recorded from the Office 365 twin: Azure/LogicAppsUX 6860.
    """
    text = "Value cannot be null.\r\nParameter name: s\r\n at System.Convert.FromBase64String(String s)"
    for path, body, wrapper in carriers(alice, bob):
        files = [{"Name": "a.txt", "ContentBytes": "YQ=="}, {"Name": "b.txt", "ContentBytes": None}]
        (body[wrapper] if wrapper else body)["Attachments"] = files
        answer = alice.http.post(path, json=body, headers={"x-ms-client-request-id": REQUEST_ID})

        error = policy_error(answer)
        assert (error["message"], error["path"]) == (text, r"choose[6]\when[1]"), path
    assert bob.mails() == []


def test_a_mail_from_outside_with_a_null_attachment_is_refused_by_name(alice: Connection) -> None:
    """The admin API is not behind the gateway: a null is a required member that is missing."""
    answer = alice.api.post(
        f"/connections/{alice.id}/deliver",
        json={"from": "x@example.org", "attachments": [{"Name": "a", "ContentBytes": None}]},
    )

    assert answer.status_code == 400
    assert "attachments[0].ContentBytes" in answer.json()["message"]


def test_the_documented_limits_are_the_defaults() -> None:
    """By default a mail may have 50 MB and an inline image 1 MB."""
    assert (50 * 2**20, 2**20) == (Settings().max_mail_bytes, Settings().max_inline_image_bytes)


@pytest.fixture
def small() -> Iterator[Call]:
    """Call an in-process server that limits mails to 1000 bytes and inline images to 100."""
    app = create_app(Settings(max_mail_bytes=1000, max_inline_image_bytes=100), VirtualClock(datetime(2026, 3, 2)))

    def call(method: str, path: str, **more: Any) -> httpx.Response:
        async def exchange() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://emulator/apim/outlook", trust_env=False
            ) as client:
                return await client.request(method, path, headers={"Authorization": "Key k"}, **more)

        return asyncio.run(exchange())

    yield call
    app.state.sandboxes.close()


def count(call: Call, connection: str, folder: str) -> int:
    answer = call("GET", f"/{connection}/v2/Mail", params={"folderPath": folder, "fetchOnlyUnread": False})
    return len(answer.json()["value"])


@pytest.mark.parametrize("path", [FIRST, SECOND])
@pytest.mark.parametrize(
    ("body", "attached", "status"),
    [
        ("a" * 1000, [], 200),
        ("a" * 1001, [], 400),
        ("ä" * 501, [], 400),
        ("a" * 100, [450, 450], 200),
        ("a" * 100, [450, 451], 400),
    ],
)
def test_a_mail_above_the_limit_is_refused_whole(
    small: Call, path: str, body: str, attached: list[int], status: int
) -> None:
    """The limit covers the body and the decoded attachments; a rejected mail leaves no copy."""
    files = [{"Name": "a", "ContentBytes": base64.b64encode(b"x" * size).decode()} for size in attached]
    message = {"To": "bob@outlook.com", "Subject": "Big", "Body": body, "Attachments": files}
    answer = small("POST", f"/alice{path}", json=message)

    assert answer.status_code == status
    if status == 400:
        assert answer.json()["error"]["code"] == "ErrorMessageSizeExceeded"
        assert answer.json()["error"]["message"] == "The message exceeds the maximum supported size."
        assert "at most 1000 are allowed" in answer.json()["error"]["originalMessage"]
    assert (count(small, "alice", "Sent Items"), count(small, "bob", "Inbox")) == ((1, 1) if status == 200 else (0, 0))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (f'<img src="data:image/png;base64,{"A" * 100}">', 200),
        (f'<img src="data:image/png;base64,{"A" * 101}">', 500),
        (f'<img src="DATA:image/PNG;BASE64,{"A" * 101}">', 500),
        (f'<img src="data:image/svg+xml;charset=utf-8;base64,{"A" * 101}">', 500),
        (f'<div style="background: url(data:image/gif;base64,{"A" * 101})">', 500),
        (f'<img src="data:image/png;base64,{"A" * 60}"> <img src="data:image/png;base64,{"A" * 60}">', 200),
        (f"<p>{'A' * 500}</p>", 200),
    ],
)
def test_inline_images_are_measured_one_by_one(small: Call, body: str, status: int) -> None:
    """The limit applies to each data URI in the body separately, in every spelling."""
    answer = small("POST", "/alice/v2/Mail", json={"To": "bob@outlook.com", "Subject": "Image", "Body": body})

    assert answer.status_code == status
    assert count(small, "bob", "Inbox") == count(small, "alice", "Sent Items") == (status == 200)


def test_a_text_body_has_no_images(small: Call) -> None:
    """A data URI in a plain text body does not count as an image."""
    text = f"data:image/png;base64,{'A' * 101}"
    answer = small("POST", "/alice/Mail", json={"To": "bob@outlook.com", "Subject": "Text", "Body": text})

    assert answer.status_code == 200
    assert count(small, "bob", "Inbox") == 1


# --- From outside ---


def test_a_mail_from_outside_goes_to_one_mailbox(alice: Connection, bob: Connection, sandbox: Sandbox) -> None:
    """A delivered mail arrives unread in one Inbox, even if it names other recipients."""
    shown = alice.deliver(to="alice@example.com; bob@example.com", subject="Offer", text="Buy")

    assert shown == alice.mail()
    assert (shown["From"], shown["To"]) == ("stranger@example.org", "alice@example.com;bob@example.com")
    assert (shown["Body"], shown["IsHtml"], shown["IsRead"]) == (from_text("Buy"), True, False)
    assert untouched(bob)
    assert alice.mails("Sent Items") == []
    assert sandbox.outbox.mails() == []


def test_a_delivery_says_where_and_how(alice: Connection) -> None:
    """The caller can choose folder, time and flags of a delivered mail."""
    alice.deliver(subject="Old", folder="Projects/2026", received="2026-01-05T09:00:07Z", is_read=True, is_flagged=True)

    mail = alice.mail("Projects/2026")
    assert (mail["DateTimeReceived"], mail["IsRead"]) == ("2026-01-05T09:00:07+00:00", True)
    assert alice.mails("Projects/2026", fetchOnlyFlagged=True) == [mail]
    assert alice.mails() == []


@pytest.mark.parametrize("path", sorted(EML.glob("*.eml")), ids=lambda path: path.stem)
def test_a_delivered_mail_keeps_its_bytes(alice: Connection, path: Path) -> None:
    """The MIME export of a delivered mail equals its original bytes, also after a move."""
    raw = path.read_bytes()
    answer = alice.api.post(f"/connections/{alice.id}/deliver", content=raw, headers={"Content-Type": "message/rfc822"})
    assert answer.status_code == 201, answer.text
    moved = alice.sdk("move_async", answer.json()["message"]["Id"], "Archive")

    assert raw == alice.mime(moved["Id"])


def test_a_delivered_mail_is_held_to_the_limits(small: Call) -> None:
    """A delivered mail above the limit is rejected."""
    small("GET", "/alice/testconnection")
    path = "http://emulator/_emulator/api/sandboxes/default/connections/alice/deliver"
    answer = small("POST", path, json={"from": "x@example.org", "text": "a" * 1001})

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "ErrorMessageSizeExceeded"
    assert count(small, "alice", "Inbox") == 0


def test_sent_at_is_the_clock(alice: Connection, bob: Connection, sandbox: Sandbox) -> None:
    """A mail is sent and received at the current time of the sandbox's clock."""
    sandbox.advance("90s")
    now = sandbox.clock.now()
    alice.send(bob.address)

    mail = bob.mail()
    assert mail["DateTimeReceived"] == now.replace(microsecond=0).isoformat()
    assert read(bob.mime(mail["Id"]))["Date"].datetime == now.replace(microsecond=0)


@pytest.mark.parametrize(
    "head", ["DATA:image/png;base64,", "data&#58;image/png;base64,", "data:image/png;name=a b.png;base64,"]
)
def test_a_large_inline_image_is_seen_in_every_spelling(head: str) -> None:
    """Capitals, entities and parameters do not hide an image above the limit."""
    registry = Sandboxes(Settings(max_inline_image_bytes=100))
    mailbox = registry.default.mailbox(registry.default.connect("alice", "alice@example.com"))
    body = f'<img src="{head}{"A" * 101}">'

    with pytest.raises(InlineImageTooLarge):
        delivery.send(mailbox, Mail(to=(Address("bob@example.com"),), body=body, is_html=True))
    delivery.send(mailbox, Mail(to=(Address("bob@example.com"),), body=body[:-3] + '">', is_html=True))
