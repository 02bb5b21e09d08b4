"""What the journal notes of an exchange: who asked what, what came back and why, and nothing that is secret."""

from __future__ import annotations

import json
import socket
from base64 import b64encode
from contextlib import closing
from datetime import datetime
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from outlook_emulator.traffic.journal import redacted
from tests.conftest import Connection, Sandbox, Server
from tests.stub import Stub

MAIL = {"To": "a@example.net", "Subject": "s", "Body": "b"}
SECRET = "s3cr3t-s1gnature"
POKE = "/MailSubscriptionPoke/$subscriptions"


def entries(sandbox: Sandbox, **query: Any) -> list[dict[str, Any]]:
    """What the journal has, oldest first."""
    answer = sandbox.api.post("/journal/query", json=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["value"]
    return found


def only(sandbox: Sandbox, **query: Any) -> dict[str, Any]:
    (one,) = entries(sandbox, **query)
    return one


def arm(sandbox: Sandbox, **rule: Any) -> None:
    answer = sandbox.api.post("/faults", json={"faults": [rule]})
    assert answer.status_code == 201, answer.text


def cap(sandbox: Sandbox, **caps: int) -> None:
    assert sandbox.api.patch("/journal", json=caps).status_code == 200


def test_an_exchange(sandbox: Sandbox, alice: Connection) -> None:
    """It is told with the sandbox's time, connection, operation, path below the connection, request and answer."""
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
        "causes": [],
        "workflow": {"name": None, "runId": None, "operation": None, "clientRequestId": None},
    } == entry
    assert ("me", "1") == (request["headers"]["user-agent"], request["headers"]["x-own"])
    assert (MAIL, len(answer.request.content), False) == tuple(request[one] for one in ("body", "size", "truncated"))
    assert (None, 0, False) == tuple(response[one] for one in ("body", "size", "truncated"))


def test_an_answer(sandbox: Sandbox, alice: Connection) -> None:
    """What was answered is told as JSON, with the headers that are the answer's own."""
    alice.deliver(subject="Hello")
    answer = alice.http.get("/v2/Mail")
    response = only(sandbox)["response"]

    assert (answer.json(), len(answer.content)) == (response["body"], response["size"])
    assert "application/json; charset=utf-8" == response["headers"]["content-type"]


def test_who_the_workflow_is(sandbox: Sandbox, alice: Connection) -> None:
    """The headers by which a workflow engine names workflow, run, action and request stand by themselves."""
    names = {
        "x-ms-workflow-name": "orders",
        "x-ms-workflow-run-id": "0858CU21",
        "x-ms-workflow-operation-name": "Send_an_email",
        "x-ms-client-request-id": "c-1",
    }
    alice.http.post("/v2/Mail", json=MAIL, headers=names)

    wanted = {"name": "orders", "runId": "0858CU21", "operation": "Send_an_email", "clientRequestId": "c-1"}
    assert wanted == only(sandbox)["workflow"]


# What is done, and why


def test_refusals_are_causes(sandbox: Sandbox, alice: Connection) -> None:
    """What the connector refuses has its reason as a cause, and no effect."""
    alice.http.delete("/Mail/none")
    alice.http.post("/v2/Mail", json={"To": "nobody at all"})
    malformed, unreadable = entries(sandbox)

    assert [("refusal", "InvalidId", "Id is malformed.")] == [tuple(one.values()) for one in malformed["causes"]]
    assert [("refusal", "InvalidRequest")] == [(one["kind"], one["name"]) for one in unreadable["causes"]]
    assert [(400, False)] * 2 == [(one["status"], one["effected"]) for one in (malformed, unreadable)]


def test_faults_are_causes(sandbox: Sandbox, alice: Connection) -> None:
    """A rule that acted is told by its name and its fault; what was done all the same has its effect."""
    arm(sandbox, name="lost", effect="timeout-504-after", when={"nth": 1})
    arm(sandbox, name="gone", effect="timeout-504-before", when={"nth": 1})
    for _ in range(3):
        alice.http.post("/v2/Mail", json=MAIL)
    found = entries(sandbox)

    assert [(504, True), (504, False), (200, True)] == [(one["status"], one["effected"]) for one in found]
    assert [
        [{"kind": "fault", "name": "lost", "reason": "timeout-504-after"}],
        [{"kind": "fault", "name": "gone", "reason": "timeout-504-before"}],
        [],
    ] == [one["causes"] for one in found]
    assert 2 == len(sandbox.outbox.mails())


def test_reading_has_no_effect(sandbox: Sandbox, alice: Connection) -> None:
    """A GET changes nothing, however well it went."""
    alice.get("/v2/Mail")

    assert (200, False) == (only(sandbox)["status"], only(sandbox)["effected"])


@pytest.mark.parametrize("how", ["reset", "cut"])
def test_how_an_answer_left(sandbox: Sandbox, alice: Connection, how: str) -> None:
    """A connection that was broken is told as its outcome, beside what would have been the answer."""
    arm(sandbox, effect={"break": how, "phase": "after"})
    with pytest.raises(httpx.TransportError):
        alice.http.post("/v2/Mail", json=MAIL)
    entry = only(sandbox)

    assert (200, how, True) == (entry["status"], entry["outcome"], entry["effected"])


def test_what_is_under_way(sandbox: Sandbox, alice: Connection) -> None:
    """A call that has no answer yet is seen without one; it counts once it has."""
    arm(sandbox, effect={"delay": "1h", "delayBy": "clock"})
    url = urlsplit(alice.url)
    with closing(HTTPConnection(url.hostname or "", url.port, timeout=30)) as waiting:
        waiting.request("GET", f"{url.path}/testconnection", headers={"Authorization": "Key k"})
        while not (found := entries(sandbox)):
            pass
        before = sandbox.api.get("/journal/counts").json()["exchanges"]
        sandbox.advance("1h")
        status = waiting.getresponse().status
    (entry,) = found

    assert (None, "under way", "TestConnection") == (entry["status"], entry["outcome"], entry["operation"])
    assert (0, 200, 1) == (before, status, sandbox.api.get("/journal/counts").json()["exchanges"])
    assert (200, "answered") == (only(sandbox)["status"], only(sandbox)["outcome"])


def test_what_no_operation_answers(server: Server) -> None:
    """A path that is none is journaled in the default sandbox, with all of it and without a connection."""
    admin = f"{server.url}/_emulator/api/sandboxes/default/journal"
    server.http.get(f"{server.url}/apim/outlook/c/no/such%20path")
    entry = server.http.post(f"{admin}/query", json={"path": "/c/no/such path"}).json()["value"][-1]

    assert (None, None, None) == (entry["connection"], entry["operation"], entry["family"])
    assert (404, "/c/no/such path") == (entry["status"], entry["path"])


def test_no_credential(sandbox: Sandbox, alice: Connection) -> None:
    """A call without a credential is journaled under the connection it was for."""
    httpx.get(f"{alice.url}/testconnection")
    entry = only(sandbox)

    assert (alice.id, "TestConnection", 401) == (entry["connection"], entry["operation"], entry["status"])


def test_another_door(sandbox: Sandbox, alice: Connection) -> None:
    """A call by way of Power Apps is the operation it leads to."""
    headers = {"x-ms-request-method": "POST", "x-ms-request-url": f"/apim/outlook/{alice.id}/v2/Mail"}
    sandbox.server.http.post("/invoke", json=MAIL, headers={"Authorization": "Bearer token", **headers})
    entry = only(sandbox)

    assert ("SendEmailV2", "/v2/Mail", MAIL) == (entry["operation"], entry["path"], entry["request"]["body"])


# What is left out


def test_credentials_are_left_out(sandbox: Sandbox, alice: Connection) -> None:
    """No header that would let a reader act as the caller is shown, by no way of asking."""
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
def test_signatures_are_left_out(sandbox: Sandbox, alice: Connection, written: str) -> None:
    """A signature in an address is shown nowhere: not in a body, a query, a header or the text of a refusal."""
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
def test_only_the_signature_goes(text: str, shown: str) -> None:
    """What surrounds a signature stays, so that an address can be told from another, and JSON stays JSON."""
    assert shown == redacted(text.encode()).decode()


# Bodies


def echoed(sandbox: Sandbox, alice: Connection, content: bytes, kind: str = "application/json") -> dict[str, Any]:
    """What the journal has of a request with a body, however it was answered."""
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
    assert (body, len(content), False) == tuple(echoed(sandbox, alice, content)[one] for one in BODY)


BODY = ("body", "size", "truncated")


def test_a_body_that_is_deep(sandbox: Sandbox, alice: Connection) -> None:
    """A body nested so deep that not everybody can write it is shown as it came."""
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
    """What is above the cap is left out, between letters, and its size is told all the same."""
    cap(sandbox, bodyBytes=kept)
    content = '{"To": "ä@b.c"}'.encode()

    assert (body, len(content), True) == tuple(echoed(sandbox, alice, content)[one] for one in BODY)


def test_a_whole_body(sandbox: Sandbox, alice: Connection) -> None:
    """A body that is just as long as the cap is whole."""
    content = json.dumps(MAIL).encode()
    cap(sandbox, bodyBytes=len(content))

    assert (MAIL, len(content), False) == tuple(echoed(sandbox, alice, content)[one] for one in BODY)


def test_old_entries_make_room(sandbox: Sandbox, alice: Connection) -> None:
    """With as many entries as are kept, the oldest goes for each new one; with 0 nothing is noted."""
    cap(sandbox, cap=2)
    for _ in range(3):
        alice.http.get("/testconnection")
    kept = sandbox.api.get("/journal").json()
    cap(sandbox, cap=0)
    alice.http.get("/testconnection")
    cap(sandbox, cap=5)
    nothing = sandbox.api.get("/journal").json()
    alice.http.get("/testconnection")

    assert ([2, 3], 3, 1) == ([one["id"] for one in kept["value"]], kept["total"], kept["dropped"])
    assert ([], 3, 3) == (nothing["value"], nothing["total"], nothing["dropped"])
    assert [4] == [one["id"] for one in entries(sandbox)]


def test_a_reset_forgets(sandbox: Sandbox, alice: Connection) -> None:
    """A reset clears the journal, and what it keeps is again what the server's settings say."""
    cap(sandbox, cap=1, bodyBytes=1)
    alice.http.post("/v2/Mail", json=MAIL)
    sandbox.api.post("/reset")
    empty = sandbox.api.get("/journal").json()

    assert {"value": [], "total": 0, "dropped": 0} == empty
    assert {"cap": 2000, "bodyBytes": 65536} == sandbox.api.patch("/journal", json={}).json()


# Calls to others


def test_deliveries(sandbox: Sandbox, alice: Connection, listener: Stub) -> None:
    """Each attempt to call somebody is an entry, with how it ended and without the signature of its address."""
    listener.answer_with(500, 202)
    alice.post(POKE, {"NotificationUrl": f"{listener.url}/hook?sig={SECRET}"})
    alice.deliver()
    sandbox.advance()
    sandbox.advance("1s")
    first, second = entries(sandbox, kind="delivery")
    (callback,) = sandbox.callbacks()
    times = [datetime.fromisoformat(one.pop("at")) for one in (first, second)]
    for one in (first, second):
        one.pop("realAt")

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


def test_nobody_there(sandbox: Sandbox, alice: Connection) -> None:
    """A call that found nobody has an error in place of a status."""
    alice.post(POKE, {"NotificationUrl": "http://127.0.0.1:9/"})
    alice.deliver()
    sandbox.advance()
    entry = entries(sandbox, kind="delivery")[0]

    assert (None, True) == (entry["status"], entry["error"].startswith("ConnectError"))


def test_deliveries_are_not_kept_where_nothing_is(sandbox: Sandbox, alice: Connection, listener: Stub) -> None:
    """A journal that keeps nothing counts no deliveries either."""
    cap(sandbox, cap=0)
    alice.post(POKE, {"NotificationUrl": listener.url})
    alice.deliver()
    sandbox.advance()

    assert 1 == len(listener.wait())
    assert 0 == sandbox.api.get("/journal/counts").json()["deliveries"]
    assert 0 == sandbox.api.get("/journal").json()["total"]


def test_a_body_that_does_not_come(sandbox: Sandbox, alice: Connection) -> None:
    """A call that a fault refuses is answered, though the rest of its body stays away."""
    assert sandbox.api.post("/faults", json={"faults": [{"effect": "throttled"}]}).is_success
    url = httpx.URL(f"{alice.url}/v2/Mail")
    head = f"POST {url.path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nContent-Length: 1000\r\n\r\n"
    with socket.create_connection((url.host, url.port or 0), timeout=30) as caller:
        caller.sendall(head.encode() + b"{")
        answer = caller.recv(4096)

    assert answer.startswith(b"HTTP/1.1 429 ")
