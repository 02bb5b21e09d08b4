"""No request may cause a server error: generated from the API documents, mutated, or random."""

from __future__ import annotations

import asyncio
import atexit
import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote_from_bytes, unquote, urlencode, urlsplit

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from requests import Request
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import response_schema_conformance
from starlette.applications import Starlette

from outlook_emulator.app import create_app
from outlook_emulator.clock import VirtualClock
from outlook_emulator.operations import OPERATIONS, Operation
from outlook_emulator.server.admin.openapi import openapi
from outlook_emulator.server.admin.request import AdminOperation
from outlook_emulator.server.admin.routes import ADMIN, ROOT
from outlook_emulator.server.connector.swagger import swagger
from outlook_emulator.settings import Settings
from tests.paths import FIXTURES

pytestmark = pytest.mark.slow

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
EVENTS = "/datasets/calendars/v3/tables/Calendar"
SPAN = {"Start": "2026-03-04T10:00:00Z", "End": "2026-03-04T11:00:00Z"}
for media_type in ("application/vnd.sqlite3", "application/zip"):
    schemathesis.serializer.alias(media_type, "application/octet-stream")
EML_FILES = sorted(FIXTURES.rglob("*.eml"))

LONGEST = 5.0
"""How much processor time a generated request may take, in seconds: several times a second, for slow machines."""
_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example, HealthCheck.filter_too_much]


def fixed(examples: int) -> settings:
    """Settings that repeat the same examples in every run."""
    return settings(max_examples=examples, derandomize=True, database=None, deadline=None, suppress_health_check=_QUIET)


class Reply(NamedTuple):
    """A response as it was sent."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def send(
    app: Starlette,
    method: str,
    path: bytes,
    query: bytes = b"",
    headers: list[tuple[bytes, bytes]] | None = None,
    body: bytes = b"",
) -> Reply:
    """Send one request straight to an app, with bytes that client libraries would reject."""
    messages: list[Any] = []
    scope = {
        "type": "http",
        "http_version": "1.1",
        "scheme": "http",
        "server": ("test", 80),
        "root_path": "",
        "method": method,
        "path": unquote(path.decode("latin-1")),
        "raw_path": path,
        "query_string": query,
        "headers": [(b"authorization", b"Bearer token")] if headers is None else headers,
    }

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def collect(message: Any) -> None:
        messages.append(message)

    _loop().run_until_complete(app(scope, receive, collect))
    start, *rest = messages
    return Reply(start["status"], dict(start["headers"]), b"".join(message.get("body", b"") for message in rest))


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """The event loop of all requests. To make one for each would take a third of the time."""
    loop = asyncio.new_event_loop()
    atexit.register(loop.close)
    return loop


def call(app: Starlette, method: str, path: str, body: Any = None, query: bytes = b"") -> Any:
    """The JSON of a request that must succeed; `path` starts at Alice's mailbox."""
    data = b"" if body is None else json.dumps(body).encode()
    answer = send(app, method, f"/apim/outlook/alice{path}".encode(), query, body=data)
    assert answer.status in range(200, 300), answer
    return answer.json() if answer.body else None


def newest(app: Starlette) -> dict[str, str]:
    """The ids of a new mail and its attachment.

    Each recipient line has one address, because the Swagger document declares these lines as single email addresses.
    """
    file = {"Name": "a.txt", "ContentBytes": "YQ=="}
    call(
        app,
        "POST",
        "/v2/Mail",
        {"To": "alice@outlook.com", "Bcc": "x@y.z", "Subject": "s", "Body": "b", "Attachments": [file]},
    )
    (mail,) = call(app, "GET", "/v2/Mail", query=b"top=1&fetchOnlyUnread=false")["value"]
    return {
        "connectionId": "alice",
        "messageId": mail["Id"],
        "message_id": mail["Id"],
        "attachmentId": mail["Attachments"][0]["Id"],
    }


def known(app: Starlette, path: str) -> dict[str, str]:
    """Parameter values that refer to items that exist, so that an operation can succeed."""
    values = {**newest(app), "response": "Accept", "operation": "MailFolders", "folderPath": "Archive"}
    values |= {"startDateTimeOffset": "2026-03-01", "endDateTimeOffset": "2026-04-01", "calendarId": "Calendar"}
    values |= {"event_id": invitation(app), "dataset": "calendars", "table": "Calendar", "state": watched(app)}
    values["subscribedConnectionId"] = "alice"
    if path == "/RecordResponse" or path.startswith(("/approvalmail/", "/mailwithoptions/")):
        return values | question(app, path.partition("/{id}")[0])
    if "Subscription/$subscriptions" in path:
        return values | subscription(app, path.partition("/$")[0])
    if "/contacts/" in path:
        contact = call(app, "POST", "/datasets/contacts/tables/Contacts/items", {"GivenName": "Ann"})
        return values | {"table": "Contacts", "id": contact["Id"]}
    if "/calendars/" in path:
        return values | {
            "table": "Calendar",
            "id": call(app, "POST", f"{EVENTS}/items", {"Subject": "s", **SPAN})["Id"],
        }
    (folder,) = call(app, "GET", "/OnFilePickerOpen", query=b"operation=MailFolders&top=1")["value"]
    return values | {"id": folder["Id"]}


def watched(app: Starlette) -> str:
    """The `state` of a live subscription in change notifications."""
    subscription(app, "/MailSubscription")
    path = f"{ROOT}/sandboxes/default/connections/alice/subscriptions"
    state: str = send(app, "GET", path.encode()).json()["value"][-1]["state"]
    return state


def invitation(app: Starlette) -> str:
    """The id of an event in Alice's calendar that Bob organizes."""
    body = json.dumps({"Subject": "s", **SPAN, "RequiredAttendees": "alice@outlook.com"}).encode()
    answer = send(app, "POST", f"/apim/outlook/bob{EVENTS}/items".encode(), body=body)
    assert answer.status == 201, answer
    listed = call(app, "GET", f"{EVENTS}/items", query=b"$filter=IsOrganizer%20eq%20false&$orderby=Id%20desc&$top=1")
    event_id: str = listed["value"][0]["Id"]
    return event_id


def subscription(app: Starlette, path: str) -> dict[str, str]:
    """The id and the options of a new subscription below a path."""
    create = "/Calendar/EventSubscriptionPoke" if "Event" in path else f"{path}Poke"
    body = b'{"NotificationUrl": "http://127.0.0.1:9/"}'
    answer = send(app, "POST", f"/apim/outlook/alice{create}/$subscriptions".encode(), body=body)
    assert answer.status == 201, answer
    options = urlsplit(answer.headers[b"location"].decode()).query
    return {"id": answer.json()["id"], **dict(parse_qsl(options))}


def trigger(app: Starlette) -> str:
    """The name of a new push trigger."""
    details = {"callbackUrl": "http://127.0.0.1:9/"}
    body = {"properties": {"operationName": "OnNewEmailV2", "notificationDetails": details}}
    path = f"{ROOT}/sandboxes/default/connections/alice/triggerConfigs/news"
    assert send(app, "PUT", path.encode(), body=json.dumps(body).encode()).status == 201
    return "news"


def question(app: Starlette, path: str) -> dict[str, str]:
    """The id of an open question, and the query parameters of its first link."""
    create = "/approvalmail/$subscriptions" if path == "/RecordResponse" else path
    body = {"NotificationUrl": "http://127.0.0.1:9/", "Message": {"To": "alice@outlook.com"}}
    created = call(app, "POST", create, body)
    (mail,) = call(app, "GET", "/v2/Mail", query=b"top=1&fetchOnlyUnread=false")["value"]
    link = unescape(mail["Body"].partition('href="')[2].partition('"')[0])
    return {"id": created["id"], **dict(parse_qsl(urlsplit(link).query))}


def is_clean(answer: Reply) -> bool:
    """Whether a response is a success, or an error of the client in the connector's shape."""
    if answer.status < 400:
        return True
    shape = {"status", "message", "error", "source"}
    members = set(answer.json()) - {"nearMisses"}
    return answer.status in (*range(400, 500), 501) and members in (shape, shape - {"error"})


def still_readable(app: Starlette) -> None:
    """Read Alice's mail in every way; each must succeed."""
    mails = call(
        app,
        "GET",
        "/v2/Mail",
        query=b"top=2&fetchOnlyUnread=false&includeAttachments=true",
    )["value"]
    call(app, "GET", "/Mail", query=b"top=2&fetchOnlyUnread=false&folderPath=SentItems&searchQuery=s")
    for mail in mails:
        root = f"{ROOT}/sandboxes/default/connections/alice/messages/{mail['Id']}/mime"
        assert send(app, "GET", root.encode()).status == 200
        call(app, "POST", f"/codeless/api/v2.0/me/messages/{mail['Id']}/forward", {"ToRecipients": "x@y.z"})
        for file in mail["Attachments"]:
            path = f"/apim/outlook/alice/Mail/{mail['Id']}/Attachments/{file['Id']}"
            assert send(app, "GET", path.encode()).status == 200


def items_still_readable(app: Starlette) -> None:
    """Read Alice's calendar and contacts in every way; each must succeed."""
    for path in ("/datasets/calendars/tables/Calendar/items", "/datasets/contacts/tables/Contacts/items"):
        call(app, "GET", path)
    window = b"calendarId=Calendar&startDateTimeOffset=2026-01-01&endDateTimeOffset=2027-01-01"
    call(app, "GET", "/datasets/calendars/v2/tables/items/calendarview", query=window)
    for path in ("calendars/Calendar/export", "contactfolders/Contacts/export"):
        assert send(app, "GET", f"{ROOT}/sandboxes/default/connections/alice/{path}".encode()).status == 200


@pytest.fixture(scope="module")
def app() -> Iterator[Starlette]:
    yield from running()


@pytest.fixture
def fresh() -> Iterator[Starlette]:
    """An app for one test, whose lists hold only the items of that test."""
    yield from running()


def running() -> Iterator[Starlette]:
    app = create_app(Settings(max_calls=0, max_body_bytes=100_000, max_mail_bytes=50_000), VirtualClock(START))
    send(app, "GET", b"/apim/outlook/alice/testconnection")
    yield app
    app.state.sandboxes.close()


# --- Requests that the documents describe ---------------------------------------------------------------------------


@cache
def connector_document() -> Any:
    return schemathesis.openapi.from_dict(swagger(OPERATIONS))


@cache
def admin_document() -> Any:
    return schemathesis.openapi.from_dict(openapi(ADMIN, ROOT))


def requests(schema: Any, path: str, method: str) -> st.SearchStrategy[Any]:
    """Requests to one operation, valid and invalid by its API document."""
    operation = schema[path][method]
    fitting: st.SearchStrategy[Any] = operation.as_strategy()
    broken: st.SearchStrategy[Any] = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    return fitting | broken


def answered(app: Starlette, case: Any, base_path: str) -> int:
    """Send a generated request, check the response against the API document, and return its status."""
    arguments = case.as_transport_kwargs(f"http://test{base_path}", {"Authorization": "Bearer token"})
    request: Any = Request(**arguments).prepare()
    url = urlsplit(request.url)
    headers = [(name.lower().encode("latin-1"), _bytes(value)) for name, value in request.headers.items()]
    started = time.process_time()
    reply = send(app, request.method, url.path.encode(), url.query.encode(), headers, _bytes(request.body or b""))
    took = time.process_time() - started
    assert took < LONGEST, f"{request.method} {request.url} took {took:.2f} s"
    answer = httpx.Response(
        reply.status,
        headers=list(reply.headers.items()),
        # The Swagger document declares one email address, but the string is empty or ends in a semicolon.
        content=re.sub(rb'Attendees":"(?:[^"\\]|\\.)*"', b'Attendees":"a@b.c"', reply.body),
        request=httpx.Request(request.method, request.url),
    )
    answer.elapsed = timedelta()
    case.validate_response(answer, checks=[not_a_server_error, response_schema_conformance])
    return reply.status


def _bytes(text: str | bytes) -> bytes:
    return text.encode("latin-1") if isinstance(text, str) else text


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda row: row.id)
def test_described_requests(fresh: Starlette, operation: Operation) -> None:
    """A request that fits the Swagger document, or nearly does, never fails, and a success has the documented shape."""
    seen = set()

    # Few, because the contract suite generates requests from the same document.
    @fixed(3)
    @given(requests(connector_document(), operation.full_path, operation.method))
    def check(case: Any) -> None:
        seen.add(answered(fresh, case, "/apim/outlook"))
        _aim(case, known(fresh, operation.path))
        seen.add(answered(fresh, case, "/apim/outlook"))

    check()
    assert seen & {operation.success, *operation.also, 202 if operation.cursor else 0} or operation.accepts


@pytest.mark.parametrize("operation", ADMIN, ids=lambda row: row.id)
def test_described_admin_requests(app: Starlette, operation: AdminOperation) -> None:
    """A request that fits the OpenAPI document, or nearly does, never fails, and a success has the documented shape."""
    seen = set()

    @fixed(4)
    @given(requests(admin_document(), operation.path, operation.method))
    def check(case: Any) -> None:
        _hasten(case)
        seen.add(answered(app, case, ROOT))
        # The faults of this request must not act on the next requests.
        app.state.sandboxes.default.traffic.faults.clear()
        _lift_limits(app, case)
        there = {"sandbox": "default", "connection": "alice", "message": newest(app)["messageId"]}
        there["table"] = "Calendar" if "/calendars" in operation.path else "Contacts"
        if "/triggerConfigs/" in operation.path:
            there["name"] = trigger(app)
        elif "/subscriptions/" in operation.path:
            there["subscription"] = subscription(app, "/MailSubscription")["id"]
        elif "/snapshots/" in operation.path:
            there["name"] = app.state.sandboxes.default.save("fuzz").name
        elif "/faults/" in operation.path:
            there["fault"] = fault(app)
        _aim(case, {**there, "outbox_mail": str(app.state.sandboxes.default.outbox()[-1].id)})
        seen.add(answered(app, case, ROOT))
        app.state.sandboxes.default.traffic.faults.clear()
        _lift_limits(app, case)

    check()
    assert seen & {operation.status, 409} or operation.accepts or operation.accepts_type
    still_readable(app)
    items_still_readable(app)


def fault(app: Starlette) -> str:
    """The name of a new fault rule that matches no request."""
    plan = {"header": "nobody", "faults": [{"name": "fuzz", "effect": "throttled"}]}
    answer = send(app, "POST", f"{ROOT}/sandboxes/default/faults".encode(), body=json.dumps(plan).encode())
    assert answer.status == 201, answer
    return "fuzz"


def _hasten(case: Any) -> None:
    """Give a wait request a timeout of zero."""
    if case.path.endswith("/wait") and isinstance(case.body, dict):
        case.body["timeoutSeconds"] = 0


def _lift_limits(app: Starlette, case: Any) -> None:
    """Reset the limits that a request has set, so that the next requests pass."""
    if case.path.endswith("/limits"):
        app.state.sandboxes.reset("default")


def _aim(case: Any, known: dict[str, str]) -> None:
    """Let a request refer to existing items, and drop its filters and paging."""
    for parameters in (case.path_parameters, case.query):
        parameters.update({name: known[name] for name in parameters if name in known})
    if "state" in case.query and "sig" in known:
        # A link without its signature is refused, although the document does not demand one.
        case.query["sig"] = known["sig"]
    for name in ("$filter", "$orderby", "$top", "$skip"):
        case.query.pop(name, None)


# --- Noise ----------------------------------------------------------------------------------------------------------

_CALLS = [
    *((row.method, f"/apim/outlook{row.full_path}") for row in OPERATIONS),
    # A wait would take ten seconds.
    *((row.method, ROOT + row.path) for row in ADMIN if not row.path.endswith("/wait")),
]
_WORDS = sorted({word.encode() for _, path in _CALLS for word in path.split("/") if word and "{" not in word})
_METHODS = st.sampled_from(["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS"])
_NAMES = sorted(
    {parameter.name for row in OPERATIONS for parameter in row.parameters} | {"received", "folder", "isRead"}
)
_HEADERS = st.sampled_from(
    [
        b"authorization",
        b"content-length",
        b"content-type",
        b"accept",
        b"host",
        b"user-agent",
        b"x-ms-client-request-id",
        b"x-ms-environment-id",
        b"x-ms-operation-context",
        b"x-ms-user-agent",
        b"x-ms-workflow-name",
    ]
)
# Without line feeds: outside the connector, Starlette has no route for a path with one and responds itself.
_noise = st.binary(max_size=20).map(lambda raw: raw.replace(b"\n", b""))
_escaped = _noise.map(lambda raw: quote_from_bytes(raw, safe="").encode())
_values = st.sampled_from([b"0", b"-1", b"true", b"Inbox", b"Archive/x", b"%22", b"from:x", b"a@b.c", b"99999999999"])
_pieces = _values | _escaped | _noise | _escaped.map(lambda once: once.replace(b"%", b"%25"))
_query = st.lists(
    st.tuples(st.sampled_from(_NAMES).map(str.encode) | _escaped, _pieces).map(b"=".join) | _noise, max_size=4
).map(b"&".join)
_headers = st.lists(st.tuples(_HEADERS, _noise | _values), max_size=4)


_ids = st.sampled_from([b"alice", b"default", b"Inbox", b"1"]) | _pieces


def _filled(template: str) -> st.SearchStrategy[bytes]:
    """A path of the server with random ids."""
    parts = (_ids if "{" in part else st.just(part.encode()) for part in template.split("/"))
    return st.tuples(*parts).map(b"/".join)


_own = st.sampled_from(_CALLS).flatmap(lambda call: st.tuples(st.just(call[0]), _filled(call[1])))
_prefixes = st.sampled_from([b"/apim/outlook/", b"/apim/outlook/alice/", b"/_emulator/api/", b"/"])
_mixed = st.lists(st.sampled_from(_WORDS) | _pieces, max_size=6).map(b"/".join)
_calls = _own | st.tuples(_METHODS, st.tuples(_prefixes, _mixed).map(b"".join))


@fixed(200)
@given(_calls, _query, _headers, _noise, st.integers(0, 5))
def test_noise(app: Starlette, call: Any, query: bytes, headers: Any, body: bytes, known: int) -> None:
    """Random paths, queries, headers and bodies never fail; errors have the connector's shape."""
    credential = [(b"authorization", b"Key k")] if known else []
    method, path = call

    assert is_clean(send(app, method, path, query, [*headers, *credential], body))


@fixed(100)
@given(st.text(max_size=10), st.sampled_from(OPERATIONS))
def test_made_up_methods(app: Starlette, method: str, operation: Operation) -> None:
    """An unknown method is treated like a method that the path does not support."""
    assume(method not in ("GET", "POST", "PATCH", "DELETE"))
    answer = send(app, method, f"/apim/outlook{operation.full_path}".encode())

    assert (405, "MethodNotAllowed") == (answer.status, answer.json()["error"]["code"])


@fixed(80)
@given(
    st.sampled_from(OPERATIONS),
    st.dictionaries(st.sampled_from(_NAMES), st.text(max_size=12) | st.integers(), max_size=5),
)
def test_any_value(app: Starlette, operation: Operation, values: dict[str, Any]) -> None:
    """Every operation accepts or rejects any value of any parameter, on a mail that exists."""
    path = f"/apim/outlook{operation.full_path}".format_map(known(app, operation.path))
    query = urlencode(values, errors="surrogatepass").encode()

    assert is_clean(send(app, operation.method, path.encode(), query, body=b"{}"))


# --- Bodies that are almost valid -----------------------------------------------------------------------------------

_FILE = {"Name": "a.txt", "ContentBytes": {"$content-type": "text/plain", "$content": "YQ=="}}
_REPLY = {
    "To": "a@b.c",
    "Cc": "Bob <b@c.d>;",
    "Subject": "s",
    "Body": "<p>b</p>",
    "ReplyAll": True,
    "Importance": "Low",
}
_DRAFT = {**_REPLY, "To": "alice@outlook.com", "Bcc": "d@e.f", "ReplyTo": "e@f.g", "Attachments": [_FILE]}
_OUTSIDE = {"from": "a@b.c", "to": "d@e.f", "subject": "s", "html": "<b>x</b>", "folder": "A/B", "isRead": "True"}
_EVENT = {
    "Subject": "s",
    "Start": "2026-03-04T10:00:00",
    "End": "2026-03-04T11:00:00",
    "TimeZone": "(UTC-08:00) Pacific Time (US & Canada)",
    "RequiredAttendees": "bob@outlook.com;a@b.c",
    "ResourceAttendees": "Room",
    "Body": "<p>b</p>",
    "Location": "l",
    "Importance": "Low",
    "IsAllDay": False,
    "Recurrence": "Weekly",
    "RecurrenceEnd": "2026-06-01",
    "Reminder": 5,
    "ShowAs": "Busy",
}
_BACKEND_EVENT = {
    "Subject": "s",
    "Start": "2026-03-04T10:00:00Z",
    "End": "2026-03-04T11:00:00Z",
    "StartTimeZone": "Pacific Standard Time",
    "Body": {"ContentType": "Text", "Content": "c"},
    "Categories": ["x"],
    "Location": {"DisplayName": "l", "Address": {"City": "c"}, "Coordinates": {"Latitude": 1.5}},
    "Attendees": [{"EmailAddress": {"Name": "n", "Address": "bob@outlook.com"}, "Type": "Optional"}],
    "Recurrence": {
        "Pattern": {"Type": "RelativeMonthly", "Interval": 2, "DaysOfWeek": ["Monday"], "Index": "Last"},
        "Range": {"Type": "Numbered", "NumberOfOccurrences": 5, "StartDate": "2026-03-04"},
    },
}
_CONTACT = {
    "GivenName": "Ann",
    "HomePhones": ["1"],
    "EmailAddresses": [{"Name": "n", "Address": "a@b.c"}],
    "Birthday": "1980-05-04",
    "HomeAddress": {"City": "c"},
    "Categories": ["x"],
}
_BODIES = {
    "/apim/outlook/alice/Mail": {**_DRAFT, "IsHtml": False},
    "/apim/outlook/alice/v2/Mail": {**_DRAFT, "From": "alice@outlook.com"},
    "/apim/outlook/alice/v2/Mail/ReplyTo/{messageId}": {**_REPLY, "Attachments": [_FILE]},
    "/apim/outlook/alice/v3/Mail/ReplyTo/{messageId}": {**_REPLY, "Attachments": [_FILE]},
    "/apim/outlook/alice/codeless/api/v2.0/me/messages/{messageId}/forward": {"Comment": "c", "ToRecipients": "a@b.c"},
    f"{ROOT}/sandboxes/default/connections/alice/deliver": {
        **_OUTSIDE,
        "received": "2026-01-02T03:04:05Z",
        "attachments": [_FILE],
    },
    f"{ROOT}/sandboxes/default/connections/alice/folders": {"path": "A/B", "names": ["C"]},
    "/apim/outlook/alice/datasets/calendars/tables/Calendar/items": _BACKEND_EVENT,
    "/apim/outlook/alice/datasets/calendars/v2/tables/Calendar/items": {**_EVENT, "IsHtml": True},
    "/apim/outlook/alice/datasets/calendars/v3/tables/Calendar/items": _EVENT,
    "/apim/outlook/alice/codeless/api/v2.0/me/events/{event_id}/Accept": {"Comment": "c", "SendResponse": True},
    "/apim/outlook/alice/datasets/contacts/tables/Contacts/items": _CONTACT,
}
_STRANGE = [
    "\0",
    "\r\n",
    "\u2028",
    "\x85",
    "\ud83d\ude00",
    "\ufeff",
    "ä",
    "ﬀ",
    "<",
    "]]>",
    '"',
    "=?utf-8?q?x?=",
    "data:",
]
_leaves = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([2**31, 2**63, 2**64, 1e300, "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
    | st.lists(st.sampled_from(_STRANGE) | st.text(max_size=5), max_size=4).map("".join)
    | st.sampled_from(["a@b.c", "a@b", "a b@c", ";;", "Low", "2", "YQ==", "data:a/b;base64,YQ==", {"$content": "YQ=="}])
)
_JSON = st.recursive(
    _leaves, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
)


@st.composite
def changed(draw: st.DrawFn, value: Any) -> Any:
    """A value with one part replaced, dropped or extended, at any depth."""
    if isinstance(value, dict) and draw(st.integers(0, 5)):
        name = draw(st.sampled_from(sorted(value)))
        if draw(st.integers(0, 7)) == 0:
            return {key: part for key, part in value.items() if key != name}
        return {**value, name: draw(changed(value[name]))}
    if isinstance(value, list) and value and draw(st.booleans()):
        return [draw(changed(value[0])), *value[1:]]
    if isinstance(value, str) and draw(st.booleans()):
        place = draw(st.integers(0, len(value)))
        return value[:place] + draw(st.sampled_from(_STRANGE) | st.text(max_size=3)) + value[place:]
    return draw(_JSON)


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """Bytes with up to three short runs replaced or removed."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = start + draw(st.integers(0, 8))
        data = data[:start] + draw(_noise) + data[end:]
    return data


def accepted(app: Starlette, path: str, body: bytes, **headers: str) -> None:
    """Post a body. Neither this request nor reading the result later may fail."""
    if "{" in path:
        path = path.format_map(known(app, path))
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    answer = send(app, "POST", path.encode(), headers=[(b"authorization", b"Bearer t"), *named], body=body)

    assert is_clean(answer)
    if answer.status < 300:
        items_still_readable(app) if "/events/" in path or "/datasets/" in path else still_readable(app)


@pytest.mark.parametrize("path", _BODIES)
def test_changed_bodies(app: Starlette, path: str) -> None:
    """A valid body with one change is accepted or rejected, and an accepted item can be read."""

    @fixed(12)
    @given(changed(_BODIES[path]))
    def check(body: Any) -> None:
        accepted(app, path, json.dumps(body).encode())

    check()


@pytest.mark.parametrize("path", _BODIES)
def test_damaged_bodies(app: Starlette, path: str) -> None:
    """A valid body with some bytes changed is accepted or rejected, and an accepted item can be read."""

    @fixed(12)
    @given(damaged(json.dumps(_BODIES[path], ensure_ascii=False).encode()))
    def check(body: bytes) -> None:
        accepted(app, path, body)

    check()


@pytest.mark.parametrize("file", EML_FILES, ids=lambda file: file.stem)
def test_damaged_mails(app: Starlette, file: Path) -> None:
    """A damaged mail is delivered or rejected, and a delivered mail can be read."""

    @fixed(3)
    @given(damaged(file.read_bytes()))
    def check(mail: bytes) -> None:
        accepted(app, f"{ROOT}/sandboxes/default/connections/alice/deliver", mail, content_type="message/rfc822")

    check()


@fixed(20)
@given(st.dictionaries(_HEADERS.filter(lambda name: name.startswith((b"x-", b"user"))), st.binary(max_size=60)))
def test_caller_headers(app: Starlette, headers: dict[bytes, bytes]) -> None:
    """Any values of a caller's headers can be recorded on a mail, and the mail can be exported."""
    body = json.dumps({"To": "alice@outlook.com", "Subject": "s"}).encode()
    credential = (b"authorization", b"Key k")
    answer = send(app, "POST", b"/apim/outlook/alice/v2/Mail", headers=[credential, *headers.items()], body=body)

    assert answer.status == 200
    still_readable(app)


# --- Alternate routes ------------------------------------------------------------------------------------------------

_ARM = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/connections/alice"
_CALL = {
    "method": "POST",
    "path": "/v2/Mail?x=y",
    "queries": {"top": 1, "folderPath": "Inbox", "fetchOnlyUnread": False},
    "headers": {"x-ms-workflow-name": "w", "user-agent": "u"},
    "body": _DRAFT,
}


@fixed(30)
@given(changed({"request": _CALL}))
def test_changed_calls(app: Starlette, order: Any) -> None:
    """A wrapped request with one change is served or rejected; neither it nor the outer request fails."""
    body = json.dumps(order).encode()
    answer = send(app, "POST", f"{_ARM}/dynamicInvoke".encode(), b"api-version=1", body=body)

    assert answer.status in (200, 400)
    assert answer.status == 400 or answer.json()["response"]["statusCode"] != "InternalServerError"
    still_readable(app)


@fixed(150)
@given(
    st.sampled_from([b"GET", b"post", b"PATCH"]) | _noise,
    st.sampled_from([b"/apim/outlook/alice/v2/Mail", b"https://x/apim/outlook/alice/Mail", b"http://["]),
    _noise,
)
def test_any_invocation(app: Starlette, method: bytes, url: bytes, rest: bytes) -> None:
    """Any values of the invoke headers are served or rejected in the connector's shape."""
    headers = [(b"authorization", b"Key k"), (b"x-ms-request-method", method), (b"x-ms-request-url", url + rest)]

    assert is_clean(send(app, "POST", b"/invoke", headers=headers))


@fixed(50)
@given(_noise, _query)
def test_any_proxied_path(app: Starlette, path: bytes, query: bytes) -> None:
    """No path below a connection makes the server fail."""
    answer = send(app, "GET", f"{_ARM}/extensions/proxy/".encode() + path, query + b"&api-version=1")

    assert answer.status < 500
