"""Invalid input to every mail operation gets an error that names the invalid value, and changes nothing."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import httpx
import pytest
from starlette.applications import Starlette

from outlook_emulator.app import create_app
from outlook_emulator.clock import VirtualClock
from outlook_emulator.ids import IdKind, encode
from outlook_emulator.settings import Settings

# Small limits, so that no test needs a large mail.
LIMITS = Settings(max_calls=0, max_mail_bytes=5000, max_inline_image_bytes=1000, max_body_bytes=20_000)
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
INVALID, MALFORMED, RECIPIENTS = "ErrorInvalidRequest", "ErrorInvalidIdMalformed", "ErrorInvalidRecipients"
ITEM, FOLDER, DENIED = "ErrorItemNotFound", "ErrorFolderNotFound", "ErrorAccessDenied"
SIZE = "ErrorMessageSizeExceeded"


class Prepared(NamedTuple):
    """An app in which Alice has mail, and the ids that bad requests are made of."""

    app: Starlette
    ids: dict[str, str]


def ask(app: Starlette, method: str, path: str, **more: Any) -> httpx.Response:
    """Send one request to an app without a server."""

    async def call() -> httpx.Response:
        headers = {"Authorization": "Bearer token"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), headers=headers) as client:
            return await client.request(method, f"http://test{path}", **more)

    return asyncio.run(call())


def snapshot(app: Starlette) -> dict[str, Any]:
    """Every row of every table of every sandbox, and the ids of all connections."""
    state: dict[str, Any] = {"connections": app.state.sandboxes.connection_ids()}
    for sandbox in app.state.sandboxes.opened():
        for (table,) in sandbox.db.all("SELECT name FROM sqlite_schema WHERE type = 'table'", {}):
            state[f"{sandbox.name}.{table}"] = sandbox.db.all(f'SELECT * FROM "{table}"', {})
    return state


def inbox(app: Starlette, connection: str) -> list[dict[str, Any]]:
    answer = ask(app, "GET", f"/apim/outlook/{connection}/v2/Mail?fetchOnlyUnread=false")
    return list(answer.json()["value"])


@pytest.fixture(scope="module")
def prepared() -> Iterator[Prepared]:
    """Alice has two mails with two files each, and one mail that was moved away. No test changes anything."""
    app = create_app(LIMITS, VirtualClock(START))
    file = [{"Name": "a.txt", "ContentBytes": "YQ=="}, {"Name": "b.eml", "ContentBytes": "YQ=="}]
    for order in ("first", "second", "third"):
        body = {"To": "alice@outlook.com; bob@outlook.com", "Subject": order, "Body": "b", "Attachments": file}
        ask(app, "POST", "/apim/outlook/carol/v2/Mail", json=body)
    ask(app, "GET", "/apim/outlook/bob/testconnection")
    gone, other, mail = inbox(app, "alice")
    ask(app, "POST", f"/apim/outlook/alice/Mail/Move/{gone['Id']}?folderPath=Archive")
    theirs = inbox(app, "bob")[0]
    folders = [
        ask(app, "GET", f"/apim/outlook/{connection}/OnFilePickerOpen?operation=MailFolders")
        .json()["value"][0]["Id"]
        .removeprefix("Id::")
        for connection in ("alice", "bob")
    ]
    owner = app.state.sandboxes.find("alice")[1].id
    yield Prepared(
        app,
        {
            "mail": mail["Id"],
            "file": mail["Attachments"][0]["Id"],
            "other_file": other["Attachments"][0]["Id"],
            "gone": gone["Id"],
            "conversation": mail["ConversationId"],
            "folder": folders[0],
            "cut": mail["Id"][:-5],
            "changed": mail["Id"][:-8] + "AAAA" + mail["Id"][-4:],
            "unheard": encode(IdKind.MESSAGE, owner, 999_999),
            "forged": encode(IdKind.MESSAGE, owner, 2**63),
            "forged_file": encode(IdKind.ATTACHMENT, owner, 2**63),
            "forged_folder": encode(IdKind.FOLDER, owner, 2**64 - 1),
            "unheard_folder": encode(IdKind.FOLDER, owner, 999_999),
            "their_mail": theirs["Id"],
            "their_file": theirs["Attachments"][0]["Id"],
            "their_folder": folders[1],
        },
    )
    app.state.sandboxes.close()


IDS = re.compile(r"[0-9a-f-]{36}(\r\nserviceRequestId: [0-9a-f-]{36})?\Z")


def refused(prepared: Prepared, call: str, status: int, code: str, named: str, **more: Any) -> None:
    """Check that a request gets an error in the full shape, and that nothing changed."""
    before = snapshot(prepared.app)
    method, _, path = call.format(**prepared.ids).partition(" ")
    answer = ask(prepared.app, method, f"/apim/outlook/alice{path}", **more)
    body = answer.json()
    error = body["error"]

    assert (status, code) == (answer.status_code, error["code"]), answer.text
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert ["status", "message", "error", "source"] == list(body)
    assert ["message", "code", "originalMessage"] == list(error)
    assert (status, f"{error['message']}\r\nclientRequestId: ") == (body["status"], IDS.sub("", body["message"]))
    assert named in error["message"] + error["originalMessage"]
    assert len(answer.content) < 2000
    assert before == snapshot(prepared.app)


# --- Ids ------------------------------------------------------------------------------------------------------------

ON_A_MAIL = {
    "GetEmail": ("GET /Mail/{id}", None),
    "DeleteEmail": ("DELETE /Mail/{id}", None),
    "Move": ("POST /Mail/Move/{id}?folderPath=Archive", None),
    "Flag": ("POST /Mail/Flag/{id}", None),
    "MarkAsRead": ("POST /Mail/MarkAsRead/{id}", None),
    "ReplyTo": ("POST /Mail/ReplyTo/{id}?comment=Yes", None),
    "ReplyToV2": ("POST /v2/Mail/ReplyTo/{id}", {"Body": "Yes"}),
    "ReplyToV3": ("POST /v3/Mail/ReplyTo/{id}", {"Body": "Yes"}),
    "ForwardEmail": ("POST /codeless/api/v2.0/me/messages/{id}/forward", {"ToRecipients": "d@e.f"}),
    "GetAttachment": ("GET /Mail/{id}/Attachments/{{file}}", None),
}
BAD_IDS = {
    "nothing": (400, MALFORMED, "(messageId)"),
    "AQMkADAwATEx=": (400, MALFORMED, "(messageId)"),
    "%F0%9F%93%A7": (400, MALFORMED, "(messageId)"),
    "a%2Fb": (400, MALFORMED, "(messageId)"),
    "%0D%0A": (400, MALFORMED, "(messageId)"),
    "{{cut}}": (400, MALFORMED, "(messageId)"),
    "{{changed}}": (400, MALFORMED, "(messageId)"),
    "{{forged}}": (400, MALFORMED, "(messageId)"),
    "%FF": (400, INVALID, "is not UTF-8"),
    "%00": (400, INVALID, "must have 1 to 4096 characters"),
    "x" * 5000: (400, INVALID, "must have 1 to 4096 characters"),
    "{{unheard}}": (404, ITEM, ""),
    "{{gone}}": (404, ITEM, ""),
    "{{their_mail}}": (404, ITEM, ""),
    "{{file}}": (404, ITEM, ""),
    "{{folder}}": (404, ITEM, ""),
    "{{conversation}}": (404, ITEM, ""),
}


@pytest.mark.parametrize("id", BAD_IDS, ids=lambda id: id[:20])
@pytest.mark.parametrize("operation", ON_A_MAIL)
def test_ids(prepared: Prepared, operation: str, id: str) -> None:
    """Every operation reports a malformed, unknown, deleted or foreign id in the same way."""
    call, body = ON_A_MAIL[operation]
    status, code, named = BAD_IDS[id]
    if operation == "ForwardEmail":
        # The definition spells this one path parameter with an underscore.
        named = named.replace("messageId", "message_id")

    refused(prepared, call.format(id=id).replace("{{", "{").replace("}}", "}"), status, code, named, json=body)


@pytest.mark.parametrize(
    ("file", "status", "code", "named"),
    [
        ("nothing", 400, MALFORMED, "(attachmentId)"),
        ("{forged_file}", 400, MALFORMED, "(attachmentId)"),
        ("%FF", 400, INVALID, "'attachmentId'"),
        ("{mail}", 404, ITEM, ""),
        ("{other_file}", 404, ITEM, ""),
        ("{their_file}", 404, ITEM, ""),
    ],
)
def test_attachment_ids(prepared: Prepared, file: str, status: int, code: str, named: str) -> None:
    """An attachment of another mail is not found, and the error for a malformed id names the parameter."""
    refused(prepared, f"GET /Mail/{{mail}}/Attachments/{file}", status, code, named)


# --- Queries --------------------------------------------------------------------------------------------------------

FIRST, SECOND, BOTH = ("/Mail",), ("/v2/Mail",), ("/Mail", "/v2/Mail")
LISTS = [
    (BOTH, "top=0", 400, INVALID, "'top'"),
    (BOTH, "top=-1", 400, INVALID, "'top'"),
    (BOTH, "top=1001", 400, INVALID, "'top'"),
    (BOTH, "top=2147483647", 400, INVALID, "'top'"),
    (BOTH, "top=2147483648", 400, INVALID, "'top'"),
    (BOTH, "top=ten", 400, INVALID, "'top'"),
    (BOTH, "top=1.0", 400, INVALID, "'top'"),
    (FIRST, "skip=-1", 400, INVALID, "'skip'"),
    (FIRST, "skip=99999999999999999999", 400, INVALID, "'skip'"),
    (BOTH, "fetchOnlyUnread=maybe", 400, INVALID, "'fetchOnlyUnread'"),
    (BOTH, "includeAttachments=2", 400, INVALID, "'includeAttachments'"),
    (SECOND, "fetchOnlyWithAttachment=yes", 400, INVALID, "'fetchOnlyWithAttachment'"),
    (SECOND, "fetchOnlyFlagged=-", 400, INVALID, "'fetchOnlyFlagged'"),
    (SECOND, "importance=Urgent", 400, INVALID, "'importance'"),
    (SECOND, "importance=4", 400, INVALID, "'importance'"),
    (BOTH, "folderPath=Nowhere", 404, FOLDER, "'Nowhere'"),
    (BOTH, "folderPath=Inbox/Nowhere", 404, FOLDER, "'Inbox/Nowhere'"),
    (BOTH, "folderPath=/", 404, FOLDER, "'/'"),
    (BOTH, "folderPath=%20", 404, FOLDER, "' '"),
    (BOTH, "folderPath=%00", 404, FOLDER, "'\0'"),
    (BOTH, "folderPath=" + "x/" * 3000, 404, FOLDER, "'x/x/"),
    (BOTH, "folderPath=AQMkADAwATExAAAA=", 400, MALFORMED, "(folderPath)"),
    (BOTH, "folderPath={forged_folder}", 400, MALFORMED, "(folderPath)"),
    (BOTH, "folderPath={unheard_folder}", 404, FOLDER, ""),
    (BOTH, "folderPath={their_folder}", 404, FOLDER, ""),
    (BOTH, "folderPath={mail}", 404, FOLDER, ""),
    (SECOND, "mailboxAddress=bob@outlook.com", 403, DENIED, "(mailboxAddress: bob@outlook.com)"),
    (SECOND, "mailboxAddress=nobody", 403, DENIED, "(mailboxAddress: nobody)"),
    (BOTH, 'searchQuery="open', 400, INVALID, "searchQuery"),
    (BOTH, "searchQuery=(open", 400, INVALID, "searchQuery"),
    (BOTH, "searchQuery=received:someday", 400, INVALID, "searchQuery"),
    (BOTH, "searchQuery=from:", 400, INVALID, "searchQuery"),
    (BOTH, "searchQuery=" + "(" * 100 + "a" + ")" * 100, 400, INVALID, "searchQuery"),
    (BOTH, "searchQuery=" + "a " * 1000, 400, INVALID, "searchQuery"),
    (BOTH, "searchQuery=%FF", 400, INVALID, "query string"),
]


@pytest.mark.parametrize(
    ("path", "query", "status", "code", "named"),
    [(path, *rest) for paths, *rest in LISTS for path in paths],
    ids=lambda value: str(value)[:30],
)
def test_lists(prepared: Prepared, path: str, query: str, status: int, code: str, named: str) -> None:
    """A list request with an invalid value gets an error that names the parameter or the folder."""
    refused(prepared, f"GET {path}?{query}", status, code, named)


@pytest.mark.parametrize(
    ("call", "status", "code", "named"),
    [
        ("GET /Mail/{mail}?includeAttachments=maybe", 400, INVALID, "'includeAttachments'"),
        ("GET /Mail/{gone}?internetMessageId=%3Cnobody@nowhere%3E", 404, ITEM, ""),
        ("GET /Mail/OnNewMentionMeEmail?messageIdToFireOnFirstTriggerRun=x", 400, MALFORMED, "(messageIdToFireOnFirst"),
        ("GET /Mail/nothing?internetMessageId=%3Cnobody@nowhere%3E", 400, MALFORMED, "(messageId)"),
        ("POST /Mail/Move/{mail}", 400, INVALID, "'folderPath'"),
        ("POST /Mail/Move/{mail}?folderPath=", 400, INVALID, "'folderPath'"),
        ("POST /Mail/Move/{mail}?folderPath=Nowhere", 404, FOLDER, "'Nowhere'"),
        ("POST /Mail/Move/{mail}?folderPath={their_folder}", 404, FOLDER, ""),
        ("POST /Mail/Move/{mail}?folderPath={forged_folder}", 400, MALFORMED, "(folderPath)"),
        ("POST /Mail/ReplyTo/{mail}", 400, INVALID, "'comment'"),
        ("POST /Mail/ReplyTo/{mail}?comment=", 400, INVALID, "'comment'"),
        ("POST /Mail/ReplyTo/{mail}?comment=a&replyAll=maybe", 400, INVALID, "'replyAll'"),
        ("POST /Mail/ReplyTo/{mail}?comment=%C3", 400, INVALID, "query string"),
        ("POST /Mail/ReplyTo/{mail}?comment=" + "x" * 5001, 400, SIZE, "5000"),
        ("GET /OnFilePickerOpen", 400, INVALID, "'operation'"),
        ("GET /OnFilePickerOpen?operation=", 400, INVALID, "'operation'"),
        ("GET /OnFilePickerOpen?operation=Calendars", 400, INVALID, "'operation'"),
        ("GET /OnFilePickerOpen?operation=MailFolders&top=0", 400, INVALID, "'top'"),
        ("GET /OnFilePickerOpen?operation=MailFolders&top=x", 400, INVALID, "'top'"),
        ("GET /OnFilePickerOpen?operation=MailFolders&skip=-1", 400, INVALID, "'skip'"),
        ("GET /OnFilePickerOpen?operation=MailFolders&mailboxAddress=bob@outlook.com", 403, DENIED, "bob@outlook.com"),
        ("GET /OnFilePickerBrowse?operation=MailFolders", 400, INVALID, "'id'"),
        ("GET /OnFilePickerBrowse?operation=MailFolders&id=Inbox", 400, MALFORMED, ""),
        ("GET /OnFilePickerBrowse?operation=MailFolders&id={forged_folder}", 400, MALFORMED, ""),
        ("GET /OnFilePickerBrowse?operation=MailFolders&id={their_folder}", 404, FOLDER, ""),
        ("GET /OnFilePickerBrowse?operation=MailFolders&id={mail}", 404, FOLDER, ""),
        ("GET /OnFilePickerBrowse?operation=Calendars&id={folder}", 400, INVALID, "'operation'"),
    ],
)
def test_queries(prepared: Prepared, call: str, status: int, code: str, named: str) -> None:
    """The error for a missing, empty or invalid parameter names it, and so does that for an unknown folder."""
    refused(prepared, call, status, code, named)


# --- Bodies ---------------------------------------------------------------------------------------------------------

WITH_A_BODY = {
    "SendEmail": ("POST /Mail", "emailMessage", {"To": "b@c.d", "Subject": "s", "Body": "b"}),
    "SendEmailV2": ("POST /v2/Mail", "emailMessage", {"To": "b@c.d", "Subject": "s", "Body": "b"}),
    "ReplyToV2": ("POST /v2/Mail/ReplyTo/{mail}", "replyParameters", {"Body": "b"}),
    "ReplyToV3": ("POST /v3/Mail/ReplyTo/{mail}", "replyParameters", {"Body": "b"}),
    "ForwardEmail": ("POST /codeless/api/v2.0/me/messages/{mail}/forward", "body", {"ToRecipients": "b@c.d"}),
}
NO_BODIES = [
    (b"{", "not valid JSON"),
    (b'{"To":"b@c.d","Subject":"s","ToRecipients":"b@c.d"', "not valid JSON"),
    (b'{"To":"\\ud800","Subject":"s","ToRecipients":"b@c.d"}', "not valid JSON"),
    (b'{"To":"\xff"}', "not valid JSON"),
    (b"To=b%40c.d&Subject=s", "not valid JSON"),
    (b"[" * 10_000, "not valid JSON"),
    (b"null", "must be a JSON object"),
    (b"[]", "must be a JSON object"),
    (b'"b@c.d"', "must be a JSON object"),
    (b"1", "must be a JSON object"),
]


@pytest.mark.parametrize(("content", "named"), NO_BODIES, ids=lambda value: str(value)[:30])
@pytest.mark.parametrize("operation", WITH_A_BODY)
def test_no_json(prepared: Prepared, operation: str, content: bytes, named: str) -> None:
    """Every operation with a body rejects one that is not a JSON object."""
    refused(prepared, WITH_A_BODY[operation][0], 400, INVALID, named, content=content)


@pytest.mark.parametrize("operation", WITH_A_BODY)
def test_no_body(prepared: Prepared, operation: str) -> None:
    """A missing body gets an error that names the body parameter."""
    call, name, _ = WITH_A_BODY[operation]

    refused(prepared, call, 400, INVALID, f"'{name}'")


@pytest.mark.parametrize("operation", WITH_A_BODY)
def test_oversized(prepared: Prepared, operation: str) -> None:
    """A body above the server's limit gets a 413 that names the limit."""
    call, _, body = WITH_A_BODY[operation]

    refused(prepared, call, 413, "RequestBodyTooLarge", "20000", json={**body, "Ignored": "x" * 20_000})


def a_file(**changes: Any) -> dict[str, Any]:
    fields = {"Name": "n.txt", "ContentBytes": "YQ==", **changes}
    return {"Attachments": [{name: value for name, value in fields.items() if value is not ...}]}


NESTED = json.loads("[" * 900 + "]" * 900)
DRAFTS, ANSWERS = ("SendEmail", "SendEmailV2"), ("ReplyToV2", "ReplyToV3")
MAILS, FORWARD = (*DRAFTS, *ANSWERS), ("ForwardEmail",)
BODIES = [
    (DRAFTS, {"To": None}, INVALID, "'To' is required"),
    (DRAFTS, {"Subject": None}, INVALID, "'Subject' is required"),
    (FORWARD, {"ToRecipients": None}, INVALID, "'ToRecipients' is required"),
    (MAILS, {"To": 1}, INVALID, "'To'"),
    (MAILS, {"to": ["b@c.d"]}, INVALID, "'To'"),
    (MAILS, {"To": {"Address": "b@c.d"}}, INVALID, "'To'"),
    (MAILS, {"Cc": True}, INVALID, "'Cc'"),
    (MAILS, {"Bcc": 1.5}, INVALID, "'Bcc'"),
    (MAILS, {"Subject": ["s"]}, INVALID, "'Subject'"),
    (MAILS, {"Body": {"html": "b"}}, INVALID, "'Body'"),
    (MAILS, {"Body": NESTED}, INVALID, "'Body'"),
    (MAILS, {"Importance": "Urgent"}, INVALID, "'Importance'"),
    (MAILS, {"Importance": 3}, INVALID, "'Importance'"),
    (MAILS, {"Importance": NESTED}, INVALID, "'Importance'"),
    (MAILS, {"Attachments": "n.txt"}, INVALID, "'Attachments'"),
    (MAILS, {"Attachments": {"Name": "n.txt"}}, INVALID, "'Attachments'"),
    (MAILS, {"Attachments": ["n.txt"]}, INVALID, "'Attachments[0]'"),
    (MAILS, a_file(Name=...), INVALID, "'Attachments[0].Name' is required"),
    (MAILS, a_file(Name=None), INVALID, "'Attachments[0].Name' is required"),
    (MAILS, a_file(Name=1), INVALID, "'Attachments[0].Name'"),
    (MAILS, a_file(Name=""), INVALID, "'Attachments[0].Name'"),
    (MAILS, a_file(Name="\r\n"), INVALID, "'Attachments[0].Name'"),
    (MAILS, a_file(ContentBytes=...), INVALID, "'Attachments[0].ContentBytes' is required"),
    (MAILS, a_file(ContentBytes=1), INVALID, "'Attachments[0].ContentBytes'"),
    (MAILS, a_file(ContentBytes="!!!!"), INVALID, "'Attachments[0].ContentBytes'"),
    (MAILS, a_file(ContentBytes="YQ"), INVALID, "'Attachments[0].ContentBytes'"),
    (MAILS, a_file(ContentBytes="Y"), INVALID, "'Attachments[0].ContentBytes'"),
    (MAILS, a_file(ContentBytes="=YQ="), INVALID, "'Attachments[0].ContentBytes'"),
    (MAILS, a_file(ContentBytes="YQ==YQ=="), INVALID, "'Attachments[0].ContentBytes'"),
    (MAILS, a_file(ContentBytes="YÄ=="), INVALID, "'Attachments[0].ContentBytes'"),
    (MAILS, a_file(ContentBytes="data:text/plain,a"), INVALID, "'Attachments[0].ContentBytes'"),
    (MAILS, a_file(ContentBytes="data:text/plain;base64,%%%"), INVALID, "'Attachments[0].ContentBytes'"),
    (MAILS, a_file(ContentBytes={"$content": "!"}), INVALID, "'Attachments[0].ContentBytes'"),
    (MAILS, a_file(ContentBytes={"$content": None}), INVALID, "'Attachments[0].ContentBytes'"),
    (MAILS, a_file(ContentBytes={}), INVALID, "'Attachments[0].ContentBytes'"),
    (MAILS, {"Attachments": [*a_file()["Attachments"], {}]}, INVALID, "'Attachments[1].Name'"),
    (ANSWERS, {"ReplyAll": "maybe"}, INVALID, "'ReplyAll'"),
    (ANSWERS, {"ReplyAll": []}, INVALID, "'ReplyAll'"),
    (("SendEmail", "ReplyToV2"), {"IsHtml": "maybe"}, INVALID, "'IsHtml'"),
    (("SendEmail", "ReplyToV2"), {"IsHtml": 2}, INVALID, "'IsHtml'"),
    (DRAFTS, {"ReplyTo": 1}, INVALID, "'ReplyTo'"),
    (("SendEmailV2",), {"From": ["b@c.d"]}, INVALID, "'From'"),
    (("SendEmailV2",), {"From": "b@c.d; e@f.g"}, INVALID, "'From'"),
    (FORWARD, {"ToRecipients": ["b@c.d"]}, INVALID, "'ToRecipients'"),
    (FORWARD, {"Comment": 1}, INVALID, "'Comment'"),
    # Invalid addresses.
    (DRAFTS, {"To": ""}, RECIPIENTS, "contains no recipients"),
    (DRAFTS, {"To": " ; ;"}, RECIPIENTS, "contains no recipients"),
    (MAILS, {"To": "nobody"}, RECIPIENTS, "Recipient 'nobody'"),
    (MAILS, {"To": "b@c.d; nobody; e@f.g"}, RECIPIENTS, "Recipient 'nobody'"),
    (MAILS, {"To": "b@"}, RECIPIENTS, "Recipient 'b@'"),
    (MAILS, {"To": "@c.d"}, RECIPIENTS, "Recipient '@c.d'"),
    (MAILS, {"To": "b@c@d"}, RECIPIENTS, "Recipient 'b@c@d'"),
    (MAILS, {"To": "b@c.d, e@f.g"}, RECIPIENTS, "Recipient 'b@c.d, e@f.g'"),
    (MAILS, {"To": "b c@d.e"}, RECIPIENTS, "Recipient 'b c@d.e'"),
    (MAILS, {"To": "b@c..d"}, RECIPIENTS, "Recipient 'b@c..d'"),
    (MAILS, {"To": "Bob <>"}, RECIPIENTS, "Recipient 'Bob <>'"),
    (MAILS, {"To": "Bob <nobody>"}, RECIPIENTS, "Recipient 'Bob <nobody>'"),
    (MAILS, {"To": "b@c.d\r\nBcc: e@f.g"}, RECIPIENTS, "Recipient 'b@c.d\r\nBcc: e@f.g'"),
    (MAILS, {"To": "b" * 400 + "@c.d"}, RECIPIENTS, f"Recipient '{'b' * 320}'"),
    (MAILS, {"Cc": "nobody"}, RECIPIENTS, "Recipient 'nobody'"),
    (MAILS, {"Bcc": "nobody"}, RECIPIENTS, "Recipient 'nobody'"),
    (DRAFTS, {"ReplyTo": "nobody"}, RECIPIENTS, "Recipient 'nobody'"),
    (("SendEmailV2",), {"From": "nobody"}, RECIPIENTS, "Recipient 'nobody'"),
    (FORWARD, {"ToRecipients": "nobody"}, RECIPIENTS, "Recipient 'nobody'"),
    (FORWARD, {"ToRecipients": ""}, RECIPIENTS, "contains no recipients"),
    # Too large.
    (MAILS, {"Body": "x" * 5001}, SIZE, "5000"),
    (MAILS, {"Body": "ä" * 2501}, SIZE, "5000"),
    (FORWARD, {"Comment": "x" * 5001}, SIZE, "5000"),
    (MAILS, a_file(ContentBytes="YWFh" * 1700), SIZE, "5000"),
]


@pytest.mark.parametrize(
    ("operation", "changes", "code", "named"),
    [(operation, *rest) for operations, *rest in BODIES for operation in operations],
    ids=lambda value: str(value)[:40],
)
def test_bodies(prepared: Prepared, operation: str, changes: Any, code: str, named: str) -> None:
    """A body with one invalid value gets an error that names the value's path, and nothing is sent."""
    call, _, body = WITH_A_BODY[operation]

    refused(prepared, call, 400, code, named, json={**body, **changes})


@pytest.mark.parametrize("operation", ["SendEmailV2", "ReplyToV3"])
@pytest.mark.parametrize(
    "changes",
    [
        {"Body": f'<img src="data:image/png;base64,{"A" * 1001}">'},
        {"Attachments": [{"Name": "a", "ContentBytes": None}]},
    ],
    ids=["large image", "null content"],
)
def test_bodies_that_the_gateway_refuses(prepared: Prepared, operation: str, changes: dict[str, Any]) -> None:
    """A body that a policy of the gateway fails on gets the policy's 500, and nothing is sent."""
    call, _, body = WITH_A_BODY[operation]
    before = snapshot(prepared.app)
    method, _, path = call.format(**prepared.ids).partition(" ")
    answer = ask(prepared.app, method, f"/apim/outlook/alice{path}", json={**body, **changes})

    assert (500, 500) == (answer.status_code, answer.json()["error"]["code"])
    assert before == snapshot(prepared.app)


@pytest.mark.parametrize("address", ["bob@outlook.com", "stranger@example.org"])
def test_sending_as_someone_else(prepared: Prepared, address: str) -> None:
    """A mail cannot be sent from an address that the connection has no right to use."""
    body = {"To": "b@c.d", "Subject": "s", "Body": "b", "From": address}

    refused(prepared, "POST /v2/Mail", 403, "ErrorSendAsDenied", f"(From: {address})", json=body)


def test_the_unchanged_requests_pass() -> None:
    """The valid requests from which the tables above derive invalid ones are accepted."""
    good = create_app(LIMITS, VirtualClock(START))
    try:
        ask(good, "POST", "/apim/outlook/alice/v2/Mail", json={"To": "alice@outlook.com", "Subject": "s", "Body": "b"})
        mail = inbox(good, "alice")[0]["Id"]
        for call, _, body in WITH_A_BODY.values():
            method, _, path = call.format(mail=mail).partition(" ")
            answer = ask(good, method, f"/apim/outlook/alice{path}", json={**body, **a_file()})

            assert answer.is_success, answer.text
    finally:
        good.state.sandboxes.close()
