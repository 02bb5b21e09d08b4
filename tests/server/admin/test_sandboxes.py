"""The admin API over HTTP: sandboxes, connections, folders, deliveries, the outbox, and error responses."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import httpx
import pytest

from outlook_emulator.clock import iso_seconds
from outlook_emulator.operations import OPERATIONS
from outlook_emulator.server.admin.request import AdminOperation
from outlook_emulator.server.admin.routes import ADMIN, ROOT
from outlook_emulator.server.admin.shapes import SeedQuery
from outlook_emulator.server.connector.swagger import swagger
from outlook_emulator.wire.base import members_of
from tests.conftest import Connection, Sandbox, Server
from tests.paths import EML

EML_FILES = sorted(EML.glob("*.eml"))
PLAIN = b"From: Ann <ann@example.org>\r\nTo: alice@example.com\r\nSubject: Plain\r\n\r\nHello\r\n"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE")
PATHS = sorted({verb.path for verb in ADMIN})


def error_of(answer: httpx.Response) -> tuple[int, str]:
    """Return the status and code of an error response, which must have the connector's shape."""
    body = answer.json()
    assert (answer.status_code, "outlook-emulator.localhost") == (body["status"], body["source"])
    assert body["message"].startswith(body["error"]["message"] + "\r\nclientRequestId: ")
    return answer.status_code, body["error"]["code"]


def state(sandbox: Sandbox) -> Any:
    """Return the state that a rejected request must not change."""
    return sandbox.api.get("/connections").json(), sandbox.outbox.mails()


# Sandboxes


def test_create_and_show_a_sandbox(sandbox: Sandbox, server: Server) -> None:
    """A new sandbox has a name and no connections, and looks the same when created, shown and listed."""
    name = f"{sandbox.name}-new"
    response = server.http.post(f"{ROOT}/sandboxes", json={"name": name})
    shown = server.http.get(f"{ROOT}/sandboxes/{name}")
    listed = server.http.get(f"{ROOT}/sandboxes").json()["value"]
    server.http.delete(f"{ROOT}/sandboxes/{name}")

    assert (201, {"name": name, "connections": []}) == (response.status_code, response.json())
    assert (200, response.json()) == (shown.status_code, shown.json())
    assert response.json() in listed
    assert "default" in [entry["name"] for entry in listed]


def test_create_a_sandbox_with_content(sandbox: Sandbox, server: Server) -> None:
    """One request can create a sandbox with connections, mails and sample mailboxes."""
    name = f"{sandbox.name}-whole"
    mails = [
        {"from": "x@example.org", "subject": "One", "text": "1"},
        {"eml": PLAIN.decode(), "folder": "Archive", "isRead": True},
    ]
    order = {
        "name": name,
        "connections": [{"id": f"{name}-x", "address": "x@example.com", "mails": mails}],
        "seeds": ["empty", "office"],
    }
    response = server.http.post(f"{ROOT}/sandboxes", json=order)
    runtime = f"{server.url}/apim/outlook/{name}-x/v2/Mail"
    folders = {}
    for folder in ("Inbox", "Archive"):
        query = {"folderPath": folder, "fetchOnlyUnread": False}
        folders[folder] = httpx.get(runtime, params=query, headers={"Authorization": "Bearer token"}).json()["value"]
    server.http.delete(f"{ROOT}/sandboxes/{name}")

    assert [f"{name}-empty", f"{name}-office", f"{name}-x"] == response.json()["connections"]
    assert {"Inbox": ["One"], "Archive": ["Plain"]} == {
        folder: [mail["Subject"] for mail in mails] for folder, mails in folders.items()
    }


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ({}, (400, "ErrorInvalidRequest")),
        ({"name": ""}, (400, "ErrorInvalidRequest")),
        ({"name": "a b"}, (400, "ErrorInvalidRequest")),
        ({"name": "../up"}, (400, "ErrorInvalidRequest")),
        ({"name": "x" * 65}, (400, "ErrorInvalidRequest")),
        ({"name": 7}, (400, "ErrorInvalidRequest")),
        ([], (400, "ErrorInvalidRequest")),
        ({"name": "default"}, (409, "Conflict")),
        ({"name": "fresh", "seeds": ["nothing"]}, (400, "ErrorInvalidRequest")),
        ({"name": "fresh", "seeds": ["empty", "empty"]}, (409, "Conflict")),
        ({"name": "fresh", "seeds": "empty"}, (400, "ErrorInvalidRequest")),
        ({"name": "fresh", "seeds": ["../../../etc"]}, (400, "ErrorInvalidRequest")),
        ({"name": "fresh", "connections": [{"id": "bad id"}]}, (400, "ErrorInvalidRequest")),
        ({"name": "fresh", "connections": [{"mails": [{"received": "soon"}]}]}, (400, "ErrorInvalidRequest")),
        ({"name": "fresh", "connections": [{"mails": "none"}]}, (400, "ErrorInvalidRequest")),
    ],
)
def test_invalid_sandbox(sandbox: Sandbox, server: Server, order: Any, expected: tuple[int, str]) -> None:
    """An invalid request to create a sandbox is rejected with a reason, and no sandbox is created."""
    if isinstance(order, dict) and order.get("name") == "fresh":
        order = order | {"name": f"{sandbox.name}-fresh"}
    answer = server.http.post(f"{ROOT}/sandboxes", json=order)

    assert expected == error_of(answer)
    assert server.http.get(f"{ROOT}/sandboxes/{sandbox.name}-fresh").status_code == 404


@pytest.mark.parametrize("body", [b"{", b"\xff", b'"name"', b"null", b'{"name": "\\ud800"}'])
def test_broken_json(server: Server, body: bytes) -> None:
    """A body that is not a JSON object is rejected."""
    answer = server.http.post(f"{ROOT}/sandboxes", content=body, headers={"Content-Type": "application/json"})

    assert error_of(answer) == (400, "ErrorInvalidRequest")


def test_reset_a_sandbox(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """A reset keeps the connections and removes all content."""
    alice.send(f"{bob.address}; out@example.org")
    bob.deliver(subject="Outside")
    answer = sandbox.api.post("/reset")

    assert (200, {"name": sandbox.name, "connections": [alice.id, bob.id]}) == (answer.status_code, answer.json())
    assert ([], [], []) == (alice.mails("Sent Items"), bob.mails(), sandbox.outbox.mails())


def test_delete_a_sandbox(sandbox: Sandbox, server: Server, alice: Connection) -> None:
    """Deleting a sandbox responds 204 without a body; afterwards the sandbox responds 404."""
    answer = server.http.delete(f"{ROOT}/sandboxes/{sandbox.name}")
    after = server.http.delete(f"{ROOT}/sandboxes/{sandbox.name}")

    assert (204, b"") == (answer.status_code, answer.content)
    assert error_of(after) == (404, "ErrorItemNotFound")


def test_default_sandbox_stays(server: Server) -> None:
    """The default sandbox cannot be deleted."""
    assert error_of(server.http.delete(f"{ROOT}/sandboxes/default")) == (409, "Conflict")


def test_seed_a_sandbox(sandbox: Sandbox, server: Server) -> None:
    """A sample mailbox is loaded under the requested id and can be used at once."""
    id = f"{sandbox.name}-office"
    answer = sandbox.api.post("/seed", json={"name": "office", "connection": id})
    facts = answer.json()
    mails = httpx.get(f"{facts['runtimeUrl']}/v2/Mail", headers={"Authorization": "Bearer token"}).json()["value"]

    assert (201, id, "ada@example.com", "Ada Byron") == (
        answer.status_code,
        facts["id"],
        facts["address"],
        facts["displayName"],
    )
    assert f"{server.url}/apim/outlook/{id}" == facts["runtimeUrl"]
    assert mails


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ({}, (400, "ErrorInvalidRequest")),
        ({"name": "nothing"}, (400, "ErrorInvalidRequest")),
        ({"name": "/etc"}, (400, "ErrorInvalidRequest")),
        ({"name": "empty", "connection": "bad id"}, (400, "ErrorInvalidRequest")),
        ({"name": "empty", "connection": "{alice}"}, (409, "Conflict")),
    ],
)
def test_invalid_seed(sandbox: Sandbox, alice: Connection, order: dict[str, str], expected: tuple[int, str]) -> None:
    """An unknown sample, or an id that is invalid or already in use, is rejected and changes nothing."""
    before = state(sandbox)
    answer = sandbox.api.post("/seed", json={key: value.format(alice=alice.id) for key, value in order.items()})

    assert expected == error_of(answer)
    assert before == state(sandbox)


# Connections


def test_add_a_connection(sandbox: Sandbox, server: Server) -> None:
    """A new connection looks the same when created and listed, and includes its runtime URL."""
    id = f"{sandbox.name}-c"
    order = {"id": id, "address": "Carol@Example.com", "displayName": "Carol C.", "sendAs": ["Team@example.com"]}
    answer = sandbox.api.post("/connections", json=order)
    runtime = f"{server.url}/apim/outlook/{id}"
    expected = {
        "id": id,
        "address": "carol@example.com",
        "displayName": "Carol C.",
        "sendAs": ["team@example.com"],
        "runtimeUrl": runtime,
    }

    assert (201, expected) == (answer.status_code, answer.json())
    assert [expected] == sandbox.api.get("/connections").json()["value"]
    assert httpx.get(f"{runtime}/v2/Mail", headers={"Authorization": "Bearer token"}).json() == {"value": []}


def test_connection_by_default(sandbox: Sandbox) -> None:
    """A missing id or address is generated and never reused, not even after a reset."""
    first = sandbox.api.post("/connections").json()
    second = sandbox.api.post("/connections", json={}).json()
    sandbox.api.post("/reset")
    third = sandbox.api.post("/connections", json={"displayName": "Third"}).json()

    assert len({first["id"], second["id"], third["id"]}) == 3
    assert re.fullmatch("[0-9a-f]{32}", first["id"])
    assert f"{first['id']}@outlook.com" == first["address"]
    assert third["displayName"] == "Third"


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ({"id": "bad id"}, (400, "ErrorInvalidRequest")),
        ({"id": "x" * 129}, (400, "ErrorInvalidRequest")),
        ({"id": 5}, (400, "ErrorInvalidRequest")),
        ({"address": "nobody"}, (400, "ErrorInvalidRequest")),
        ({"address": "a@example.com;b@example.com"}, (400, "ErrorInvalidRequest")),
        ({"sendAs": ["nobody"]}, (400, "ErrorInvalidRequest")),
        ({"sendAs": "team@example.com"}, (400, "ErrorInvalidRequest")),
        ({"id": "{alice}"}, (409, "Conflict")),
    ],
)
def test_invalid_connection(
    sandbox: Sandbox, alice: Connection, order: dict[str, Any], expected: tuple[int, str]
) -> None:
    """An invalid connection is rejected and changes nothing."""
    before = state(sandbox)
    body = {key: alice.id if value == "{alice}" else value for key, value in order.items()}

    assert expected == error_of(sandbox.api.post("/connections", json=body))
    assert before == state(sandbox)


def test_error_names_the_member_of_the_body(sandbox: Sandbox) -> None:
    """An error about a connection names the member of the admin API."""
    answer = sandbox.api.post("/connections", json={"sendAs": ["nobody"]})

    assert "'sendAs' must be one mail address, not 'nobody'." in answer.json()["message"]


# Folders and deliveries


@pytest.mark.parametrize(
    ("order", "expected"),
    [({"path": "Projects/Engine"}, "Projects/Engine"), ({"names": ["R/D", "Notes"]}, None)],
)
def test_add_a_folder(alice: Connection, order: dict[str, Any], expected: str | None) -> None:
    """A folder is created with its parents, operations accept its id, and creating it again changes nothing."""
    answers = [alice.api.post(f"/connections/{alice.id}/folders", json=order) for _ in range(2)]
    folder = answers[0].json()

    assert [201, 201] == [answer.status_code for answer in answers]
    assert answers[0].json() == answers[1].json()
    assert (expected, []) == (folder["path"], alice.mails(folder["id"]))


@pytest.mark.parametrize("order", [{}, {"path": ""}, {"path": "A//B"}, {"names": [" "]}, {"path": "x" * 256}])
def test_invalid_folder(alice: Connection, order: dict[str, Any]) -> None:
    """Every part of a folder path needs a valid name, and an invalid part creates no folder."""
    answer = alice.api.post(f"/connections/{alice.id}/folders", json=order)
    missing = alice.http.get("/v2/Mail", params={"folderPath": "A"})

    assert error_of(answer) == (400, "ErrorInvalidRequest")
    assert missing.status_code == 404


def test_a_folder_needs_a_path_or_names(alice: Connection) -> None:
    """The error says which members there are."""
    answer = alice.api.post(f"/connections/{alice.id}/folders", json={})

    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "The request needs 'path' or 'names'.")


@pytest.mark.parametrize(
    ("path", "order", "message"),
    [
        ("/connections", {"id": "carol", "adress": "carol@example.com"}, "The request body has no member 'adress'."),
        ("/connections/{id}/folders", {"name": "Bills"}, "The request body has no member 'name'."),
        ("/connections/{id}/deliver", {"from": "a@b.co", "subjct": "Hi"}, "The request body has no member 'subjct'."),
        ("/wait", {"conection": "x", "timeoutSeconds": 0}, "The request body has no member 'conection'."),
    ],
)
def test_misspelt_members(alice: Connection, path: str, order: dict[str, Any], message: str) -> None:
    """A member that the admin API does not know is refused by name, and nothing happens."""
    answer = alice.api.post(path.format(id=alice.id), json=order)

    assert error_of(answer) == (400, "ErrorInvalidRequest")
    assert answer.json()["error"]["message"].startswith(message + " It may have: ")
    assert alice.mails() == []


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        ("GET", "/connections/{id}/messages?foldr=Archive", "no query parameter 'foldr'. Did you mean folder?"),
        ("POST", "/connections/{id}/deliver?folder=Archive", "no query parameter 'folder'. There is none."),
        ("GET", "/outbox?conection=x", "no query parameter 'conection'."),
    ],
)
def test_misspelt_parameters(alice: Connection, method: str, path: str, message: str) -> None:
    """A query parameter that an operation of the admin API does not know is refused by name."""
    order = {"from": "ann@example.org"} if method == "POST" else None
    answer = alice.api.request(method, path.format(id=alice.id), json=order)

    assert error_of(answer) == (400, "ErrorInvalidRequest")
    assert message in answer.json()["error"]["message"]
    assert alice.mails() == alice.mails("Archive") == []


def test_a_trigger_config_may_have_more_members(alice: Connection) -> None:
    """Its requests are those of Azure's management API, which name a version, too."""
    properties = {
        "operationName": "OnNewEmailV2",
        "notificationDetails": {"callbackUrl": "http://localhost:7071/x"},
        "description": "new mail",
    }
    order = {"location": "westeurope", "properties": properties}

    path, query = f"/connections/{alice.id}/triggerConfigs/new-mail", {"api-version": "2026-05-01-preview"}
    answers = [alice.api.request(method, path, params=query, json=order) for method in ("PUT", "GET", "DELETE")]

    assert [201, 200, 204] == [answer.status_code for answer in answers]


def test_deliver_json(alice: Connection, bob: Connection, sandbox: Sandbox) -> None:
    """A mail described in JSON is delivered as described, to this mailbox only."""
    content = b64encode(b"a,b").decode()
    order: dict[str, Any] = {
        "sender": "Zoe Z. <zoe@example.org>",
        "to": f"{alice.address}; {bob.address}",
        "cc": "carol@example.org",
        "subject": "Parts",
        "html": "<p>Hello</p>",
        "importance": "High",
        "attachments": [{"Name": "t.csv", "ContentBytes": content}],
        "folder": "Projects/Engine",
        "received": "2026-01-02T03:04:05+01:00",
        "is_read": True,
        "is_flagged": True,
    }
    message = alice.deliver(**order)
    mail = alice.mail("Projects/Engine")

    assert message["Id"] == mail["Id"]
    assert ("zoe@example.org", f"{alice.address};{bob.address}", "carol@example.org") == (
        mail["From"],
        mail["To"],
        mail["Cc"],
    )
    assert ("Parts", True, True) == (mail["Subject"], mail["IsRead"], mail["HasAttachment"])
    assert mail["DateTimeReceived"] == "2026-01-02T02:04:05+00:00"
    assert alice.mails("Projects/Engine", fetchOnlyFlagged=True, importance="High") == [mail]
    assert ([], [], []) == (alice.mails(), bob.mails(), sandbox.outbox.mails())


def test_deliver_by_default(alice: Connection) -> None:
    """By default a mail is delivered unread to the Inbox at the current time."""
    alice.deliver(subject="Now", text="Hello")

    (mail,) = alice.get("/v2/Mail")["value"]
    assert ("Now", False, alice.address) == (mail["Subject"], mail["IsRead"], mail["To"])


@pytest.mark.parametrize("file", EML_FILES, ids=lambda file: file.stem)
@pytest.mark.parametrize("how", ["body", "member"])
def test_deliver_every_sample(alice: Connection, file: Path, how: str) -> None:
    """Every sample mail can be delivered, read, found in its folder and exported."""
    url = f"/connections/{alice.id}/deliver"
    raw = file.read_bytes()
    if how == "body":
        answer = alice.api.post(
            url, content=raw, params={"folder": "Samples"}, headers={"Content-Type": "message/rfc822"}
        )
    else:
        answer = alice.api.post(url, json={"eml": raw.decode("utf-8", "replace"), "folder": "Samples"})
    assert answer.status_code == 201, answer.text
    message = answer.json()["message"]
    read = alice.get(f"/Mail/{message['Id']}", includeAttachments=True)
    written = message_from_bytes(alice.mime(message["Id"]), policy=policy.default)

    assert message["Id"] == read["Id"] == alice.mail("Samples")["Id"]
    assert read["Subject"] == alice.mail("Samples")["Subject"]
    assert read["InternetMessageId"] == written["Message-ID"]


def test_deliver_mime_with_parameters(alice: Connection) -> None:
    """For a MIME mail, query parameters, in any case, have the meaning of the members of a JSON mail."""
    wishes = {"FOLDER": "Kept", "received": "2026-01-02T03:04:05Z", "isread": "True", "isFlagged": "1"}
    answer = alice.api.post(
        f"/connections/{alice.id}/deliver",
        content=PLAIN,
        params=wishes,
        headers={"Content-Type": "Message/RFC822; charset=utf-8"},
    )
    mail = alice.mail("Kept")

    assert answer.status_code == 201
    assert ("Plain", True, "2026-01-02T03:04:05+00:00") == (mail["Subject"], mail["IsRead"], mail["DateTimeReceived"])
    assert alice.mails("Kept", fetchOnlyFlagged=True) == [mail]


def test_delivered_bytes_are_kept(alice: Connection) -> None:
    """A delivered MIME mail is exported byte for byte."""
    headers = {"Content-Type": "message/rfc822"}
    answer = alice.api.post(f"/connections/{alice.id}/deliver", content=PLAIN, headers=headers)

    assert PLAIN.strip() in alice.mime(answer.json()["message"]["Id"])


@pytest.mark.parametrize(
    "order",
    [
        {"from": "nobody"},
        {"to": "nobody"},
        {"importance": "Huge"},
        {"received": "soon"},
        {"received": "0001-01-01T00:00:00+05:00"},
        {"isRead": "perhaps"},
        {"subject": 5},
        {"folder": "A//B"},
        {"attachments": [{"Name": "x", "ContentBytes": "%"}]},
        {"attachments": [{}]},
        {"attachments": {}},
    ],
)
def test_invalid_delivery(alice: Connection, order: dict[str, Any]) -> None:
    """An invalid member is rejected and nothing is delivered."""
    answer = alice.api.post(f"/connections/{alice.id}/deliver", json=order)

    assert error_of(answer)[0] == 400
    assert alice.mails() == []
    assert alice.http.get("/v2/Mail", params={"folderPath": "A"}).status_code == 404


@pytest.mark.parametrize("wish", [{"isRead": "perhaps"}, {"isFlagged": "2"}, {"received": "soon"}, {"folder": "/"}])
def test_invalid_delivery_parameters(alice: Connection, wish: dict[str, str]) -> None:
    """An invalid query parameter is rejected by name and nothing is delivered."""
    headers = {"Content-Type": "message/rfc822"}
    answer = alice.api.post(f"/connections/{alice.id}/deliver", content=PLAIN, params=wish, headers=headers)

    assert error_of(answer) == (400, "ErrorInvalidRequest")
    assert next(iter(wish)) in answer.json()["message"]
    assert alice.mails() == []


# The outbox and MIME


def test_outbox(sandbox: Sandbox, alice: Connection, bob: Connection, server: Server) -> None:
    """An outbox mail lists only its outside recipients, oldest mail first, and its MIME has no Bcc."""
    alice.send(f"{bob.address};x@example.org", subject="First", Cc="y@example.org", Bcc="z@example.org")
    alice.send(bob.address, subject="Inside")
    alice.send("x@example.org", subject="Last")
    first, last = sandbox.outbox.mails()
    answer = sandbox.api.get(f"/outbox/{first['id']}/mime")
    written = message_from_bytes(answer.content, policy=policy.default)

    assert (["x@example.org", "y@example.org", "z@example.org"], ["x@example.org"]) == (
        first["recipients"],
        last["recipients"],
    )
    assert ("First", "Last", alice.address) == (first["subject"], last["subject"], first["from"])
    assert iso_seconds(server.clock.now()) == first["departedAt"]
    assert "message/rfc822" == answer.headers["content-type"]
    assert (first["internetMessageId"], "First") == (written["Message-ID"], written["Subject"])
    assert b"z@example.org" not in answer.content


@pytest.mark.parametrize("departure", ["1", "0", "-1", "x", "1" * 30, "²", "٣"])
def test_unknown_outbox_mail(sandbox: Sandbox, departure: str) -> None:
    """An unknown outbox number, or one that is not a number, responds 404."""
    assert error_of(sandbox.api.get(f"/outbox/{departure}/mime")) == (404, "ErrorItemNotFound")


def test_message_mime(alice: Connection, bob: Connection) -> None:
    """A message is exported as its mailbox has it: only the sender's copy has the Bcc."""
    alice.send("x@example.org", subject="Written", Bcc=bob.address)
    sent, got = alice.mail("Sent Items"), bob.mail()
    answer = alice.api.get(f"/connections/{alice.id}/messages/{sent['Id']}/mime")
    own, theirs = (
        message_from_bytes(content, policy=policy.default) for content in (answer.content, bob.mime(got["Id"]))
    )

    assert (200, "message/rfc822") == (answer.status_code, answer.headers["content-type"])
    assert (bob.address, None) == (own["Bcc"], theirs["Bcc"])
    assert own["Message-ID"] == theirs["Message-ID"] == sent["InternetMessageId"]


@pytest.mark.parametrize(
    ("id", "expected"), [("none", (400, "ErrorInvalidIdMalformed")), ("{bob}", (404, "ErrorItemNotFound"))]
)
def test_unknown_message(alice: Connection, bob: Connection, id: str, expected: tuple[int, str]) -> None:
    """MIME of an invalid id, or of another mailbox's message, responds with an error."""
    message_id = id.format(bob=bob.deliver(subject="Mine")["Id"])

    assert expected == error_of(alice.api.get(f"/connections/{alice.id}/messages/{message_id}/mime"))


# Connection ids that name their sandbox


def test_create_by_path(server: Server) -> None:
    """PUT creates a sandbox once, with everything that POST takes besides the name."""
    body = {"clock": {"set": "2030-01-01T00:00:00Z", "freeze": True}, "connections": [{"id": "by-path.me"}]}
    created, again = (server.http.put(f"{ROOT}/sandboxes/by-path", json=body) for _ in range(2))
    invalid = server.http.put(f"{ROOT}/sandboxes/by.path")
    server.http.delete(f"{ROOT}/sandboxes/by-path")

    assert (201, {"name": "by-path", "connections": ["by-path.me"]}) == (created.status_code, created.json())
    assert (409, 400) == (again.status_code, invalid.status_code)


def test_ids_name_their_sandbox(configured: Callable[..., Sandbox]) -> None:
    """With the rule, every connection is of the sandbox that its id names, however it comes about."""
    http = configured(connection_ids="sandbox").server.http
    sandboxes = f"{ROOT}/sandboxes"
    created = http.put(f"{sandboxes}/a", json={"connections": [{}], "seeds": ["empty"]}).json()
    http.put(f"{sandboxes}/b")
    added = {
        id: http.post(f"{sandboxes}/a/connections", json={"id": id}).status_code for id in ("a.x", "b.x", "x", "a-x.x")
    }
    seeded = http.post(f"{sandboxes}/b/seed", json={"name": "office"}).json()
    headers = {"Authorization": "Bearer x"}
    called = {
        id: http.get(f"/apim/outlook/{id}/testconnection", headers=headers).status_code
        for id in ("a.new", "new", "c.new", "a.x")
    }
    moved = http.post(f"{sandboxes}/b/import", content=http.get(f"{sandboxes}/a/export").content)
    by_body = http.post(sandboxes, json={"name": "d"})

    assert ["a.", "a."] == [id[:2] for id in created["connections"]]
    assert {"a.x": 201, "b.x": 400, "x": 400, "a-x.x": 400} == added
    assert "b.office" == seeded["id"]
    assert {"a.new": 200, "new": 200, "c.new": 404, "a.x": 200} == called
    assert "a.new" in http.get(f"{sandboxes}/a").json()["connections"]
    assert "new" in http.get(f"{sandboxes}/default").json()["connections"]
    assert (400, 400) == (moved.status_code, by_body.status_code)
    assert "start with 'b.'" in moved.json()["message"]
    assert "PUT" in by_body.json()["message"]


# Everything else


@pytest.mark.parametrize(
    "verb", [call for call in ADMIN if "{sandbox}" in call.path and call.id != "PutSandbox"], ids=lambda verb: verb.id
)
def test_unknown_sandbox(server: Server, verb: AdminOperation) -> None:
    """Every admin operation responds 404 for an unknown sandbox, except its creation."""
    url = ROOT + re.sub(r"\{\w+\}", "none", verb.path)
    trigger = {"operationName": "OnNewEmailV2", "notificationDetails": {"callbackUrl": "http://localhost"}}
    body: dict[str, Any] = {"name": "empty", "option": "Yes", "properties": trigger, "faults": []}
    if verb.strict and verb.accepts:
        body = {name: body[name] for name in members_of(verb.accepts) if name in body}
    query = {"connection": "me"} if verb.query is SeedQuery else {}
    answer = server.http.request(verb.method, url, json=body if verb.accepts else None, params=query)

    assert error_of(answer) == (404, "ErrorItemNotFound")
    assert "No sandbox 'none' exists" in answer.json()["message"]


@pytest.mark.parametrize(("method", "path"), [("POST", "folders"), ("POST", "deliver"), ("GET", "messages/x/mime")])
def test_unknown_connection(sandbox: Sandbox, bob: Connection, method: str, path: str) -> None:
    """The admin API never creates a connection implicitly: an unknown id responds 404."""
    answer = sandbox.api.request(method, f"/connections/none/{path}", json={} if method == "POST" else None)

    assert error_of(answer) == (404, "ErrorItemNotFound")
    assert "No connection 'none' exists in this sandbox" in answer.json()["message"]
    assert [bob.id] == [connection["id"] for connection in sandbox.api.get("/connections").json()["value"]]


def _wrong_methods() -> Iterator[tuple[str, str]]:
    for path in (*PATHS, "/livez", "/readyz"):
        right = {verb.method for verb in ADMIN if verb.path == path} or {"GET", "HEAD"}
        yield from ((method, path) for method in METHODS if method not in right)


@pytest.mark.parametrize(("method", "path"), list(_wrong_methods()))
def test_wrong_method(server: Server, method: str, path: str) -> None:
    """A wrong method responds 405 with the allowed methods, whether or not the ids exist."""
    right = {verb.method for verb in ADMIN if verb.path == path}
    url = f"{ROOT}{path}" if right else path
    answer = server.http.request(method, re.sub(r"\{\w+\}", "none", url))

    assert answer.status_code == 405
    assert ", ".join(sorted(right or {"GET", "HEAD"})) == answer.headers["allow"]
    if method != "HEAD":
        assert error_of(answer) == (405, "MethodNotAllowed")


@pytest.mark.parametrize("path", ["/_emulator/nothing", ROOT, f"{ROOT}/nothing", f"{ROOT}/sandboxes/", "/favicon.ico"])
@pytest.mark.parametrize("method", ["GET", "POST", "PURGE"])
def test_unknown_path(server: Server, method: str, path: str) -> None:
    """An unknown path responds 404 for every method."""
    assert error_of(server.http.request(method, path)) == (404, "ResourceNotFound")


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_health(server: Server, path: str) -> None:
    """The health checks respond without a credential."""
    answer = server.http.get(path)

    assert (200, "ok", "text/plain; charset=utf-8") == (
        answer.status_code,
        answer.text,
        answer.headers["content-type"],
    )
    assert server.http.head(path).status_code == 200


def test_error_contains_the_request_id(server: Server) -> None:
    """An error text contains the request id of the caller."""
    answer = server.http.get(f"{ROOT}/sandboxes/none", headers={"x-ms-client-request-id": "my-id"})

    assert answer.json()["message"].endswith("\r\nclientRequestId: my-id")


def test_operations(server: Server) -> None:
    """The coverage table has a line for each operation."""
    table = server.http.get(f"{ROOT}/operations").json()["value"]

    assert [(row.id, row.method) for row in OPERATIONS] == [(line["id"], line["method"]) for line in table]


def test_swagger(server: Server) -> None:
    """The served Swagger document is generated from the operations."""
    assert json.loads(json.dumps(swagger(OPERATIONS))) == server.http.get(f"{ROOT}/swagger.json").json()


# The OpenAPI document of the admin API


@pytest.fixture
def document(server: Server) -> dict[str, Any]:
    described: dict[str, Any] = server.http.get(f"{ROOT}/openapi.json").json()
    return described


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from ([value["$ref"]] if isinstance(value.get("$ref"), str) else ())
        for part in value.values():
            yield from _references(part)
    elif isinstance(value, list):
        for part in value:
            yield from _references(part)


def _words(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        for part in value.values():
            yield from _words(part)
    elif isinstance(value, list):
        for part in value:
            yield from _words(part)


def test_document_is_openapi(document: dict[str, Any]) -> None:
    """The document states its OpenAPI version, a title, a version and the server URL."""
    assert "3.1.0" == document["openapi"]
    assert {"title", "version"} <= document["info"].keys()
    assert [{"url": ROOT}] == document["servers"]


def test_document_has_every_operation(document: dict[str, Any]) -> None:
    """The document contains each admin operation at its path and method with its id, and nothing else."""
    described = {
        (path, method.upper(), operation["operationId"])
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }

    assert {(verb.path, verb.method, verb.id) for verb in ADMIN} == described
    assert len(ADMIN) == len({verb.id for verb in ADMIN})


@pytest.mark.parametrize("verb", ADMIN, ids=lambda verb: verb.id)
def test_document_describes_the_operation(document: dict[str, Any], verb: AdminOperation) -> None:
    """The document describes the path parameters, body and responses of each operation."""
    operation = document["paths"][verb.path][verb.method.lower()]
    names = [
        parameter["name"]
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "path" and parameter["required"]
    ]

    assert re.findall(r"\{(\w+)\}", verb.path) == names
    assert bool(verb.accepts or verb.accepts_type) == ("requestBody" in operation)
    assert (verb.returns is not None) <= ("content" in operation["responses"][str(verb.status)])
    assert all(response["description"] for response in operation["responses"].values())


def test_references_resolve(document: dict[str, Any]) -> None:
    """Every reference points to a component of the document, and every component is referenced."""
    schemas = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}

    assert schemas == set(_references(document))


def test_document_has_no_swagger_keywords(document: dict[str, Any]) -> None:
    """The document has no keywords that exist only in Swagger 2.0."""
    swagger_only = {"x-nullable", "definitions", "produces", "consumes", "swagger", "nullable"}

    assert set() == swagger_only & set(_words(document))


def test_component_names_are_plain(document: dict[str, Any]) -> None:
    """Component names contain only the characters that OpenAPI allows."""
    assert [] == [name for name in document["components"]["schemas"] if not re.fullmatch(r"[A-Za-z0-9._-]+", name)]


def test_pages_of_other_origins_are_rejected(server: Server, sandbox: Sandbox) -> None:
    """A web page of another origin cannot reset a sandbox; a page of the emulator's own origin can."""
    answers = [
        sandbox.api.post("/reset", headers={"Origin": origin})
        for origin in ("https://evil.example", "null", server.url)
    ]

    assert [403, 403, 200] == [answer.status_code for answer in answers]
    assert "evil.example" in answers[0].json()["message"]


# What is left out of a mail

ODD_MAIL = b"From: bob@example.org\r\nodd line\r\nSubject: Hi\r\n\r\nHello"
ODD_LINE = {"item": "header line 'odd line'", "line": 2, "reason": "It is not of the form 'Name: value'."}


@pytest.mark.parametrize("is_json", [False, True], ids=["mime", "json"])
def test_a_delivery_reports_what_it_leaves_out(alice: Connection, is_json: bool) -> None:
    """A mail with an odd line in its headers arrives; the answer and the journal name the line."""
    answer = deliver_odd(alice, is_json, strict=False)

    assert (answer.status_code, answer.json()["skipped"]) == (201, [ODD_LINE])
    assert alice.mail()["Subject"] == "Hi"
    (entry,) = alice.api.get("/journal", params={"kind": "import"}).json()["value"]
    assert (entry["place"], entry["imported"], entry["skipped"]) == ("Inbox", 1, 1)


@pytest.mark.parametrize("is_json", [False, True], ids=["mime", "json"])
def test_a_strict_delivery_refuses_a_damaged_mail(alice: Connection, is_json: bool) -> None:
    """With `strict`, the mail does not arrive, and the error names the line."""
    answer = deliver_odd(alice, is_json, strict=True)

    assert (answer.status_code, answer.json()["skipped"]) == (400, [ODD_LINE])
    assert alice.mails() == []


def test_a_whole_mail_leaves_no_entry(alice: Connection) -> None:
    """A delivery that left out nothing is no entry of the journal."""
    alice.deliver(b"From: bob@example.org\r\n\r\nHello")

    assert alice.api.get("/journal", params={"kind": "import"}).json()["value"] == []


def deliver_odd(alice: Connection, is_json: bool, *, strict: bool) -> httpx.Response:
    path = f"/connections/{alice.id}/deliver"
    if is_json:
        return alice.api.post(path, json={"eml": ODD_MAIL.decode(), "strict": strict})
    headers = {"Content-Type": "message/rfc822"}
    return alice.api.post(path, params={"strict": strict}, content=ODD_MAIL, headers=headers)


# What is left out of a seed folder


@pytest.mark.parametrize("strict", [False, True])
def test_a_seed_reports_what_it_leaves_out(alice: Connection, strict: bool) -> None:
    """A mailbox is loaded without the parts of its texts that cannot be taken, or not at all if it is strict."""
    card = "BEGIN:VCARD\nFN:Ann\nno line\nEND:VCARD\n"
    mailbox = {"address": "o@example.com", "display_name": "O", "contacts": [{"name": "Contacts", "vcf": card}]}
    order = {"name": "odd", "connection": f"{alice.id}-odd", "mailbox": mailbox, "strict": strict}
    answer = alice.api.post("/seed", json=order)

    (part,) = answer.json()["skipped"]
    assert (part["line"], part["reason"]) == (3, "It is not a property: 'no line'.")
    assert part["item"].endswith(', contacts 1: card "Ann"')
    ids = [connection["id"] for connection in alice.api.get("/connections").json()["value"]]
    assert (answer.status_code, order["connection"] in ids) == ((400, False) if strict else (201, True))
    (entry,) = alice.api.get("/journal", params={"kind": "import"}).json()["value"]
    assert (entry["place"], entry["imported"]) == ("a seed folder", 0 if strict else 1)
