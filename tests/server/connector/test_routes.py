"""Finding the row for a method and a path, in every spelling that clients use."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import defaultdict
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest
from starlette.applications import Starlette

from outlook_emulator.app import create_app
from outlook_emulator.errors import InvalidRequest, NoSuchOperation
from outlook_emulator.operations import OPERATIONS, Operation
from outlook_emulator.server.connector.routes import MAX_SEGMENT, Routes, decode_path_value
from outlook_emulator.settings import Settings
from tests.conftest import Connection, Server

ROUTES = Routes(OPERATIONS)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


def match(method: str, path: str) -> tuple[str, list[str]]:
    """The id of the row for a path below `/apim/outlook`, and the raw values in the path."""
    operation, values = ROUTES.match(method, path.strip("/").split("/"))
    return operation.id, values


def filled(path: str, value: str = "~") -> str:
    """A template with every placeholder replaced by a value; no path has the fixed word `~`."""
    return re.sub(r"{\w+}", value, path)


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/c/v3/Mail", "Did you mean '/{connectionId}/v2/Mail'?"),
        ("/c/V2/mails", "Did you mean '/{connectionId}/v2/Mail'?"),
        ("/c/nothing/like/it", ""),
        ("/c", ""),
        ("/c/" + "v2/Mails/" * 1000, ""),
    ],
)
def test_a_hint(path: str, hint: str) -> None:
    """An unknown path that resembles a known one is answered with that one."""
    with pytest.raises(NoSuchOperation) as raised:
        match("GET", path)

    assert raised.value.message.endswith(f"is not a path of this connector.{hint and ' ' + hint}")


def test_a_path_outside_of_the_connector(server: Server) -> None:
    """A path outside of the connector's URL space is answered with that space; a path of the admin API is not."""
    answers = [httpx.get(f"{server.url}{path}", trust_env=False) for path in ("/v2/Mail", "/_emulator/api/mails")]
    texts = [answer.json()["error"]["message"] for answer in answers]

    assert [404, 404] == [answer.status_code for answer in answers]
    assert texts[0].endswith(
        "The connector is at /apim/outlook/{connectionId}, for example GET /apim/outlook/me/v2/Mail."
    )
    assert "/apim/outlook" not in texts[1]


def test_a_path_outside_of_the_connector_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A request without the connector's prefix is a line of the request log, with the hint and without secrets."""
    caplog.set_level(logging.INFO, "outlook_emulator.requests")
    app = create_app(Settings())
    answer = asyncio.run(outside(app, "/v2/Mail;sig=s3cret"))
    asyncio.run(outside(app, "/_emulator/api/nothing"))
    (line,) = [record.getMessage() for record in caplog.records]

    assert 404 == answer.status_code
    assert line.startswith("404 ")
    assert "GET /v2/Mail;sig=(redacted)" in line
    assert "The connector is at /apim/outlook/{connectionId}" in line
    assert "s3cret" not in line


async def outside(app: Starlette, path: str) -> httpx.Response:
    """The response to a path that is not the connector's."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        return await http.get(path)


def ask(app: Starlette, method: str, path: str, **headers: str) -> httpx.Response:
    """Send one request to an app without a server; `path` starts below `/apim/outlook`."""

    async def call() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), headers=headers) as client:
            return await client.request(method, f"http://test/apim/outlook{path}")

    return asyncio.run(call())


def allowed() -> dict[str, set[str]]:
    """The methods of every path; placeholders of different names are the same."""
    methods = defaultdict(set)
    for row in OPERATIONS:
        methods[filled(row.full_path)].add(row.method)
    return methods


@pytest.fixture
def app() -> Iterator[Starlette]:
    app = create_app(Settings())
    yield app
    app.state.sandboxes.close()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda row: row.id)
def test_every_row_is_found(operation: Operation) -> None:
    """A path made from a row's template matches that row, with its values in order."""
    values = operation.full_path.count("{")

    assert (operation.id, ["~"] * values) == match(operation.method, filled(operation.full_path))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda row: row.id)
def test_fixed_words_in_any_case(operation: Operation) -> None:
    """Fixed words match in upper case and in lower case."""
    path = filled(operation.full_path)

    assert match(operation.method, path.upper())[0] == operation.id
    assert match(operation.method, path.lower())[0] == operation.id


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda row: row.id)
def test_fixed_words_percent_encoded(operation: Operation) -> None:
    """Fixed words match even if every character is percent-encoded, and the values stay the same."""
    whole = "".join(
        character if character in "/~" else f"%{ord(character):02X}" for character in filled(operation.full_path)
    )

    assert match(operation.method, filled(operation.full_path)) == match(operation.method, whole)


def test_values_keep_their_case() -> None:
    """Ids keep their case, also between fixed words."""
    assert match("GET", "/Conn/MAIL/aQ=") == ("GetEmail", ["Conn", "aQ="])
    assert match("GET", "/C/DataSets(Calendars)/TABLES(aQ=)/onnewitems")[1] == ["C", "Calendars", "aQ="]


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/c/Mail/OnNewEmail", "OnNewEmail"),
        ("GET", "/c/Mail/onnewemail", "OnNewEmail"),
        ("GET", "/c/Mail/OnNewEmailX", "GetEmail"),
        ("GET", "/c/Mail/OnFlaggedEmail", "OnFlaggedEmail"),
        ("GET", "/c/Mail/OnNewMentionMeEmail", "OnNewMentionMeEmail"),
        ("GET", "/c/Mail/Move", "GetEmail"),
        ("DELETE", "/c/Mail/Flag", "DeleteEmail"),
        ("POST", "/c/Mail/Move/Flag", "Move"),
        ("GET", "/c/Mail/Move/Attachments/Flag", "GetAttachment"),
        ("GET", "/c/datasets/calendars/v2/tables/items/calendarview", "GetEventsCalendarViewV2"),
        ("GET", "/c/datasets/calendars/v2/tables/items/items", "V2CalendarGetItems"),
        ("GET", "/c/datasets/calendars/v2/tables/items/items/calendarview", "V2CalendarGetItem"),
        ("POST", "/c/MailSubscriptionPoke/$subscriptions", "CreateOnNewEmailPokeSubscription"),
        ("POST", "/c/Calendar/EventSubscriptionPoke/$subscriptions", "CreateOnChangedEventPokeSubscription"),
        ("POST", "/MailSubscriptionReceive", "ReceiveMailFromSubscription"),
        ("POST", "/RecordResponse/MailSubscriptionReceive", "ReceiveMailFromSubscriptionV2"),
        ("GET", "/RecordResponse", "ReceiveResponseGet"),
        ("GET", "/RecordResponse/Mail", "GetEmails"),
    ],
)
def test_fixed_words_before_ids(method: str, path: str, expected: str) -> None:
    """A segment that could be a fixed word or an id is the word, unless no row matches the rest of the path."""
    assert expected == match(method, path)[0]


@pytest.mark.parametrize(
    ("segments", "values"),
    [
        ("datasets(calendars)/tables(x)", ["calendars", "x"]),
        ("DATASETS(calendars)/Tables(AQ=)", ["calendars", "AQ="]),
        ("datasets%28calendars%29/tables%28AQ%3D%29", ["calendars", "AQ="]),
        ("datasets%28calendars)/tables(AQ%253D%29", ["calendars", "AQ%3D"]),
        ("datasets(calendars)/tables(AQ%253D)", ["calendars", "AQ%253D"]),
        ("datasets((a))/tables(')')", ["(a)", "')'"]),
    ],
)
def test_values_between_parentheses(segments: str, values: list[str]) -> None:
    """In the OData spelling of a table, the values are between raw or percent-encoded parentheses."""
    assert match("GET", f"/c/{segments}/onnewitems") == ("ODataStyleGetOnNewItems", ["c", *values])


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/c",
        "/c/Mails",
        "/c/v2",
        "/c/v9/Mail",
        "/c/Mail/AQ/x",
        "/c/Mail/AQ=/Attachments",
        "/c/Mail/AQ=/Attachments/a/b",
        "/c/Mail%2FFlag/x",
        "/c/datasets()/tables(x)/onnewitems",
        "/c/datasets(calendars/tables(x)/onnewitems",
        "/c/datasets(calendars)",
        "/c/testconnection/x",
        "/c/%FF/%FF",
        "/c/" + "Mail/" * 2000,
    ],
)
def test_unknown_paths(path: str) -> None:
    """An unknown path gets an error that names the path; a long path is cut."""
    with pytest.raises(NoSuchOperation, match="Resource not found: '/") as caught:
        match("GET", path)

    assert len(caught.value.message) < 300


@pytest.mark.parametrize(
    ("path", "methods"), allowed().items(), ids=lambda value: value if isinstance(value, str) else None
)
def test_wrong_method(app: Starlette, path: str, methods: set[str]) -> None:
    """An unsupported method gets a 405 with the path's methods in the Allow header."""
    answers = [ask(app, method, path) for method in METHODS if method not in methods]

    assert {405} == {answer.status_code for answer in answers}
    assert {", ".join(sorted(methods))} == {answer.headers["allow"] for answer in answers}
    assert {"MethodNotAllowed"} == {
        answer.json()["error"]["code"] for answer in answers if answer.request.method != "HEAD"
    }


def test_wrong_method_of_a_fixed_word() -> None:
    """A wrong method for a fixed word is an error, although the word could be an id that supports the method."""
    with pytest.raises(Exception, match=r"The method DELETE is not allowed here\. Allowed: GET\."):
        match("DELETE", "/c/Mail/OnNewEmail")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("AQMk=", "AQMk="),
        ("AQMk%3D", "AQMk="),
        ("AQMk%3d", "AQMk="),
        ("AQMk%253D", "AQMk="),
        ("AQMk%25253D", "AQMk%3D"),
        ("a+b", "a+b"),
        ("a%2Bb", "a+b"),
        ("a%20b", "a b"),
        ("a%2Fb", "a/b"),
        ("a%252Fb", "a/b"),
        ("100%", "100%"),
        ("%zz", "%zz"),
        ("%C3%A4", "ä"),
        ("%25C3%25A4", "ä"),
        ("x" * MAX_SEGMENT, "x" * MAX_SEGMENT),
    ],
)
def test_path_value(raw: str, expected: str) -> None:
    """A path value is percent-decoded at most twice, and `+` stays `+`."""
    assert expected == decode_path_value(raw, "id")


@pytest.mark.parametrize("raw", ["%FF", "%25FF", "%ED%A0%80", "%00", "a%2500", "x" * (MAX_SEGMENT + 1)])
def test_unreadable_path_value(raw: str) -> None:
    """A path value that is not valid text, or is too long, gets an error that names the parameter."""
    with pytest.raises(InvalidRequest, match="'messageId'"):
        decode_path_value(raw, "messageId")


@pytest.mark.parametrize("times", [0, 1, 2])
def test_ids_over_http(alice: Connection, times: int) -> None:
    """An id finds its mail raw, percent-encoded once, and percent-encoded twice."""
    id = spelled = alice.deliver(subject="Hello", attachments=[{"Name": "a.txt", "ContentBytes": "YQ=="}])["Id"]
    for _ in range(times):
        spelled = quote(spelled, safe="")
    file = alice.get(f"/Mail/{spelled}")["Attachments"][0]["Id"]
    for _ in range(times):
        file = quote(file, safe="")

    assert id.endswith("=")
    assert alice.get(f"/Mail/{spelled}")["Id"] == id
    assert alice.http.get(f"/Mail/{spelled}/Attachments/{file}").content == b"a"


@pytest.mark.parametrize(("id", "status"), [("AQ/Mk=", 404), ("AQ%2FMk=", 400), ("AQ%252FMk%253D", 400)])
def test_slash_in_an_id(alice: Connection, id: str, status: int) -> None:
    """An id with a raw slash is an unknown path, as on the real connector; with an encoded slash it is malformed."""
    answer = alice.http.get(f"/Mail/{id}")

    assert status == answer.status_code
    assert status == answer.json()["status"]


@pytest.mark.parametrize("path", ["/v2/Mail", "//v2/Mail", "/v2/Mail/", "//v2/Mail/", "/V2/MAIL", "/v%32/Mai%6C"])
def test_slashes_and_case_over_http(alice: Connection, path: str) -> None:
    """A slash at the end, one behind the connection id, other case and percent-encoded letters make no difference.

    Public connection files have runtime URLs with a slash at the end. The rest is inferred.
    """
    alice.deliver(subject="Hello")
    answer = alice.http.get(alice.url + path)

    assert [mail["Subject"] for mail in answer.json()["value"]] == ["Hello"]


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize(
    "path", ["//v2/Mail", "//Mail", "///v2/Mail", "//", "/", "//v2/Mail/x", "//datasets", "//RecordResponse"]
)
def test_an_empty_connection_id_is_404(server: Server, method: str, path: str) -> None:
    """A path with an empty connection id, as an empty variable makes it, gets 404 and makes no connection.

    Inferred: the address has no operation then. The form is that of the other errors of the connector.
    """
    before = server.http.get("/_emulator/api/sandboxes/default/connections").json()
    credential = {"Authorization": "Bearer token", "x-ms-client-request-id": "mine"}
    answer = server.http.request(method, f"/apim/outlook{path}", headers=credential)
    body = answer.json()

    assert (404, 404, "ResourceNotFound") == (answer.status_code, body["status"], body["error"]["code"])
    assert ["status", "message", "error", "source"] == list(body)
    assert f"{body['error']['message']}\r\nclientRequestId: mine" == body["message"]
    assert before == server.http.get("/_emulator/api/sandboxes/default/connections").json()


@pytest.mark.parametrize(
    "path", ["/v2//Mail", "///v2/Mail", "/Mail//Attachments/x", "/v2/Mail//", "/datasets/calendars/tables//items", "//"]
)
def test_an_empty_value_in_a_path_is_404(alice: Connection, path: str) -> None:
    """A doubled slash anywhere else stands for an empty value, and the path is unknown.

    Inferred: only a runtime URL that ends in a slash explains a doubled one.
    """
    answer = alice.http.get(alice.url + path)

    assert (404, "ResourceNotFound") == (answer.status_code, answer.json()["error"]["code"])


def test_an_empty_connection_id_by_other_routes(server: Server) -> None:
    """Power Apps' route answers 404 for an empty connection id too, and the journal shows the path as it was sent."""
    url = {"x-ms-request-method": "GET", "x-ms-request-url": "/apim/outlook//v2/Nothing"}
    answer = server.http.post("/invoke", headers={"Authorization": "Bearer token", **url})
    query = {"status": 404, "path": "//v2/Nothing"}
    entries = server.http.post("/_emulator/api/sandboxes/default/journal/query", json=query).json()["value"]

    assert (404, ["//v2/Nothing"]) == (answer.status_code, [entry["path"] for entry in entries])


@pytest.mark.parametrize("word", ["$metadata.json", "%24metadata.json", "$METADATA.JSON"])
def test_dollar_over_http(alice: Connection, word: str) -> None:
    """A dollar sign in a path may be percent-encoded."""
    assert alice.get(f"/{word}/datasets")["tabular"]["urlEncoding"] == "double"
