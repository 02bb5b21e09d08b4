"""Journeys into what is documented to fail: sizes, time-outs and old ids. On an emulator only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from outlook_contract.mailbox import CALENDAR, Mailbox
from outlook_contract.suite.events import create, day, event

if TYPE_CHECKING:
    from outlook_emulator.testing import Sandbox

_POLICY = ["code", "message", "source", "path", "policyId", "clientRequestId"]
_WRAPPED = ["code", "source", "clientRequestId", "message", "innerError"]
"""The members of the gateway's errors, as recorded."""
_IMAGE = '<p><img src="data:image/png;base64,{}"></p>'


@pytest.mark.parametrize("operation", ["SendEmail", "SendEmailV2", "ReplyToV2", "ReplyToV3"])
def test_an_inline_image_has_a_largest_size(
    mailbox: Mailbox, own_address: str, emulator: Sandbox, operation: str
) -> None:
    """An image of too much base64 fails in a policy of the gateway, and nothing is sent. Recorded on the sibling."""
    emulator.limits(inlineImageBytes=1000)
    original = mailbox.to_self(f"Images {operation}")
    subject = mailbox.name(f"Picture {operation}")
    is_reply = operation.startswith("Reply")
    message: dict[str, Any] = {"To": own_address, "Subject": subject}
    message |= {} if operation.endswith("3") or operation == "SendEmailV2" else {"IsHtml": True}
    place = {"messageId": original["Id"]} if is_reply else {}
    exchange = mailbox.call(operation, {**message, "Body": _IMAGE.format("AAAA" * 251)}, **place)
    mailbox.equal(operation, "status", exchange.status, 500)
    error = (exchange.json() or {}).get("error", {})
    mailbox.equal(operation, "error members", list(error), _POLICY)
    text = "File size: 753 bytes exceeds the maximum allowed size of 1,000 bytes."
    mailbox.members(operation, "error", error, {"code": 500, "message": text})
    mailbox.equal(operation, "SentItems", mailbox.find(subject, "SentItems"), None)
    mailbox.ok(operation, {**message, "Body": _IMAGE.format("AAAA" * 250)}, **place)


@pytest.mark.parametrize("operation", ["SendEmail", "SendEmailV2", "ReplyToV3", "ForwardEmail"])
def test_a_mail_has_a_largest_size(mailbox: Mailbox, own_address: str, emulator: Sandbox, operation: str) -> None:
    """A mail above the limit is refused, with its attachments and what it quotes. Documented for 50 MB."""
    file = {"Name": "a.txt", "ContentBytes": "AAAA" * 400}
    original = mailbox.to_self(f"Sizes {operation}", Attachments=[file], Body=f"<p>{'x' * 1500}</p>")
    emulator.limits(mailBytes=1000)
    subject = mailbox.name(f"Size {operation}")
    if operation.startswith("Send"):
        body, place = {"To": own_address, "Subject": subject, "Body": "x", "Attachments": [file]}, {}
    elif operation == "ReplyToV3":
        body, place = {"Subject": subject, "Body": "x"}, {"messageId": original["Id"]}
    else:
        body, place = {"ToRecipients": own_address}, {"message_id": original["Id"]}
    mailbox.refused(operation, 400, body, **place, code="ErrorMessageSizeExceeded")
    for sent in (subject, f"FW: {original['Subject']}"):
        mailbox.equal(operation, "SentItems", mailbox.find(sent, "SentItems"), None)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_timeout_may_come_after_the_work(mailbox: Mailbox, own_address: str, emulator: Sandbox, when: str) -> None:
    """A 504 has the documented body, and does not tell whether the mail was sent."""
    emulator.faults.add(f"timeout-504-{when}")
    message = {"To": own_address, "Subject": mailbox.name(f"Timeout {when}"), "Body": "<p>x</p>"}
    exchange = mailbox.call("SendEmailV2", message)
    mailbox.equal("SendEmailV2", "status", exchange.status, 504)
    mailbox.equal("SendEmailV2", "body", exchange.json(), {"status": 504, "message": "Request failed. Try again later"})
    emulator.faults.clear()
    is_sent = mailbox.find(message["Subject"]) is not None
    mailbox.equal("SendEmailV2", "Inbox", is_sent, when == "after")


def test_a_failure_behind_the_gateway_is_wrapped(mailbox: Mailbox, emulator: Sandbox) -> None:
    """The gateway wraps what failed behind it. Recorded in public reports."""
    emulator.faults.add("bad-gateway")
    exchange = mailbox.call("TestConnection")
    mailbox.equal("TestConnection", "status", exchange.status, 502)
    error = (exchange.json() or {}).get("error", {})
    mailbox.equal("TestConnection", "error members", list(error), _WRAPPED)
    mailbox.members("TestConnection", "error", error, {"code": 502, "message": "BadGateway"})
    inner = error.get("innerError") or {}
    mailbox.equal("TestConnection", "error.innerError members", list(inner), ["status", "message", "source"])


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (
            "connection-unauthenticated",
            "The connection does not contain an access token. Please edit the connection and login.",
        ),
        (
            "token-expired",
            "Error from token exchange: Runtime call was blocked because connection has error status: Enabled| Error",
        ),
    ],
)
def test_a_connection_may_lose_its_consent(mailbox: Mailbox, emulator: Sandbox, fault: str, text: str) -> None:
    """A connection that nobody signed in to is a 401 with a text alone. Texts from public reports."""
    emulator.faults.add(fault)
    # Not as a refused credential, which would end the run.
    exchange = mailbox.call("TestConnection")
    emulator.faults.clear()
    mailbox.equal("TestConnection", "status", exchange.status, 401)
    mailbox.members("TestConnection", "", exchange.json(), {"status": 401, "message": text, "error": {"message": text}})


def test_an_old_id_cannot_be_changed(mailbox: Mailbox, emulator: Sandbox) -> None:
    """An event whose old id has a slash can be read, and neither changed nor deleted (documented)."""
    emulator.faults.add("ews-slash-id")
    created = create(mailbox, "Old id")
    emulator.faults.clear()
    mailbox.holds("V3CalendarPostItem", "Id", created["Id"], "a slash", "/" in created["Id"])
    read = mailbox.ok("V2CalendarGetItem", table=CALENDAR, id=created["Id"])
    mailbox.equal("V2CalendarGetItem", "Id", read["Id"], created["Id"])
    body: dict[str, Any] = event(mailbox.name("New name"), day(1))
    mailbox.refused("V3CalendarPatchItem", 404, body, table=CALENDAR, id=created["Id"])
    mailbox.refused("CalendarDeleteItem", 404, table=CALENDAR, id=created["Id"])
