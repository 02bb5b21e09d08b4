"""Journeys through what is refused: the form of errors, credentials, routes and bodies."""

from __future__ import annotations

import re
from typing import Any

import pytest

from outlook_contract.exchange import Exchange
from outlook_contract.mailbox import CALENDAR, CONTACTS, Mailbox

CLIENT_LINE = re.compile(r"\r\nclientRequestId: [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SERVICE_LINE = re.compile(CLIENT_LINE.pattern + r"\r\nserviceRequestId: [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SEND_AS_TEXT = (
    "The user account which was used to submit this request does not have the right to send mail on behalf of the"
    " specified sending account."
)
BODIES = {
    "SendEmail": "/Mail",
    "SendEmailV2": "/v2/Mail",
    "ReplyToV2": "/v2/Mail/ReplyTo/nope",
    "ReplyToV3": "/v3/Mail/ReplyTo/nope",
    "ForwardEmail": "/codeless/api/v2.0/me/messages/nope/forward",
    "ContactPostItem": f"/datasets/contacts/tables/{CONTACTS}/items",
    "V3CalendarPostItem": f"/datasets/calendars/v3/tables/{CALENDAR}/items",
}
"""Operations that read a body, with paths that name no item that exists."""
READS = {
    "GetEmails": "/Mail",
    "GetEmailsV2": "/v2/Mail",
    "GetDataSets": "/datasets",
    "GetDataSetsMetadata": "/$metadata.json/datasets",
    "ContactGetTables": "/datasets/contacts/tables",
    "CalendarGetTables": "/datasets/calendars/tables",
    "TestConnection": "/testconnection",
}
"""Operations that need no parameters, with their paths."""


def check_error(mailbox: Mailbox, exchange: Exchange, operation: str, code: str) -> None:
    """Compare an error with the form that the connector's errors have (recorded on the sibling connector)."""
    error = exchange.json()
    mailbox.equal(operation, "members", list(error), ["status", "message", "error", "source"])
    mailbox.equal(operation, "status", error.get("status"), exchange.status)
    inner = error.get("error", {})
    mailbox.equal(operation, "error members", list(inner), ["message", "code", "originalMessage"])
    mailbox.equal(operation, "error.code", inner.get("code"), code)
    mailbox.holds(operation, "source", error.get("source"), "a host", bool(error.get("source")))
    content_type = exchange.headers.get("Content-Type", "")
    mailbox.equal(operation, "Content-Type", content_type.replace(" ", "").lower(), "application/json;charset=utf-8")


def check_message(mailbox: Mailbox, exchange: Exchange, operation: str, text: str, lines: re.Pattern[str]) -> None:
    """Compare the text of an error: the friendly text, then the ids of the request in lines of their own."""
    error = exchange.json()
    mailbox.equal(operation, "error.message", error["error"].get("message"), text)
    message = error.get("message", "")
    ids = message.removeprefix(text)
    mailbox.holds(operation, "message", message, f"{text} and ids", message != ids and bool(lines.fullmatch(ids)))


@pytest.mark.reads
def test_the_form_of_an_error_of_the_mail_service(mailbox: Mailbox) -> None:
    """An error has a status, a text with two request ids, the service's code and text, and a host."""
    exchange = mailbox.call("GetEmail", messageId="nope")
    check_error(mailbox, exchange, "GetEmail", "ErrorInvalidIdMalformed")
    check_message(mailbox, exchange, "GetEmail", "Id is malformed.", SERVICE_LINE)


def test_the_text_of_an_item_that_is_gone(mailbox: Mailbox, own_address: str) -> None:
    """The text for a mail that is gone is recorded on the sibling connector and on Graph."""
    mail = mailbox.to_self("Gone")
    mailbox.ok("DeleteEmail", messageId=mail["Id"])
    exchange = mailbox.refused("GetEmail", 404, messageId=mail["Id"])
    check_error(mailbox, exchange, "GetEmail", "ErrorItemNotFound")
    check_message(mailbox, exchange, "GetEmail", "The specified object was not found in the store.", SERVICE_LINE)
    original = exchange.json()["error"].get("originalMessage", "")
    texts = ("The specified object was not found in the store.", "The process failed to get the correct properties.")
    mailbox.equal("GetEmail", "error.originalMessage", original, ", ".join(texts))


def test_the_text_of_a_mail_to_nobody(mailbox: Mailbox) -> None:
    """The texts for a mail without recipients are recorded on Graph."""
    exchange = mailbox.call("SendEmailV2", {"To": "", "Subject": mailbox.name("Text"), "Body": "x"})
    check_error(mailbox, exchange, "SendEmailV2", "ErrorInvalidRecipients")
    check_message(mailbox, exchange, "SendEmailV2", "One or more recipients are invalid.", SERVICE_LINE)
    texts = ("At least one recipient is not valid.", "A message can't be sent because it contains no recipients.")
    original = exchange.json()["error"].get("originalMessage")
    mailbox.equal("SendEmailV2", "error.originalMessage", original, ", ".join(texts))


@pytest.mark.reads
def test_the_form_of_an_error_of_the_connector(mailbox: Mailbox) -> None:
    """A wrong parameter is refused by the connector itself, so the text has one request id (inferred)."""
    exchange = mailbox.call("GetEmailsV2", top="many")
    mailbox.equal("GetEmailsV2", "top", exchange.status, 400)
    check_error(mailbox, exchange, "GetEmailsV2", "ErrorInvalidRequest")
    text = exchange.json()["error"]["message"]
    mailbox.holds("GetEmailsV2", "error.message", text, "names the parameter", "top" in text)
    check_message(mailbox, exchange, "GetEmailsV2", text, CLIENT_LINE)


@pytest.mark.reads
@pytest.mark.parametrize("operation", list(READS))
@pytest.mark.parametrize("credential", ["none", "Basic d3Jvbmc6d3Jvbmc=", "Bearer"])
def test_a_request_needs_a_credential(mailbox: Mailbox, operation: str, credential: str) -> None:
    """Without a credential, and with one of another scheme, the gateway answers 401 and nothing else.

    The text is recorded on another connector of the same gateway.
    """
    exchange = mailbox.raw("GET", READS[operation], extensions={"authorization": credential})
    mailbox.equal(operation, "status", exchange.status, 401)
    if exchange.status == 401:
        error = exchange.json()
        text = "The connection does not contain an access token. Please edit the connection and login."
        mailbox.equal(operation, "message", error.get("message"), text, known="missing-credential")
        mailbox.equal(operation, "error", error.get("error"), {"message": text})
        mailbox.equal(operation, "status", error.get("status"), 401)


def test_a_request_without_a_credential_changes_nothing(mailbox: Mailbox, own_address: str) -> None:
    """A send or a deletion without a credential is refused before it is read."""
    subject = mailbox.name("Nobody sent this")
    message = {"To": own_address, "Subject": subject, "Body": "x"}
    exchange = mailbox.raw("POST", "/v2/Mail", json=message, extensions={"authorization": "none"})
    mailbox.equal("SendEmailV2", "status", exchange.status, 401)
    mailbox.equal("SendEmailV2", "Inbox", mailbox.find(subject), None)
    mail = mailbox.to_self("Nobody deletes this")
    exchange = mailbox.raw("DELETE", f"/Mail/{mail['Id']}", extensions={"authorization": "none"})
    mailbox.equal("DeleteEmail", "status", exchange.status, 401)
    mailbox.mail(mail["Subject"])


@pytest.mark.reads
@pytest.mark.parametrize("path", ["/nothing", "/v9/Mail", "/datasets/nothing/tables", "/Mail/Flag"])
def test_an_unknown_path_is_not_found(mailbox: Mailbox, path: str) -> None:
    """A path of no operation is a 404 (inferred). `/Mail/Flag` reads like the id of a mail, and is malformed."""
    exchange = mailbox.raw("GET", path)
    expected = 400 if path == "/Mail/Flag" else 404
    mailbox.equal(exchange.operation or "(none)", f"GET {path}", exchange.status, expected, known="unknown-route")


def test_a_wrong_method_is_not_allowed(mailbox: Mailbox) -> None:
    """A method that a path does not have is a 405 with Allow (inferred)."""
    exchange = mailbox.raw("PUT", "/v2/Mail")
    mailbox.equal("(none)", "PUT /v2/Mail", exchange.status, 405, known="unknown-route")
    allowed = sorted(exchange.headers.get("Allow", "").replace(" ", "").split(","))
    mailbox.equal("(none)", "Allow", allowed, ["GET", "POST"], known="unknown-route")


@pytest.mark.parametrize("operation", list(BODIES))
@pytest.mark.parametrize("content", ["{", "", "[]", '"text"', "null"])
def test_a_body_must_be_an_object(mailbox: Mailbox, operation: str, content: str) -> None:
    """A body that is no JSON, or no object, is refused (inferred)."""
    exchange = mailbox.raw("POST", BODIES[operation], content=content, headers={"Content-Type": "application/json"})
    mailbox.equal(operation, "body", exchange.status, 400)
    if exchange.status == 400:
        error = exchange.json().get("error", {})
        mailbox.equal(operation, "error.code", error.get("code"), "ErrorInvalidRequest")


@pytest.mark.parametrize(
    ("operation", "body", "parameters", "name"),
    [
        ("SendEmailV2", {"To": 5, "Subject": "x", "Body": "x"}, {}, "To"),
        ("SendEmailV2", {"To": "a@example.com", "Subject": ["x"], "Body": "x"}, {}, "Subject"),
        ("SendEmailV2", {"To": "a@example.com", "Subject": "x", "Body": "x", "Attachments": "file"}, {}, "Attachments"),
        ("SendEmail", {"To": "a@example.com", "Subject": "x", "Body": "x", "IsHtml": "maybe"}, {}, "IsHtml"),
        ("ForwardEmail", {"Comment": "x"}, {"message_id": "nope"}, "ToRecipients"),
        ("ReplyTo", None, {"messageId": "nope", "comment": "x", "replyAll": "maybe"}, "replyAll"),
        ("GetEmailsV2", None, {"importance": "Urgent"}, "importance"),
        ("GetEmailsV2", None, {"fetchOnlyUnread": "maybe"}, "fetchOnlyUnread"),
        ("OnFilePickerOpen", None, {"operation": "MailFolders", "top": "many"}, "top"),
    ],
)
def test_an_error_names_what_is_wrong(
    mailbox: Mailbox, operation: str, body: Any, parameters: dict[str, Any], name: str
) -> None:
    """A value of the wrong type is refused with a text that names its parameter or member (inferred)."""
    exchange = mailbox.refused(operation, 400, body, **parameters, code="ErrorInvalidRequest")
    text = str((exchange.json() or {}).get("message"))
    mailbox.holds(operation, "error", text, f"names {name}", name in text)


@pytest.mark.reads
def test_responses_must_not_be_stored(mailbox: Mailbox) -> None:
    """Every response is JSON, and forbids caches to keep it (recorded on the sibling connector)."""
    for exchange in (mailbox.call("GetEmailsV2", top=1), mailbox.call("GetEmail", messageId="nope")):
        kept = exchange.headers.get("Cache-Control", "")
        mailbox.holds(exchange.operation or "", "Cache-Control", kept, "no-store", "no-store" in kept)
        mailbox.equal(exchange.operation or "", "Pragma", exchange.headers.get("Pragma"), "no-cache")
        mailbox.equal(exchange.operation or "", "Expires", exchange.headers.get("Expires"), "-1")
        sniffed = exchange.headers.get("X-Content-Type-Options")
        mailbox.equal(exchange.operation or "", "X-Content-Type-Options", sniffed, "nosniff")
        kind = exchange.headers.get("Content-Type", "")
        mailbox.holds(exchange.operation or "", "Content-Type", kind, "JSON", kind.startswith("application/json"))


@pytest.mark.reads
def test_an_error_names_its_request(mailbox: Mailbox) -> None:
    """An error has the request id that the caller sent (inferred)."""
    id = "0a1b2c3d-0000-4000-8000-00000000abcd"
    exchange = mailbox.raw("GET", "/Mail/nope", headers={"x-ms-client-request-id": id})
    text = str(exchange.json().get("message"))
    mailbox.holds("GetEmail", "message", text, f"has {id}", f"clientRequestId: {id}" in text)


@pytest.mark.reads
def test_the_connection_can_be_tested(mailbox: Mailbox) -> None:
    """The test request is a success without a body."""
    exchange = mailbox.call("TestConnection")
    mailbox.equal("TestConnection", "status", exchange.status, 200)
    mailbox.equal("TestConnection", "body", exchange.body.decode("utf-8", "replace"), "")


@pytest.mark.parametrize(
    ("operation", "body", "parameters", "code", "text", "original"),
    [
        (
            *("GetEmailsV2", None, {"folderPath": "Nowhere"}, "ErrorFolderNotFound"),
            *("The specified folder could not be found in the store.", "Nowhere"),
        ),
        (
            *("GetEmailsV2", None, {"mailboxAddress": "stranger@example.com"}, "ErrorAccessDenied"),
            *("Access is denied. Check credentials and try again.", "stranger@example.com"),
        ),
        ("GetEmail", None, {"messageId": "nope"}, "ErrorInvalidIdMalformed", "Id is malformed.", "Id is malformed."),
        (
            *("SendEmailV2", {"To": "nobody at all", "Subject": "x", "Body": "x"}, {}, "ErrorInvalidRecipients"),
            *("One or more recipients are invalid.", "nobody at all"),
        ),
        (
            "SendEmailV2",
            {"To": "a@example.com", "From": "stranger@example.com", "Subject": "x", "Body": "x"},
            {},
            "ErrorSendAsDenied",
            SEND_AS_TEXT,
            "Cannot submit message.",
        ),
    ],
    ids=["folder", "mailbox", "id", "recipients", "sender"],
)
def test_the_texts_of_the_mail_service(
    mailbox: Mailbox,
    operation: str,
    body: Any,
    parameters: dict[str, Any],
    code: str,
    text: str,
    original: str,
) -> None:
    """The service's own texts, which clients compare: Exchange's, from public reports and Graph's documentation."""
    exchange = mailbox.call(operation, body, **parameters)
    check_error(mailbox, exchange, operation, code)
    check_message(mailbox, exchange, operation, text, SERVICE_LINE)
    seen = exchange.json()["error"].get("originalMessage", "")
    mailbox.holds(operation, "error.originalMessage", seen, f"contains {original}", original in seen)
