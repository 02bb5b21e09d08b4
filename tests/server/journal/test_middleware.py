"""What the journal records: requests, responses, their causes and deliveries, but no secrets."""

from __future__ import annotations

import gc
import json
import socket
import tracemalloc
from base64 import b64encode
from contextlib import closing
from datetime import datetime
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from outlook_emulator.traffic.secrets import redacted
from tests.conftest import Connection, Sandbox, Server
from tests.stub import Stub

MAIL = {"To": "a@example.net", "Subject": "s", "Body": "b"}
SECRET = "s3cr3t-s1gnature"
POKE = "/MailSubscriptionPoke/$subscriptions"


def entries(sandbox: Sandbox, **query: Any) -> list[dict[str, Any]]:
    """The journal entries that match a query, oldest first."""
    answer = sandbox.api.post("/journal/query", json=query)
    assert answer.status_code == 200, answer.text
    journal_entries: list[dict[str, Any]] = answer.json()["value"]
    return journal_entries


def only(sandbox: Sandbox, **query: Any) -> dict[str, Any]:
    (entry,) = entries(sandbox, **query)
    return entry


def arm(sandbox: Sandbox, **rule: Any) -> None:
    answer = sandbox.api.post("/faults", json={"faults": [rule]})
    assert answer.status_code == 201, answer.text


def cap(sandbox: Sandbox, **caps: int) -> None:
    assert sandbox.api.patch("/journal", json=caps).status_code == 200


_NO_PARAMETER = "The operation has no query parameter"


def test_an_exchange(sandbox: Sandbox, alice: Connection) -> None:
    """An entry has the sandbox's time, the connection, operation, path, request and response."""
    sandbox.advance("1h")
    answer = alice.http.post("/v2/Mail?a=1&b=%20", json=MAIL, headers={"User-Agent": "me", "X-Own": "1"})
    entry = only(sandbox)
    now = datetime.fromisoformat(sandbox.api.get("/clock").json()["now"])
    request, response = entry.pop("request"), entry.pop("response")

    assert now == datetime.fromisoformat(entry.pop("at"))
    assert datetime.fromisoformat(entry.pop("realAt")).utcoffset() is not None
    assert entry.pop("tookMilliseconds") > 0
    assert {
        "id": 1,
        "kind": "exchange",
        "connection": alice.id,
        "operation": "SendEmailV2",
        "family": "SendEmail",
        "method": "POST",
        "path": "/v2/Mail",
        "query": "a=1&b=%20",
        "status": 200,
        "outcome": "answered",
        "effected": True,
        "causes": [
            {"kind": "warning", "name": "UnknownName", "reason": f"{_NO_PARAMETER} '{name}'. There is none."}
            for name in ("a", "b")
        ],
        "workflow": {"name": None, "runId": None, "operation": None, "clientRequestId": None},
    } == entry
    assert ("me", "1") == (request["headers"]["user-agent"], request["headers"]["x-own"])
    assert (MAIL, len(answer.request.content), False) == tuple(
        request[member] for member in ("body", "size", "truncated")
    )
    assert (None, 0, False) == tuple(response[member] for member in BODY)


def test_a_response(sandbox: Sandbox, alice: Connection) -> None:
    """An entry has the response's headers, its body as JSON and its size."""
    alice.deliver(subject="Hello")
    answer = alice.http.get("/v2/Mail")
    response = only(sandbox)["response"]

    assert (answer.json(), len(answer.content)) == (response["body"], response["size"])
    assert "application/json; charset=utf-8" == response["headers"]["content-type"]


def test_the_workflow(sandbox: Sandbox, alice: Connection) -> None:
    """An entry names the workflow, run, action and request id that a workflow engine sends as headers."""
    names = {
        "x-ms-workflow-name": "orders",
        "x-ms-workflow-run-id": "0858CU21",
        "x-ms-workflow-operation-name": "Send_an_email",
        "x-ms-client-request-id": "c-1",
    }
    alice.http.post("/v2/Mail", json=MAIL, headers=names)

    wanted = {"name": "orders", "runId": "0858CU21", "operation": "Send_an_email", "clientRequestId": "c-1"}
    assert wanted == only(sandbox)["workflow"]


# Effects and causes


def test_errors_are_causes(sandbox: Sandbox, alice: Connection) -> None:
    """The entry of a request that the connector rejects has the error as its cause, and no effect."""
    alice.http.delete("/Mail/none")
    alice.http.post("/v2/Mail", json={"To": "nobody at all"})
    malformed, unreadable = entries(sandbox)

    assert [("refusal", "InvalidId", "Id is malformed. (messageId)")] == [
        tuple(cause.values()) for cause in malformed["causes"]
    ]
    assert [("refusal", "InvalidRequest")] == [(cause["kind"], cause["name"]) for cause in unreadable["causes"]]
    assert [(400, False)] * 2 == [(entry["status"], entry["effected"]) for entry in (malformed, unreadable)]


def test_faults_are_causes(sandbox: Sandbox, alice: Connection) -> None:
    """A cause names the fault rule that acted and its fault; `effected` says whether the operation ran."""
    arm(sandbox, name="lost", effect="timeout-504-after", when={"nth": 1})
    arm(sandbox, name="gone", effect="timeout-504-before", when={"nth": 1})
    for _ in range(3):
        alice.http.post("/v2/Mail", json=MAIL)
    journaled = entries(sandbox)

    assert [(504, True), (504, False), (200, True)] == [(entry["status"], entry["effected"]) for entry in journaled]
    assert [
        [{"kind": "fault", "name": "lost", "reason": "timeout-504-after"}],
        [{"kind": "fault", "name": "gone", "reason": "timeout-504-before"}],
        [],
    ] == [entry["causes"] for entry in journaled]
    assert 2 == len(sandbox.outbox.mails())


def test_reading_has_no_effect(sandbox: Sandbox, alice: Connection) -> None:
    """A successful GET is recorded as having no effect."""
    alice.get("/v2/Mail")

    assert (200, False) == (only(sandbox)["status"], only(sandbox)["effected"])


@pytest.mark.parametrize("how", ["reset", "cut"])
def test_a_broken_connection(sandbox: Sandbox, alice: Connection, how: str) -> None:
    """The outcome of an entry says how the connection was broken; its status is that of the unsent response."""
    arm(sandbox, effect={"break": how, "phase": "after"})
    with pytest.raises(httpx.TransportError):
        alice.http.post("/v2/Mail", json=MAIL)
    entry = only(sandbox)

    assert (200, how, True) == (entry["status"], entry["outcome"], entry["effected"])


def test_a_request_under_way(sandbox: Sandbox, alice: Connection) -> None:
    """A request without a response yet has an entry without a status, and is not counted until it has one."""
    arm(sandbox, effect={"delay": "1h", "delayBy": "clock"})
    url = urlsplit(alice.url)
    with closing(HTTPConnection(url.hostname or "", url.port, timeout=30)) as waiting:
        waiting.request("GET", f"{url.path}/testconnection", headers={"Authorization": "Key k"})
        while not (open_entries := entries(sandbox)):
            pass
        before = sandbox.api.get("/journal/counts").json()["exchanges"]
        sandbox.advance("1h")
        status = waiting.getresponse().status
    (entry,) = open_entries

    assert (None, "under way", "TestConnection") == (entry["status"], entry["outcome"], entry["operation"])
    assert (0, 200, 1) == (before, status, sandbox.api.get("/journal/counts").json()["exchanges"])
    assert (200, "answered") == (only(sandbox)["status"], only(sandbox)["outcome"])


def test_an_unknown_path(server: Server) -> None:
    """A request for an unknown path is recorded in the default sandbox, with its whole path and no connection."""
    admin = f"{server.url}/_emulator/api/sandboxes/default/journal"
    server.http.get(f"{server.url}/apim/outlook/c/no/such%20path")
    entry = server.http.post(f"{admin}/query", json={"path": "/c/no/such path"}).json()["value"][-1]

    assert (None, None, None) == (entry["connection"], entry["operation"], entry["family"])
    assert (404, "/c/no/such path") == (entry["status"], entry["path"])


def test_no_credential(sandbox: Sandbox, alice: Connection) -> None:
    """A request without a credential is recorded for the connection in its path."""
    httpx.get(f"{alice.url}/testconnection")
    entry = only(sandbox)

    assert (alice.id, "TestConnection", 401) == (entry["connection"], entry["operation"], entry["status"])


def test_an_alternate_route(sandbox: Sandbox, alice: Connection) -> None:
    """A request through /invoke is recorded as the operation that it calls."""
    headers = {"x-ms-request-method": "POST", "x-ms-request-url": f"/apim/outlook/{alice.id}/v2/Mail"}
    sandbox.server.http.post("/invoke", json=MAIL, headers={"Authorization": "Bearer token", **headers})
    entry = only(sandbox)

    assert ("SendEmailV2", "/v2/Mail", MAIL) == (entry["operation"], entry["path"], entry["request"]["body"])


# Secrets


def test_credentials_are_redacted(sandbox: Sandbox, alice: Connection) -> None:
    """Headers that hold a credential are redacted in every view of the journal."""
    secret = dict.fromkeys(("Authorization", "Cookie", "X-Api-Key", "Ocp-Apim-Subscription-Key"), SECRET)
    alice.http.get("/testconnection", headers=secret | {"Authorization": f"Bearer {SECRET}"})
    headers = only(sandbox)["request"]["headers"]

    assert {"(redacted)"} == {headers[name.lower()] for name in secret}
    assert SECRET not in sandbox.api.get("/journal").text


@pytest.mark.parametrize(
    "written",
    [
        '{"NotificationUrl": "http://127.0.0.1:9/?a=b&sig=%s&c=d"}',
        '{"NotificationUrl": "http:\\/\\/127.0.0.1:9\\/?a=b\\u0026sig=%s"}',
        '{"NotificationUrl": "http://127.0.0.1:9/?code=%s", "x": "?to=y&sig=%s"}',
        '{"NotificationUrl": "http://127.0.0.1:9/?next=http%%3A%%2F%%2Fh%%3Fa%%3Db%%26sig%%3D%s%%26z%%3D1"}',
        '{"NotificationUrl": "ftp://127.0.0.1:9/?sig=%s"}',
    ],
)
def test_signatures_are_redacted(sandbox: Sandbox, alice: Connection, written: str) -> None:
    """A signature in a URL is redacted in bodies, queries, headers and error messages."""
    body = written.replace("%s", SECRET).replace("%%", "%")
    headers = {"Content-Type": "application/json", "Referer": f"http://h/?sig={SECRET}"}
    alice.http.post(f"{POKE}?sig={SECRET}", content=body, headers=headers)
    entry = only(sandbox)

    assert "://127.0.0.1:9/?" in entry["request"]["body"]["NotificationUrl"]
    assert ("sig=(redacted)", "http://h/?sig=(redacted)") == (entry["query"], entry["request"]["headers"]["referer"])
    assert SECRET not in sandbox.api.get("/journal").text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://h/?sig=a%2Bb&c=d", "http://h/?sig=(redacted)&c=d"),
        ('"?sig=a\\u002Bb\\/c\\u0026d=e"', '"?sig=(redacted)\\u0026d=e"'),
        ('"?sig=a\\"', '"?sig=(redacted)\\"'),
        ("?x=h%3Fsig%3Da%26b%3Dc", "?x=h%3Fsig%3D(redacted)%26b%3Dc"),
        ("?design=x&resig=y", "?design=x&resig=y"),
    ],
)
def test_only_the_signature_is_redacted(text: str, shown: str) -> None:
    """The text around a signature stays, so that URLs can be told apart and JSON stays valid."""
    assert shown == redacted(text.encode()).decode()


# Bodies


def echoed(sandbox: Sandbox, alice: Connection, content: bytes, kind: str = "application/json") -> dict[str, Any]:
    """Send a body; return the request as the journal recorded it."""
    alice.http.post("/v2/Mail", content=content, headers={"Content-Type": kind})
    request: dict[str, Any] = entries(sandbox)[-1]["request"]
    return request


@pytest.mark.parametrize(
    ("content", "body"),
    [
        (b'{"a": [1, "\xc3\xa4"]}', {"a": [1, "ä"]}),
        (b'{"a": 1', '{"a": 1'),
        (b"plain \xc3\xa4", "plain ä"),
        (b"\xff\x00", {"$content-type": "application/json", "$content": b64encode(b"\xff\x00").decode()}),
        (b"", None),
    ],
)
def test_bodies(sandbox: Sandbox, alice: Connection, content: bytes, body: Any) -> None:
    """JSON is shown as JSON, text as text, and other bytes in base64 with their type."""
    assert (body, len(content), False) == tuple(echoed(sandbox, alice, content)[member] for member in BODY)


BODY = ("body", "size", "truncated")


def test_a_deeply_nested_body(sandbox: Sandbox, alice: Connection) -> None:
    """A deeply nested JSON body is shown as it was sent."""
    deep = b"[" * 900 + b"]" * 900
    request = alice.http.post("/v2/Mail", content=deep)

    assert 400 == request.status_code
    assert deep in sandbox.api.get("/journal").content


@pytest.mark.parametrize(
    ("kept", "body"),
    [
        (0, None),
        (8, '{"To": "'),
        (9, '{"To": "'),
        (10, '{"To": "ä'),
    ],
)
def test_long_bodies_are_cut(sandbox: Sandbox, alice: Connection, kept: int, body: Any) -> None:
    """A body above the cap is cut between two characters, and `size` is that of the whole body."""
    cap(sandbox, bodyBytes=kept)
    content = '{"To": "ä@b.c"}'.encode()

    assert (body, len(content), True) == tuple(echoed(sandbox, alice, content)[member] for member in BODY)


def test_a_whole_body(sandbox: Sandbox, alice: Connection) -> None:
    """A body of exactly the cap's size is not cut."""
    content = json.dumps(MAIL).encode()
    cap(sandbox, bodyBytes=len(content))

    assert (MAIL, len(content), False) == tuple(echoed(sandbox, alice, content)[member] for member in BODY)


def test_old_entries_make_room(sandbox: Sandbox, alice: Connection) -> None:
    """Once the journal is full, each new entry replaces the oldest; with a cap of 0, nothing is recorded."""
    cap(sandbox, cap=2)
    for _ in range(3):
        alice.http.get("/testconnection")
    kept = sandbox.api.get("/journal").json()
    cap(sandbox, cap=0)
    alice.http.get("/testconnection")
    cap(sandbox, cap=5)
    nothing = sandbox.api.get("/journal").json()
    alice.http.get("/testconnection")

    assert ([2, 3], 3, 1) == ([entry["id"] for entry in kept["value"]], kept["total"], kept["dropped"])
    assert ([], 3, 3) == (nothing["value"], nothing["total"], nothing["dropped"])
    assert [4] == [entry["id"] for entry in entries(sandbox)]


def test_a_reset_clears_the_journal(sandbox: Sandbox, alice: Connection) -> None:
    """A reset clears the journal and restores the caps of the server's settings."""
    cap(sandbox, cap=1, bodyBytes=1)
    alice.http.post("/v2/Mail", json=MAIL)
    sandbox.api.post("/reset")
    empty = sandbox.api.get("/journal").json()

    assert {"value": [], "total": 0, "dropped": 0} == empty
    assert {"cap": 2000, "bodyBytes": 65536} == sandbox.api.patch("/journal", json={}).json()


# Deliveries


def test_deliveries(sandbox: Sandbox, alice: Connection, listener: Stub) -> None:
    """Each attempt to deliver a callback is an entry with its status; the signature in the URL is redacted."""
    listener.answer_with(500, 202)
    alice.post(POKE, {"NotificationUrl": f"{listener.url}/hook?sig={SECRET}"})
    alice.deliver()
    sandbox.advance()
    sandbox.advance("1s")
    first, second = entries(sandbox, kind="delivery")
    (callback,) = sandbox.made_callbacks()
    times = [datetime.fromisoformat(entry.pop("at")) for entry in (first, second)]
    for entry in (first, second):
        entry.pop("realAt")

    common = {
        "kind": "delivery",
        "callback": callback["id"],
        "purpose": "poke",
        "reference": callback["reference"],
        "url": f"{listener.url}/hook?sig=(redacted)",
        "body": None,
        "error": None,
    }
    assert {**common, "id": first["id"], "number": 1, "status": 500} == first
    assert {**common, "id": first["id"] + 1, "number": 2, "status": 202} == second
    assert 1 == (times[1] - times[0]).total_seconds()
    assert 2 == sandbox.api.get("/journal/counts").json()["deliveries"]


def test_a_failed_delivery(sandbox: Sandbox, alice: Connection) -> None:
    """A delivery that cannot connect has an error and no status."""
    alice.post(POKE, {"NotificationUrl": "http://127.0.0.1:9/"})
    alice.deliver()
    sandbox.advance()
    entry = entries(sandbox, kind="delivery")[0]

    assert (None, True) == (entry["status"], entry["error"].startswith("ConnectError"))


def test_a_journal_with_a_cap_of_zero_counts_no_deliveries(sandbox: Sandbox, alice: Connection, listener: Stub) -> None:
    """With a cap of 0, deliveries are neither recorded nor counted."""
    cap(sandbox, cap=0)
    alice.post(POKE, {"NotificationUrl": listener.url})
    alice.deliver()
    sandbox.advance()

    assert 1 == len(listener.wait())
    assert 0 == sandbox.api.get("/journal/counts").json()["deliveries"]
    assert 0 == sandbox.api.get("/journal").json()["total"]


def test_a_body_that_does_not_arrive(sandbox: Sandbox, alice: Connection) -> None:
    """A fault responds before the operation, even if the rest of the request body never arrives."""
    assert sandbox.api.post("/faults", json={"faults": [{"effect": "throttled"}]}).is_success
    url = httpx.URL(f"{alice.url}/v2/Mail")
    head = f"POST {url.path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nContent-Length: 1000\r\n\r\n"
    with socket.create_connection((url.host, url.port or 0), timeout=30) as caller:
        caller.sendall(head.encode() + b"{")
        answer = caller.recv(4096)

    assert answer.startswith(b"HTTP/1.1 429 ")


def test_an_entry_takes_little_memory(sandbox: Sandbox, alice: Connection) -> None:
    """An entry takes as much memory as what it keeps. The bytes of the JSON library would take 4 KB each, if kept."""
    requests = 200
    alice.get("/v2/Mail")
    gc.collect()
    tracemalloc.start()
    try:
        for _ in range(requests):
            alice.get("/v2/Mail")
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert requests + 1 == sandbox.api.get("/journal").json()["total"]
    assert taken / requests < 3000
