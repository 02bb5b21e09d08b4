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
    """Send a request through /invoke, as Power Apps does; `path` starts below the connection."""
    sent_headers = {
        **CREDENTIAL,
        "x-ms-request-method": method,
        "x-ms-request-url": f"/apim/outlook/{connection.id}{path}",
        "x-ms-client-session-id": "11111111-2222-3333-4444-555555555555",
        "x-ms-user-agent": "PowerFx/1.0",
        **headers,
    }
    url = httpx.URL(connection.url).join("/invoke")
    return httpx.post(url, headers=sent_headers, **({} if body is None else {"json": body}))


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
    """Send one request to a new emulator with these settings."""
    app = create_app(settings, VirtualClock(START))

    async def call() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.request(method, path, **more)

    try:
        return asyncio.run(call())
    finally:
        app.state.sandboxes.close()


def arm_error(answer: httpx.Response) -> tuple[int, str, str]:
    """The status, code and message of an error in the management API's shape."""
    error = answer.json()["error"]
    assert (["error"], ["code", "message"]) == (list(answer.json()), list(error))
    return answer.status_code, error["code"], error["message"]


# /invoke


def test_a_mail_sent_through_invoke_arrives(alice: Connection, bob: Connection) -> None:
    """A send through /invoke gets the same response as a direct one, and the mail arrives."""
    answer = invoke(alice, "POST", "/v2/Mail", {"To": bob.address, "Subject": "Hi", "Body": "<p>Hi</p>"})

    assert (200, b"") == (answer.status_code, answer.content)
    assert ("Hi", alice.address) == (bob.mail()["Subject"], bob.mail()["From"])


def test_query_and_response_are_passed_on(alice: Connection, bob: Connection) -> None:
    """The query is applied, and the response equals that of a direct request."""
    for subject in ("One", "Two"):
        alice.send(bob.address, subject)
    path = "/v2/Mail?fetchOnlyUnread=False&top=1&subjectFilter=One"
    straight = bob.http.get(path)
    answer = invoke(bob, "GET", path)

    assert (straight.status_code, straight.json()) == (answer.status_code, answer.json())
    assert ["One"] == [mail["Subject"] for mail in answer.json()["value"]]
    assert straight.headers.keys() == answer.headers.keys()


def test_ids_are_passed_on_unchanged(alice: Connection, bob: Connection) -> None:
    """An id finds its mail raw, percent-encoded once, and percent-encoded twice."""
    alice.send(bob.address, "Read me")
    id = bob.mail()["Id"]
    answers = [invoke(bob, "GET", f"/Mail/{form}") for form in (id, id.replace("=", "%3D"), id.replace("=", "%253D"))]

    assert ["Read me"] * 3 == [answer.json()["Subject"] for answer in answers]


def test_the_address_may_be_absolute(alice: Connection) -> None:
    """Only the path of an absolute URL is used, so the runtime URL of a real connection works too."""
    url = f"https://x.azure-apihub.net/apim/outlook/{alice.id}/testconnection"

    assert invoke(alice, "get", "", **{"x-ms-request-url": url}).status_code == 200


def test_raw_characters_in_the_url_header(alice: Connection) -> None:
    """The URL header may hold unescaped spaces and non-ASCII letters."""
    created = alice.api.post(f"/connections/{alice.id}/folders", json={"path": "Grüße an alle"})
    assert created.is_success, created.text
    alice.deliver(subject="Here", folder="Grüße an alle")
    url = f"/apim/outlook/{alice.id}/v2/Mail?folderPath=Grüße an alle"
    headers = [
        (b"authorization", b"Bearer token"),
        (b"x-ms-request-method", b"GET"),
        (b"x-ms-request-url", url.encode()),
    ]
    answer = httpx.post(httpx.URL(alice.url).join("/invoke"), headers=headers)

    assert ["Here"] == [mail["Subject"] for mail in answer.json()["value"]]


def test_the_location_of_a_poll(alice: Connection, bob: Connection) -> None:
    """The Location of a poll through /invoke can be requested directly, and names the host of the request."""
    first = invoke(bob, "GET", "/v2/Mail/OnNewEmail?folderPath=Inbox")
    alice.send(bob.address, "News")
    location = first.headers["location"]
    straight = httpx.get(location, headers=CREDENTIAL)
    again = invoke(bob, "GET", "", **{"x-ms-request-url": location})

    assert (202, 200, 200) == (first.status_code, straight.status_code, again.status_code)
    assert location.startswith(f"{bob.url}/v2/Mail/OnNewEmail?folderPath=Inbox&LastPollInformation=")
    assert ["News"] == [mail["Subject"] for mail in straight.json()["value"]]
    assert straight.json() == again.json()


def test_the_location_of_a_subscription(alice: Connection) -> None:
    """A DELETE of the Location of a subscription made through /invoke ends the subscription."""
    order = {"NotificationUrl": "http://127.0.0.1:1/x"}
    created = invoke(alice, "POST", "/MailSubscriptionPoke/$subscriptions", order)
    ended = httpx.delete(created.headers["location"], headers=CREDENTIAL)

    assert (201, 200) == (created.status_code, ended.status_code)


def test_an_error_is_passed_on(alice: Connection) -> None:
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
    """A request without a valid method and URL in its headers gets an error in the connector's shape."""
    answer = invoke(alice, "GET", "/testconnection", **headers)

    assert (400, "ErrorInvalidRequest") == (answer.status_code, answer.json()["error"]["code"])
    assert expected in answer.json()["message"]
    assert ["status", "message", "error", "source"] == list(answer.json())


def test_no_headers_at_all(server: Server) -> None:
    """The error for a request without headers names the first missing header."""
    answer = server.http.post("/invoke", headers={"x-ms-client-request-id": "mine"})

    assert answer.json()["message"].startswith("The header 'x-ms-request-method' is required")
    assert answer.json()["message"].endswith("\r\nclientRequestId: mine")


def test_invoke_is_a_post(server: Server) -> None:
    """A GET of /invoke gets 405, and the Allow header names POST."""
    answer = server.http.get("/invoke", headers=CREDENTIAL)

    assert (405, "POST") == (answer.status_code, answer.headers["allow"])


def test_dots_in_the_path_do_not_leave_the_connector(alice: Connection) -> None:
    """A path with `..` segments cannot reach the admin API through /invoke."""
    for path in ("/../../../_emulator/api/sandboxes", "/%2e%2e/%2e%2e/%2e%2e/_emulator/api/sandboxes"):
        assert invoke(alice, "GET", path).status_code == 404


@pytest.mark.parametrize(
    ("credential", "expected"), [("Bearer secret", 200), ("Key secret", 200), ("Bearer other", 401), ("", 401)]
)
def test_the_credential_of_invoke(credential: str, expected: int) -> None:
    """/invoke requires the same credential as a direct request."""
    headers = {
        "Authorization": credential,
        "x-ms-request-method": "GET",
        "x-ms-request-url": "/apim/outlook/x/testconnection",
    }
    answer = ask(Settings(authorization="secret"), "POST", "/invoke", headers=headers)

    assert expected == answer.status_code


# dynamicInvoke


def test_a_mail_sent_by_dynamic_invoke_arrives(alice: Connection, bob: Connection) -> None:
    """A mail sent by dynamicInvoke arrives, and the inner response has the status OK and a null body."""
    body = {"To": bob.address, "Subject": "Hi", "Body": "<p>Hi</p>"}
    inside = dynamic_invoke(alice, "post", "/v2/Mail", body=body)

    assert ("OK", None, "Hi") == (inside["statusCode"], inside["body"], bob.mail()["Subject"])


@pytest.mark.parametrize("path", ["testconnection", "/testconnection"])
def test_the_test_request_of_a_connection(alice: Connection, path: str) -> None:
    """The test request works with and without a leading slash."""
    assert dynamic_invoke(alice, "get", path)["statusCode"] == "OK"


def test_queries(alice: Connection, bob: Connection) -> None:
    """Query values may be strings, numbers or booleans, or part of the path; a null value is left out."""
    for subject in ("One & only", "Two"):
        alice.send(bob.address, subject)
    queries = {"fetchOnlyUnread": False, "top": 5, "subjectFilter": "One & only", "to": None}
    inside = dynamic_invoke(bob, "GET", "/v2/Mail?includeAttachments=true", queries=queries)

    assert ["One & only"] == [mail["Subject"] for mail in inside["body"]["value"]]
    assert dynamic_invoke(bob, "GET", "/v2/Mail?top=1")["body"]["value"][0]["Subject"] == "Two"


def test_a_poll_by_dynamic_invoke(alice: Connection, bob: Connection) -> None:
    """A poll by dynamicInvoke has the next address in its inner headers, and that address works."""
    first = dynamic_invoke(bob, "GET", "/v2/Mail/OnNewEmail", queries={"folderPath": "Inbox"})
    alice.send(bob.address, "News")
    straight = httpx.get(first["headers"]["Location"], headers=CREDENTIAL)

    assert ("Accepted", "3600", None) == (first["statusCode"], first["headers"]["Retry-After"], first["body"])
    assert first["headers"]["Location"].startswith(f"{bob.url}/v2/Mail/OnNewEmail?")
    assert ["News"] == [mail["Subject"] for mail in straight.json()["value"]]
    below = first["headers"]["Location"].removeprefix(bob.url)
    assert straight.json() == dynamic_invoke(bob, "GET", below)["body"]


def test_a_created_event(alice: Connection) -> None:
    """The inner response of a created event has the status Created and the new event as its body."""
    body = {"Subject": "Tea", "Start": "2026-03-04T16:00:00Z", "End": "2026-03-04T16:30:00Z"}
    inside = dynamic_invoke(alice, "POST", "/datasets/calendars/v3/tables/Calendar/items", body=body)

    assert ("Created", "Tea") == (inside["statusCode"], inside["body"]["Subject"])
    assert ["Tea"] == [event["Subject"] for event in alice.events()]


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
    """When the inner request fails, the outer one succeeds and holds the error's status and body."""
    inside = dynamic_invoke(alice, method, path)

    assert name == inside["statusCode"]
    assert ["status", "message", "error", "source"] == list(inside["body"])
    assert inside["headers"]["Content-Type"] == "application/json; charset=utf-8"


def test_bytes_inside(alice: Connection) -> None:
    """A binary body becomes an object with its content type and base64; a text body becomes a string."""
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
    paths = [f"/Mail/{mail['Id']}/Attachments/{file['Id']}" for file in mail["Attachments"]]
    bodies = [dynamic_invoke(alice, "GET", path)["body"] for path in paths]

    assert [{"$content-type": "image/png; charset=iso-8859-1", "$content": "AAEC/w=="}, "1;2"] == bodies


def test_inner_headers(alice: Connection) -> None:
    """Inner headers win over outer ones, except Host and Authorization, which are always the outer ones."""
    inner_headers = {"x-ms-client-request-id": "inner", "Authorization": "none", "Host": "elsewhere.example"}
    order = {"request": {"method": "GET", "path": "/Mail/nonsense", "headers": inner_headers}}
    url = address(alice, f"dynamicInvoke{VERSION}")
    inner = httpx.post(url, headers=CREDENTIAL, json=order).json()["response"]
    del inner_headers["x-ms-client-request-id"]
    outer = httpx.post(url, headers=CREDENTIAL | {"x-ms-client-request-id": "outer"}, json=order).json()["response"]
    poll = dynamic_invoke(alice, "GET", "/v2/Mail/OnNewEmail", headers=inner_headers)

    assert "clientRequestId: inner" in inner["body"]["message"]
    assert "clientRequestId: outer" in outer["body"]["message"]
    assert poll["headers"]["Location"].startswith(alice.url)


def test_path_in_any_case(alice: Connection) -> None:
    """The fixed words of the management API's paths, and `api-version`, match in any case."""
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
    """An invalid dynamicInvoke body gets a 400 that names the invalid property."""
    answer = httpx.post(address(alice, f"dynamicInvoke{VERSION}"), headers=CREDENTIAL, content=body)
    status, code, text = arm_error(answer)

    assert (400, "InvalidRequestContent") == (status, code)
    assert expected in text


def test_dynamic_invoke_is_a_post(alice: Connection) -> None:
    """A GET of dynamicInvoke gets 405, and the Allow header names POST."""
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
    """The test link of a connection resource gets the response of the TestConnection operation."""
    answer = httpx.get(
        address(alice, "extensions/proxy/testconnection?api-version=2018-07-01-preview"), headers=CREDENTIAL
    )

    assert (200, b"") == (answer.status_code, answer.content)


def test_any_path_and_method_by_proxy(alice: Connection, bob: Connection) -> None:
    """The proxy passes on method, path, query and body, but not `api-version`."""
    body = {"To": bob.address, "Subject": "Hi", "Body": "<p>Hi</p>"}
    sent = httpx.post(address(alice, f"extensions/proxy/v2/Mail{VERSION}"), headers=CREDENTIAL, json=body)
    query = f"{VERSION}&fetchOnlyUnread=False&top=1"
    read = httpx.get(address(bob, f"extensions/proxy/v2/Mail{query}"), headers=CREDENTIAL)
    poll = httpx.get(address(bob, f"extensions/proxy/v2/Mail/OnNewEmail{VERSION}&folderPath=Inbox"), headers=CREDENTIAL)

    assert (200, ["Hi"]) == (sent.status_code, [mail["Subject"] for mail in read.json()["value"]])
    assert poll.headers["location"].startswith(f"{bob.url}/v2/Mail/OnNewEmail?folderPath=Inbox&LastPoll")


def test_an_error_by_proxy(alice: Connection) -> None:
    """An error through the proxy keeps the connector's shape."""
    answer = httpx.get(address(alice, f"extensions/proxy/nothing{VERSION}"), headers=CREDENTIAL)

    assert (404, "ResourceNotFound") == (answer.status_code, answer.json()["error"]["code"])
    assert ["status", "message", "error", "source"] == list(answer.json())


# Both


@pytest.mark.parametrize("query", ["", "?", "?api-version=", "?version=1", "?top=1&api-version"])
@pytest.mark.parametrize(("method", "rest"), [("POST", "dynamicInvoke"), ("GET", "extensions/proxy/testconnection")])
def test_a_missing_version(alice: Connection, method: str, rest: str, query: str) -> None:
    """A request without an API version gets a 400 in the management API's shape."""
    text = "The api-version query parameter (?api-version=) is required for all requests."

    assert (400, "MissingApiVersionParameter", text) == arm_error(httpx.request(method, address(alice, rest + query)))


@pytest.mark.parametrize("credential", ["", "Bearer other", "Basic secret"])
@pytest.mark.parametrize(("method", "rest"), [("POST", "dynamicInvoke"), ("GET", "extensions/proxy/testconnection")])
def test_a_missing_credential(method: str, rest: str, credential: str) -> None:
    """A request without a valid credential gets a 401 in the management API's shape."""
    headers = {"Authorization": credential}
    answer = ask(Settings(authorization="secret"), method, f"{ARM}/x/{rest}{VERSION}", headers=headers)

    assert (401, "AuthenticationFailed") == arm_error(answer)[:2]


@pytest.mark.parametrize("credential", ["Bearer secret", "Key secret"])
def test_the_required_credential(credential: str) -> None:
    """The credential of direct requests is valid for these routes too."""
    headers = {"Authorization": credential}
    order = {"request": {"method": "GET", "path": "testconnection"}}
    settings = Settings(authorization="secret")
    invoked = ask(settings, "POST", f"{ARM}/x/dynamicInvoke{VERSION}", headers=headers, json=order)
    proxied = ask(settings, "GET", f"{ARM}/x/extensions/proxy/testconnection{VERSION}", headers=headers)

    assert ("OK", 200) == (invoked.json()["response"]["statusCode"], proxied.status_code)


def test_the_date_of_a_response(sandbox: Sandbox, alice: Connection) -> None:
    """The Date of every response is the time of the connection's sandbox."""
    sandbox.advance("1h")
    straight = alice.http.get("/testconnection").headers["date"]
    order = {"request": {"method": "GET", "path": "testconnection"}}
    answered = httpx.post(address(alice, f"dynamicInvoke{VERSION}"), headers=CREDENTIAL, json=order)
    refused = httpx.get(address(alice, "dynamicInvoke"), headers=CREDENTIAL)

    dates = [answered.headers["date"], refused.headers["date"], answered.json()["response"]["headers"]["Date"]]
    assert [straight] * 3 == dates


def test_a_query_that_is_not_utf8(alice: Connection) -> None:
    """An API version that is not UTF-8 gets a 400."""
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
def test_other_paths(server: Server, path: str) -> None:
    """A path that only resembles an alternate route gets a 404."""
    answer = server.http.post(path + VERSION, headers=CREDENTIAL)

    assert (404, "ResourceNotFound") == (answer.status_code, answer.json()["error"]["code"])


def test_lifespan_events_are_passed_on() -> None:
    """Lifespan events of the server reach the inner app."""
    scope_types = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope_types.append(scope["type"])

    sandboxes = Sandboxes(Settings())
    asyncio.run(AlternateRoutes(app, sandboxes)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    sandboxes.close()

    assert scope_types == ["lifespan"]


# The shape of the inner response


def inside(status: int, content_type: str, content: bytes) -> Any:
    """The inner response that `dynamicInvoke` returns when the app sends its response in two parts."""

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
    """The inner status is its .NET name, or its number if it has no name."""
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
    """A JSON body stays JSON, a text body becomes a string, and any other body becomes an object with base64."""
    assert shown == inside(200, content_type, content)["body"]


def test_a_deep_body() -> None:
    """JSON that is too deeply nested for the JSON writer is still returned as JSON."""
    assert isinstance(inside(200, "application/json", DEEP)["body"], list)


def test_header_names() -> None:
    """Header names are capitalised, except those that start with `x-ms-`."""
    assert {"Content-Type": "text/plain", "x-ms-request-id": "1"} == inside(200, "text/plain", b"x")["headers"]
