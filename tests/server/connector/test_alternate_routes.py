"""The alternate routes: requests of Power Apps and of Azure's management API reach the same operations."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from outlook_emulator.app import create_app
from outlook_emulator.clock import VirtualClock
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.server.connector.alternate_routes import AlternateRoutes
from outlook_emulator.settings import Settings
from tests.conftest import START, Connection, Sandbox, Server

CREDENTIAL = {"Authorization": "Bearer token"}
ARM = "/subscriptions/s1/resourceGroups/g1/providers/Microsoft.Web/connections"
VERSION = "?api-version=2016-06-01"


def invoke(connection: Connection, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
    """A call as Power Apps makes it; `path` starts below the connection."""
    given = {
        **CREDENTIAL,
        "x-ms-request-method": method,
        "x-ms-request-url": f"/apim/outlook/{connection.id}{path}",
        "x-ms-client-session-id": "11111111-2222-3333-4444-555555555555",
        "x-ms-user-agent": "PowerFx/1.0",
        **headers,
    }
    url = httpx.URL(connection.url).join("/invoke")
    return httpx.post(url, headers=given, **({} if body is None else {"json": body}))


def address(connection: Connection, rest: str, base: str = ARM) -> httpx.URL:
    return httpx.URL(connection.url).join(f"{base}/{connection.id}/{rest}")


def dynamic_invoke(connection: Connection, method: str, path: str, **more: Any) -> dict[str, Any]:
    """The inner response of a `dynamicInvoke`, which itself succeeds."""
    order = {"request": {"method": method, "path": path, **more}}
    answer = httpx.post(address(connection, f"dynamicInvoke{VERSION}"), headers=CREDENTIAL, json=order)
    assert (200, ["response"]) == (answer.status_code, list(answer.json())), answer.text
    inside: dict[str, Any] = answer.json()["response"]
    assert ["statusCode", "headers", "body"] == list(inside)
    return inside


def ask(settings: Settings, method: str, path: str, **more: Any) -> httpx.Response:
    """One call to an emulator of a test's own."""
    app = create_app(settings, VirtualClock(START))

    async def call() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.request(method, path, **more)

    try:
        return asyncio.run(call())
    finally:
        app.state.sandboxes.close()


def arm_error(answer: httpx.Response) -> tuple[int, str, str]:
    """Status, code and text of an error in the management API's shape."""
    error = answer.json()["error"]
    assert (["error"], ["code", "message"]) == (list(answer.json()), list(error))
    return answer.status_code, error["code"], error["message"]


# /invoke


def test_a_mail_sent_as_power_apps_does_arrives(alice: Connection, bob: Connection) -> None:
    """A send through /invoke has the response of a direct one, and the mail is there."""
    answer = invoke(alice, "POST", "/v2/Mail", {"To": bob.address, "Subject": "Hi", "Body": "<p>Hi</p>"})

    assert (200, b"") == (answer.status_code, answer.content)
    assert ("Hi", alice.address) == (bob.mail()["Subject"], bob.mail()["From"])


def test_query_and_answer_pass(alice: Connection, bob: Connection) -> None:
    """What the address asks for is what comes back, word for word as on the straight path."""
    for subject in ("One", "Two"):
        alice.send(bob.address, subject)
    path = "/v2/Mail?fetchOnlyUnread=False&top=1&subjectFilter=One"
    straight = bob.http.get(path)
    answer = invoke(bob, "GET", path)

    assert (straight.status_code, straight.json()) == (answer.status_code, answer.json())
    assert ["One"] == [one["Subject"] for one in answer.json()["value"]]
    assert straight.headers.keys() == answer.headers.keys()


def test_ids_pass_as_they_are(alice: Connection, bob: Connection) -> None:
    """A percent-encoded id in the address means the same mail as on the straight path."""
    alice.send(bob.address, "Read me")
    id = bob.mail()["Id"]
    answers = [invoke(bob, "GET", f"/Mail/{form}") for form in (id, id.replace("=", "%3D"), id.replace("=", "%253D"))]

    assert ["Read me"] * 3 == [one.json()["Subject"] for one in answers]


def test_the_address_may_be_absolute(alice: Connection) -> None:
    """Of an absolute URL the path counts: the runtime URL of a real connection leads here as well."""
    url = f"https://x.azure-apihub.net/apim/outlook/{alice.id}/testconnection"

    assert invoke(alice, "get", "", **{"x-ms-request-url": url}).status_code == 200


def test_what_a_request_line_could_not_hold_is_escaped(alice: Connection) -> None:
    """Blanks and letters beyond ASCII in the header are read as they were meant."""
    made = alice.api.post(f"/connections/{alice.id}/folders", json={"path": "Grüße an alle"})
    assert made.is_success, made.text
    alice.deliver(subject="Here", folder="Grüße an alle")
    url = f"/apim/outlook/{alice.id}/v2/Mail?folderPath=Grüße an alle"
    headers = [
        (b"authorization", b"Bearer token"),
        (b"x-ms-request-method", b"GET"),
        (b"x-ms-request-url", url.encode()),
    ]
    answer = httpx.post(httpx.URL(alice.url).join("/invoke"), headers=headers)

    assert ["Here"] == [one["Subject"] for one in answer.json()["value"]]


def test_a_poll_leads_on(alice: Connection, bob: Connection) -> None:
    """The Location of a poll through /invoke is an address that works, on the host that was called."""
    first = invoke(bob, "GET", "/v2/Mail/OnNewEmail?folderPath=Inbox")
    alice.send(bob.address, "News")
    location = first.headers["location"]
    straight = httpx.get(location, headers=CREDENTIAL)
    again = invoke(bob, "GET", "", **{"x-ms-request-url": location})

    assert (202, 200, 200) == (first.status_code, straight.status_code, again.status_code)
    assert location.startswith(f"{bob.url}/v2/Mail/OnNewEmail?folderPath=Inbox&LastPollInformation=")
    assert ["News"] == [one["Subject"] for one in straight.json()["value"]]
    assert straight.json() == again.json()


def test_a_subscription_leads_on(alice: Connection) -> None:
    """The Location of a subscription through /invoke ends it."""
    order = {"NotificationUrl": "http://127.0.0.1:1/x"}
    made = invoke(alice, "POST", "/MailSubscriptionPoke/$subscriptions", order)
    ended = httpx.delete(made.headers["location"], headers=CREDENTIAL)

    assert (201, 200) == (made.status_code, ended.status_code)


def test_an_error_passes(alice: Connection) -> None:
    """An error of the connector is returned unchanged, with the client's request id."""
    query = {"x-ms-client-request-id": "mine"}
    straight = alice.http.get("/Mail/nonsense", headers=query)
    answer = invoke(alice, "GET", "/Mail/nonsense", **query)

    shown, expected = answer.json(), straight.json()
    assert ("mine" in shown["message"], expected["error"]) == (True, shown["error"])
    assert straight.status_code == answer.status_code


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (
            {"x-ms-request-method": ""},
            "The header 'x-ms-request-method' is required: it holds the method, such as GET.",
        ),
        ({"x-ms-request-url": ""}, "The header 'x-ms-request-url' is required: it holds the path, such as "),
        ({"x-ms-request-method": "DANCE"}, "must be one of DELETE, GET, PATCH, POST, PUT, not 'DANCE'."),
        ({"x-ms-request-method": "x" * 1000}, f"not '{'x' * 20}'."),
        ({"x-ms-request-url": "/apim/office365/x/v2/Mail"}, "must start with /apim/outlook/, not '/apim/office365/x"),
        ({"x-ms-request-url": "https://example.com/"}, "must start with /apim/outlook/, not 'https://example.com/'."),
        ({"x-ms-request-url": "/_emulator/api/sandboxes"}, "must start with /apim/outlook/"),
        ({"x-ms-request-url": "apim/outlook/x"}, "must start with /apim/outlook/"),
        ({"x-ms-request-url": "/apim/outlook"}, "must start with /apim/outlook/"),
        ({"x-ms-request-url": "http://[::"}, "must start with /apim/outlook/"),
    ],
)
def test_unreadable_invocation(alice: Connection, headers: dict[str, str], expected: str) -> None:
    """A request without a valid method or URL in its headers is an error in the connector's shape."""
    answer = invoke(alice, "GET", "/testconnection", **headers)

    assert (400, "ErrorInvalidRequest") == (answer.status_code, answer.json()["error"]["code"])
    assert expected in answer.json()["message"]
    assert ["status", "message", "error", "source"] == list(answer.json())


def test_no_headers_at_all(server: Server) -> None:
    """The first header that is missing is named."""
    answer = server.http.post("/invoke", headers={"x-ms-client-request-id": "mine"})

    assert answer.json()["message"].startswith("The header 'x-ms-request-method' is required")
    assert answer.json()["message"].endswith("\r\nclientRequestId: mine")


def test_invoke_is_a_post(server: Server) -> None:
    """An error about the method names the right one."""
    answer = server.http.get("/invoke", headers=CREDENTIAL)

    assert (405, "POST") == (answer.status_code, answer.headers["allow"])


def test_the_way_out_of_a_connection_leads_nowhere(alice: Connection) -> None:
    """Dots in an address do not lead from the connector into the admin API."""
    for path in ("/../../../_emulator/api/sandboxes", "/%2e%2e/%2e%2e/%2e%2e/_emulator/api/sandboxes"):
        assert invoke(alice, "GET", path).status_code == 404


@pytest.mark.parametrize(
    ("credential", "expected"), [("Bearer secret", 200), ("Key secret", 200), ("Bearer other", 401), ("", 401)]
)
def test_the_credential_counts(credential: str, expected: int) -> None:
    """The credential that is demanded on the straight path is demanded here."""
    headers = {
        "Authorization": credential,
        "x-ms-request-method": "GET",
        "x-ms-request-url": "/apim/outlook/x/testconnection",
    }
    answer = ask(Settings(authorization="secret"), "POST", "/invoke", headers=headers)

    assert expected == answer.status_code


# dynamicInvoke


def test_a_mail_sent_by_dynamic_invoke_arrives(alice: Connection, bob: Connection) -> None:
    """An inner send is served, and its empty success has its name."""
    body = {"To": bob.address, "Subject": "Hi", "Body": "<p>Hi</p>"}
    inside = dynamic_invoke(alice, "post", "/v2/Mail", body=body)

    assert ("OK", None, "Hi") == (inside["statusCode"], inside["body"], bob.mail()["Subject"])


@pytest.mark.parametrize("path", ["testconnection", "/testconnection"])
def test_the_test_request_of_a_connection(alice: Connection, path: str) -> None:
    """The test request that a connection resource names works as it stands there."""
    assert dynamic_invoke(alice, "get", path)["statusCode"] == "OK"


def test_queries(alice: Connection, bob: Connection) -> None:
    """Queries may be texts, numbers or booleans, stand in the path as well, and nulls are none."""
    for subject in ("One & only", "Two"):
        alice.send(bob.address, subject)
    queries = {"fetchOnlyUnread": False, "top": 5, "subjectFilter": "One & only", "to": None}
    inside = dynamic_invoke(bob, "GET", "/v2/Mail?includeAttachments=true", queries=queries)

    assert ["One & only"] == [one["Subject"] for one in inside["body"]["value"]]
    assert dynamic_invoke(bob, "GET", "/v2/Mail?top=1")["body"]["value"][0]["Subject"] == "Two"


def test_a_poll_by_dynamic_invoke(alice: Connection, bob: Connection) -> None:
    """A poll inside a call says in its headers where to ask next, and that address works."""
    first = dynamic_invoke(bob, "GET", "/v2/Mail/OnNewEmail", queries={"folderPath": "Inbox"})
    alice.send(bob.address, "News")
    straight = httpx.get(first["headers"]["Location"], headers=CREDENTIAL)

    assert ("Accepted", "15", None) == (first["statusCode"], first["headers"]["Retry-After"], first["body"])
    assert first["headers"]["Location"].startswith(f"{bob.url}/v2/Mail/OnNewEmail?")
    assert ["News"] == [one["Subject"] for one in straight.json()["value"]]
    below = first["headers"]["Location"].removeprefix(bob.url)
    assert straight.json() == dynamic_invoke(bob, "GET", below)["body"]


def test_a_created_event(alice: Connection) -> None:
    """A 201 has its name, with the new event as body."""
    body = {"Subject": "Tea", "Start": "2026-03-04T16:00:00Z", "End": "2026-03-04T16:30:00Z"}
    inside = dynamic_invoke(alice, "POST", "/datasets/calendars/v3/tables/Calendar/items", body=body)

    assert ("Created", "Tea") == (inside["statusCode"], inside["body"]["Subject"])
    assert ["Tea"] == [one["Subject"] for one in alice.events()]


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/Mail/nonsense", "BadRequest"),
        ("GET", "/nothing/here", "NotFound"),
        ("GET", "/../../_emulator/api/sandboxes", "NotFound"),
        ("DELETE", "/testconnection", "MethodNotAllowed"),
        ("GET", "", "NotFound"),
    ],
)
def test_an_error_inside(alice: Connection, method: str, path: str, name: str) -> None:
    """The outer request succeeds though the inner one fails; status and body are inside."""
    inside = dynamic_invoke(alice, method, path)

    assert name == inside["statusCode"]
    assert ["status", "message", "error", "source"] == list(inside["body"])
    assert inside["headers"]["Content-Type"] == "application/json; charset=utf-8"


def test_bytes_inside(alice: Connection) -> None:
    """A binary attachment becomes an object with type and base64, a text stays as it is."""
    eml = (
        b"From: x@example.org\r\nSubject: Files\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: image/png\r\nContent-Disposition: attachment; filename=a.png\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\nAAEC/w==\r\n"
        b"--b\r\nContent-Type: text/csv\r\nContent-Disposition: attachment; filename=b.csv\r\n\r\n1;2\r\n--b--\r\n"
    )
    kind = {"Content-Type": "message/rfc822"}
    delivered = alice.api.post(f"/connections/{alice.id}/deliver", content=eml, headers=kind).json()["message"]
    mail = alice.get(f"/Mail/{delivered['Id']}", includeAttachments=True)
    paths = [f"/Mail/{mail['Id']}/Attachments/{one['Id']}" for one in mail["Attachments"]]
    bodies = [dynamic_invoke(alice, "GET", path)["body"] for path in paths]

    assert [{"$content-type": "image/png; charset=iso-8859-1", "$content": "AAEC/w=="}, "1;2"] == bodies


def test_headers_pass(alice: Connection) -> None:
    """Headers of the request inside count, those of the call where it has none; host and credential are the call's."""
    given = {"x-ms-client-request-id": "inner", "Authorization": "none", "Host": "elsewhere.example"}
    order = {"request": {"method": "GET", "path": "/Mail/nonsense", "headers": given}}
    url = address(alice, f"dynamicInvoke{VERSION}")
    inner = httpx.post(url, headers=CREDENTIAL, json=order).json()["response"]
    del given["x-ms-client-request-id"]
    outer = httpx.post(url, headers=CREDENTIAL | {"x-ms-client-request-id": "outer"}, json=order).json()["response"]
    poll = dynamic_invoke(alice, "GET", "/v2/Mail/OnNewEmail", headers=given)

    assert "clientRequestId: inner" in inner["body"]["message"]
    assert "clientRequestId: outer" in outer["body"]["message"]
    assert poll["headers"]["Location"].startswith(alice.url)


def test_case_does_not_count(alice: Connection) -> None:
    """The management API's own words may come in any case; so may the name of the version."""
    base = "/SUBSCRIPTIONS/s1/resourcegroups/g1/PROVIDERS/microsoft.web/Connections"
    order = {"request": {"method": "get", "path": "TestConnection"}}
    invoked = httpx.post(address(alice, "dynamicinvoke?API-Version=2016-06-01", base), headers=CREDENTIAL, json=order)
    proxied = httpx.get(address(alice, "Extensions/Proxy/testconnection?Api-Version=2018", base), headers=CREDENTIAL)

    assert (200, 200) == (invoked.status_code, proxied.status_code)
    assert invoked.json()["response"]["statusCode"] == "OK"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{", "The request body is not valid JSON"),
        (b"", "The request body is not valid JSON"),
        (b"[]", "The request body must be a JSON object."),
        (b"{}", "The property 'request' is required."),
        (b'{"request": "GET"}', "The property 'request' must be a JSON object."),
        (b'{"request": {"path": "x"}}', "The property 'request.method' is required."),
        (b'{"request": {"method": "GET"}}', "The property 'request.path' is required."),
        (b'{"request": {"method": 1, "path": "x"}}', "The property 'request.method' is invalid"),
        (
            b'{"request": {"method": "OPTIONS", "path": "x"}}',
            "The property 'request.method' must be one of DELETE, GET, PATCH, POST, PUT, not 'OPTIONS'.",
        ),
        (
            b'{"request": {"method": "GET", "path": "https://example.com/x"}}',
            "The property 'request.path' must be a path below the connection, not 'https://example.com/x'.",
        ),
        (b'{"request": {"method": "GET", "path": "x", "queries": [1]}}', "The property 'request.queries' is invalid"),
        (
            b'{"request": {"method": "GET", "path": "x", "queries": {"a": {}}}}',
            "The property 'request.queries.a' must be a text, a number or a boolean.",
        ),
        (
            b'{"request": {"method": "GET", "path": "x", "headers": {"Content-Type": "text/plain"}}}',
            "The property 'request.headers' must not contain 'Content-Type': Content headers are not allowed.",
        ),
        (b'{"request": {"method": "GET", "path": "x", "headers": {"a": "b\\nc"}}}', "must be one line of text."),
        (b'{"request": {"method": "GET", "path": "x", "headers": {"a b": "c"}}}', "a header named 'a b'."),
        (b'{"request": {"method": "GET", "path": "x", "headers": {"a": ["c"]}}}', "'request.headers.a' must be a text"),
        (
            b'{"request": {"method": "POST", "path": "x", "body": ' + b"[" * 300 + b"]" * 300 + b"}}",
            "The property 'request.body' is nested too deeply.",
        ),
    ],
)
def test_unreadable_dynamic_invoke(alice: Connection, body: bytes, expected: str) -> None:
    """An unreadable request is an error that names the member, and nothing is run."""
    answer = httpx.post(address(alice, f"dynamicInvoke{VERSION}"), headers=CREDENTIAL, content=body)
    status, code, text = arm_error(answer)

    assert (400, "InvalidRequestContent") == (status, code)
    assert expected in text


def test_dynamic_invoke_is_a_post(alice: Connection) -> None:
    """An error about the method names the right one."""
    answer = httpx.get(address(alice, f"dynamicInvoke{VERSION}"), headers=CREDENTIAL)

    assert (405, "MethodNotAllowed") == arm_error(answer)[:2]
    assert answer.headers["allow"] == "POST"


def test_a_body_that_is_too_large() -> None:
    """The limit of request bodies applies to the outer request."""
    path = f"{ARM}/x/dynamicInvoke{VERSION}"
    answer = ask(Settings(max_body_bytes=10), "POST", path, headers=CREDENTIAL, content=b"x" * 11)

    assert (413, "RequestBodyTooLarge") == arm_error(answer)[:2]


# extensions/proxy


def test_the_test_link_of_a_connection(alice: Connection) -> None:
    """The test link of a connection resource has the response of the connector's own test."""
    answer = httpx.get(
        address(alice, "extensions/proxy/testconnection?api-version=2018-07-01-preview"), headers=CREDENTIAL
    )

    assert (200, b"") == (answer.status_code, answer.content)


def test_any_path_and_method_by_proxy(alice: Connection, bob: Connection) -> None:
    """Every operation of the connection is reached, with query and body but without the version."""
    body = {"To": bob.address, "Subject": "Hi", "Body": "<p>Hi</p>"}
    sent = httpx.post(address(alice, f"extensions/proxy/v2/Mail{VERSION}"), headers=CREDENTIAL, json=body)
    query = f"{VERSION}&fetchOnlyUnread=False&top=1"
    read = httpx.get(address(bob, f"extensions/proxy/v2/Mail{query}"), headers=CREDENTIAL)
    poll = httpx.get(address(bob, f"extensions/proxy/v2/Mail/OnNewEmail{VERSION}&folderPath=Inbox"), headers=CREDENTIAL)

    assert (200, ["Hi"]) == (sent.status_code, [one["Subject"] for one in read.json()["value"]])
    assert poll.headers["location"].startswith(f"{bob.url}/v2/Mail/OnNewEmail?folderPath=Inbox&LastPoll")


def test_an_error_by_proxy(alice: Connection) -> None:
    """An error of the connector is returned in its own shape."""
    answer = httpx.get(address(alice, f"extensions/proxy/nothing{VERSION}"), headers=CREDENTIAL)

    assert (404, "ResourceNotFound") == (answer.status_code, answer.json()["error"]["code"])
    assert ["status", "message", "error", "source"] == list(answer.json())


# Both


@pytest.mark.parametrize("query", ["", "?", "?api-version=", "?version=1", "?top=1&api-version"])
@pytest.mark.parametrize(("method", "rest"), [("POST", "dynamicInvoke"), ("GET", "extensions/proxy/testconnection")])
def test_a_missing_version(alice: Connection, method: str, rest: str, query: str) -> None:
    """A missing version is an error before anything else is checked."""
    text = "The api-version query parameter (?api-version=) is required for all requests."

    assert (400, "MissingApiVersionParameter", text) == arm_error(httpx.request(method, address(alice, rest + query)))


@pytest.mark.parametrize("credential", ["", "Bearer other", "Basic secret"])
@pytest.mark.parametrize(("method", "rest"), [("POST", "dynamicInvoke"), ("GET", "extensions/proxy/testconnection")])
def test_a_missing_credential(method: str, rest: str, credential: str) -> None:
    """A missing credential is an error in the management API's shape."""
    headers = {"Authorization": credential}
    answer = ask(Settings(authorization="secret"), method, f"{ARM}/x/{rest}{VERSION}", headers=headers)

    assert (401, "AuthenticationFailed") == arm_error(answer)[:2]


@pytest.mark.parametrize("credential", ["Bearer secret", "Key secret"])
def test_the_demanded_credential(credential: str) -> None:
    """The credential of the direct path is valid for these routes as well."""
    headers = {"Authorization": credential}
    order = {"request": {"method": "GET", "path": "testconnection"}}
    settings = Settings(authorization="secret")
    invoked = ask(settings, "POST", f"{ARM}/x/dynamicInvoke{VERSION}", headers=headers, json=order)
    proxied = ask(settings, "GET", f"{ARM}/x/extensions/proxy/testconnection{VERSION}", headers=headers)

    assert ("OK", 200) == (invoked.json()["response"]["statusCode"], proxied.status_code)


def test_the_time_of_an_answer(sandbox: Sandbox, alice: Connection) -> None:
    """Every response to the management API has the date of the connection's sandbox."""
    sandbox.advance("1h")
    straight = alice.http.get("/testconnection").headers["date"]
    order = {"request": {"method": "GET", "path": "testconnection"}}
    answered = httpx.post(address(alice, f"dynamicInvoke{VERSION}"), headers=CREDENTIAL, json=order)
    refused = httpx.get(address(alice, "dynamicInvoke"), headers=CREDENTIAL)

    dates = [answered.headers["date"], refused.headers["date"], answered.json()["response"]["headers"]["Date"]]
    assert [straight] * 3 == dates


def test_a_query_that_is_no_text(alice: Connection) -> None:
    """A version that is not UTF-8 is an error of the client."""
    answer = httpx.get(address(alice, "extensions/proxy/testconnection?api-version=%ff"), headers=CREDENTIAL)

    assert (400, "InvalidRequestContent") == arm_error(answer)[:2]


@pytest.mark.parametrize(
    "path",
    [
        "/invoke/x",
        "/Invoke",
        "/subscriptions",
        f"{ARM}/x",
        f"{ARM}/x/listConsentLinks",
        f"{ARM}/x/dynamicInvoke/x",
        f"{ARM}/x/extensions/proxy",
        f"/x{ARM}/x/dynamicInvoke",
    ],
)
def test_other_paths_are_untouched(server: Server, path: str) -> None:
    """A path that is not an alternate route is not found."""
    answer = server.http.post(path + VERSION, headers=CREDENTIAL)

    assert (404, "ResourceNotFound") == (answer.status_code, answer.json()["error"]["code"])


def test_what_is_no_request_passes() -> None:
    """Events of the server's lifespan are passed on."""
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    sandboxes = Sandboxes(Settings())
    asyncio.run(AlternateRoutes(app, sandboxes)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    sandboxes.close()

    assert seen == ["lifespan"]


# The shape of an answer inside another


def inside(status: int, content_type: str, content: bytes) -> Any:
    """The response of `dynamicInvoke` to an inner response in two parts."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", content_type.encode()), (b"x-ms-request-id", b"1")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content[:3], "more_body": True})
        await send({"type": "http.response.body", "body": content[3:]})

    sandboxes = Sandboxes(Settings())
    routes = AlternateRoutes(app, sandboxes)
    order = b'{"request": {"method": "GET", "path": "x"}}'
    scope = {
        "type": "http",
        "method": "POST",
        "raw_path": f"{ARM}/x/dynamicInvoke".encode(),
        "query_string": b"api-version=1",
        "headers": [(b"authorization", b"Bearer x")],
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": order, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(routes(scope, receive, send))
    sandboxes.close()
    assert sent[0]["status"] == 200
    return httpx.Response(200, content=sent[1]["body"]).json()["response"]


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (200, "OK"),
        (201, "Created"),
        (202, "Accepted"),
        (204, "NoContent"),
        (400, "BadRequest"),
        (401, "Unauthorized"),
        (403, "Forbidden"),
        (404, "NotFound"),
        (405, "MethodNotAllowed"),
        (408, "RequestTimeout"),
        (409, "Conflict"),
        (413, "RequestEntityTooLarge"),
        (422, "UnprocessableEntity"),
        (429, "TooManyRequests"),
        (500, "InternalServerError"),
        (501, "NotImplemented"),
        (502, "BadGateway"),
        (503, "ServiceUnavailable"),
        (504, "GatewayTimeout"),
        (505, "HttpVersionNotSupported"),
        (599, "599"),
    ],
)
def test_status_names(status: int, name: str) -> None:
    """A status goes by its name in .NET, and by its number where it has none."""
    assert name == inside(status, "text/plain", b"")["statusCode"]


DEEP = b"[" * 300 + b"]" * 300


@pytest.mark.parametrize(
    ("content_type", "content", "shown"),
    [
        ("application/json; charset=utf-8", b'{"b": 1.0, "a": [null]}', {"b": 1.0, "a": [None]}),
        ("application/json", b'{"cut', {"$content-type": "application/json", "$content": "eyJjdXQ="}),
        ("text/html; charset=utf-8", "<p>ä</p>".encode(), "<p>ä</p>"),
        ("text/plain", b"\xff", {"$content-type": "text/plain", "$content": "/w=="}),
        ("image/png", b"\x00\x01\x02", {"$content-type": "image/png", "$content": "AAEC"}),
        ("", b"abc", {"$content-type": "", "$content": "YWJj"}),
    ],
)
def test_bodies(content_type: str, content: bytes, shown: Any) -> None:
    """JSON stays JSON, text becomes a string, and anything else an object with its bytes."""
    assert shown == inside(200, content_type, content)["body"]


def test_a_deep_body() -> None:
    """JSON that is nested deeper than a writer of JSON goes passes all the same."""
    assert isinstance(inside(200, "application/json", DEEP)["body"], list)


def test_header_names() -> None:
    """Names are spelled as clients look for them."""
    assert {"Content-Type": "text/plain", "x-ms-request-id": "1"} == inside(200, "text/plain", b"x")["headers"]
