"""Nothing a client sends may fail the server: requests from the documents, mutated ones, and plain noise."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote_from_bytes, unquote, urlsplit

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from requests import Request
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import response_schema_conformance
from starlette.applications import Starlette

from emulator.app import create_app
from emulator.clock import VirtualClock
from emulator.operations import OPERATIONS, Operation
from emulator.server.admin import ADMIN, ROOT, Verb
from emulator.server.document import swagger
from emulator.server.openapi import openapi
from emulator.settings import Settings

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
SERVED = [one for one in OPERATIONS if one.served]
SWAGGER = schemathesis.openapi.from_dict(swagger(SERVED))
OPENAPI = schemathesis.openapi.from_dict(openapi(ADMIN, ROOT))
EML_FILES = sorted((Path(__file__).parents[2] / "fixtures").rglob("*.eml"))

_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example, HealthCheck.filter_too_much]


def fixed(examples: int) -> settings:
    """The same examples in every run."""
    return settings(
        max_examples=examples, derandomize=True, database=None, deadline=None, suppress_health_check=_QUIET
    )


class Reply(NamedTuple):
    """An answer as it was put on the wire."""

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
    """One call straight into an app, with bytes that no client library would let through."""
    sent: list[Any] = []
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
        sent.append(message)

    asyncio.run(app(scope, receive, collect))
    start, *rest = sent
    return Reply(start["status"], dict(start["headers"]), b"".join(one.get("body", b"") for one in rest))


def call(app: Starlette, method: str, path: str, body: Any = None, query: bytes = b"") -> Any:
    """What a call that must succeed answers; `path` starts at Alice's mailbox."""
    data = b"" if body is None else json.dumps(body).encode()
    answer = send(app, method, f"/apim/outlook/alice{path}".encode(), query, body=data)
    assert answer.status in range(200, 300), answer
    return answer.json() if answer.body else None


def newest(app: Starlette) -> dict[str, str]:
    """The ids of a mail that was just sent, and of its file."""
    file = {"Name": "a.txt", "ContentBytes": "YQ=="}
    call(
        app,
        "POST",
        "/v2/Mail",
        {"To": "alice@outlook.com", "Subject": "s", "Body": "b", "Attachments": [file]},
    )
    (mail,) = call(app, "GET", "/v2/Mail", query=b"top=1&fetchOnlyUnread=false")["value"]
    return {
        "connectionId": "alice",
        "messageId": mail["Id"],
        "message_id": mail["Id"],
        "attachmentId": mail["Attachments"][0]["Id"],
    }


def is_clean(answer: Reply) -> bool:
    """Whether an answer is no failure, and in the connector's shape when it is a refusal."""
    if answer.status < 400:
        return True
    shape = ["status", "message", "error", "source"]
    return answer.status in (*range(400, 500), 501) and set(answer.json()) in (set(shape), set(shape) - {"error"})


def still_readable(app: Starlette) -> None:
    """Hold every way of reading Alice's mail to a success: what was accepted must not come back to bite."""
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


@pytest.fixture(scope="module")
def app() -> Iterator[Starlette]:
    made = create_app(Settings(max_body_bytes=100_000, max_mail_bytes=50_000), VirtualClock(START))
    send(made, "GET", b"/apim/outlook/alice/testconnection")
    yield made
    made.state.sandboxes.close()


# --- Requests that the documents describe ---------------------------------------------------------------------------


def requests(schema: Any, path: str, method: str) -> st.SearchStrategy[Any]:
    """Requests to one operation, some as its document asks for them, some not."""
    operation = schema[path][method]
    return operation.as_strategy() | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)


def validate(app: Starlette, case: Any) -> None:
    """Send a request that was made from a document, and hold the answer to the document."""
    asked = case.as_transport_kwargs(base_url="http://test", headers={"Authorization": "Bearer token"})
    request = Request(**asked).prepare()
    url = urlsplit(request.url)
    headers = [(name.lower().encode("latin-1"), _bytes(value)) for name, value in request.headers.items()]
    reply = send(app, request.method, url.path.encode(), url.query.encode(), headers, _bytes(request.body or b""))
    answer = httpx.Response(
        reply.status,
        headers=list(reply.headers.items()),
        content=reply.body,
        request=httpx.Request(request.method, request.url),
    )
    answer.elapsed = timedelta()
    case.validate_response(answer, checks=[not_a_server_error, response_schema_conformance])


def _bytes(text: str | bytes) -> bytes:
    return text.encode("latin-1") if isinstance(text, str) else text


@pytest.mark.parametrize("operation", SERVED, ids=lambda one: one.id)
def test_described_requests(app: Starlette, operation: Operation) -> None:
    """Whatever fits the Swagger document, or nearly does, is served or refused, and a success has its shape."""

    @fixed(25)
    @given(requests(SWAGGER, operation.full_path, operation.method), st.sampled_from(["as made", "real"]))
    def check(case: Any, ids: str) -> None:
        if ids == "real":
            known = {**newest(app), "operation": "MailFolders", "folderPath": "Archive"}
            for made in (case.path_parameters, case.query):
                made.update({name: known[name] for name in made if name in known})
        validate(app, case)

    check()


@pytest.mark.parametrize("verb", ADMIN, ids=lambda one: one.id)
def test_described_admin_requests(app: Starlette, verb: Verb) -> None:
    """Whatever fits the OpenAPI document, or nearly does, is served or refused, and a success has its shape."""

    @fixed(20)
    @given(requests(OPENAPI, verb.path, verb.method), st.sampled_from(["as made", "real"]))
    def check(case: Any, ids: str) -> None:
        if ids == "real":
            known = {"sandbox": "default", "connection": "alice", "message": newest(app)["messageId"]}
            case.path_parameters.update({name: known[name] for name in case.path_parameters if name in known})
        validate(app, case)

    check()
    still_readable(app)
