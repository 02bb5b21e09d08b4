"""Values and bodies with which an operation can succeed: names of items that exist in a server, and examples of bodies.

Generated requests alone seldom pass all checks, so they would not reach what is behind these.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from copy import deepcopy
from itertools import count
from typing import Any
from zipfile import ZipFile

import requests

from outlook_emulator.server.admin.routes import ROOT
from tests.server import test_fuzz

BOX = f"{ROOT}/sandboxes/default"
_SPAN = {"Start": "2026-03-04T10:00:00", "End": "2026-03-04T11:00:00"}
_CALLBACK = {"NotificationUrl": "http://127.0.0.1:9/"}
_QUESTION = {**_CALLBACK, "Message": {"To": "alice@outlook.com"}}
_TRIGGER = {"operationName": "OnNewEmailV2", "notificationDetails": {"callbackUrl": "http://127.0.0.1:9/"}}
_CALENDAR = b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:20260302T100000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
_CARD = b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ann\r\nEND:VCARD\r\n"
_numbers = count(1)


def _name() -> str:
    return f"n{next(_numbers)}"


def _seed_folder() -> bytes:
    file = io.BytesIO()
    with ZipFile(file, "w") as folder:
        folder.writestr("mailbox.toml", f'address = "{_name()}@example.com"\ndisplay_name = "Ann"\n')
    return file.getvalue()


_EVENT = {"Subject": "s", **_SPAN}
BODIES: dict[str, Any] = {
    "POST /{connectionId}/mailwithoptions/$subscriptions": _QUESTION,
    "POST /{connectionId}/approvalmail/$subscriptions": _QUESTION,
    "POST /{connectionId}/MailSubscriptionPoke/$subscriptions": _CALLBACK,
    "POST /{connectionId}/FlaggedMailSubscriptionPoke/$subscriptions": _CALLBACK,
    "POST /{connectionId}/MentionMeMailSubscriptionPoke/$subscriptions": _CALLBACK,
    "POST /{connectionId}/{table}/EventSubscriptionPoke/$subscriptions": _CALLBACK,
    "PATCH /{connectionId}/MailSubscription/$subscriptions/{id}": _CALLBACK,
    "PATCH /{connectionId}/EventSubscription/$subscriptions/{id}": _CALLBACK,
    "POST /{connectionId}/codeless/api/v2.0/me/messages/{message_id}/forward": {"ToRecipients": "x@y.z"},
    "POST /{connectionId}/codeless/api/v2.0/me/events/{event_id}/{response}": {"SendResponse": True},
    "POST /{connectionId}/v2/Mail/ReplyTo/{messageId}": {"Body": "b"},
    "POST /{connectionId}/v3/Mail/ReplyTo/{messageId}": {"Body": "b"},
    "POST /{connectionId}/datasets/calendars/tables/{table}/items": _EVENT,
    "PATCH /{connectionId}/datasets/calendars/tables/{table}/items/{id}": _EVENT,
    "POST /{connectionId}/datasets/calendars/v2/tables/{table}/items": {**_EVENT, "TimeZone": "UTC"},
    "PATCH /{connectionId}/datasets/calendars/v2/tables/{table}/items/{id}": {**_EVENT, "TimeZone": "UTC"},
    "POST /{connectionId}/datasets/calendars/v3/tables/{table}/items": _EVENT,
    "PATCH /{connectionId}/datasets/calendars/v3/tables/{table}/items/{id}": _EVENT,
    "POST /{connectionId}/datasets/contacts/tables/{table}/items": {"GivenName": "Ann"},
    "PATCH /{connectionId}/datasets/contacts/tables/{table}/items/{id}": {"GivenName": "Ann"},
    "POST /sandboxes/{sandbox}/clock": {"advance": "1m"},
    "POST /sandboxes/{sandbox}/wait": {"timeoutSeconds": 0},
    "POST /sandboxes/{sandbox}/faults": {"header": "nobody", "faults": [{"effect": "throttled"}]},
    "POST /sandboxes/{sandbox}/questions/{question}/answer": {"option": "Approve"},
    "POST /sandboxes/{sandbox}/connections/{connection}/deliver": {"from": "e@f.g", "subject": "s", "text": "b"},
    "POST /sandboxes/{sandbox}/connections/{connection}/calendars/{table}/import": _CALENDAR,
    "POST /sandboxes/{sandbox}/connections/{connection}/contactfolders/{table}/import": _CARD,
    "PUT /sandboxes/{sandbox}/connections/{connection}/triggerConfigs/{name}": {"properties": _TRIGGER},
}
"""Bodies that succeed, by method and path below the root of the connector or of the admin API."""
NEW_BODIES: dict[str, Callable[[], Any]] = {
    "POST /sandboxes": lambda: {"name": _name()},
    "PUT /sandboxes/{sandbox}": lambda: {"connections": [{"id": _name()}]},
    "POST /sandboxes/{sandbox}/connections": lambda: {"id": _name()},
    "POST /sandboxes/{sandbox}/seed": lambda: {"name": "empty", "connection": _name()},
    "POST /sandboxes/{sandbox}/seed-zip": _seed_folder,
    "POST /sandboxes/{sandbox}/connections/{connection}/folders": lambda: {"path": _name()},
    "POST /sandboxes/{sandbox}/connections/{connection}/calendars": lambda: {"name": _name()},
    "POST /sandboxes/{sandbox}/connections/{connection}/contactfolders": lambda: {"name": _name()},
}
"""Makes bodies that succeed once, since they name something new."""


class Target:
    """The connection alice in the default sandbox of a server, in which there is something of each kind."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.headers["Authorization"] = "Bearer token"
        self._session.trust_env = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on, so that what is written for an app in this process works with a server."""
        query = scope["query_string"].decode("latin-1")
        answer = self._session.request(
            scope["method"],
            f"{self._url}{scope['raw_path'].decode('latin-1')}?{query}",
            data=(await receive())["body"],
            timeout=60,
            allow_redirects=False,
        )
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers.items()]
        await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": answer.content})

    def values(self, method: str, path: str, is_admin: bool) -> dict[str, str]:
        """Values of the parameters of an operation, which refer to what exists, for one request."""
        # The functions for an app take anything that can be called as one.
        app: Any = self
        if is_admin:
            return self._admin_values(app, method, path)
        return {**test_fuzz.known(app, path.removeprefix("/{connectionId}")), "comment": "b"}

    def body(self, method: str, path: str) -> Any:
        """The example of a body; None if there is none."""
        if path.endswith("/import") and "connections" not in path:
            return self._session.get(f"{self._url}{BOX}/export", timeout=60).content
        operation = f"{method} {path}"
        # A copy, since the sender may change it.
        return NEW_BODIES[operation]() if operation in NEW_BODIES else deepcopy(BODIES.get(operation))

    def _admin_values(self, app: Any, method: str, path: str) -> dict[str, str]:
        values = {"sandbox": "default", "connection": "alice", "message": test_fuzz.newest(app)["messageId"]}
        values["table"] = "Contacts" if "contactfolders" in path else "Calendar"
        values["outbox_mail"] = self._last("outbox")
        if path == "/sandboxes/{sandbox}":
            values["sandbox"] = _name()
            if method != "PUT":
                self._put(f"{ROOT}/sandboxes/{values['sandbox']}", {})
        if method == "DELETE" and path.endswith("/connections/{connection}"):
            values["connection"] = _name()
            self._session.post(f"{self._url}{BOX}/connections", json={"id": values["connection"]}, timeout=60)
        if "/triggerConfigs/" in path:
            self._put(f"{BOX}/connections/alice/triggerConfigs/news", {"properties": _TRIGGER})
            values["name"] = "news"
        if "/subscriptions/" in path:
            values["subscription"] = test_fuzz.subscription(app, "/MailSubscription")["id"]
        if "/snapshots/" in path:
            self._put(f"{BOX}/snapshots/one", None)
            values["name"] = "one"
        if "/faults/" in path:
            self._session.delete(f"{self._url}{BOX}/faults", timeout=60)
            values["fault"] = test_fuzz.fault(app)
        if "/questions/" in path:
            test_fuzz.question(app, "/approvalmail/$subscriptions")
            values["question"] = self._last("questions")
        if path.endswith("/seed-zip"):
            values["connection"] = _name()
        return values

    def _put(self, path: str, body: Any) -> None:
        self._session.put(f"{self._url}{path}", json=body, timeout=60)

    def _last(self, kind: str) -> str:
        return str(self._session.get(f"{self._url}{BOX}/{kind}", timeout=60).json()["value"][-1]["id"])
