"""Error texts are those of recordings: `message` holds nothing of ours, particulars are in `originalMessage`."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.conftest import Connection, Sandbox

IDS = r"\r\nclientRequestId: caller-1\r\nserviceRequestId: [0-9a-f-]{36}"
RANGE = (
    "Your request can't be completed. The range between the start and end dates is greater than the allowed range."
    " Maximum number of days: 1825"
)
RECIPIENTS = "One or more recipients are invalid."
NOT_FOUND = "The specified object was not found in the store."


def refused(connection: Connection, method: str, path: str, **more: Any) -> dict[str, Any]:
    """The error of a request that must fail; its `message` is `error.message` with the two request ids."""
    answer = connection.http.request(method, path, headers={"x-ms-client-request-id": "caller-1"}, **more)
    body: dict[str, Any] = answer.json()

    assert answer.status_code == body["status"]
    assert_ids(answer)
    return {"status": answer.status_code, **body["error"]}


def assert_ids(answer: httpx.Response) -> None:
    first, client, service = answer.json()["message"].split("\r\n")
    assert first == answer.json()["error"]["message"]
    assert client == "clientRequestId: caller-1"
    assert service.removeprefix("serviceRequestId: ").count("-") == 4


@pytest.mark.parametrize("path", ["/Events/CalendarView", "/datasets/calendars/v2/tables/items/calendarview"])
def test_the_refusal_of_a_view_over_1825_days_has_both_ids(alice: Connection, path: str) -> None:
    """The text ends in the client's and the service's request id.

    Recorded from the Office 365 twin: microsoft/Power-Fx O365OutlookTests, 2023-12.
    """
    query = {"calendarId": "Calendar", "startDateTimeOffset": "2020-01-01", "endDateTimeOffset": "2025-01-01"}
    error = refused(alice, "GET", path, params=query)

    assert error == {"status": 400, "message": RANGE, "code": "ErrorInvalidRequest", "originalMessage": RANGE}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/Mail", {"To": "nobody", "Subject": "s", "Body": "b"}),
        ("/v2/Mail", {"To": "a@example.com", "Cc": "nobody", "Subject": "s", "Body": "b"}),
        ("/v2/Mail", {"To": "a@example.com", "Bcc": "nobody", "Subject": "s", "Body": "b"}),
        ("/v2/Mail", {"To": "a@example.com", "From": "nobody", "Subject": "s", "Body": "b"}),
        ("/v2/Mail/ReplyTo/{id}", {"To": "nobody", "Body": "b"}),
        ("/v3/Mail/ReplyTo/{id}", {"Cc": "nobody", "Body": "b"}),
        ("/codeless/api/v2.0/me/messages/{id}/forward", {"ToRecipients": "nobody"}),
        ("/approvalmail/$subscriptions", {"NotificationUrl": "http://127.0.0.1:9/", "Message": {"To": "nobody"}}),
        ("/mailwithoptions/$subscriptions", {"NotificationUrl": "http://127.0.0.1:9/", "Message": {"To": "nobody"}}),
        (
            "/datasets/calendars/v3/tables/Calendar/items",
            {
                "Subject": "s",
                "Start": "2026-03-04T10:00:00Z",
                "End": "2026-03-04T11:00:00Z",
                "RequiredAttendees": "nobody",
            },
        ),
    ],
)
def test_an_invalid_recipient_has_the_recorded_texts(alice: Connection, path: str, body: dict[str, Any]) -> None:
    """`message` is the friendly text alone; the service's texts are joined with `., ` and name the recipient.

    Recorded from the Office 365 twin: a public operations runbook on GitHub.
    """
    error = refused(alice, "POST", path.format(id=alice.deliver()["Id"]), json=body)

    assert error == {
        "status": 400,
        "message": RECIPIENTS,
        "code": "ErrorInvalidRecipients",
        "originalMessage": "At least one recipient is not valid., Recipient 'nobody' is not resolved. All recipients"
        " must be resolved before a message can be submitted.",
    }


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/Mail", {"To": "", "Subject": "s", "Body": "b"}),
        ("/v2/Mail", {"To": " ; ", "Subject": "s", "Body": "b"}),
        ("/codeless/api/v2.0/me/messages/{id}/forward", {"ToRecipients": ";"}),
        ("/approvalmail/$subscriptions", {"NotificationUrl": "http://127.0.0.1:9/", "Message": {"To": ";"}}),
        ("/mailwithoptions/$subscriptions", {"NotificationUrl": "http://127.0.0.1:9/", "Message": {"To": ""}}),
    ],
)
def test_no_recipients_at_all_has_its_recorded_text(alice: Connection, path: str, body: dict[str, Any]) -> None:
    """A mail without any recipient has a text of its own.

    Reports of users of the mail service behind the connector: php-connect-sample issue 13, msgraph-sdk-dotnet issue
    1891. The code and the friendly text are those of an invalid recipient.
    """
    error = refused(alice, "POST", path.format(id=alice.deliver()["Id"]), json=body)

    assert error == {
        "status": 400,
        "message": RECIPIENTS,
        "code": "ErrorInvalidRecipients",
        "originalMessage": "At least one recipient is not valid., A message can't be sent because it contains no"
        " recipients.",
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/Mail/{id}"),
        ("DELETE", "/Mail/{id}"),
        ("POST", "/Mail/Flag/{id}"),
        ("POST", "/Mail/MarkAsRead/{id}"),
        ("POST", "/Mail/Move/{id}?folderPath=Archive"),
        ("POST", "/Mail/ReplyTo/{id}?comment=x"),
        ("GET", "/Mail/{id}/Attachments/x"),
    ],
)
def test_a_mail_that_is_gone_has_the_texts_of_the_service(alice: Connection, method: str, path: str) -> None:
    """`originalMessage` holds both sentences of the mail service.

    Status, code and friendly text are recorded from the Office 365 twin (microsoft/Power-Fx, 2023-12); the second
    sentence is recorded on Microsoft Graph, and that the connector hands it on is inferred.
    """
    id = alice.deliver()["Id"]
    alice.post(f"/Mail/Move/{id}", folderPath="Archive")
    error = refused(alice, method, path.format(id=id))

    assert error == {
        "status": 404,
        "message": NOT_FOUND,
        "code": "ErrorItemNotFound",
        "originalMessage": f"{NOT_FOUND}, The process failed to get the correct properties.",
    }


def test_an_event_that_is_gone_has_one_text(alice: Connection) -> None:
    """An event that is gone has the same text in all places.

    Recorded from the Office 365 twin: microsoft/Power-Fx O365OutlookTests, 2023-12.
    """
    path = f"/datasets/calendars/tables/Calendar/items/{alice.meet()['Id']}"
    alice.http.delete(path)

    assert refused(alice, "DELETE", path) == {
        "status": 404,
        "message": NOT_FOUND,
        "code": "ErrorItemNotFound",
        "originalMessage": NOT_FOUND,
    }


def test_a_malformed_id_has_the_recorded_text(alice: Connection) -> None:
    """`message` does not say which id; `originalMessage` does.

    Live runs against Microsoft Graph, noted in the source of a mail server, 2026-08; the wrapping is inferred.
    """
    error = refused(alice, "GET", "/Mail/nonsense")

    assert (error["status"], error["code"], error["message"]) == (400, "ErrorInvalidIdMalformed", "Id is malformed.")
    assert "(messageId)" in error["originalMessage"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v2/Mail?folderPath=Nowhere"),
        ("GET", "/v2/Mail/OnNewEmail?folderPath=Nowhere"),
        ("GET", "/datasets/calendars/v3/tables/Nowhere/items"),
        ("GET", "/datasets/contacts/tables/Nowhere/items"),
    ],
)
def test_an_unknown_folder_is_named_in_original_message(alice: Connection, method: str, path: str) -> None:
    """`message` is the mail service's text alone.

    The text is Exchange's own, from public reports; that the connector shows it is inferred.
    """
    error = refused(alice, method, path)

    assert (error["status"], error["code"]) == (404, "ErrorFolderNotFound")
    assert error["message"] == "The specified folder could not be found in the store."
    assert error["originalMessage"] == f"{error['message']} ('Nowhere')"


def test_an_id_of_another_mailbox_is_named_in_original_message(alice: Connection, bob: Connection) -> None:
    """A folder id of somebody else is an unknown folder, and only `originalMessage` repeats it.

    The text is Exchange's own, from public reports; that the connector shows it is inferred.
    """
    id = bob.http.get("/OnFilePickerOpen", params={"operation": "MailFolders"}).json()["value"][0]["Id"]
    error = refused(alice, "GET", "/v2/Mail", params={"folderPath": id})

    assert id not in error["message"]
    assert error["message"] == "The specified folder could not be found in the store."


def test_sending_as_a_stranger_has_the_service_s_text(alice: Connection) -> None:
    """`message` does not hold the address; the service's texts end in `., Cannot submit message.`

    Vendor documentation of Microsoft Graph, "Send from another user".
    """
    body = {"To": "a@example.com", "Subject": "s", "Body": "b", "From": "stranger@example.org"}
    error = refused(alice, "POST", "/v2/Mail", json=body)

    assert (error["status"], error["code"]) == (403, "ErrorSendAsDenied")
    assert error["message"] == (
        "The user account which was used to submit this request does not have the right to send mail on behalf of the"
        " specified sending account."
    )
    assert error["originalMessage"].endswith(f"{error['message']}, Cannot submit message.")
    assert "stranger@example.org" in error["originalMessage"]


def test_a_mailbox_without_permission_is_named_in_original_message(sandbox: Sandbox, alice: Connection) -> None:
    """`message` is Exchange's own text alone; that the connector shows it is inferred."""
    error = refused(alice, "GET", "/v2/Mail", params={"mailboxAddress": "boss@example.com"})

    assert (error["status"], error["code"]) == (403, "ErrorAccessDenied")
    assert error["message"] == "Access is denied. Check credentials and try again."
    assert error["originalMessage"] == f"{error['message']} (mailboxAddress: boss@example.com)"


def test_responding_to_an_own_meeting_has_both_ids(alice: Connection) -> None:
    """What the mail service refuses names both request ids, as the recorded refusal of a calendar view does.

    Recorded from the Office 365 twin (microsoft/Power-Fx, 2023-12) for the view; for responses inferred.
    """
    event = alice.meet(RequiredAttendees="bob@example.com")
    error = refused(alice, "POST", f"/codeless/api/v2.0/me/events/{event['Id']}/accept")

    assert error["message"].startswith("Your request can't be completed. ")
    assert error["originalMessage"] == error["message"]
