"""Reading mail and acting on single messages: the exact shapes, and what becomes of ids, flags and files."""

from __future__ import annotations

import base64
from base64 import urlsafe_b64decode
from datetime import timedelta
from email import message_from_bytes, policy
from struct import unpack
from typing import Any
from urllib.parse import quote

import pytest
from azure.connectors.outlook import ClientSendAttachment, ClientSendHtmlMessage
from azure.connectors.sdk.exceptions import ConnectorException

from outlook_emulator.ids import IdKind, decode, encode
from outlook_emulator.mailbox.mail import delivery
from outlook_emulator.mailbox.mail import listing as find
from outlook_emulator.mailbox.mail.reading import delete
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.message import Address, Attachment, Mail
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.settings import Settings
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
    """Names and JSON types in the order they were written."""
    return [(name, type(member)) for name, member in value.items()]


def deliver(connection: Any, raw: bytes) -> dict[str, Any]:
    """A whole mail from outside; the message it became."""
    answer = connection.api.post(
        f"/connections/{connection.id}/deliver", content=raw, headers={"Content-Type": "message/rfc822"}
    )
    assert answer.status_code == 201, answer.text
    message: dict[str, Any] = answer.json()["message"]
    return message


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.fixture
def full(alice: Connection, bob: Connection) -> dict[str, Any]:
    """The sender's copy of a mail that has something in every member."""
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
    """Get email and Get emails V2 write importance as a number, in the recorded order of members."""
    one = alice.sdk("get_email_async", full["Id"])

    assert one == full
    assert list(NUMBERED.items()) == shape(one)
    assert one["Importance"] == 2


def test_worded_shape(alice: Connection, full: dict[str, Any]) -> None:
    """Get emails of the first version and Move write importance as text, in the recorded order of members."""
    (listed,) = alice.get("/Mail", folderPath="Sent Items", fetchOnlyUnread=False)
    moved = alice.post(f"/Mail/Move/{full['Id']}", folderPath="Archive").json()

    assert list(WORDED.items()) == shape(listed) == shape(moved)
    assert listed["Importance"] == moved["Importance"] == "High"


def test_the_shapes_say_the_same(alice: Connection, full: dict[str, Any]) -> None:
    """All four reads agree on everything but how importance is written, and a move changes the id only."""
    (listed,) = alice.get("/Mail", folderPath="Sent Items", fetchOnlyUnread=False)
    moved = alice.sdk("move_async", full["Id"], "Archive")

    assert full | {"Importance": "High"} == listed
    assert listed | {"Id": moved["Id"]} == moved
    assert alice.mail("Archive") == full | {"Id": moved["Id"]}


@pytest.mark.parametrize(("level", "name"), list(enumerate(["Low", "Normal", "High"])))
def test_importance_in_both_spellings(alice: Connection, level: int, name: str) -> None:
    """Every level has its number and its name."""
    alice.deliver(importance=name)

    assert alice.mail()["Importance"] == level
    assert alice.get("/Mail")[0]["Importance"] == name


def test_what_is_not_there_is_null(alice: Connection) -> None:
    """Empty address lists are null, no attachments are an empty list, and the other texts are empty."""
    message = deliver(alice, b"Date: Mon, 2 Mar 2026 08:00:00 +0000\r\nMessage-ID: <bare@example.org>\r\n\r\n")

    expected = dict.fromkeys(("From", "To", "Cc", "Bcc", "ReplyTo"))
    expected |= {"Subject": "", "Body": "", "BodyPreview": "", "Attachments": [], "HasAttachment": False}
    assert {name: message[name] for name in expected} == expected
    (worded,) = alice.get("/Mail")
    assert {name: worded[name] for name in expected} == expected


def test_attachment_shape(alice: Connection, full: dict[str, Any]) -> None:
    """An attachment has its members in the declared order; its content is null until asked for."""
    (without,) = full["Attachments"]
    with_content = alice.sdk("get_email_async", full["Id"], include_attachments=True)
    (file,) = with_content["Attachments"]

    assert list((FILE | {"ContentBytes": type(None), "ContentId": type(None)}).items()) == shape(without)
    assert without | {"ContentBytes": "aGVsbG8="} == file
    assert with_content | {"Attachments": [without]} == full
    assert (file["Size"], file["LastModifiedDateTime"]) == (5, full["DateTimeReceived"])


def test_inline_attachments(alice: Connection) -> None:
    """A picture the body shows is inline, has its content id without brackets, and alone is no attachment."""
    message = deliver(alice, (EML / "inline-image.eml").read_bytes())

    inline = [one for one in message["Attachments"] if one["IsInline"]]
    assert message["HasAttachment"] is (len(inline) < len(message["Attachments"]))
    assert list(FILE.items()) == shape(inline[0] | {"ContentBytes": ""})
    assert f"cid:{inline[0]['ContentId']}" in message["Body"]


def test_a_preview_has_255_characters(alice: Connection) -> None:
    """Previews hold the start of the visible text, line ends kept."""
    alice.deliver(html=f"<style>p {{}}</style><p>one</p><p>{'x' * 300}</p>")

    assert alice.mail()["BodyPreview"] == "one\r\n" + "x" * 250


# --- Get email ---


def test_reading_does_not_mark_as_read(alice: Connection) -> None:
    """Looking at a mail leaves it unread."""
    id = alice.deliver()["Id"]

    assert alice.sdk("get_email_async", id)["IsRead"] is False
    assert alice.mail()["IsRead"] is False


@pytest.mark.parametrize("encode", [lambda id: id, quote, lambda id: quote(quote(id))])
def test_ids_may_be_escaped_none_one_or_two_times(alice: Connection, encode: Any) -> None:
    """Python sends ids as they are, others escape them once, some twice; all mean the same mail."""
    id = alice.deliver()["Id"]

    assert "=" in id
    assert alice.http.get(f"/Mail/{encode(id)}").json()["Id"] == id


def test_internet_message_id_finds_a_moved_mail(alice: Connection) -> None:
    """An id that a move made stale still leads to the mail when its internet message id comes along."""
    mail = alice.deliver(subject="Found")
    other = alice.deliver(subject="Other")
    moved = alice.sdk("move_async", mail["Id"], "Archive")

    found = alice.sdk("get_email_async", mail["Id"], internet_message_id=mail["InternetMessageId"])
    assert (found["Id"], found["Subject"]) == (moved["Id"], "Found")
    direct = alice.sdk("get_email_async", other["Id"], internet_message_id=mail["InternetMessageId"])
    assert direct["Subject"] == "Other"


def test_internet_message_id_stays_in_the_mailbox(alice: Connection, bob: Connection) -> None:
    """The same mail in another mailbox is not found by it, and neither is one that nobody has."""
    alice.send(bob.address)
    sent, received = alice.mail("Sent Items"), bob.mail()
    for _ in range(2):
        bob.sdk("delete_email_async", (bob.mails() + bob.mails("Deleted Items"))[0]["Id"])
    answers = [
        bob.http.get(f"/Mail/{received['Id']}", params={"internetMessageId": one})
        for one in (sent["InternetMessageId"], "<nobody@example.com>", "")
    ]

    assert [refusal(one) for one in answers] == [(404, "ErrorItemNotFound")] * 3


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
    """A message that exists, but elsewhere, is a 404 for every operation, and stays as it was."""
    theirs = alice.deliver(attachments=[{"Name": "a", "ContentBytes": "aGk="}])
    answer = bob.http.request(method, path.format(id=theirs["Id"]), json=body)

    assert refusal(answer) == (404, "ErrorItemNotFound")
    assert answer.json()["error"]["message"] == "The specified object was not found in the store."
    assert alice.mail() == theirs
    assert bob.mails("Sent Items") == sandbox.outbox.mails() == []


@pytest.mark.parametrize(("method", "path", "body"), ACTIONS)
def test_an_id_of_a_deleted_mail_is_not_found(
    alice: Connection, sandbox: Sandbox, method: str, path: str, body: Any
) -> None:
    """A message that is gone for good is a 404 for every operation."""
    gone = alice.deliver(folder="Deleted Items")["Id"]
    alice.sdk("delete_email_async", gone)

    assert refusal(alice.http.request(method, path.format(id=gone), json=body)) == (404, "ErrorItemNotFound")
    assert sandbox.outbox.mails() == []


@pytest.mark.parametrize(("method", "path", "body"), ACTIONS)
@pytest.mark.parametrize(
    "spoil",
    [lambda id: id[:-2] + ("EI"[id[-2] == "E"]) + "=", lambda id: "x", lambda id: id[4:], lambda id: id + "%20"],
)
def test_an_id_nobody_gave_out_is_malformed(alice: Connection, method: str, path: str, body: Any, spoil: Any) -> None:
    """What never was an id is a 400 that says so and names the parameter."""
    bad = spoil(alice.deliver()["Id"])
    answer = alice.http.request(method, path.format(id=bad), json=body)

    assert refusal(answer) == (400, "ErrorInvalidIdMalformed")
    assert answer.json()["error"]["originalMessage"] in (
        "Id is malformed. (messageId)",
        "Id is malformed. (message_id)",
    )


def test_a_folder_id_is_no_message_id(alice: Connection) -> None:
    """An id of another kind of thing names no message."""
    folder = alice.get("/OnFilePickerOpen", operation="MailFolders")["value"][0]["Id"]

    assert refusal(alice.http.get(f"/Mail/{folder}")) == (404, "ErrorItemNotFound")


def test_the_sdk_reports_a_missing_mail(alice: Connection) -> None:
    """The SDK's caller learns status and code of a refusal."""
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
    ],
)
def test_get_attachment(alice: Connection, bob: Connection, name: str, content: bytes, content_type: str) -> None:
    """The bytes come back as they were sent, under their type, to the SDK as to anyone else."""
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


def test_an_attachment_follows_its_mail(alice: Connection) -> None:
    """After a move the same attachment id works with the new message id, and with the old one it is gone."""
    mail = alice.deliver(attachments=[{"Name": "a.txt", "ContentBytes": "aGVsbG8="}])
    moved = alice.sdk("move_async", mail["Id"], "Archive")
    id = moved["Attachments"][0]["Id"]

    assert alice.sdk("get_attachment_async", moved["Id"], id) == b"hello"
    assert refusal(alice.http.get(f"/Mail/{mail['Id']}/Attachments/{id}")) == (404, "ErrorItemNotFound")


def test_an_attachment_belongs_to_its_mail(alice: Connection) -> None:
    """An attachment is found under its own message only, and a message id is no attachment id."""
    first, second = (alice.deliver(attachments=[{"Name": "a", "ContentBytes": "aGk="}]) for _ in range(2))
    path = f"/Mail/{first['Id']}/Attachments/"

    assert refusal(alice.http.get(path + second["Attachments"][0]["Id"])) == (404, "ErrorItemNotFound")
    assert refusal(alice.http.get(path + first["Id"])) == (404, "ErrorItemNotFound")
    answer = alice.http.get(path + "nonsense")
    assert refusal(answer) == (400, "ErrorInvalidIdMalformed")
    assert answer.json()["error"]["originalMessage"] == "Id is malformed. (attachmentId)"


SKIPPED = ["mail.eml", "mail.msg", "invite.ics", "LOUD.ICS"]


def test_skipped_attachments_are_kept_but_not_shown(alice: Connection, bob: Connection) -> None:
    """EML, MSG and ICS files are in no answer, yet the mail counts as having attachments and keeps them."""
    for name in SKIPPED:
        alice.send(bob.address, subject=name, Attachments=[{"Name": name, "ContentBytes": "aGVsbG8="}])

    for mail in bob.mails(includeAttachments=True, fetchOnlyWithAttachment=True):
        assert (mail["HasAttachment"], mail["Attachments"]) == (True, [])
        exported = message_from_bytes(bob.mime(mail["Id"]), policy=policy.default)
        (kept,) = exported.iter_attachments()
        assert (kept.get_filename(), kept.get_payload(decode=True)) == (mail["Subject"], b"hello")
    assert len(bob.mails(fetchOnlyWithAttachment=True)) == len(SKIPPED)
    assert all(one["Attachments"] == [] for one in bob.get("/Mail", includeAttachments=True))


def test_others_beside_a_skipped_attachment_are_shown(alice: Connection, bob: Connection) -> None:
    """Skipping is for the kinds named, not for the files around them."""
    names = ["a.txt", "mail.eml", "b.pdf", "invite.ics", "eml"]
    alice.send(bob.address, Attachments=[{"Name": name, "ContentBytes": "aGVsbG8="} for name in names])

    assert [one["Name"] for one in bob.mail()["Attachments"]] == ["a.txt", "b.pdf", "eml"]


@pytest.mark.parametrize("name", ["forwarded-message", "calendar-invite"])
def test_nested_mails_and_invitations_are_skipped(alice: Connection, name: str) -> None:
    """What came as a MIME part of those kinds is skipped by its type, whatever it is called."""
    raw = (EML / f"{name}.eml").read_bytes()
    message = deliver(alice, raw)

    shown = {one["ContentType"] for one in message["Attachments"]}
    assert not shown & {"message/rfc822", "text/calendar"}
    assert message["HasAttachment"] is True
    assert raw == alice.mime(message["Id"])


def test_a_skipped_attachment_cannot_be_had_by_id(alice: Connection) -> None:
    """Even under its right id, which lies between those of its neighbours, it is a 404."""
    names = ["a.txt", "mail.eml", "b.txt"]
    mail = alice.deliver(attachments=[{"Name": name, "ContentBytes": "aGVsbG8="} for name in names])
    first, last = (one["Id"] for one in mail["Attachments"])
    mailbox = unpack(">9sBIQB", urlsafe_b64decode(first))[2]
    key = decode(IdKind.ATTACHMENT, mailbox, first, "Id")
    between = encode(IdKind.ATTACHMENT, mailbox, key + 1)
    answers = [alice.http.get(f"/Mail/{mail['Id']}/Attachments/{id}").status_code for id in (first, between, last)]

    assert [200, 404, 200] == answers
    assert encode(IdKind.ATTACHMENT, mailbox, key + 2) == last


# --- Move ---


def test_a_move_gives_a_new_id(alice: Connection) -> None:
    """The moved mail answers under the id that Move returns, and the old one is a 404 for good."""
    mail = alice.deliver(subject="Trip", is_flagged=True, received="2026-01-05T09:00:07Z")
    moved = alice.sdk("move_async", mail["Id"], "Archive")
    back = alice.sdk("move_async", moved["Id"], "Inbox")

    assert len({mail["Id"], moved["Id"], back["Id"]}) == 3
    for old in (mail["Id"], moved["Id"]):
        assert refusal(alice.http.get(f"/Mail/{old}")) == (404, "ErrorItemNotFound")
    assert alice.sdk("get_email_async", back["Id"]) == mail | {"Id": back["Id"]}
    assert len(alice.mails(fetchOnlyFlagged=True)) == 1


def test_a_moved_mail_keeps_its_time(alice: Connection, sandbox: Sandbox) -> None:
    """Moving is not receiving: the mail takes its old place in the order of its new folder."""
    old = alice.deliver(subject="old")
    sandbox.server.clock.advance(timedelta(minutes=1))
    alice.deliver(subject="new", folder="Archive")
    sandbox.server.clock.advance(timedelta(minutes=1))
    moved = alice.sdk("move_async", old["Id"], "Archive")

    assert moved["DateTimeReceived"] == old["DateTimeReceived"]
    assert [one["Subject"] for one in alice.mails("Archive")] == ["new", "old"]


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
    """A folder is named by well-known name or path, in any case."""
    for path in ("Projects/Apollo", "Inbox/Bills"):
        alice.api.post(f"/connections/{alice.id}/folders", json={"path": path})
    moved = alice.sdk("move_async", alice.deliver()["Id"], named)

    assert alice.mail(lands_in)["Id"] == moved["Id"]
    assert alice.mails() == []


def test_a_move_by_folder_id(alice: Connection) -> None:
    """The id that the picker gives for a folder works as its path does."""
    made = alice.api.post(f"/connections/{alice.id}/folders", json={"path": "Projects/Apollo"}).json()
    moved = alice.sdk("move_async", alice.deliver()["Id"], made["id"])

    assert alice.mails("Projects/Apollo") == alice.mails(made["id"])
    assert alice.mail(made["id"])["Id"] == moved["Id"]


@pytest.mark.parametrize("folder", ["Nowhere", "Archive/Nowhere", "Nowhere/Archive"])
def test_a_move_to_nowhere_is_refused(alice: Connection, folder: str) -> None:
    """Move makes no folders, and a refused move leaves the mail under its id."""
    mail = alice.deliver()
    answer = alice.http.post(f"/Mail/Move/{mail['Id']}", params={"folderPath": folder})

    assert refusal(answer) == (404, "ErrorFolderNotFound")
    assert alice.mail() == mail


def test_a_folder_of_another_mailbox_is_refused(alice: Connection, bob: Connection) -> None:
    """A folder id from somebody else's picker names no folder here."""
    theirs = bob.get("/OnFilePickerOpen", operation="MailFolders")["value"][0]["Id"]
    mail = alice.deliver()
    answer = alice.http.post(f"/Mail/Move/{mail['Id']}", params={"folderPath": theirs})

    assert refusal(answer) == (404, "ErrorFolderNotFound")
    assert alice.mail() == mail


@pytest.mark.parametrize("query", [{}, {"folderPath": ""}])
def test_a_move_needs_a_folder(alice: Connection, query: dict[str, str]) -> None:
    """The folder is required: without it nothing moves."""
    mail = alice.deliver()
    answer = alice.http.post(f"/Mail/Move/{mail['Id']}", params=query)

    assert refusal(answer) == (400, "ErrorInvalidRequest")
    assert "'folderPath'" in answer.json()["message"]
    assert alice.mail() == mail


# --- Delete, flag, mark as read ---


def test_delete_is_to_deleted_items_and_then_for_good(alice: Connection) -> None:
    """The first delete files a mail under a new id, the second removes it, and a third finds nothing."""
    mail = alice.deliver(is_flagged=True)
    first = alice.http.delete(f"/Mail/{mail['Id']}")
    binned = alice.mail("Deleted Items")

    assert (first.status_code, first.content) == (200, b"")
    assert binned == mail | {"Id": binned["Id"]}
    assert binned["Id"] != mail["Id"]
    assert refusal(alice.http.delete(f"/Mail/{mail['Id']}")) == (404, "ErrorItemNotFound")

    alice.sdk("delete_email_async", binned["Id"])
    assert alice.mails("Deleted Items") == alice.mails() == []
    assert refusal(alice.http.delete(f"/Mail/{binned['Id']}")) == (404, "ErrorItemNotFound")


def test_delete_below_deleted_items_is_for_good(alice: Connection) -> None:
    """A folder inside Deleted Items counts as Deleted Items."""
    mail = alice.deliver(folder="Deleted Items/Old/Older")
    alice.sdk("delete_email_async", mail["Id"])

    assert alice.mails("Deleted Items/Old/Older") == alice.mails("Deleted Items") == []


def test_deleting_a_copy_leaves_the_others(alice: Connection, bob: Connection) -> None:
    """What one mailbox deletes for good, files included, the others keep."""
    alice.send(bob.address, Attachments=[{"Name": "a.txt", "ContentBytes": "aGVsbG8="}])
    for folder in ("Sent Items", "Deleted Items"):
        alice.sdk("delete_email_async", alice.mail(folder)["Id"])

    mail = bob.mail()
    assert bob.sdk("get_attachment_async", mail["Id"], mail["Attachments"][0]["Id"]) == b"hello"


@pytest.mark.parametrize(
    ("path", "listing"), [("/Mail/Flag/", {"fetchOnlyFlagged": True}), ("/Mail/MarkAsRead/", {"fetchOnlyUnread": True})]
)
def test_flag_and_mark_as_read(alice: Connection, bob: Connection, path: str, listing: dict[str, Any]) -> None:
    """Flagging and reading change the one mail in the one mailbox, answer with nothing, and may be repeated."""
    alice.send(f"{bob.address}; {alice.address}", subject="one")
    alice.send(bob.address, subject="two")
    before = bob.mails(**listing)
    target = bob.mails()[1]
    for _ in range(3):
        answer = bob.post(path + target["Id"])
        assert (answer.status_code, answer.content) == (200, b"")

    assert target["Subject"] == "one"
    changed = {one["Id"] for one in before} ^ {one["Id"] for one in bob.mails(**listing)}
    assert changed == {target["Id"]}
    assert bob.sdk("get_email_async", target["Id"])["IsRead"] is (path == "/Mail/MarkAsRead/")
    assert alice.mail()["IsRead"] is False
    assert alice.mails(fetchOnlyFlagged=True) == []


def test_flags_survive_what_comes_after(alice: Connection) -> None:
    """A mail that was read and flagged stays so through moves and into Deleted Items."""
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
    """A working connection answers 200 with nothing."""
    answer = alice.http.get("/testconnection")

    assert (answer.status_code, answer.content) == (200, b"")


def test_datasets(alice: Connection) -> None:
    """There are two datasets, whose tables are addressed by ids escaped twice, as recorded."""
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
    """The bytes of a mail go with its last copy, and not before."""
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
