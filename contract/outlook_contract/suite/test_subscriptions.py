"""Journeys of subscriptions to pokes: create, renew and delete them, and what their subscribers receive."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from outlook_contract.exchange import Exchange
from outlook_contract.mailbox import CALENDAR, Mailbox
from outlook_contract.receiver import Receiver
from outlook_contract.suite.events import create, day

if TYPE_CHECKING:
    from outlook_emulator.testing import Sandbox

_KINDS: Mapping[str, Mapping[str, Any]] = {
    "CreateOnNewEmailPokeSubscription": {},
    "CreateOnFlaggedEmailPokeSubscription": {},
    "CreateOnNewMentionMeEmailPokeSubscription": {},
    "CreateOnChangedEventPokeSubscription": {"table": CALENDAR},
}
_EVERY = pytest.mark.parametrize("kind", _KINDS)
_MAIL, _EVENT = "CreateOnNewEmailPokeSubscription", "CreateOnChangedEventPokeSubscription"
_TWO = pytest.mark.parametrize("kind", [_MAIL, _EVENT])
_RECEIVERS = pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("ReceiveMailFromSubscription", _MAIL),
        ("ReceiveMailFromSubscriptionV2", _MAIL),
        ("ReceiveEventFromSubscription", _EVENT),
        ("ReceiveEventFromSubscriptionV2", _EVENT),
    ],
)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def _renewal(kind: str) -> str:
    return "RenewEventSubscription" if kind == _EVENT else "RenewOnNewEmailSubscription"


def _deletion(kind: str) -> str:
    return "DeleteEventSubscription" if kind == _EVENT else "DeleteOnNewEmailSubscription"


def _subscribed(mailbox: Mailbox, kind: str, url: str, **parameters: Any) -> Exchange:
    """The exchange that created a subscription."""
    exchange = mailbox.call(kind, {"NotificationUrl": url}, **{**_KINDS[kind], **parameters})
    mailbox.equal(kind, "status", exchange.status, 201)
    content_type = exchange.headers.get("content-type", "")
    mailbox.holds(kind, "Content-Type", content_type, "JSON", content_type.startswith("application/json"))
    if "location" in exchange.headers:
        mailbox.remember_subscription(exchange.headers["location"])
    return exchange


@_EVERY
def test_a_subscription_is_described(mailbox: Mailbox, callback_url: str, kind: str) -> None:
    """The response has id, callback and lifetime, and `Location` where to renew and delete it. Recorded."""
    exchange = _subscribed(mailbox, kind, callback_url)
    body = exchange.json()
    mailbox.members(kind, "", body, {"notificationType": "webhook", "notificationUrl": callback_url})
    mailbox.equal(kind, "renewInterval", body.get("renewInterval"), "PT1H")
    mailbox.holds(kind, "id", body["id"], "a UUID", _UUID.fullmatch(body["id"]) is not None)
    location = exchange.headers.get("location", "")
    name = "EventSubscription" if kind == _EVENT else "MailSubscription"
    part = f"/{name}/$subscriptions/{body['id']}?options="
    mailbox.holds(kind, "Location", location, f"…{part}…", part in location)
    for member, url in (("Location", location), ("resource", body["resource"])):
        mailbox.holds(kind, member, url, f"{mailbox.url}/…", url.startswith(f"{mailbox.url}/"))
    mailbox.follow(location, "DELETE")


@_TWO
def test_a_subscription_belongs_to_its_connection(
    mailbox: Mailbox, partner: Mailbox, callback_url: str, kind: str
) -> None:
    """Another connection can neither renew nor delete a subscription. Inferred."""
    location = _subscribed(mailbox, kind, callback_url).headers["location"]
    elsewhere = partner.url + location.partition(mailbox.url)[2]
    body = {"NotificationUrl": callback_url}
    mailbox.equal(_renewal(kind), "status", partner.follow(elsewhere, "PATCH", body).status, 404)
    mailbox.equal(_deletion(kind), "status", partner.follow(elsewhere, "DELETE").status, 404)
    mailbox.equal(_deletion(kind), "status", mailbox.follow(location, "DELETE").status, 200)


@_EVERY
def test_a_subscription_is_renewed_and_deleted(mailbox: Mailbox, callback_url: str, kind: str) -> None:
    """A renewal answers as the creation did, with the new callback; a deletion is final."""
    created = _subscribed(mailbox, kind, callback_url)
    location = created.headers["location"]
    other = {"NotificationUrl": f"{callback_url}/other"}
    renewed = mailbox.follow(location, "PATCH", other)
    mailbox.equal(_renewal(kind), "status", renewed.status, 200)
    expected = {**created.json(), "notificationUrl": other["NotificationUrl"]}
    mailbox.equal(_renewal(kind), "body", renewed.json(), expected)
    mailbox.equal(_deletion(kind), "status", mailbox.follow(location, "DELETE").status, 200)
    for operation, method, body in ((_deletion(kind), "DELETE", None), (_renewal(kind), "PATCH", other)):
        mailbox.equal(operation, "status", mailbox.follow(location, method, body).status, 404)


@_TWO
def test_a_renewal_without_a_body_fails(mailbox: Mailbox, callback_url: str, kind: str) -> None:
    """A renewal without a body is a 500, and the subscription stays. Notes from live use of the Office 365 twin."""
    location = _subscribed(mailbox, kind, callback_url).headers["location"]
    mailbox.equal(_renewal(kind), "status", mailbox.follow(location, "PATCH").status, 500)
    mailbox.equal(_renewal(kind), "status", mailbox.follow(location, "PATCH", {}).status, 400)
    mailbox.equal(_deletion(kind), "status", mailbox.follow(location, "DELETE").status, 200)


@_TWO
def test_options_of_another_subscription_are_refused(mailbox: Mailbox, callback_url: str, kind: str) -> None:
    """An id is valid with its own options alone. Inferred."""
    location = _subscribed(mailbox, kind, callback_url).headers["location"]
    start = location.partition("?options=")[0]
    for wrong in (start, f"{start}?options=", f"{start}?options=nonsense"):
        mailbox.equal(_deletion(kind), "options", mailbox.follow(wrong, "DELETE").status, 400)
    mailbox.equal(_deletion(kind), "status", mailbox.follow(location, "DELETE").status, 200)


@_EVERY
def test_a_subscription_without_sense_is_refused(mailbox: Mailbox, kind: str) -> None:
    """A subscription needs a callback that is a URL. Inferred."""
    mailbox.refused(kind, 400, {}, **_KINDS[kind])
    mailbox.refused(kind, 400, {"NotificationUrl": "nowhere"}, **_KINDS[kind])


@_EVERY
def test_a_subscription_to_an_unknown_folder_is_refused(mailbox: Mailbox, callback_url: str, kind: str) -> None:
    """A folder or calendar that the mailbox lacks is not found. Inferred: the code is Exchange's own."""
    place = {"table": "Nowhere"} if kind == _EVENT else {"folderPath": "Nowhere"}
    body = {"NotificationUrl": callback_url}
    mailbox.refused(kind, 404, body, **place, code="ErrorFolderNotFound")


# --- Pokes ---


@_EVERY
def test_a_change_pokes_the_subscriber(mailbox: Mailbox, own_address: str, receiver: Receiver, kind: str) -> None:
    """A poke is one POST without a body and with a request id. Notes from live use of the Office 365 twin."""
    location = _subscribed(mailbox, kind, f"{receiver.url}/run?sig=a%2Bb").headers["location"]
    if kind == _EVENT:
        create(mailbox, "Poke", day(1))
    else:
        mention = f'<p><a href="mailto:{own_address}">@{own_address}</a> please look</p>'
        mail = mailbox.to_self(f"Poke {kind}", Body=mention)
        if "Flagged" in kind:
            mailbox.equal(kind, "callback", receiver.callbacks, [])
            mailbox.ok("Flag", messageId=mail["Id"])
    callbacks = receiver.wait()
    if mailbox.holds(kind, "callback", callbacks, "a poke", bool(callbacks)):
        first = callbacks[0]
        mailbox.equal(kind, "callback", [first.method, first.path, first.body], ["POST", "/run?sig=a%2Bb", b""])
        request_id = first.headers.get("x-ms-client-request-id", "")
        mailbox.holds(kind, "callback", request_id, "a UUID", _UUID.fullmatch(request_id) is not None)
    mailbox.equal(_deletion(kind), "status", mailbox.follow(location, "DELETE").status, 200)


def test_a_deleted_subscription_is_silent(mailbox: Mailbox, own_address: str, receiver: Receiver) -> None:
    """After its deletion a subscription causes no poke, while another one still does, where its renewal says.

    What was there before a subscription is no news for it.
    """
    mailbox.ok("Move", messageId=mailbox.to_self("Before")["Id"], folderPath="Archive")
    old = _subscribed(mailbox, _MAIL, f"{receiver.url}/old", folderPath="Archive").headers["location"]
    gone = _subscribed(mailbox, _MAIL, f"{receiver.url}/gone").headers["location"]
    stays = _subscribed(mailbox, _MAIL, f"{receiver.url}/first").headers["location"]
    mailbox.follow(gone, "DELETE")
    mailbox.follow(stays, "PATCH", {"NotificationUrl": f"{receiver.url}/stays"})
    mailbox.to_self("Silence")
    mailbox.equal(_MAIL, "callback", [callback.path for callback in receiver.wait()], ["/stays"])
    for location in (old, stays):
        mailbox.follow(location, "DELETE")


@_TWO
def test_a_subscription_ends_after_its_hour(mailbox: Mailbox, callback_url: str, emulator: Sandbox, kind: str) -> None:
    """A renewal makes it last another hour; after it, it is gone. The hour is recorded, what follows is inferred."""
    location = _subscribed(mailbox, kind, callback_url).headers["location"]
    body = {"NotificationUrl": callback_url}
    for step, status in (("59m", 200), ("59m", 200), ("61m", 404)):
        emulator.clock.advance(step)
        mailbox.equal(_renewal(kind), "status", mailbox.follow(location, "PATCH", body).status, status)


@_RECEIVERS
def test_a_report_of_the_back_end_pokes(
    mailbox: Mailbox, emulator: Sandbox, receiver: Receiver, operation: str, kind: str
) -> None:
    """The back end reports a change with the state of a subscription, and its subscriber is poked. Inferred."""
    connection = mailbox.url.rpartition("/")[2]
    created = _subscribed(mailbox, kind, receiver.url)
    subscriptions = emulator.admin.request("GET", f"/connections/{connection}/subscriptions")["value"]
    state = next(item["state"] for item in subscriptions if item["id"] == created.json()["id"])
    place = {"subscribedConnectionId": connection} if operation.endswith("V2") else {}
    payload = {"value": [{"SequenceNumber": 1, "ChangeType": "Created", "ResourceData": {"Id": "x"}}]}
    mailbox.ok(operation, payload, state=state, **place)
    mailbox.equal(operation, "callback", [callback.body for callback in receiver.wait()], [b""])
    answer = mailbox.call(operation, {"value": []}, state=state, validationtoken="a <b>", **place)
    mailbox.equal(operation, "validationtoken", answer.body, b"a <b>")
    refused = mailbox.call(operation, payload, state="nonsense", **place)
    mailbox.holds(operation, "status", refused.status, "a refusal", refused.status in (400, 403, 404))
    mailbox.follow(created.headers["location"], "DELETE")


@pytest.mark.parametrize(
    ("kind", "parameters", "resource"),
    [
        (_MAIL, {}, "/MailSubscriptionPoke/$subscriptions?folderPath=Inbox"),
        (
            _MAIL,
            {"folderPath": "Archive", "importance": "High", "fetchOnlyWithAttachment": True},
            "/MailSubscriptionPoke/$subscriptions?folderPath=Archive&importance=High&fetchOnlyWithAttachment=True",
        ),
        ("CreateOnNewMentionMeEmailPokeSubscription", {}, "/MentionMeMailSubscriptionPoke/$subscriptions"),
        (_EVENT, {"incomingDays": 7}, "/Calendar/EventSubscriptionPoke/$subscriptions?incomingDays=7&pastDays=50"),
    ],
)
def test_a_subscription_names_what_it_watches(
    mailbox: Mailbox, callback_url: str, kind: str, parameters: dict[str, Any], resource: str
) -> None:
    """`resource` is where the subscription was made, with the query that matters (inferred)."""
    exchange = _subscribed(mailbox, kind, callback_url, **parameters)
    seen = exchange.json()["resource"]
    mailbox.holds(kind, "resource", seen, f"…{resource}", seen.endswith(resource))
    mailbox.follow(exchange.headers["location"], "DELETE")


def test_the_options_belong_to_one_subscription(mailbox: Mailbox, callback_url: str) -> None:
    """The options of a subscription to another folder do not delete this one. Inferred."""
    first = _subscribed(mailbox, _MAIL, callback_url).headers["location"]
    second = _subscribed(mailbox, _MAIL, callback_url, folderPath="Archive").headers["location"]
    mixed = first.partition("?")[0] + "?" + second.partition("?")[2]
    mailbox.equal(_deletion(_MAIL), "options", mailbox.follow(mixed, "DELETE").status, 400)
    for location in (first, second):
        mailbox.equal(_deletion(_MAIL), "status", mailbox.follow(location, "DELETE").status, 200)


def test_a_subscription_watches_its_folder(mailbox: Mailbox, own_address: str, receiver: Receiver) -> None:
    """Mail in another folder pokes nobody; mail in the watched one does."""
    inbox = _subscribed(mailbox, _MAIL, f"{receiver.url}/inbox").headers["location"]
    archive = _subscribed(mailbox, _MAIL, f"{receiver.url}/archive", folderPath="Archive").headers["location"]
    mail = mailbox.to_self("Watched")
    mailbox.equal(_MAIL, "callback", [callback.path for callback in receiver.wait()], ["/inbox"])
    mailbox.follow(inbox, "DELETE")
    mailbox.ok("Move", messageId=mail["Id"], folderPath="Archive")
    mailbox.equal(_MAIL, "callback", [callback.path for callback in receiver.wait(2)], ["/inbox", "/archive"])
    mailbox.follow(archive, "DELETE")


def test_a_deleted_event_pokes(mailbox: Mailbox, receiver: Receiver) -> None:
    """The deletion of an event is a change that pokes, since its trigger reports it."""
    created = create(mailbox, "Short", day(1))
    location = _subscribed(mailbox, _EVENT, receiver.url).headers["location"]
    mailbox.ok("CalendarDeleteItem", table=CALENDAR, id=created["Id"])
    mailbox.equal(_EVENT, "callback", len(receiver.wait()), 1)
    mailbox.follow(location, "DELETE")


def test_mail_without_a_flag_does_not_poke(mailbox: Mailbox, own_address: str, receiver: Receiver) -> None:
    """A subscription to flagged mail is silent while one to new mail is poked."""
    kinds = {"/flag": "CreateOnFlaggedEmailPokeSubscription", "/mail": _MAIL}
    locations = [_subscribed(mailbox, kind, receiver.url + path).headers["location"] for path, kind in kinds.items()]
    for number in (1, 2):
        mailbox.to_self(f"Plain {number}")
        receiver.wait(number)
    mailbox.equal(kinds["/flag"], "callback", [callback.path for callback in receiver.callbacks], ["/mail", "/mail"])
    for location in locations:
        mailbox.follow(location, "DELETE")


# --- What a connector namespace sends ---


@pytest.mark.parametrize("is_split", [False, True])
def test_a_trigger_of_a_namespace_sends_its_items(
    mailbox: Mailbox, own_address: str, emulator: Sandbox, receiver: Receiver, is_split: bool
) -> None:
    """A callback has all items of a poll, or one with splitOn, and says of which trigger. Read in Microsoft's SDK."""
    connection = mailbox.url.rpartition("/")[2]
    name = f"split-{is_split}".lower()
    properties = {
        "operationName": "OnNewEmailV2",
        "connectionDetails": {"connectorName": "outlook", "connectionName": connection},
        "notificationDetails": {"callbackUrl": receiver.url, "httpMethod": "Post"},
        "parameters": [{"name": "subjectFilter", "value": "Pushed"}],
        "splitOn": is_split,
    }
    place = f"/connections/{connection}/triggerConfigs/{name}"
    emulator.admin.request("PUT", place, json={"properties": properties})
    for number in (1, 2):
        mail = mailbox.to_self(f"Pushed {number}")
        *_, last = receiver.wait(number)
        item = json.loads(last.body)["body"]
        if not is_split:
            (item,) = item["value"]
        mailbox.equal("OnNewEmailV2", "callback", item["Id"], mail["Id"])
        headers = {"content-type": "application/json", "x-ms-trigger-name": name}
        seen = {header: last.headers.get(header) for header in headers}
        mailbox.equal("OnNewEmailV2", "callback", seen, headers)
    mailbox.equal("OnNewEmailV2", "callback", len(receiver.callbacks), 2)
    emulator.admin.request("DELETE", place)
