"""Reading mail and changing single messages: exact shapes, ids, flags and attachments."""

from __future__ import annotations

import base64
from base64 import urlsafe_b64decode
from email import message_from_bytes, policy
from typing import Any
from urllib.parse import quote

import pytest
from azure.connectors.outlook import ClientSendAttachment, ClientSendHtmlMessage
from azure.connectors.sdk.exceptions import ConnectorException

from outlook_emulator import ids
from outlook_emulator.ids import IdKind, encode
from outlook_emulator.mailbox.mail import delivery
from outlook_emulator.mailbox.mail import listing as find
from outlook_emulator.mailbox.mail.reading import delete
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.message import Address, Attachment, Mail
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.settings import Settings
from tests.bodies import from_text
from tests.conftest import Connection, Sandbox
from tests.paths import EML

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360000002000001e221bc330000000049454e44ae426082"
)
NUMBERED = {
    "Id": str,
    "DateTimeReceived": str,
    "HasAttachment": bool,
    "InternetMessageId": str,
    "Subject": str,
    "BodyPreview": str,
    "Importance": int,
    "ConversationId": str,
    "IsRead": bool,
    "IsHtml": bool,
    "Body": str,
    "From": str,
    "To": str,
    "Cc": str,
    "Bcc": str,
    "ReplyTo": str,
    "Attachments": list,
}
WORDED = {
    "From": str,
    "To": str,
    "Cc": str,
    "Bcc": str,
    "ReplyTo": str,
    "Subject": str,
    "Body": str,
    "Importance": str,
    "BodyPreview": str,
    "HasAttachment": bool,
    "Id": str,
    "InternetMessageId": str,
    "ConversationId": str,
    "DateTimeReceived": str,
    "IsRead": bool,
    "Attachments": list,
    "IsHtml": bool,
}
FILE = {
    "Id": str,
    "Name": str,
    "ContentBytes": str,
    "ContentType": str,
    "Size": int,
    "IsInline": bool,
    "LastModifiedDateTime": str,
    "ContentId": str,
}


def shape(value: dict[str, Any]) -> list[tuple[str, type]]:
    """The property names and JSON types in their order."""
    return [(name, type(member)) for name, member in value.items()]


def deliver(connection: Any, raw: bytes) -> dict[str, Any]:
    """Deliver a MIME mail from outside and return the message."""
    answer = connection.api.post(
        f"/connections/{connection.id}/deliver", content=raw, headers={"Content-Type": "message/rfc822"}
    )
    assert answer.status_code == 201, answer.text
    message: dict[str, Any] = answer.json()["message"]
    return message


def error_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.fixture
def full(alice: Connection, bob: Connection) -> dict[str, Any]:
    """The sender's copy of a mail in which every property has a value."""
    alice.send(
        bob.address,
        subject="Everything",
        body="<p>All of it</p>",
        Cc="c@example.org",
        Bcc="d@example.org",
        ReplyTo="r@example.org",
        Importance="High",
        Attachments=[{"Name": "a.txt", "ContentBytes": "aGVsbG8="}],
    )
    return alice.mail("Sent Items")


# --- Shapes ---


def test_numbered_shape(alice: Connection, full: dict[str, Any]) -> None:
    """Get email and Get emails V2 write importance as a number, with properties in the recorded order."""
    message = alice.sdk("get_email_async", full["Id"])

    assert message == full
    assert list(NUMBERED.items()) == shape(message)
    assert message["Importance"] == 2


def test_worded_shape(alice: Connection, full: dict[str, Any]) -> None:
    """Get emails V1 and Move write importance as text, with properties in the recorded order: Move has it first."""
    (listed,) = alice.get("/Mail", folderPath="Sent Items", fetchOnlyUnread=False)
    moved = alice.post(f"/Mail/Move/{full['Id']}", folderPath="Archive").json()

    first = ("Importance", WORDED["Importance"])
    assert list(WORDED.items()) == shape(listed)
    assert [first, *(member for member in WORDED.items() if member != first)] == shape(moved)
    assert listed["Importance"] == moved["Importance"] == "High"


def test_the_shapes_say_the_same(alice: Connection, full: dict[str, Any]) -> None:
    """All four shapes agree except for the format of importance, and a move changes only the id."""
    (listed,) = alice.get("/Mail", folderPath="Sent Items", fetchOnlyUnread=False)
    moved = alice.sdk("move_async", full["Id"], "Archive")

    assert full | {"Importance": "High"} == listed
    assert listed | {"Id": moved["Id"]} == moved
    assert alice.mail("Archive") == full | {"Id": moved["Id"]}


@pytest.mark.parametrize(("level", "name"), list(enumerate(["Low", "Normal", "High"])))
def test_importance_in_both_spellings(alice: Connection, level: int, name: str) -> None:
    """Each importance has a number and a name."""
    alice.deliver(importance=name)

    assert alice.mail()["Importance"] == level
    assert alice.get("/Mail")[0]["Importance"] == name


def test_what_is_not_there_is_null(alice: Connection) -> None:
    """Empty address lists are null, missing attachments an empty list, other missing texts empty."""
    message = deliver(alice, b"Date: Mon, 2 Mar 2026 08:00:00 +0000\r\nMessage-ID: <bare@example.org>\r\n\r\n")

    expected = dict.fromkeys(("From", "To", "Cc", "Bcc", "ReplyTo"))
    expected |= {
        "Subject": "",
        "Body": from_text("&nbsp;"),
        "BodyPreview": "",
        "Attachments": [],
        "HasAttachment": False,
    }
    assert {name: message[name] for name in expected} == expected
    (worded,) = alice.get("/Mail")
    assert {name: worded[name] for name in expected} == expected


def test_attachment_shape(alice: Connection, full: dict[str, Any]) -> None:
    """An attachment has its properties in the declared order; its content is null unless requested."""
    (without,) = full["Attachments"]
    with_content = alice.sdk("get_email_async", full["Id"], include_attachments=True)
    (file,) = with_content["Attachments"]

    assert list((FILE | {"ContentBytes": type(None), "ContentId": type(None)}).items()) == shape(without)
    assert without | {"ContentBytes": "aGVsbG8="} == file
    assert with_content | {"Attachments": [without]} == full
    assert (file["Size"], file["LastModifiedDateTime"]) == (5, full["DateTimeReceived"])


def test_inline_attachments(alice: Connection) -> None:
    """An inline image has a content id without brackets and does not set HasAttachment."""
    message = deliver(alice, (EML / "inline-image.eml").read_bytes())

    inline = [attachment for attachment in message["Attachments"] if attachment["IsInline"]]
    assert message["HasAttachment"] is (len(inline) < len(message["Attachments"]))
    assert list(FILE.items()) == shape(inline[0] | {"ContentBytes": ""})
    assert f"cid:{inline[0]['ContentId']}" in message["Body"]


def test_a_preview_has_255_characters(alice: Connection) -> None:
    """A preview has the first 255 characters of the visible text, including line ends."""
    alice.deliver(html=f"<style>p {{}}</style><p>one</p><p>{'x' * 300}</p>")

    assert alice.mail()["BodyPreview"] == "one\r\n" + "x" * 250


# --- Get email ---


def test_reading_does_not_mark_as_read(alice: Connection) -> None:
    """Getting a mail leaves it unread."""
    id = alice.deliver()["Id"]

    assert alice.sdk("get_email_async", id)["IsRead"] is False
    assert alice.mail()["IsRead"] is False


@pytest.mark.parametrize("encode", [lambda id: id, quote, lambda id: quote(quote(id))])
def test_ids_may_be_escaped_none_one_or_two_times(alice: Connection, encode: Any) -> None:
    """An id may be percent-encoded zero, one or two times, as different clients do."""
    id = alice.deliver()["Id"]

    assert "=" in id
    assert alice.http.get(f"/Mail/{encode(id)}").json()["Id"] == id


def test_internet_message_id_finds_a_moved_mail(alice: Connection) -> None:
    """`internetMessageId` finds a mail whose id is stale after a move."""
    mail = alice.deliver(subject="Found")
    other = alice.deliver(subject="Other")
    moved = alice.sdk("move_async", mail["Id"], "Archive")

    message = alice.sdk("get_email_async", mail["Id"], internet_message_id=mail["InternetMessageId"])
    assert (message["Id"], message["Subject"]) == (moved["Id"], "Found")
    direct = alice.sdk("get_email_async", other["Id"], internet_message_id=mail["InternetMessageId"])
    assert direct["Subject"] == "Other"


def test_internet_message_id_stays_in_the_mailbox(alice: Connection, bob: Connection) -> None:
    """`internetMessageId` finds mails of the same mailbox only."""
    alice.send(bob.address)
    sent, received = alice.mail("Sent Items"), bob.mail()
    for _ in range(2):
        bob.sdk("delete_email_async", (bob.mails() + bob.mails("Deleted Items"))[0]["Id"])
    answers = [
        bob.http.get(f"/Mail/{received['Id']}", params={"internetMessageId": message_id})
        for message_id in (sent["InternetMessageId"], "<nobody@example.com>", "")
    ]

    assert [error_of(response) for response in answers] == [(404, "ErrorItemNotFound")] * 3


# --- Ids that mean nothing here ---

ACTIONS = [
    ("GET", "/Mail/{id}", None),
    ("DELETE", "/Mail/{id}", None),
    ("POST", "/Mail/Move/{id}?folderPath=Archive", None),
    ("POST", "/Mail/Flag/{id}", None),
    ("POST", "/Mail/MarkAsRead/{id}", None),
    ("POST", "/Mail/ReplyTo/{id}?comment=Hi", None),
    ("POST", "/v2/Mail/ReplyTo/{id}", {"Body": "Hi"}),
    ("POST", "/v3/Mail/ReplyTo/{id}", {"Body": "Hi"}),
    ("POST", "/codeless/api/v2.0/me/messages/{id}/forward", {"ToRecipients": "x@example.org"}),
    ("GET", "/Mail/{id}/Attachments/{id}", None),
]


@pytest.mark.parametrize(("method", "path", "body"), ACTIONS)
def test_an_id_of_another_mailbox_is_not_found(
    alice: Connection, bob: Connection, sandbox: Sandbox, method: str, path: str, body: Any
) -> None:
    """A message id of another mailbox returns 404 in every operation and changes nothing."""
    theirs = alice.deliver(attachments=[{"Name": "a", "ContentBytes": "aGk="}])
    answer = bob.http.request(method, path.format(id=theirs["Id"]), json=body)

    assert error_of(answer) == (404, "ErrorItemNotFound")
    assert answer.json()["error"]["message"] == "The specified object was not found in the store."
    assert alice.mail() == theirs
    assert bob.mails("Sent Items") == sandbox.outbox.mails() == []


@pytest.mark.parametrize(("method", "path", "body"), ACTIONS)
def test_an_id_of_a_deleted_mail_is_not_found(
    alice: Connection, sandbox: Sandbox, method: str, path: str, body: Any
) -> None:
    """The id of a permanently deleted mail returns 404 in every operation."""
    gone = alice.deliver(folder="Deleted Items")["Id"]
    alice.sdk("delete_email_async", gone)

    assert error_of(alice.http.request(method, path.format(id=gone), json=body)) == (404, "ErrorItemNotFound")
    assert sandbox.outbox.mails() == []


@pytest.mark.parametrize(("method", "path", "body"), ACTIONS)
@pytest.mark.parametrize(
    "spoil",
    [lambda id: id[:-2] + ("EI"[id[-2] == "E"]) + "=", lambda id: "x", lambda id: id[4:], lambda id: id + "%20"],
)
def test_an_id_nobody_gave_out_is_malformed(alice: Connection, method: str, path: str, body: Any, spoil: Any) -> None:
    """A malformed id returns 400 and names the parameter."""
    bad = spoil(alice.deliver()["Id"])
    answer = alice.http.request(method, path.format(id=bad), json=body)

    assert error_of(answer) == (400, "ErrorInvalidIdMalformed")
    assert answer.json()["error"]["originalMessage"] in (
        "Id is malformed. (messageId)",
        "Id is malformed. (message_id)",
    )


def test_a_folder_id_is_no_message_id(alice: Connection) -> None:
    """A folder id is not accepted as a message id."""
    folder = alice.get("/OnFilePickerOpen", operation="MailFolders")["value"][0]["Id"].removeprefix("Id::")

    assert error_of(alice.http.get(f"/Mail/{folder}")) == (404, "ErrorItemNotFound")


def test_the_sdk_reports_a_missing_mail(alice: Connection) -> None:
    """The SDK raises the error with its status and code."""
    id = alice.deliver()["Id"]
    alice.sdk("delete_email_async", id)
    with pytest.raises(ConnectorException) as error:
        alice.sdk("flag_async", id)

    assert "404" in str(error.value)
    assert "ErrorItemNotFound" in str(error.value)


# --- Attachments ---


@pytest.mark.parametrize(
    ("name", "content", "content_type"),
    [
        ("dot.png", PNG, "image/png; charset=iso-8859-1"),
        ("notes.txt", "grüße\n".encode(), "text/plain"),
        ("latin.txt", "grüße\n".encode("latin-1"), "text/plain; charset=iso-8859-1"),
        ("data.unknown", bytes(range(256)), "application/octet-stream; charset=iso-8859-1"),
        ("empty.pdf", b"", "application/pdf"),
        ("page.html", b"<script>alert(1)</script>", "text/html"),
    ],
)
def test_get_attachment(alice: Connection, bob: Connection, name: str, content: bytes, content_type: str) -> None:
    """An attachment's bytes and content type are returned as sent, also to the SDK. A browser never shows HTML."""
    file = ClientSendAttachment(name=name, content_bytes=base64.b64encode(content).decode())
    alice.sdk(
        "send_email_async", ClientSendHtmlMessage(to=bob.address, subject="File", body="Here", attachments=[file])
    )
    mail = bob.mail()
    id = mail["Attachments"][0]["Id"]
    answer = bob.http.get(f"/Mail/{mail['Id']}/Attachments/{id}", headers={"Accept": "application/json"})

    assert content == bob.sdk("get_attachment_async", mail["Id"], id) == answer.content
    assert (answer.status_code, answer.headers["content-type"]) == (200, content_type)
    assert answer.headers["content-length"] == str(len(content))
    assert answer.headers.get("content-disposition") == ("attachment" if "html" in content_type else None)


def test_an_attachment_follows_its_mail(alice: Connection) -> None:
    """After a move, an attachment id works with the new message id only."""
    mail = alice.deliver(attachments=[{"Name": "a.txt", "ContentBytes": "aGVsbG8="}])
    moved = alice.sdk("move_async", mail["Id"], "Archive")
    id = moved["Attachments"][0]["Id"]

    assert alice.sdk("get_attachment_async", moved["Id"], id) == b"hello"
    assert error_of(alice.http.get(f"/Mail/{mail['Id']}/Attachments/{id}")) == (404, "ErrorItemNotFound")


def test_an_attachment_belongs_to_its_mail(alice: Connection) -> None:
    """An attachment is found only under its own message, and a message id is no attachment id."""
    first, second = (alice.deliver(attachments=[{"Name": "a", "ContentBytes": "aGk="}]) for _ in range(2))
    path = f"/Mail/{first['Id']}/Attachments/"

    assert error_of(alice.http.get(path + second["Attachments"][0]["Id"])) == (404, "ErrorItemNotFound")
    assert error_of(alice.http.get(path + first["Id"])) == (404, "ErrorItemNotFound")
    answer = alice.http.get(path + "nonsense")
    assert error_of(answer) == (400, "ErrorInvalidIdMalformed")
    assert answer.json()["error"]["originalMessage"] == "Id is malformed. (attachmentId)"


SKIPPED = ["mail.eml", "mail.msg", "invite.ics", "LOUD.ICS"]


def test_skipped_attachments_are_kept_but_not_shown(alice: Connection, bob: Connection) -> None:
    """EML, MSG and ICS files are stored and set HasAttachment, but no response shows them."""
    for name in SKIPPED:
        alice.send(bob.address, subject=name, Attachments=[{"Name": name, "ContentBytes": "aGVsbG8="}])

    for mail in bob.mails(includeAttachments=True, fetchOnlyWithAttachment=True):
        assert (mail["HasAttachment"], mail["Attachments"]) == (True, [])
        exported = message_from_bytes(bob.mime(mail["Id"]), policy=policy.default)
        (kept,) = exported.iter_attachments()
        assert (kept.get_filename(), kept.get_payload(decode=True)) == (mail["Subject"], b"hello")
    assert len(bob.mails(fetchOnlyWithAttachment=True)) == len(SKIPPED)
    assert all(message["Attachments"] == [] for message in bob.get("/Mail", includeAttachments=True))


def test_others_beside_a_skipped_attachment_are_shown(alice: Connection, bob: Connection) -> None:
    """Files beside a skipped attachment are still shown."""
    names = ["a.txt", "mail.eml", "b.pdf", "invite.ics", "eml"]
    alice.send(bob.address, Attachments=[{"Name": name, "ContentBytes": "aGVsbG8="} for name in names])

    assert [attachment["Name"] for attachment in bob.mail()["Attachments"]] == ["a.txt", "b.pdf", "eml"]


@pytest.mark.parametrize("name", ["forwarded-message", "calendar-invite"])
def test_nested_mails_and_invitations_are_skipped(alice: Connection, name: str) -> None:
    """MIME parts of the skipped types are skipped by type, whatever their name."""
    raw = (EML / f"{name}.eml").read_bytes()
    message = deliver(alice, raw)

    shown = {attachment["ContentType"] for attachment in message["Attachments"]}
    assert not shown & {"message/rfc822", "text/calendar"}
    assert message["HasAttachment"] is True
    assert raw == alice.mime(message["Id"])


def test_a_skipped_attachment_cannot_be_had_by_id(alice: Connection) -> None:
    """The id of a skipped attachment returns 404."""
    names = ["a.txt", "mail.eml", "b.txt"]
    mail = alice.deliver(attachments=[{"Name": name, "ContentBytes": "aGVsbG8="} for name in names])
    first, last = (attachment["Id"] for attachment in mail["Attachments"])
    mailbox, key = ids._unpacked(IdKind.ATTACHMENT, urlsafe_b64decode(first))
    between = encode(IdKind.ATTACHMENT, mailbox, key + 1)
    answers = [alice.http.get(f"/Mail/{mail['Id']}/Attachments/{id}").status_code for id in (first, between, last)]

    assert [200, 404, 200] == answers
    assert encode(IdKind.ATTACHMENT, mailbox, key + 2) == last


# --- Move ---


def test_a_move_gives_a_new_id(alice: Connection) -> None:
    """A moved mail has the id that Move returns, and the old id returns 404."""
    mail = alice.deliver(subject="Trip", is_flagged=True, received="2026-01-05T09:00:07Z")
    moved = alice.sdk("move_async", mail["Id"], "Archive")
    back = alice.sdk("move_async", moved["Id"], "Inbox")

    assert len({mail["Id"], moved["Id"], back["Id"]}) == 3
    for old in (mail["Id"], moved["Id"]):
        assert error_of(alice.http.get(f"/Mail/{old}")) == (404, "ErrorItemNotFound")
    assert alice.sdk("get_email_async", back["Id"]) == mail | {"Id": back["Id"]}
    assert len(alice.mails(fetchOnlyFlagged=True)) == 1


def test_a_moved_mail_keeps_its_time(alice: Connection, sandbox: Sandbox) -> None:
    """A moved mail keeps its time of receipt and is sorted by it in the new folder."""
    old = alice.deliver(subject="old")
    sandbox.advance("1m")
    alice.deliver(subject="new", folder="Archive")
    sandbox.advance("1m")
    moved = alice.sdk("move_async", old["Id"], "Archive")

    assert moved["DateTimeReceived"] == old["DateTimeReceived"]
    assert [message["Subject"] for message in alice.mails("Archive")] == ["new", "old"]


@pytest.mark.parametrize(
    ("named", "lands_in"),
    [
        ("Archive", "Archive"),
        ("archive", "Archive"),
        ("SentItems", "Sent Items"),
        ("sent items", "Sent Items"),
        ("DELETEDITEMS", "Deleted Items"),
        ("junkemail", "Junk Email"),
        ("Drafts", "Drafts"),
        ("Projects", "Projects"),
        ("projects/apollo", "Projects/Apollo"),
        ("Projects/Apollo/", "Projects/Apollo"),
        ("Inbox/Bills", "Inbox/Bills"),
    ],
)
def test_where_a_move_goes(alice: Connection, named: str, lands_in: str) -> None:
    """The target folder is a well-known name or a path, in any case."""
    for path in ("Projects/Apollo", "Inbox/Bills"):
        alice.api.post(f"/connections/{alice.id}/folders", json={"path": path})
    moved = alice.sdk("move_async", alice.deliver()["Id"], named)

    assert alice.mail(lands_in)["Id"] == moved["Id"]
    assert alice.mails() == []


def test_a_move_by_folder_id(alice: Connection) -> None:
    """The target folder may be an id from the folder picker."""
    folder = alice.api.post(f"/connections/{alice.id}/folders", json={"path": "Projects/Apollo"}).json()
    moved = alice.sdk("move_async", alice.deliver()["Id"], folder["id"])

    assert alice.mails("Projects/Apollo") == alice.mails(folder["id"])
    assert alice.mail(folder["id"])["Id"] == moved["Id"]


@pytest.mark.parametrize("folder", ["Nowhere", "Archive/Nowhere", "Nowhere/Archive"])
def test_a_move_to_nowhere_is_refused(alice: Connection, folder: str) -> None:
    """Move creates no folders, and a rejected move leaves the mail and its id unchanged."""
    mail = alice.deliver()
    answer = alice.http.post(f"/Mail/Move/{mail['Id']}", params={"folderPath": folder})

    assert error_of(answer) == (404, "ErrorFolderNotFound")
    assert alice.mail() == mail


def test_a_folder_of_another_mailbox_is_refused(alice: Connection, bob: Connection) -> None:
    """A folder id of another mailbox is rejected."""
    theirs = bob.get("/OnFilePickerOpen", operation="MailFolders")["value"][0]["Id"]
    mail = alice.deliver()
    answer = alice.http.post(f"/Mail/Move/{mail['Id']}", params={"folderPath": theirs})

    assert error_of(answer) == (404, "ErrorFolderNotFound")
    assert alice.mail() == mail


@pytest.mark.parametrize("query", [{}, {"folderPath": ""}])
def test_a_move_needs_a_folder(alice: Connection, query: dict[str, str]) -> None:
    """Move requires a folder; without one nothing moves."""
    mail = alice.deliver()
    answer = alice.http.post(f"/Mail/Move/{mail['Id']}", params=query)

    assert error_of(answer) == (400, "ErrorInvalidRequest")
    assert "'folderPath'" in answer.json()["message"]
    assert alice.mail() == mail


# --- Delete, flag, mark as read ---


def test_delete_is_to_deleted_items_and_then_for_good(alice: Connection) -> None:
    """The first delete moves a mail to Deleted Items, the second removes it, a third returns 404."""
    mail = alice.deliver(is_flagged=True)
    first = alice.http.delete(f"/Mail/{mail['Id']}")
    binned = alice.mail("Deleted Items")

    assert (first.status_code, first.content) == (200, b"")
    assert binned == mail | {"Id": binned["Id"]}
    assert binned["Id"] != mail["Id"]
    assert error_of(alice.http.delete(f"/Mail/{mail['Id']}")) == (404, "ErrorItemNotFound")

    alice.sdk("delete_email_async", binned["Id"])
    assert alice.mails("Deleted Items") == alice.mails() == []
    assert error_of(alice.http.delete(f"/Mail/{binned['Id']}")) == (404, "ErrorItemNotFound")


def test_delete_below_deleted_items_is_for_good(alice: Connection) -> None:
    """Deleting a mail in a subfolder of Deleted Items removes it permanently."""
    mail = alice.deliver(folder="Deleted Items/Old/Older")
    alice.sdk("delete_email_async", mail["Id"])

    assert alice.mails("Deleted Items/Old/Older") == alice.mails("Deleted Items") == []


def test_deleting_a_copy_leaves_the_others(alice: Connection, bob: Connection) -> None:
    """Permanent deletion in one mailbox leaves the copies and attachments of others."""
    alice.send(bob.address, Attachments=[{"Name": "a.txt", "ContentBytes": "aGVsbG8="}])
    for folder in ("Sent Items", "Deleted Items"):
        alice.sdk("delete_email_async", alice.mail(folder)["Id"])

    mail = bob.mail()
    assert bob.sdk("get_attachment_async", mail["Id"], mail["Attachments"][0]["Id"]) == b"hello"


@pytest.mark.parametrize(
    ("path", "listing"), [("/Mail/Flag/", {"fetchOnlyFlagged": True}), ("/Mail/MarkAsRead/", {"fetchOnlyUnread": True})]
)
def test_flag_and_mark_as_read(alice: Connection, bob: Connection, path: str, listing: dict[str, Any]) -> None:
    """Flag and Mark as read change one mail in one mailbox, return no body, and can be repeated."""
    alice.send(f"{bob.address}; {alice.address}", subject="one")
    alice.send(bob.address, subject="two")
    before = bob.mails(**listing)
    target = bob.mails()[1]
    for _ in range(3):
        answer = bob.post(path + target["Id"])
        assert (answer.status_code, answer.content) == (200, b"")

    assert target["Subject"] == "one"
    changed = {message["Id"] for message in before} ^ {message["Id"] for message in bob.mails(**listing)}
    assert changed == {target["Id"]}
    assert bob.sdk("get_email_async", target["Id"])["IsRead"] is (path == "/Mail/MarkAsRead/")
    assert alice.mail()["IsRead"] is False
    assert alice.mails(fetchOnlyFlagged=True) == []


def test_flags_survive_what_comes_after(alice: Connection) -> None:
    """A mail stays read and flagged after moves and a first delete."""
    id = alice.deliver()["Id"]
    alice.sdk("flag_async", id)
    alice.sdk("mark_as_read_async", id)
    moved = alice.sdk("move_async", id, "Archive")
    alice.sdk("delete_email_async", moved["Id"])

    assert moved["IsRead"] is True
    (binned,) = alice.mails("Deleted Items", fetchOnlyFlagged=True)
    assert binned["IsRead"] is True


# --- What designers and connection tests ask ---


def test_the_connection_can_be_tested(alice: Connection) -> None:
    """The connection test returns 200 without a body."""
    answer = alice.http.get("/testconnection")

    assert (answer.status_code, answer.content) == (200, b"")


def test_datasets(alice: Connection) -> None:
    """There are two datasets, and their tables accept ids encoded twice, as recorded."""
    assert alice.get("/datasets")["value"] == [
        {"Name": "calendars", "DisplayName": "Calendars"},
        {"Name": "contacts", "DisplayName": "Contacts"},
    ]
    for path in ("/$metadata.json/datasets", "/%24metadata.json/datasets"):
        assert alice.get(path) == {
            "tabular": {
                "source": "list",
                "displayName": "dataset",
                "urlEncoding": "double",
                "tableDisplayName": "Table",
                "tablePluralName": "Tables",
            },
            "blob": None,
        }


def test_what_is_deleted_for_good_is_let_go() -> None:
    """The stored bytes of a mail are deleted with its last copy, and not before."""
    registry = Sandboxes(Settings())
    sandbox = registry.default
    alice, bob = (sandbox.mailbox(sandbox.connect(name, f"{name}@example.com")) for name in ("alice", "bob"))
    attachment = Attachment("a.bin", b"x" * 1000)
    delivery.send(alice, Mail(to=(Address("bob@example.com"),), subject="Big", attachments=(attachment,)))

    def delete_for_good(mailbox: Mailbox, folder: str) -> tuple[int, int]:
        for place in (folder, "Deleted Items"):
            (message_view,) = find.find(mailbox, folder_path=place, fetch_only_unread=False)
            delete(mailbox, message_id=mailbox.id_of(IdKind.MESSAGE, message_view.message.id))
        return tuple(sandbox.db.one(f"SELECT count(*) FROM {table}", {})[0] for table in ("content", "attachment"))

    assert (1, 1) == delete_for_good(bob, "Inbox")
    assert (0, 0) == delete_for_good(alice, "Sent Items")
