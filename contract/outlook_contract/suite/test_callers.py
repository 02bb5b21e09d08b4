"""What real clients send besides what the definition says, and a connector bears."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from outlook_contract.mailbox import CALENDAR, CONTACTS, Mailbox
from outlook_contract.suite.events import create

if TYPE_CHECKING:
    from outlook_emulator.testing import Sandbox


@pytest.mark.reads
@pytest.mark.parametrize(
    "query",
    [
        # As .NET, Power Fx and workflow engines send it.
        "folderPath=Inbox&importance=Any&fetchOnlyWithAttachment=False&fetchOnlyUnread=True&top=10",
        "fetchOnlyUnread=false&includeAttachments=true",
        # Names that no operation has.
        "fetchOnlyUnread=False&inferenceClassification=Focused",
    ],
)
def test_a_query_may_be_written_so(mailbox: Mailbox, query: str) -> None:
    """Booleans have either case, defaults are sent, and unknown names are ignored. Recorded, and seen in workflows."""
    exchange = mailbox.raw("GET", f"/v2/Mail?{query}")
    mailbox.equal("GetEmailsV2", "status", exchange.status, 200)


def test_any_importance_may_be_a_zero(mailbox: Mailbox, own_address: str) -> None:
    """One generation of workflow designers sends `importance=0` for Any."""
    subjects = {mailbox.to_self(f"Any {word}", Importance=word)["Subject"] for word in ("Low", "High")}
    exchange = mailbox.raw("GET", "/v2/Mail?folderPath=Inbox&fetchOnlyUnread=False&top=50&importance=0")
    mailbox.equal("GetEmailsV2", "status", exchange.status, 200)
    listed = {mail["Subject"] for mail in exchange.json().get("value", ())}
    mailbox.holds("GetEmailsV2", "importance", listed & subjects, "both mails", subjects <= listed)


def test_a_body_may_be_written_so(mailbox: Mailbox, own_address: str) -> None:
    """Members have any case, nulls and unknown ones count as left out, and a boolean may be a word. Public samples."""
    subject = mailbox.name("Written so")
    body: dict[str, Any] = {"to": f"{own_address};", "subject": subject, "body": "1 <b>2</b>", "importance": "High"}
    body |= {"Cc": None, "Attachments": None, "IsHtml": "False", "Sensitivity": "Normal"}
    exchange = mailbox.raw("POST", "/Mail", json=body)
    mailbox.equal("SendEmail", "status", exchange.status, 200)
    expected = {"BodyPreview": "1 <b>2</b>", "Importance": 2, "Cc": None}
    mailbox.members("SendEmail", "", mailbox.mail(subject), expected)
    exact = {"To": own_address, "Subject": mailbox.name("Written as a word"), "Body": "1 <b>2</b>", "IsHtml": "True"}
    mailbox.equal("SendEmail", "status", mailbox.raw("POST", "/Mail", json=exact).status, 200)
    mailbox.equal("SendEmail", "IsHtml", mailbox.mail(exact["Subject"])["BodyPreview"], "1 2")


@pytest.mark.parametrize("times", [0, 1, 2])
def test_an_id_in_a_table_may_be_escaped(mailbox: Mailbox, times: int) -> None:
    """Clients escape ids of events and contacts twice, once or not at all. Recorded, and Microsoft's clients do."""
    event = create(mailbox, f"Escaped {times}")
    contact = {"GivenName": mailbox.name(f"Escaped {times}"), "HomePhones": []}
    created = mailbox.ok("ContactPostItem", contact, table=CONTACTS)
    places = {
        f"/datasets/calendars/v2/tables/{CALENDAR}/items/": ("V2CalendarGetItem", event["Id"]),
        f"/datasets/contacts/tables/{CONTACTS}/items/": ("ContactGetItem", created["Id"]),
    }
    for start, (operation, id) in places.items():
        escaped = id
        for _ in range(times):
            escaped = quote(escaped, safe="")
        exchange = mailbox.raw("GET", start + escaped)
        mailbox.equal(operation, "id", exchange.status, 200)


@pytest.mark.reads
@pytest.mark.parametrize("scheme", ["Key", "Bearer", "key", "bearer"])
def test_a_credential_has_two_schemes(mailbox: Mailbox, emulator: Sandbox, scheme: str) -> None:
    """Standard workflows send `Key`, other callers `Bearer`; HTTP ignores the case of a scheme."""
    exchange = mailbox.raw("GET", "/testconnection", extensions={"authorization": f"{scheme} anything"})
    mailbox.equal("TestConnection", "status", exchange.status, 200)
