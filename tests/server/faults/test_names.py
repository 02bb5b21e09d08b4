"""The connector's own troubles by name, as Microsoft's client and plain HTTP see them; each has a test of its name."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import quote

import pytest
from azure.connectors.outlook import (
    ApprovalEmailSubscription,
    ApprovalMessage,
    CalendarEventHtmlClient,
    ClientSendHtmlMessage,
    DirectForwardMessage,
    MessageWithOptions,
    OptionsEmailSubscription,
    OutlookClient,
    ReplyHtmlMessage,
)
from azure.connectors.sdk.authentication import ConnectionStringTokenProvider
from azure.connectors.sdk.exceptions import ConnectorException
from azure.connectors.sdk.options import ConnectorClientOptions

from outlook_emulator.operations import OPERATIONS
from outlook_emulator.server.faults.names import NAMED
from tests.conftest import Connection, Sandbox
from tests.mailbox.triggers.test_mail_triggers import EVERY, NEW, TABLE, Poller, fire
from tests.server.admin.test_faults import arm, counted, ledger, refusal

SOURCE = "outlook-emulator.localhost"
TIMED_OUT = {"status": 504, "message": "Request failed. Try again later"}
CALLBACK = "http://127.0.0.1:9/resume"
FILES = [{"Name": name, "ContentBytes": "YQ=="} for name in ("scan.pdf", "plan.txt", "call.csv")]


def mail_to(connection: Connection, body: str = "<p>Hi</p>") -> ClientSendHtmlMessage:
    return ClientSendHtmlMessage(to=connection.address, subject="Hi", body=body)


def refused(connection: Connection, method: str, *arguments: Any) -> tuple[int, Any]:
    """Status and body with which Microsoft's client is refused."""
    with pytest.raises(ConnectorException) as failure:
        connection.sdk(method, *arguments)
    return failure.value.status_code, json.loads(failure.value.response_body)


def said(body: dict[str, Any]) -> tuple[Any, ...]:
    """Status, text and code of a refusal by the connector itself; with the ids that name the call taken out."""
    text, *ids = body["message"].split("\r\n")
    assert ["clientRequestId", "serviceRequestId"][: len(ids)] == [one.partition(": ")[0] for one in ids]
    assert SOURCE == body["source"]
    error = body.get("error", {})
    assert error == {} or (text, text) == (error["message"], error["originalMessage"])
    return body["status"], text, error.get("code")


def spared(sandbox: Sandbox, name: str) -> None:
    """Hold that the only rule, of that fault, has met no call."""
    assert [(name, "armed", 0, 0)] == counted(sandbox)


def only(sandbox: Sandbox, name: str, **members: Any) -> None:
    """Arm a fault under its own name, for good."""
    arm(sandbox, {"name": name, "effect": {"fault": name, **members}})


def test_each_named_fault_has_a_test() -> None:
    """What the emulator offers by name is shown here, by a test of that name."""
    assert [] == [name for name in NAMED if f"test_{name.replace('-', '_')}" not in globals()]


# Timeouts


def test_timeout_504_before(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """The caller sees 504 as the connector's page words it, and no mail was sent."""
    only(sandbox, "timeout-504-before")

    assert (504, TIMED_OUT) == refused(alice, "send_email_async", mail_to(bob))
    answer = alice.http.post("/v2/Mail", json={"To": bob.address, "Subject": "Hi", "Body": "Hi"})
    assert (504, TIMED_OUT, False) == (answer.status_code, answer.json(), "retry-after" in answer.headers)
    assert sandbox.api.delete("/faults").is_success
    assert ([], []) == (bob.mails(), alice.mails("Sent Items"))


def test_timeout_504_after(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """The caller sees 504 while the mail arrives: whoever asks again sends it twice."""
    arm(sandbox, {"name": "late", "when": {"nth": 1}, "effect": "timeout-504-after"})

    assert (504, TIMED_OUT) == refused(alice, "send_email_async", mail_to(bob))
    assert ["Hi"] == [one["Subject"] for one in bob.mails()]
    assert alice.sdk("send_email_async", mail_to(bob)) is None
    assert ["Hi"] * 2 == [one["Subject"] for one in bob.mails()]
    assert ["Hi"] * 2 == [one["Subject"] for one in alice.mails("Sent Items")]


def test_timeout_504_after_leads_the_sdk_to_send_twice(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """Microsoft's client with its own policy of retries is content in the end, and the mail is there twice."""
    match = {"operation": "SendEmailV2"}
    arm(sandbox, {"name": "late", "match": match, "when": {"nth": 1}, "effect": "timeout-504-after"})

    async def send() -> None:
        options = ConnectorClientOptions(initial_retry_delay_seconds=0)
        async with OutlookClient(alice.url, ConnectionStringTokenProvider("token"), options) as client:
            await client.send_email_async(mail_to(bob))

    asyncio.run(send())

    assert ["Hi"] * 2 == [one["Subject"] for one in bob.mails()]
    assert [("late", "used up", 2, 1)] == counted(sandbox)


def test_timeout_504_after_hides_what_was_refused(sandbox: Sandbox, alice: Connection) -> None:
    """A call that would have been refused is told to have timed out as well, and did nothing."""
    only(sandbox, "timeout-504-after")

    assert (504, TIMED_OUT) == refused(alice, "delete_email_async", "nonsense")


@pytest.mark.parametrize("name", ["timeout-504-before", "timeout-504-after", "bad-gateway"])
def test_retry_after_may_be_said(sandbox: Sandbox, alice: Connection, name: str) -> None:
    """A fault after which it may help to ask again takes the time to wait."""
    only(sandbox, name, retryAfter=7)

    assert "7" == alice.http.get("/v2/Mail").headers["retry-after"]


# Throttling, the gateway, and credentials


def test_throttled(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """The gateway refuses with 429 and says when to come again: in a minute, or when the rule says."""
    only(sandbox, "throttled")
    body = {"statusCode": 429, "message": "Rate limit is exceeded. Try again in 60 seconds."}

    assert (429, body) == refused(alice, "send_email_async", mail_to(bob))
    answer = alice.http.get("/v2/Mail")
    assert (429, body, "60") == (answer.status_code, answer.json(), answer.headers["retry-after"])
    assert sandbox.api.delete("/faults").is_success
    only(sandbox, "throttled", retryAfter=5)
    answer = alice.http.get("/v2/Mail")
    assert ("5", "Rate limit is exceeded. Try again in 5 seconds.") == (
        answer.headers["retry-after"],
        answer.json()["message"],
    )
    assert sandbox.api.delete("/faults").is_success
    assert [] == bob.mails()


def test_bad_gateway(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """The gateway answers 502 in its own form, which holds the connector's, and nothing was done."""
    only(sandbox, "bad-gateway")
    status, body = refused(alice, "send_email_async", mail_to(bob))
    request_id = body["error"]["clientRequestId"]

    assert (502, {"error"}) == (status, set(body))
    assert {
        "code": 502,
        "source": SOURCE,
        "clientRequestId": request_id,
        "message": "BadGateway",
        "innerError": {
            "status": 502,
            "message": f"The mail service gave no valid answer.\r\nclientRequestId: {request_id}",
            "source": SOURCE,
        },
    } == body["error"]
    assert sandbox.api.delete("/faults").is_success
    assert [] == bob.mails()


def test_token_expired(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """Consent has run out: 401 for whatever is asked, until somebody signs in again."""
    only(sandbox, "token-expired")
    text = "Error from token exchange: Runtime call was blocked because connection has error status: Enabled| Error"
    status, body = refused(alice, "send_email_async", mail_to(bob))

    assert (401, (401, text, None)) == (status, said(body))
    assert 401 == alice.http.get("/testconnection").status_code
    assert sandbox.api.delete("/faults").is_success
    assert [] == bob.mails()


def test_connection_unauthenticated(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """Nobody has signed in: 401 with the words of a call without a credential, though one came along."""
    only(sandbox, "connection-unauthenticated")
    status, body = refused(alice, "send_email_async", mail_to(bob))
    assert sandbox.api.delete("/faults").is_success
    bare = alice.http.get("/v2/Mail", headers={"Authorization": ""})

    assert (401, said(bare.json())) == (status, said(body))
    assert (401, "The connection does not contain an access token. Please edit the connection and login.", None) == (
        said(body)
    )
    assert [] == bob.mails()


@pytest.mark.parametrize(
    "name", [name for name, one in NAMED.items() if not one.families and name != "timeout-504-after"]
)
def test_a_fault_of_all_operations(sandbox: Sandbox, alice: Connection, name: str) -> None:
    """What can happen to any call happens to reading, sending and polling, to subscriptions and to the test of one."""
    only(sandbox, name)
    asked = [
        ("GET", "/v2/Mail"),
        ("POST", "/v2/Mail"),
        ("GET", NEW),
        ("POST", "/MailSubscriptionPoke/$subscriptions"),
        ("DELETE", "/datasets/calendars/tables/Calendar/items/x"),
        ("GET", "/testconnection"),
    ]

    assert 1 == len({alice.http.request(*one).status_code for one in asked})
    assert [(name, "armed", len(asked), len(asked))] == counted(sandbox)


# What happens to some operations only


def test_ews_slash_id(sandbox: Sandbox, alice: Connection) -> None:
    """A new event gets an id with a slash; it can be read, but updating and deleting it go astray."""
    only(sandbox, "ews-slash-id")
    event = CalendarEventHtmlClient(subject="Old", start="2026-03-04T10:00:00Z", end="2026-03-04T11:00:00Z")
    id = alice.sdk("calendar_post_item_async", event, "Calendar")["Id"]
    escaped = quote(id, safe="")
    changes = [
        refused(alice, "calendar_patch_item_async", CalendarEventHtmlClient(subject="New"), "Calendar", form)
        for form in (id, escaped)
    ]
    deletions = [refused(alice, "calendar_delete_item_async", "Calendar", form) for form in (id, escaped)]

    assert "/" in id
    assert [(404, "ResourceNotFound")] * 4 == [
        (status, body["error"]["code"]) for status, body in [*changes, *deletions]
    ]
    assert "Old" == alice.sdk("calendar_get_item_async", "Calendar", escaped)["Subject"]
    assert [id] == [one["Id"] for one in alice.events()]


def test_ews_slash_id_stays_with_its_event(sandbox: Sandbox, alice: Connection) -> None:
    """Such an event keeps its id and its trouble when the rule is gone; a newer one has neither."""
    only(sandbox, "ews-slash-id")
    old = alice.meet("Old")["Id"]
    assert sandbox.api.delete("/faults").is_success
    new = alice.meet("New")["Id"]

    assert (True, False) == ("/" in old, "/" in new)
    assert 404 == refused(alice, "calendar_delete_item_async", "Calendar", quote(old, safe=""))[0]
    assert alice.sdk("calendar_delete_item_async", "Calendar", new) is None
    assert ["Old"] == [one["Subject"] for one in alice.events()]


@pytest.mark.parametrize(
    ("names", "kept"), [(None, []), ("*.pdf", ["plan.txt", "call.csv"]), ("PLAN*", ["scan.pdf", "call.csv"])]
)
def test_attachment_skipped(
    sandbox: Sandbox, alice: Connection, bob: Connection, names: str | None, kept: list[str]
) -> None:
    """Mails come without the files that are named, or without any, and are whole again afterwards."""
    alice.send(bob.address, Attachments=FILES)
    id = bob.mail()["Id"]
    only(sandbox, "attachment-skipped", **({} if names is None else {"names": names}))
    listed = bob.sdk("get_emails_async", include_attachments=True, fetch_only_unread=False)["value"][0]
    single = bob.sdk("get_email_async", id, True)
    other = bob.http.get(f"/Mail/{id}").json()
    assert sandbox.api.delete("/faults").is_success

    assert [kept] * 3 == [[file["Name"] for file in one["Attachments"]] for one in (listed, single, other)]
    assert listed["HasAttachment"]
    assert ["scan.pdf", "plan.txt", "call.csv"] == [file["Name"] for file in bob.mail()["Attachments"]]


def test_attachment_skipped_in_what_a_trigger_finds(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """A trigger's mail comes without them too, and they cannot be had by their ids."""
    poller = Poller(bob, NEW, includeAttachments=True)
    alice.send(bob.address, Attachments=FILES)
    id, file = bob.mail()["Id"], bob.mail()["Attachments"][0]["Id"]
    only(sandbox, "attachment-skipped", names="*.pdf")

    assert [["plan.txt", "call.csv"]] == [[file["Name"] for file in one["Attachments"]] for one in poller.ask()]
    assert [("attachment-skipped", "armed", 1, 1)] == counted(sandbox)
    assert 404 == refused(bob, "get_attachment_async", id, file)[0]
    assert [("attachment-skipped", "armed", 2, 2)] == counted(sandbox)


def test_inline_image_over_1mb(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """Sending, replying and asking are refused as if an image in the body were too large, and nothing goes out."""
    bob.send(alice.address, "Question")
    id = alice.mail()["Id"]
    only(sandbox, "inline-image-over-1mb")
    approval = ApprovalEmailSubscription(CALLBACK, ApprovalMessage(to=bob.address, options="Yes,No"))
    options = OptionsEmailSubscription(CALLBACK, MessageWithOptions(to=bob.address, options="Red,Green"))
    asked = [
        refused(alice, "send_email_async", mail_to(bob)),
        refused(alice, "reply_to_async", ReplyHtmlMessage(body="<p>Yes</p>"), id),
        refused(alice, "send_approval_mail_async", approval),
        refused(alice, "send_mail_with_options_async", options),
    ]
    text = "An inline image in the body has 1048577 bytes after base64 encoding; at most 1048576 are allowed."

    assert [(400, (400, text, "ErrorMessageSizeExceeded"))] * 4 == [(status, said(body)) for status, body in asked]
    assert ([], [("inline-image-over-1mb", "armed", 4, 4)]) == (bob.mails(), counted(sandbox))


def test_inline_image_over_1mb_spares_forwarding(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """A forward has no body of its own that could hold an image."""
    bob.send(alice.address, "Question")
    id = alice.mail()["Id"]
    only(sandbox, "inline-image-over-1mb")
    alice.sdk("forward_email_async", DirectForwardMessage(comment="FYI", to_recipients=bob.address), id)

    assert ["FW: Question"] == [one["Subject"] for one in bob.mails()]
    spared(sandbox, "inline-image-over-1mb")


def test_object_not_found(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """What is named is not found, though it is there; nothing happens to it."""
    bob.send(alice.address, "Here")
    id = alice.mail()["Id"]
    only(sandbox, "object-not-found")
    asked = [
        refused(alice, method, *arguments)
        for method, *arguments in (
            ("get_email_async", id),
            ("delete_email_async", id),
            ("move_async", id, "Archive"),
            ("reply_to_async", ReplyHtmlMessage(body="<p>Yes</p>"), id),
            ("calendar_get_item_async", "Calendar", "x"),
            ("get_emails_async",),
        )
    ]
    text = "The specified object was not found in the store."

    assert [(404, (404, text, "ErrorItemNotFound"))] * 6 == [(status, said(body)) for status, body in asked]
    assert sandbox.api.delete("/faults").is_success
    assert (id, []) == (alice.mail()["Id"], bob.mails())


def test_object_not_found_spares_what_looks_nothing_up(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """Sending, and listing calendars, name nothing that could be missing."""
    only(sandbox, "object-not-found")
    alice.sdk("send_email_async", mail_to(bob))
    calendars = alice.sdk("calendar_get_tables_async")["value"]

    assert ["Calendar"] == [one["DisplayName"] for one in calendars]
    spared(sandbox, "object-not-found")
    assert sandbox.api.delete("/faults").is_success
    assert ["Hi"] == [one["Subject"] for one in bob.mails()]


def test_encrypted_reply(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """A reply, by whichever version, is refused as one to an encrypted mail is, and is not sent."""
    bob.send(alice.address, "Secret")
    id = alice.mail()["Id"]
    only(sandbox, "encrypted-reply")
    status, body = refused(alice, "reply_to_async", ReplyHtmlMessage(body="<p>Yes</p>"), id)
    others = [alice.http.post(f"{version}/Mail/ReplyTo/{id}", params={"comment": "Yes"}) for version in ("", "/v2")]
    text = "The request has failed. Replying to an encrypted message isn't supported."

    assert (400, (400, text, "ErrorInvalidOperation")) == (status, said(body))
    assert [(400, text, "ErrorInvalidOperation")] * 2 == [said(one.json()) for one in others]
    assert [] == bob.mails()


def test_encrypted_reply_spares_all_but_replies(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """Reading, forwarding and sending go on."""
    bob.send(alice.address, "Secret")
    id = alice.mail()["Id"]
    only(sandbox, "encrypted-reply")
    alice.sdk("get_email_async", id)
    alice.sdk("forward_email_async", DirectForwardMessage(comment="FYI", to_recipients=bob.address), id)
    alice.sdk("send_email_async", mail_to(bob))

    assert ["Hi", "FW: Secret"] == [one["Subject"] for one in bob.mails()]
    spared(sandbox, "encrypted-reply")


# Late triggers


def test_trigger_delayed(sandbox: Sandbox, alice: Connection) -> None:
    """A poll finds nothing until the delay is over, and then what it would have found, once."""
    poller = Poller(alice, NEW)
    only(sandbox, "trigger-delayed", delay="10m")
    alice.deliver(subject="Ping")
    early = poller.subjects()
    waiting = poller.last
    sandbox.advance("9m59s")
    still = poller.subjects()
    sandbox.advance("1s")
    found = poller.subjects()

    assert (202, b"", "15") == (waiting.status_code, waiting.content, waiting.headers["retry-after"])
    assert ([], [], ["Ping"], []) == (early, still, found, poller.subjects())
    assert [("trigger-delayed", "armed", 1, 1)] == counted(sandbox)


@pytest.mark.parametrize("path", [path for path in EVERY if "OnUpcoming" not in path])
def test_trigger_delayed_by_an_hour(sandbox: Sandbox, alice: Connection, path: str) -> None:
    """Every trigger is as late as it can be unless the rule says otherwise, and finds the same then."""
    poller = Poller(alice, path, **EVERY[path])
    only(sandbox, "trigger-delayed")
    fire(alice, path)
    early = poller.subjects()
    sandbox.advance("59m59s")
    still = poller.subjects()
    sandbox.advance("1s")

    assert ([], [], ["Ping"]) == (early, still, poller.subjects())


def test_trigger_delayed_gathers_what_comes_meanwhile(sandbox: Sandbox, alice: Connection) -> None:
    """What arrives while a find is held back is found with it, and what comes later is late in its turn."""
    poller = Poller(alice, NEW)
    only(sandbox, "trigger-delayed", delay="10m")
    alice.deliver(subject="One")
    assert [] == poller.subjects()
    sandbox.advance("5m")
    alice.deliver(subject="Two")
    assert [] == poller.subjects()
    sandbox.advance("5m")
    both = [*poller.subjects(), *poller.subjects()]
    alice.deliver(subject="Three")
    held = poller.subjects()
    sandbox.advance("10m")

    assert (["One", "Two"], [], ["Three"]) == (sorted(both), held, poller.subjects())


def test_trigger_delayed_once(sandbox: Sandbox, alice: Connection) -> None:
    """A rule for one time holds back one find, however often that is polled for, and lets the next ones come."""
    poller = Poller(alice, NEW)
    arm(sandbox, {"name": "once", "when": {"times": 1}, "effect": {"fault": "trigger-delayed", "delay": "1m"}})
    alice.deliver(subject="One")
    held = [poller.subjects() for _ in range(3)]
    sandbox.advance("1m")
    found = poller.subjects()
    alice.deliver(subject="Two")

    assert ([[]] * 3, ["One"], ["Two"]) == (held, found, poller.subjects())
    assert [("once", "used up", 1, 1)] == counted(sandbox)


def test_trigger_delayed_ends_with_its_rule(sandbox: Sandbox, alice: Connection) -> None:
    """What a rule holds back is found as soon as the rule is taken away."""
    poller = Poller(alice, NEW)
    only(sandbox, "trigger-delayed")
    alice.deliver(subject="Ping")
    held = poller.subjects()
    assert sandbox.api.delete("/faults/trigger-delayed").is_success

    assert ([], ["Ping"]) == (held, poller.subjects())


def test_trigger_delayed_spares_others(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """A rule about one trigger holds back no other, no other's connection, and no mail that is simply read."""
    late, events, others = Poller(alice, NEW), Poller(alice, f"{TABLE}/onnewitems"), Poller(bob, NEW)
    match = {"connection": alice.id, "family": "OnNewEmail"}
    arm(sandbox, {"name": "late", "match": match, "effect": "trigger-delayed"})
    alice.deliver(subject="Ping")
    bob.deliver(subject="Pong")
    alice.meet("Review")

    assert ([], ["Review"], ["Pong"]) == (late.subjects(), events.subjects(), others.subjects())
    assert ["Ping"] == [one["Subject"] for one in alice.sdk("get_emails_async")["value"]]


@pytest.mark.parametrize("delay", ["1h0.000001s", "PT61M", "2h", "0s"])
def test_trigger_delayed_is_refused_beyond_an_hour(sandbox: Sandbox, delay: str) -> None:
    """More than the connector's page admits, or nothing at all, is no delay of a trigger."""
    rule = {"effect": {"fault": "trigger-delayed", "delay": delay}}
    text = "faults[0]: 'delay' of 'trigger-delayed' must be above zero and at most one hour."

    assert (400, text) == refusal(sandbox.api.post("/faults", json={"faults": [rule]}))
    assert [] == ledger(sandbox)


# Who is spared


@pytest.mark.parametrize("name", [name for name, one in NAMED.items() if one.families])
def test_a_fault_of_some_operations_spares_all_others(sandbox: Sandbox, name: str) -> None:
    """A rule that names an operation to which its fault cannot happen is refused, with the name of both."""
    untouched = [one.id for one in OPERATIONS if not NAMED[name].applies(one)]
    answers = [
        sandbox.api.post("/faults", json={"faults": [{"match": {"operation": one}, "effect": name}]})
        for one in untouched
    ]

    assert [
        (400, f"faults[0]: The rule can match nothing: no operation among {one} has the fault '{name}'.")
        for one in untouched
    ] == [refusal(one) for one in answers]
    assert untouched
    assert [] == ledger(sandbox)
