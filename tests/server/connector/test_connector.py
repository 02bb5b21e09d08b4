"""Rules for every request to the connector: credentials, connections, the error shape, bodies, defects."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from starlette.applications import Starlette

from outlook_emulator import parts as composition
from outlook_emulator.app import create_app
from outlook_emulator.clock import VirtualClock
from outlook_emulator.errors import AccessDenied
from outlook_emulator.mailbox.mail import delivery
from outlook_emulator.mailbox.mail.listing import find
from outlook_emulator.operations import OPERATIONS
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.sandbox.sandbox import Sandbox
from outlook_emulator.server.connector.connector import Connector
from outlook_emulator.server.connector.exchange import Exchange, Response
from outlook_emulator.server.connector.features import Features
from outlook_emulator.settings import Settings

CREDENTIAL = {"Authorization": "Bearer token"}
MAIL = {"To": "bob@outlook.com", "Subject": "Hello", "Body": "<p>Hello</p>"}


def made_up_id(answer: httpx.Response) -> str:
    """The request id in an error's message, which must be a UUID."""
    match = re.search(r"clientRequestId: ([0-9a-f-]{36})\Z", answer.json()["message"])
    assert match is not None
    return str(UUID(match[1]))


BROKEN = "The emulator failed on this request. Its log has the details."


def ask(app: Any, method: str, path: str, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
    """Send one request to an app without a server; `path` starts below `/apim/outlook`."""

    async def call() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
            url = f"http://test/apim/outlook{path}"
            return await client.request(method, url, headers=CREDENTIAL if headers is None else headers, **more)

    return asyncio.run(call())


def post_parts(app: Starlette, *messages: dict[str, Any], headers: list[tuple[bytes, bytes]] | None = None) -> Any:
    """Send a mail whose body arrives as these messages: the status, and how many messages were received."""
    path = b"/apim/outlook/alice/v2/Mail"
    scope = {
        "type": "http",
        "method": "POST",
        "path": path.decode(),
        "raw_path": path,
        "query_string": b"",
        "headers": [(b"authorization", b"Bearer token"), *(headers or [])],
    }
    waiting, sent = list(messages), []

    async def receive() -> Any:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], len(messages) - len(waiting)


def part(body: bytes, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def state(app: Starlette) -> dict[str, Any]:
    """Every row of every table of every sandbox."""
    rows: dict[str, Any] = {}
    for sandbox in app.state.sandboxes.opened():
        for (table,) in sandbox.db.all("SELECT name FROM sqlite_schema WHERE type = 'table'", {}):
            rows[f"{sandbox.name}.{table}"] = sandbox.db.all(f'SELECT * FROM "{table}"', {})
    return rows


@pytest.fixture
def emulator() -> Iterator[Callable[..., Starlette]]:
    """A function that creates an app from settings; the apps are closed after the test."""
    apps = []

    def make(**settings: Any) -> Starlette:
        apps.append(create_app(Settings(**settings), VirtualClock(datetime(2026, 3, 2, 9, tzinfo=UTC))))
        return apps[-1]

    yield make
    for app in apps:
        app.state.sandboxes.close()


@pytest.fixture
def app(emulator: Callable[..., Starlette]) -> Starlette:
    return emulator()


@pytest.fixture
def sandboxes() -> Iterator[Sandboxes]:
    registry = Sandboxes(Settings())
    yield registry
    registry.close()


# --- Credentials ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "credential", ["Bearer x", "bearer x", "BEARER x", "Key x", "key x", "KEY x", "Bearer   x", "Bearer a b", "Key any"]
)
def test_any_credential(app: Starlette, credential: str) -> None:
    """Any Bearer or Key credential is accepted, with its scheme in any case."""
    assert ask(app, "GET", "/alice/testconnection", {"Authorization": credential}).status_code == 200


@pytest.mark.parametrize(
    "credential",
    [None, "", " ", "Bearer", "Bearer ", "Key  \t", "Basic eDp5", "Bearerx", "Bearer:x", "x Bearer", "Negotiate x"],
)
@pytest.mark.parametrize("path", ["testconnection", "v2/Mail", "Mail/x", "Events/CalendarView"])
def test_no_credential(emulator: Callable[..., Starlette], credential: str | None, path: str) -> None:
    """Without a valid credential the response is 401 as recorded, and no connection is made.

    Recorded from the Key Vault connector, which has the same base: `error` has a message only, and no line with a
    request id follows the text (PeterKlapwijk/Microsoft-Logic-Apps, 2022).
    """
    app = emulator()
    answer = ask(app, "GET", f"/alice/{path}", {} if credential is None else {"Authorization": credential})
    text = "The connection does not contain an access token. Please edit the connection and login."

    assert answer.status_code == 401
    assert list(answer.json().items()) == [
        ("status", 401),
        ("message", text),
        ("error", {"message": text}),
        ("source", "outlook-emulator.localhost"),
    ]
    assert app.state.sandboxes.connection_ids() == frozenset()


@pytest.mark.parametrize(
    ("setting", "token"), [("any", "any text"), ("secret", "the value of the setting authorization")]
)
def test_a_hint_about_the_credential(emulator: Callable[..., Starlette], setting: str, token: str) -> None:
    """A header says which credential is missing, since the connector's own text does not; it shows no secret."""
    answer = ask(emulator(authorization=setting), "GET", "/alice/v2/Mail", {})
    hint = f"Send the header 'Authorization: Bearer TOKEN' with {token} as the token."

    assert (401, hint) == (answer.status_code, answer.headers["x-outlook-emulator-warning"])


@pytest.mark.parametrize(
    ("credential", "status"),
    [
        ("Bearer secret", 200),
        ("Key secret", 200),
        ("Bearer  secret ", 200),
        ("Bearer Secret", 401),
        ("Bearer secret2", 401),
        ("Bearer any", 401),
        ("Basic secret", 401),
        ("secret", 401),
        ("Bearer", 401),
    ],
)
def test_required_credential(emulator: Callable[..., Starlette], credential: str, status: int) -> None:
    """With `authorization` set, only that credential is accepted, with either scheme; its case matters."""
    app = emulator(authorization="secret")

    assert status == ask(app, "GET", "/alice/testconnection", {"Authorization": credential}).status_code


@pytest.mark.parametrize("credential", [None, "", "Basic eDp5", "Bearer x"])
def test_no_credential_required(emulator: Callable[..., Starlette], credential: str | None) -> None:
    """With `authorization` set to `none`, every request is accepted."""
    headers = {} if credential is None else {"Authorization": credential}

    assert ask(emulator(authorization="none"), "GET", "/alice/testconnection", headers).status_code == 200


# --- Connections ----------------------------------------------------------------------------------------------------


def test_unknown_connection_is_made(emulator: Callable[..., Starlette]) -> None:
    """A request with a new connection id creates a mailbox in the default sandbox."""
    app = emulator(domain="example.org")
    answer = ask(app, "GET", "/Fresh-1/v2/Mail")

    assert (answer.status_code, answer.json()) == (200, {"value": []})
    assert app.state.sandboxes.default.connections()["Fresh-1"].address == "fresh-1@example.org"


def test_unknown_connection_is_rejected(emulator: Callable[..., Starlette]) -> None:
    """With `unknown_connections` set to `refuse`, a new connection id gets a 404."""
    app = emulator(unknown_connections="refuse")
    answer = ask(app, "GET", "/fresh/v2/Mail")

    assert answer.status_code == 404
    assert answer.json()["error"]["message"] == "No connection 'fresh' exists."
    assert app.state.sandboxes.connection_ids() == frozenset()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/fresh", 404),
        ("GET", "/fresh/", 404),
        ("GET", "/fresh/Mails", 404),
        ("GET", "/fresh/v4/Mail", 404),
        ("DELETE", "/fresh/Mail", 405),
        ("OPTIONS", "/fresh/v2/Mail", 405),
        ("GET", "/", 404),
    ],
)
def test_unknown_operations_make_no_connection(
    emulator: Callable[..., Starlette], method: str, path: str, status: int
) -> None:
    """A request for an unknown path or method creates no connection."""
    app = emulator()
    before = state(app)

    assert status == ask(app, method, path).status_code
    assert before == state(app)


@pytest.mark.parametrize("id", ["a%20b", "a%2Fb", "%FF", "%00", "a@b", "a;b", "%C3%A4", "x" * 129, "a%0Ab"])
def test_bad_connection_ids(emulator: Callable[..., Starlette], id: str) -> None:
    """An invalid connection id gets a 400, and no connection is created."""
    app = emulator()
    answer = ask(app, "GET", f"/{id}/testconnection")

    assert answer.status_code == 400
    assert "connection" in answer.json()["error"]["message"]
    assert app.state.sandboxes.connection_ids() == frozenset()


def test_encoded_connection_id(emulator: Callable[..., Starlette]) -> None:
    """A connection id names the same connection percent-encoded or raw."""
    app = emulator()
    ask(app, "GET", "/alice/testconnection")
    ask(app, "GET", "/%61lice/testconnection")

    assert app.state.sandboxes.connection_ids() == {"alice"}


# --- The error shape ------------------------------------------------------------------------------------------------


def test_error_shape(app: Starlette) -> None:
    """An error has exactly the recorded members, in the recorded order."""
    answer = ask(app, "GET", "/alice/Mail/nothing", {**CREDENTIAL, "x-ms-client-request-id": "11111111-2222"})
    body = answer.json()

    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/json; charset=utf-8")
    assert list(body) == ["status", "message", "error", "source"]
    assert list(body["error"].items()) == [
        ("message", "Id is malformed."),
        ("code", "ErrorInvalidIdMalformed"),
        ("originalMessage", "Id is malformed. (messageId)"),
    ]
    assert re.fullmatch(
        r"Id is malformed\.\r\nclientRequestId: 11111111-2222\r\nserviceRequestId: [0-9a-f-]{36}", body["message"]
    )
    assert (body["status"], body["source"]) == (400, "outlook-emulator.localhost")


def test_source(emulator: Callable[..., Starlette]) -> None:
    """The `source` of an error is a setting."""
    assert ask(emulator(source="here"), "GET", "/alice/Mails").json()["source"] == "here"


def test_client_request_id(app: Starlette) -> None:
    """An error names the client's request id, or a new one if the client sent none."""
    message = ask(app, "GET", "/alice/Mails", {**CREDENTIAL, "X-Ms-Client-Request-Id": "a"}).json()["message"]
    made_up = [made_up_id(ask(app, "GET", "/alice/Mails", CREDENTIAL)) for _ in range(2)]

    assert message.endswith("\r\nclientRequestId: a")
    assert len(set(made_up)) == 2


def test_long_client_request_id(app: Starlette) -> None:
    """A very long request id is cut in the response."""
    answer = ask(app, "GET", "/alice/Mails", {**CREDENTIAL, "x-ms-client-request-id": "x" * 100_000})

    assert len(answer.content) < 1000


@pytest.mark.parametrize("path", ["/alice/v2/Mail", "/alice/testconnection", "/alice/Mails", "/alice/Mail/x"])
def test_headers_of_every_response(app: Starlette, path: str) -> None:
    """Every response, success or error, forbids caching and content sniffing."""
    headers = ask(app, "GET", path).headers

    assert ("no-store, no-cache", "no-cache", "-1") == (headers["cache-control"], headers["pragma"], headers["expires"])
    assert headers["x-content-type-options"] == "nosniff"


# --- Requests and responses in general ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/testconnection", None, 200),
        ("POST", "/v2/Mail", MAIL, 200),
        ("POST", "/Mail", MAIL, 200),
        ("POST", "/Mail/Flag/{id}", None, 200),
        ("POST", "/Mail/MarkAsRead/{id}", None, 200),
        ("POST", "/v3/Mail/ReplyTo/{id}", {"Body": "Yes"}, 200),
        ("POST", "/codeless/api/v2.0/me/messages/{id}/forward", {"ToRecipients": "c@d.e"}, 202),
        ("DELETE", "/Mail/{id}", None, 200),
    ],
)
def test_empty_success(emulator: Callable[..., Starlette], method: str, path: str, body: Any, status: int) -> None:
    """A success without a body has a Content-Length of zero and no Content-Type."""
    app = emulator()
    ask(app, "POST", "/bob/v2/Mail", json=MAIL)
    (mail,) = ask(app, "GET", "/bob/v2/Mail").json()["value"]
    answer = ask(app, method, "/bob" + path.format(id=mail["Id"]), json=body)

    assert (status, b"") == (answer.status_code, answer.content)
    assert ("0", None) == (answer.headers["content-length"], answer.headers.get("content-type"))


@pytest.mark.parametrize("accepted", ["application/json", "application/xml", "image/png", "*/*;q=0", "", "nonsense"])
@pytest.mark.parametrize("path", ["/v2/Mail", "/testconnection", "/Mail/{id}/Attachments/{file}"])
def test_accept(emulator: Callable[..., Starlette], accepted: str, path: str) -> None:
    """The Accept header never causes an error, not even for the content of an attachment."""
    app = emulator()
    ask(app, "POST", "/bob/v2/Mail", json={**MAIL, "Attachments": [{"Name": "a.txt", "ContentBytes": "YQ=="}]})
    (mail,) = ask(app, "GET", "/bob/v2/Mail").json()["value"]
    path = path.format(id=mail["Id"], file=mail["Attachments"][0]["Id"])

    assert ask(app, "GET", f"/bob{path}", {**CREDENTIAL, "Accept": accepted}).status_code == 200


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/xml", "", "nonsense"])
def test_content_type(app: Starlette, kind: str) -> None:
    """The Content-Type of a request is ignored, and so is the body of a GET."""
    headers = {**CREDENTIAL, "Content-Type": kind}

    assert ask(app, "POST", "/alice/v2/Mail", headers, content=b'{"To":"a@b.c","Subject":"s"}').status_code == 200
    assert ask(app, "GET", "/alice/v2/Mail", headers, content=b"{").status_code == 200


@pytest.mark.parametrize("content", [b"", b" ", b"\r\n\t"])
def test_required_body(app: Starlette, content: bytes) -> None:
    """A missing body gets an error that names the body as the Swagger document does."""
    answer = ask(app, "POST", "/alice/v2/Mail", {**CREDENTIAL, "Content-Type": "application/json"}, content=content)

    assert (400, "The request body 'emailMessage' is required.") == (
        answer.status_code,
        answer.json()["error"]["message"],
    )


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("HEAD", "/alice/v2/Mail", "GET, POST"),
        ("OPTIONS", "/alice/v2/Mail", "GET, POST"),
        ("PUT", "/alice/Mail/x", "DELETE, GET"),
        ("GET", "/alice/Mail/Flag/x", "POST"),
        ("TRACE", "/alice/testconnection", "GET"),
        ("NONSENSE", "/alice/testconnection", "GET"),
        ("get", "/alice/Mail/Flag/x", "POST"),
    ],
)
def test_wrong_method(app: Starlette, method: str, path: str, allow: str) -> None:
    """A 405 lists the methods of the path in the Allow header, with or without a credential."""
    answers = [ask(app, method, path), ask(app, method, path, {})]

    assert [405, 405] == [answer.status_code for answer in answers]
    assert [allow, allow] == [answer.headers["allow"] for answer in answers]


# --- Large and broken bodies ----------------------------------------------------------------------------------------


def test_oversized_body(emulator: Callable[..., Starlette]) -> None:
    """A body above the limit is a 413 in the connector's shape, which names the limit."""
    app = emulator(max_body_bytes=100)
    answer = ask(app, "POST", "/alice/v2/Mail", json={**MAIL, "Body": "x" * 100})

    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "RequestBodyTooLarge")
    assert answer.json()["error"]["message"] == "The request body is larger than 100 bytes."


@pytest.mark.parametrize(
    ("messages", "headers", "taken"),
    [
        ([part(b"x" * 101, more=False)], [(b"content-length", b"101")], 0),
        ([part(b"x" * 101, more=False)], [(b"content-length", b"9" * 5000)], 0),
        ([part(b"x" * 60), part(b"x" * 60), part(b"x" * 60)], [(b"transfer-encoding", b"chunked")], 2),
        ([part(b"x" * 101, more=False)], [(b"transfer-encoding", b"chunked")], 1),
        ([part(b"x" * 101, more=False)], [(b"content-length", b"5")], 1),
    ],
)
def test_oversized_body_in_parts(
    emulator: Callable[..., Starlette], messages: list[Any], headers: list[tuple[bytes, bytes]], taken: int
) -> None:
    """An oversized body gets a 413 as soon as it is known to be too large, and changes nothing."""
    app = emulator(max_body_bytes=100)
    ask(app, "GET", "/alice/testconnection")
    before = state(app)

    assert (413, taken) == post_parts(app, *messages, headers=headers)
    assert before == state(app)


def test_body_in_parts(app: Starlette) -> None:
    """A body may arrive in any number of parts."""
    content = b'{"To":"a@b.c","Subject":"s"}'
    messages = [part(content[place : place + 1]) for place in range(len(content))]

    assert post_parts(app, *messages, part(b"", more=False)) == (200, len(content) + 1)


@pytest.mark.parametrize("arrived", [b"", b'{"To":"a@b.c",', b'{"To":"a@b.c","Subject":"s"}'])
def test_disconnect(emulator: Callable[..., Starlette], arrived: bytes) -> None:
    """A client that disconnects before the end of its body changes nothing, whatever part arrived."""
    app = emulator()
    ask(app, "GET", "/alice/testconnection")
    before = state(app)

    assert post_parts(app, part(arrived), {"type": "http.disconnect"}) == (400, 2)
    assert post_parts(app, {"type": "http.disconnect"}) == (400, 1)
    assert before == state(app)


@pytest.mark.parametrize("length", [b"\xb2", b"-1", b"ten"])
def test_unreadable_length(app: Starlette, length: bytes) -> None:
    """A Content-Length that is not a number gets a 400, and the body is not read."""
    assert post_parts(app, part(b"{}", more=False), headers=[(b"content-length", length)]) == (400, 0)


# --- Defects --------------------------------------------------------------------------------------------------------


@pytest.fixture
def broken(emulator: Callable[..., Starlette], monkeypatch: pytest.MonkeyPatch) -> Starlette:
    """An app whose TestConnection operation fails with a text that clients must not see."""

    def probe(mailbox: Any) -> None:
        raise RuntimeError("secret words")

    rows = tuple(replace(row, run=probe) if row.id == "TestConnection" else row for row in OPERATIONS)
    monkeypatch.setattr(composition, "OPERATIONS", rows)
    return emulator()


def test_defect(broken: Starlette, caplog: pytest.LogCaptureFixture) -> None:
    """A defect is a 500 in the connector's shape; its traceback is logged."""
    answer = ask(broken, "GET", "/alice/testconnection")

    assert answer.status_code == 500
    assert answer.json() == {
        "status": 500,
        "message": f"{BROKEN}\r\nclientRequestId: {made_up_id(answer)}",
        "error": {"message": BROKEN, "code": "InternalServerError", "originalMessage": BROKEN},
        "source": "outlook-emulator.localhost",
    }
    assert "RuntimeError: secret words" in caplog.text


def test_requests_after_a_defect(broken: Starlette, caplog: pytest.LogCaptureFixture) -> None:
    """After a defect in one operation, the others still work."""
    ask(broken, "GET", "/alice/testconnection")

    assert ask(broken, "GET", "/alice/v2/Mail").status_code == 200
    assert [record.exc_info is not None for record in caplog.records] == [True]


def test_defect_in_a_transaction(
    emulator: Callable[..., Starlette], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A send that fails after its first copy was written leaves no copy, and the next send succeeds."""
    app = emulator()
    ask(app, "GET", "/bob/testconnection")
    ask(app, "GET", "/alice/testconnection")
    before = state(app)
    with monkeypatch.context() as patched:
        patched.setattr(delivery, "_distribute", lambda *arguments: 1 // 0)

        assert ask(app, "POST", "/alice/v2/Mail", json=MAIL).status_code == 500
    assert before == state(app)
    assert ask(app, "POST", "/alice/v2/Mail", json=MAIL).status_code == 200
    assert len(ask(app, "GET", "/bob/v2/Mail").json()["value"]) == 1
    assert "ZeroDivisionError" in caplog.text


# --- The order of the features --------------------------------------------------------------------------------------


def test_everything_else_is_passed_on(sandboxes: Sandboxes) -> None:
    """The connector passes on requests outside its own paths, and all that are not HTTP."""
    paths = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        paths.append(scope["type"] + scope.get("path", ""))

    connector: Any = Connector(inner, OPERATIONS, sandboxes, Settings(), Recording().features())
    for path in ("/", "/apim", "/apim/outlook", "/apim/outlook365/c/Mail", "/x/apim/outlook/c/Mail"):
        asyncio.run(connector({"type": "http", "path": path, "raw_path": path.encode()}, None, None))
    asyncio.run(connector({"type": "websocket", "raw_path": b"/apim/outlook/c/Mail"}, None, None))

    assert paths == [
        "http/",
        "http/apim",
        "http/apim/outlook",
        "http/apim/outlook365/c/Mail",
        "http/x/apim/outlook/c/Mail",
        "websocket",
    ]


class Recording:
    """Features that record their calls; `instead` is returned or raised in place of the operation."""

    def __init__(self, instead: Response | AccessDenied | None = None) -> None:
        self.calls: list[str] = []
        self.has_fault_rules = True
        self._instead = instead

    def features(self) -> Features:
        return Features(self, self, self, self)

    def open(self, exchange: Exchange) -> None:
        self.calls.append(f"open {exchange.operation and exchange.operation.id}")

    def enter(self, exchange: Exchange) -> None:
        self.calls.append(f"enter {exchange.connection_id}")

    def has_rules(self, exchange: Exchange) -> bool:
        return self.has_fault_rules

    async def before(self, exchange: Exchange) -> Response | None:
        self.calls.append("before")
        if isinstance(self._instead, AccessDenied):
            raise self._instead
        return self._instead

    async def validate(self, exchange: Exchange) -> None:
        self.calls.append("validate")

    def wake(self, sandbox: Sandbox) -> None:
        self.calls.append(f"wake {sandbox.name}")

    async def after(self, exchange: Exchange, response: Response) -> Response:
        self.calls.append(f"after {response.status}")
        return response

    def leave(self, exchange: Exchange, response: Response) -> Response:
        self.calls.append(f"leave {response.status}")
        return response

    def needs_body(self, exchange: Exchange, response: Response) -> bool:
        return response.status == 418

    async def read_body(self, exchange: Exchange) -> None:
        self.calls.append("read body")

    def note(self, exchange: Exchange, response: Response) -> None:
        self.calls.append(f"note {response.status}")

    def close(self, exchange: Exchange, outcome: str = "") -> None:
        self.calls.append(f"close {outcome}".strip())


ENDING = ["close", "close", "close answered"]


def test_one_request(sandboxes: Sandboxes) -> None:
    """A request passes the features in order, from the journal to the webhooks, and its response passes them back."""
    recording = Recording()
    app = Connector(_nothing, OPERATIONS, sandboxes, Settings(), recording.features())

    ask(app, "GET", "/alice/testconnection")

    assert recording.calls == [
        *("open TestConnection", "enter alice", "before"),
        *("wake default", "after 200", "leave 200", "note 200", *ENDING),
    ]


def test_a_subscription_without_fault_rules(sandboxes: Sandboxes) -> None:
    """A request passes the webhooks if it makes a subscription, and not the faults if there is no rule."""
    recording = Recording()
    recording.has_fault_rules = False
    app = Connector(_nothing, OPERATIONS, sandboxes, Settings(), recording.features())

    ask(
        app,
        "POST",
        "/alice/MailSubscriptionPoke/$subscriptions?folderPath=Inbox",
        json={"NotificationUrl": "http://localhost/"},
    )

    assert recording.calls == [
        *("open CreateOnNewEmailPokeSubscription", "enter alice", "validate"),
        *("wake default", "leave 201", "note 201", *ENDING),
    ]


def test_a_feature_responds(sandboxes: Sandboxes) -> None:
    """When the faults return a response, the operation does not run, and no connection is created."""
    recording = Recording(Response(418))
    app = Connector(_nothing, OPERATIONS, sandboxes, Settings(), recording.features())

    response = ask(app, "GET", "/alice/testconnection")

    assert response.status_code == 418
    assert recording.calls == [
        *("open TestConnection", "enter alice", "before", "after 418", "leave 418", "read body", "note 418", *ENDING)
    ]
    assert sandboxes.connection_ids() == frozenset()


def test_a_feature_raises(sandboxes: Sandboxes) -> None:
    """An error that a feature raises becomes a response, which the later features receive."""
    recording = Recording(AccessDenied("Not today."))
    app = Connector(_nothing, OPERATIONS, sandboxes, Settings(), recording.features())

    response = ask(app, "GET", "/alice/testconnection")

    assert (response.status_code, response.json()["error"]["message"]) == (403, "Not today.")
    assert recording.calls[3:] == ["after 403", "leave 403", "note 403", *ENDING]


@pytest.mark.parametrize(
    ("path", "headers", "status", "opened"),
    [
        ("/alice/nowhere", CREDENTIAL, 404, "open None"),
        ("/alice/testconnection", {}, 401, "open TestConnection"),
    ],
)
def test_a_request_without_a_row_or_a_credential(
    sandboxes: Sandboxes, path: str, headers: dict[str, str], status: int, opened: str
) -> None:
    """A request for an unknown operation or without a credential is recorded, but does not count for the limits."""
    recording = Recording()
    app = Connector(_nothing, OPERATIONS, sandboxes, Settings(), recording.features())

    response = ask(app, "GET", path, headers)

    assert response.status_code == status
    assert recording.calls == [opened, f"after {status}", f"leave {status}", f"note {status}", *ENDING]


async def _nothing(scope: Any, receive: Any, send: Any) -> None:
    """An app that is never called."""


@pytest.mark.parametrize("action", ["reset", "delete"])
def test_a_sandbox_changes_while_a_body_arrives(action: str) -> None:
    """A request runs in the sandbox that exists after its body arrived, even if a reset or deletion came in between."""
    sandboxes = Sandboxes(Settings())
    other = sandboxes.create("other")
    sandboxes.load_sample(other, "empty", "quiet")
    sandboxes.connect(other, "me", "me@example.com")
    app = Connector(_nothing, OPERATIONS, sandboxes, Settings(), Recording().features())
    order = b'{"To": "me@example.com", "Subject": "Late", "Body": "Late"}'
    parts = [order[:10], order[10:]]
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        if len(parts) == 1:
            getattr(sandboxes, action)("other")
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    async def send(message: Any) -> None:
        statuses.extend([message["status"]] if "status" in message else [])

    path = b"/apim/outlook/me/v2/Mail"
    headers = [(b"authorization", b"Key k")]
    scope = {"type": "http", "method": "POST", "raw_path": path, "query_string": b"", "headers": headers}
    asyncio.run(app(scope, receive, send))
    sandbox, owner = sandboxes.find("me")
    mailbox = sandbox.mailbox(owner)

    assert [200] == statuses
    assert ["Late"] == [
        copy.message.subject for copy in find(mailbox, folder_path="Sent Items", fetch_only_unread=False)
    ]


def test_an_unreadable_body_makes_no_connection(app: Starlette) -> None:
    """A request with an unreadable body creates no connection."""
    answer = ask(app, "POST", "/never-seen/v2/Mail", content=b"{")

    assert answer.status_code == 400
    assert "never-seen" not in app.state.sandboxes.connection_ids()
