"""Items that exist, for the ids, names and tokens that a generated request needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from html import unescape
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from outlook_contract.mailbox import CALENDAR, CONTACTS, Mailbox, Unexpected
from outlook_contract.routes import Route
from outlook_contract.suite.events import create, day

if TYPE_CHECKING:
    from outlook_emulator.testing import Sandbox

Values = Mapping[str, str]
_ID_NAMES = frozenset({"messageId", "message_id", "attachmentId", "event_id", "id"})
_NAMES = frozenset({"Subject", "GivenName"})
_RECIPIENTS = frozenset({"To", "ToRecipients"})
_OTHERS = frozenset({"Cc", "Bcc", "ReplyTo", "Attendees", "RequiredAttendees", "OptionalAttendees"}) | {
    "ResourceAttendees",
    "Organizer",
    "Recurrence",
}
"""Members that a request to a real mailbox leaves out: other people, and series without an end."""
_LINK = re.compile(r'href="([^"]*RecordResponse[^"]*)"')
_FILE = {"Name": "a.txt", "ContentBytes": "YQ=="}
_FRESH = timedelta(minutes=30)
"""Age up to which a subscription is used."""
_SERIALS = count(1)


class Items:
    """Makes items in a mailbox when a request needs one, and again after a request has used one up."""

    def __init__(
        self,
        mailbox: Mailbox,
        callback_url: str,
        inviter: Mailbox | None,
        sandbox: Sandbox | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._mailbox = mailbox
        self._now = now
        self._callback_url = callback_url
        self._inviter = inviter
        self._sandbox = sandbox
        self._live: dict[str, Values] = {}
        self._gone: dict[str, Values] = {}
        self._made_at: dict[str, datetime] = {}
        self._makers: Mapping[str, Callable[[], Values]] = {
            "mail": self._mail,
            "event": self._event,
            "contact": self._contact,
            "folder": self._folder,
            "invitation": self._invitation,
            "/MailSubscription": lambda: self._subscription("CreateOnNewEmailPokeSubscription"),
            "/EventSubscription": lambda: self._subscription("CreateOnChangedEventPokeSubscription", table=CALENDAR),
            "/MailSubscriptionReceive": lambda: self._state("CreateOnNewEmailPokeSubscription"),
            "/EventSubscriptionReceive": lambda: self._state("CreateOnChangedEventPokeSubscription", table=CALENDAR),
            "/approvalmail": lambda: self._question("SendApprovalMail"),
            "/mailwithoptions": lambda: self._question("SendMailWithOptions"),
        }

    def values(self, route: Route, *, gone: bool = False) -> Values:
        """Values for the parameters of an operation that name something: of live items, or of deleted ones."""
        place = "Contacts" if "/contacts/" in route.path else CALENDAR
        values = {"table": place, "calendarId": CALENDAR, "dataset": "calendars", "folderPath": "Archive"}
        values |= {
            "mailboxAddress": self._mailbox.address,
            "subscribedConnectionId": self._mailbox.url.rpartition("/")[2],
        }
        if kind := kind_of(route):
            values |= self._of(kind, gone=gone)
        return {name: value for name, value in values.items() if name in route.parameters}

    def fill_in(self, body: Any, *, careful: bool) -> None:
        """Put what only the run knows into a generated body: its callback URL, and the sender that it may be.

        When `careful`, names carry the run's marker, and all mail goes to the own address.
        """
        if not isinstance(body, dict):
            return
        if "NotificationUrl" in body:
            body["NotificationUrl"] = self._callback_url
        if isinstance(message := body.get("Message"), dict):
            self.fill_in(message, careful=careful)
        if isinstance(body.get("From"), str):
            body["From"] = self._mailbox.address
        if careful:
            for name in _NAMES & body.keys():
                body[name] = self._mailbox.name("Generated")
            for name in _RECIPIENTS & body.keys():
                body[name] = self._mailbox.address
            for name in _OTHERS & body.keys():
                del body[name]

    def use_up(self, route: Route) -> None:
        """Take note that a request has deleted its item, moved it, or answered it."""
        if (kind := kind_of(route)) and (values := self._live.pop(kind, None)) and kind != "invitation":
            # An invitation can be answered again.
            self._gone[kind] = values

    def _of(self, kind: str, *, gone: bool) -> Values:
        if gone:
            if kind not in self._gone:
                self._gone[kind] = self._ended(kind)
            return self._gone[kind]
        # A subscription lasts an hour, and a run may take longer.
        is_old = kind.startswith("/") and kind in self._live and self._now() - self._made_at[kind] > _FRESH
        if kind not in self._live or is_old:
            self._live[kind] = self._makers[kind]()
            self._made_at[kind] = self._now()
        return self._live[kind]

    def _ended(self, kind: str) -> Values:
        """The values of an item that was made and deleted."""
        values, mailbox = self._makers[kind](), self._mailbox
        match kind:
            case "mail":
                mailbox.ok("DeleteEmail", messageId=values["messageId"])
            case "event":
                mailbox.ok("CalendarDeleteItem", table=CALENDAR, id=values["id"])
            case "contact":
                mailbox.ok("ContactDeleteItem", table=CONTACTS, id=values["id"])
            case "invitation":
                mailbox.ok("CalendarDeleteItem", table=CALENDAR, id=values["event_id"])
            case "/MailSubscription" | "/EventSubscription":
                deletion = "DeleteOnNewEmailSubscription" if kind == "/MailSubscription" else "DeleteEventSubscription"
                mailbox.ok(deletion, **values)
            case "/approvalmail":
                mailbox.ok("DeleteApprovalMailSubscription", id=values["id"])
            case "/mailwithoptions":
                mailbox.ok("DeleteOptionsMailSubscription", id=values["id"])
        return values

    def _mail(self) -> Values:
        mail = self._mailbox.to_self(f"Generated {next(_SERIALS)}", Attachments=[_FILE])
        whole = self._mailbox.ok("GetEmail", messageId=mail["Id"], includeAttachments=True)
        return {
            "messageId": mail["Id"],
            "message_id": mail["Id"],
            "messageIdToFireOnFirstTriggerRun": mail["Id"],
            "attachmentId": whole["Attachments"][0]["Id"],
        }

    def _event(self) -> Values:
        return {"id": create(self._mailbox, f"Generated {next(_SERIALS)}")["Id"]}

    def _contact(self) -> Values:
        body = {"GivenName": self._mailbox.name(f"Generated {next(_SERIALS)}"), "HomePhones": []}
        return {"id": self._mailbox.ok("ContactPostItem", body, table=CONTACTS)["Id"]}

    def _folder(self) -> Values:
        folders = self._mailbox.ok("OnFilePickerOpen", operation="MailFolders")["value"]
        return {"id": folders[0]["Id"]}

    def _invitation(self) -> Values:
        if self._inviter is None:
            raise Unexpected("no second mailbox can send an invitation")
        text = f"Generated {next(_SERIALS)}"
        create(self._inviter, text, day(2), RequiredAttendees=self._mailbox.address)
        subject = self._inviter.name(text)
        invitation, *_ = self._mailbox.until("The invitation", lambda: self._events(subject))
        return {"event_id": invitation["Id"]}

    def _events(self, subject: str) -> Any:
        query = f"Subject eq '{subject}'"
        return self._mailbox.ok("V3CalendarGetItems", table=CALENDAR, filter=query)["value"]

    def _subscription(self, operation: str, **parameters: str) -> Values:
        exchange = self._mailbox.call(operation, {"NotificationUrl": self._callback_url}, **parameters)
        location = exchange.headers["location"]
        self._mailbox.remember_subscription(location)
        return {"id": exchange.json()["id"], "options": dict(parse_qsl(urlsplit(location).query))["options"]}

    def _state(self, operation: str, **parameters: str) -> Values:
        """The state that the mail service reports changes of a subscription with; only an emulator tells it."""
        assert self._sandbox is not None
        id = self._subscription(operation, **parameters)["id"]
        connection = self._mailbox.url.rpartition("/")[2]
        subscriptions = self._sandbox.admin.request("GET", f"/connections/{connection}/subscriptions")["value"]
        return {"state": next(item["state"] for item in subscriptions if item["id"] == id)}

    def _question(self, operation: str) -> Values:
        text = f"Generated {next(_SERIALS)}"
        message = {"To": self._mailbox.address, "Subject": self._mailbox.name(text)}
        exchange = self._mailbox.call(operation, {"NotificationUrl": self._callback_url, "Message": message})
        self._mailbox.remember_subscription(exchange.headers["location"])
        link = _LINK.search(self._mailbox.mail(self._mailbox.name(text))["Body"])
        if link is None:
            raise Unexpected("the mail with the question has no link")
        return {"id": exchange.json()["id"], **dict(parse_qsl(urlsplit(unescape(link[1])).query))}


def ids_of(route: Route) -> set[str]:
    """The parameters of an operation that hold the id of an item."""
    return {name for name in route.parameters if name in _ID_NAMES}


def kind_of(route: Route) -> str:
    """The kind of item that an operation names; empty if it names none."""
    names = set(route.parameters)
    if names & {"messageId", "message_id", "messageIdToFireOnFirstTriggerRun"}:
        return "mail"
    if "event_id" in names:
        return "invitation"
    if "Subscription/$subscriptions/{id}" in route.path or "/$subscriptions/{id}" in route.path:
        return route.path.partition("/$")[0]
    if route.path == "/RecordResponse":
        return "/approvalmail"
    if route.is_at_root:
        return "/" + route.path.rpartition("/")[2]
    if "id" in names:
        if "/contacts/" in route.path:
            return "contact"
        return "event" if "/calendars/" in route.path else "folder"
    return ""
