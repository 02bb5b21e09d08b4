"""Callbacks: one delivery, retries by the sandbox's clock, the journal, restarts, and no blocked requests."""

from __future__ import annotations

import asyncio
import json
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from azure.connectors.sdk.trigger_payload import TriggerCallbackPayload

from outlook_emulator import serving
from outlook_emulator.clock import SystemClock, VirtualClock
from outlook_emulator.enums import CallbackKind
from outlook_emulator.errors import InvalidField
from outlook_emulator.mailbox.triggers import callbacks
from outlook_emulator.sandbox.registry import Sandboxes
from outlook_emulator.server.webhooks import http_callback, push_triggers
from outlook_emulator.server.webhooks.delivery import CallbackDelivery
from outlook_emulator.server.webhooks.webhooks import Webhooks
from outlook_emulator.settings import CallbackHosts, Settings
from tests.conftest import Connection, Sandbox
from tests.stub import Stub

MAIL = "/MailSubscriptionPoke/$subscriptions"
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
AUTHORIZED = {"Authorization": "Bearer token"}


def subscribe(connection: Connection, url: str) -> str:
    id: str = connection.post(MAIL, {"NotificationUrl": url}).json()["id"]
    return id


def pick(entry: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(entry[name] for name in names)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(settings: Settings, clock: VirtualClock | SystemClock) -> Iterator[httpx.Client]:
    """Start a separate server; its default sandbox is `/_emulator/api/sandboxes/default`."""
    with (
        serving.running(settings, clock) as served,
        httpx.Client(base_url=served.url, headers=AUTHORIZED, timeout=30) as http,
    ):
        yield http


SANDBOX = "/_emulator/api/sandboxes/default"


def journal(http: httpx.Client, advance: str = "0s") -> list[dict[str, Any]]:
    assert http.post(f"{SANDBOX}/clock", json={"advance": advance}).status_code == 200
    callbacks: list[dict[str, Any]] = http.get(f"{SANDBOX}/callbacks").json()["value"]
    return callbacks


# Retries


def test_a_failure_is_tried_again(sandbox: Sandbox, alice: Connection, listener: Stub) -> None:
    """A 500 is retried after one second of the sandbox's clock; a success ends the retries."""
    listener.answer_with(500, 200)
    subscribe(alice, f"{listener.url}/x")
    alice.deliver()
    (failed,) = sandbox.made_callbacks()
    (still,) = sandbox.made_callbacks()
    sandbox.advance("1s")
    (done,) = sandbox.made_callbacks()
    sandbox.advance("1h")

    assert ("pending", 1, 500) == pick(failed, "state", "attempts", "lastStatus")
    assert failed == still
    assert ("done", 2, 200, None) == pick(done, "state", "attempts", "lastStatus", "dueAt")
    assert 2 == len(listener.requests)
    # Both attempts have the same request id.
    assert 1 == len({request.headers["x-ms-client-request-id"] for request in listener.requests})


@pytest.mark.parametrize("status", [500, 503, 599, 408, 429])
def test_a_callback_fails_after_six_attempts(sandbox: Sandbox, alice: Connection, listener: Stub, status: int) -> None:
    """A callback fails after six attempts, and each wait doubles."""
    listener.answer_with(status)
    subscribe(alice, listener.url)
    alice.deliver()
    seen = [len(listener.wait())]
    for wait in (1, 2, 4, 8, 16):
        sandbox.advance(f"{wait - 0.001}s")
        seen.append(len(listener.requests))
        sandbox.advance("0.001s")
        seen.append(len(listener.requests))
    sandbox.advance("1h")
    (entry,) = sandbox.made_callbacks()

    assert [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6] == seen
    assert ("failed", 6, status, None) == pick(entry, "state", "attempts", "lastStatus", "dueAt")
    assert 6 == len(listener.requests)


@pytest.mark.parametrize("status", [302, 400, 401, 404, 410, 422])
def test_a_callback_is_not_retried_after_a_refusal(
    sandbox: Sandbox, alice: Connection, listener: Stub, status: int
) -> None:
    """A 4xx response or a redirect ends the callback without a retry."""
    listener.answer_with(status)
    subscribe(alice, listener.url)
    alice.deliver()
    sandbox.advance("1h")
    (entry,) = sandbox.made_callbacks()

    assert ("failed", 1, status) == pick(entry, "state", "attempts", "lastStatus")
    assert ["/"] == [request.path for request in listener.requests]


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_success_will_do(sandbox: Sandbox, alice: Connection, listener: Stub, status: int) -> None:
    """Any 2xx response completes the callback."""
    listener.answer_with(status)
    subscribe(alice, listener.url)
    alice.deliver()

    assert [("done", status)] == [pick(entry, "state", "lastStatus") for entry in sandbox.made_callbacks()]


def test_nobody_listens(sandbox: Sandbox, alice: Connection) -> None:
    """A refused connection is recorded as an error and retried."""
    subscribe(alice, f"http://127.0.0.1:{free_port()}")
    alice.deliver()
    (first,) = sandbox.made_callbacks()
    sandbox.advance("1m")
    (last,) = sandbox.made_callbacks()

    assert ("pending", 1, None) == pick(first, "state", "attempts", "lastStatus")
    assert "ConnectError" in first["lastError"]
    assert ("failed", 6) == pick(last, "state", "attempts")


def test_calls_to_one_url_stay_in_order(sandbox: Sandbox, alice: Connection, listener: Stub) -> None:
    """A waiting retry delays later callbacks to the same URL only."""
    listener.respond = lambda heard: (
        500 if heard.path == "/bad" and len(listener.requests) < 4 else 200,
        "text/plain",
        b"",
    )
    bad, good = subscribe(alice, f"{listener.url}/bad"), subscribe(alice, f"{listener.url}/good")
    alice.deliver()
    alice.deliver()
    waiting = sandbox.made_callbacks()
    heard = [request.path for request in listener.requests]
    sandbox.advance("10s")

    assert ["/bad", "/good", "/good"] == sorted(heard)
    assert [(bad, 1), (bad, 0)] == [
        pick(entry, "reference", "attempts") for entry in waiting if entry["state"] == "pending"
    ]
    assert {"done"} == {entry["state"] for entry in sandbox.made_callbacks()}
    assert good in {entry["reference"] for entry in sandbox.made_callbacks()}


# Concurrency


@pytest.mark.slow
def test_a_hanging_callback_delays_nobody(listener: Stub) -> None:
    """A request returns while its callback still hangs; the callback later times out."""
    release = threading.Event()

    def hang(heard: Any) -> tuple[int, str, bytes]:
        release.wait(10)
        return 200, "text/plain", b""

    listener.respond = hang
    with running(Settings(callback_timeout=1), SystemClock()) as http:
        runtime = "/apim/outlook/alice"
        subscribed = http.post(f"{runtime}{MAIL}", json={"NotificationUrl": listener.url})
        http.post(f"{SANDBOX}/clock", json={"freeze": True})
        mail = {"To": "alice@outlook.com", "Subject": "x", "Body": "x"}
        sent = http.post(f"{runtime}/v2/Mail", json=mail)
        listener.wait()
        read = http.get(f"{runtime}/v2/Mail")
        again = http.post(f"{runtime}/v2/Mail", json=mail)
        early = http.get(f"{SANDBOX}/callbacks").json()["value"]
        late = journal(http)
        release.set()

    assert (201, 200, 200, 200) == (subscribed.status_code, sent.status_code, read.status_code, again.status_code)
    assert [("pending", 0), ("pending", 0)] == [pick(entry, "state", "attempts") for entry in early]
    assert ("pending", 1, "no answer within 1 s") == pick(late[0], "state", "attempts", "lastError")


def test_a_hanging_callback_delays_no_other(sandbox: Sandbox, alice: Connection, listener: Stub) -> None:
    """Other URLs are called while one callback hangs; advancing the clock waits for all callbacks."""
    release = threading.Event()

    def hang(heard: Any) -> tuple[int, str, bytes]:
        if heard.path == "/hangs":
            release.wait(10)
        return 200, "text/plain", b""

    listener.respond = hang
    for path in ("hangs", *"abc"):
        subscribe(alice, f"{listener.url}/{path}")
    alice.deliver()
    heard = sorted(request.path for request in listener.wait(4))
    alice.deliver()
    again = sorted(request.path for request in listener.wait(7))
    release.set()
    entries = sandbox.made_callbacks()

    assert ["/a", "/b", "/c", "/hangs"] == heard
    assert ["/a", "/a", "/b", "/b", "/c", "/c", "/hangs"] == again
    # The hanging poke may have missed the second mail, so a second poke follows.
    assert 8 == len(listener.requests) == len([entry for entry in entries if entry["state"] == "done"])


@pytest.mark.slow
def test_not_too_many_at_once(sandbox: Sandbox, alice: Connection, listener: Stub) -> None:
    """At most ten URLs are called at a time; the others follow."""
    release = threading.Event()
    listener.respond = lambda heard: (200 if release.wait(10) else 500, "text/plain", b"")
    for number in range(12):
        subscribe(alice, f"{listener.url}/{number}")
    alice.deliver()
    listener.wait(10)
    alice.mails()
    most = len(listener.requests)
    release.set()

    assert ["done"] * 12 == [entry["state"] for entry in sandbox.made_callbacks()]
    assert (10, 12) == (most, len(listener.requests))


@pytest.mark.parametrize("ends", ["deleted", "closed"])
def test_ended_sandboxes_deliver_no_callbacks(listener: Stub, ends: str) -> None:
    """Deleting a sandbox or closing the server ends its running and waiting callbacks."""
    release = threading.Event()
    listener.respond = lambda heard: (200 if release.wait(10) else 500, "text/plain", b"")

    async def story() -> tuple[int, int, int]:
        sandboxes = Sandboxes(Settings(), VirtualClock(START))
        sandbox = sandboxes.create("brief")
        mailbox = sandbox.mailbox(sandboxes.connect(sandbox, "carol", "carol@example.com"))
        webhooks = Webhooks(sandboxes)
        callbacks.enqueue(mailbox, f"{listener.url}/one", callbacks.Content(b""), kind=CallbackKind.POKE)
        webhooks.wake(sandbox)
        await asyncio.to_thread(listener.wait)
        under_way = len(asyncio.all_tasks())
        callbacks.enqueue(mailbox, f"{listener.url}/two", callbacks.Content(b""), kind=CallbackKind.POKE)
        webhooks.wake(sandbox)
        if ends == "deleted":
            sandboxes.delete("brief")
            webhooks.wake(sandbox)
        else:
            await webhooks.close()
        await asyncio.sleep(0.05)
        left, due = len(asyncio.all_tasks()), sum(isinstance(item, CallbackDelivery) for item in sandbox.due)
        await webhooks.close()
        sandboxes.close()
        return under_way, left, due

    counts = asyncio.run(story())
    release.set()

    assert (2, 1, 0) == counts
    assert ["/one"] == [request.path for request in listener.requests]


def test_the_journal_forgets(
    sandbox: Sandbox, alice: Connection, listener: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal keeps the latest completed callbacks, oldest first, and every waiting callback."""
    monkeypatch.setattr(callbacks, "KEPT", 3)
    listener.respond = lambda heard: (500 if heard.path == "/bad" else 200, "text/plain", b"")
    subscribe(alice, f"{listener.url}/bad")
    alice.deliver()
    bad = sandbox.made_callbacks()
    subscribe(alice, listener.url)
    for _ in range(6):
        alice.deliver()
        sandbox.advance()
    entries = sandbox.made_callbacks()

    assert bad[0]["id"] == entries[0]["id"]
    assert ["pending", "done", "done", "done"] == [
        entry["state"] for entry in entries if entry["id"] == bad[0]["id"] or entry["state"] == "done"
    ]
    assert sorted(entry["id"] for entry in entries) == [entry["id"] for entry in entries]


@pytest.mark.slow
def test_a_running_clock_retries_by_itself(listener: Stub) -> None:
    """With a running clock, a retry happens without advancing the clock."""
    listener.answer_with(500, 200)
    with running(Settings(), SystemClock()) as http:
        http.post(f"/apim/outlook/alice{MAIL}", json={"NotificationUrl": listener.url})
        http.post(f"{SANDBOX}/connections/alice/deliver", json={"from": "x@example.org"})
        listener.wait(2)
        (entry,) = journal(http)

    assert ("done", 2) == pick(entry, "state", "attempts")


def test_a_reset_forgets_calls(sandbox: Sandbox, alice: Connection, listener: Stub) -> None:
    """A callback that is in progress during a reset is not recorded afterwards."""
    release = threading.Event()
    listener.respond = lambda heard: (200 if release.wait(10) else 500, "text/plain", b"")
    subscribe(alice, listener.url)
    alice.deliver()
    listener.wait()
    assert sandbox.api.post("/reset").status_code == 200
    release.set()

    assert [] == sandbox.made_callbacks()
    assert 200 == alice.http.get("/v2/Mail").status_code


# Restarts


@pytest.mark.slow
def test_a_restart_goes_on(tmp_path: Path, listener: Stub) -> None:
    """Callbacks that wait when a server stops are delivered after a restart."""
    clock = VirtualClock(START)
    settings = Settings(data=str(tmp_path))
    with running(settings, clock) as http:
        http.post(f"/apim/outlook/alice{MAIL}", json={"NotificationUrl": f"http://127.0.0.1:{free_port()}/gone"})
        http.post(f"{SANDBOX}/connections/alice/deliver", json={"from": "x@example.org"})
        (before,) = journal(http)
    redirect(tmp_path, listener.url)
    with running(settings, clock) as http:
        (after,) = journal(http, "1s")

    assert ("pending", 1) == pick(before, "state", "attempts")
    assert (before["id"], "done", 2) == pick(after, "id", "state", "attempts")


@pytest.mark.slow
def test_a_restart_with_fewer_hosts(tmp_path: Path) -> None:
    """A waiting callback to a host that is no longer allowed fails with the reason."""
    clock = VirtualClock(START)
    with running(Settings(data=str(tmp_path), callback_hosts="example.org"), clock) as http:
        http.post(f"/apim/outlook/alice{MAIL}", json={"NotificationUrl": f"http://127.0.0.1:{free_port()}/gone"})
        http.post(f"{SANDBOX}/connections/alice/deliver", json={"from": "x@example.org"})
        journal(http)
    redirect(tmp_path, "https://example.org/x")
    with running(Settings(data=str(tmp_path)), clock) as http:
        (entry,) = journal(http, "1s")

    assert ("failed", 1, None) == pick(entry, "state", "attempts", "lastStatus")
    assert "'example.org'" in entry["lastError"]
    assert "callback_hosts" in entry["lastError"]


# A server that other machines reach


OPEN: dict[str, Any] = {"host": "0.0.0.0", "admin_token": "secret"}
HERE = ["localhost", "127.0.0.1", "127.9.9.9", "[::1]", "[::ffff:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]"]


@pytest.mark.parametrize(
    "host", [*HERE, "0.0.0.0", "[::]", "169.254.169.254", "[fe80::1]", "x.localhost", "LOCALHOST."]
)
def test_an_open_server_does_not_call_its_machine(host: str) -> None:
    """Whoever reaches the server must not reach services of its machine through it, whatever the address looks like."""
    for hosts in ("", "*", "example.org"):
        allowed = Settings(host="0.0.0.0", callback_hosts=hosts).hosts_of_callbacks
        with pytest.raises(InvalidField, match="callback_hosts"):
            callbacks.check_url(f"http://{host}:8080/x", "url", allowed)


@pytest.mark.parametrize("host", ["2130706433", "127.1", "0177.0.0.1", "[::1%25lo]"])
def test_other_spellings_of_addresses_are_no_hosts(host: str) -> None:
    """An address in a form that only some resolvers read is refused everywhere."""
    with pytest.raises(InvalidField, match="absolute"):
        callbacks.check_url(f"http://{host}/x", "url", CallbackHosts(frozenset("*")))


@pytest.mark.parametrize("host", ["0x7f000001", "localhost.localdomain"])
def test_a_name_that_leads_to_this_machine(host: str, listener: Stub) -> None:
    """With any host allowed, the address behind a name decides; the callback fails without a connection."""
    port = urlsplit(listener.url).port
    with running(Settings(**OPEN, callback_hosts="*"), VirtualClock(START)) as http:
        body = {"NotificationUrl": f"http://{host}:{port}/x"}
        subscribed = http.post(f"/apim/outlook/alice{MAIL}", json=body)
        http.headers["Authorization"] = "Bearer secret"
        http.post(f"{SANDBOX}/connections/alice/deliver", json={"from": "x@example.org"})
        (entry,) = journal(http)

    assert 201 == subscribed.status_code
    assert (entry["state"], entry["lastStatus"], listener.requests) == ("pending", None, [])
    # Where the system has no such name, there is nothing to connect to either.
    assert "this machine" in entry["lastError"] or "gaierror" in entry["lastError"]


def test_an_open_server_calls_what_the_setting_names(listener: Stub) -> None:
    """This machine can be named, and a name may lead elsewhere; the request has the name, not the address."""
    port = urlsplit(listener.url).port
    with running(Settings(**OPEN, callback_hosts="127.0.0.1"), VirtualClock(START)) as http:
        http.post(f"/apim/outlook/alice{MAIL}", json={"NotificationUrl": f"http://127.0.0.1:{port}/x"})
        http.headers["Authorization"] = "Bearer secret"
        http.post(f"{SANDBOX}/connections/alice/deliver", json={"from": "x@example.org"})
        (entry,) = journal(http)

    assert "done" == entry["state"]
    assert 1 == len(listener.requests)


def test_a_call_to_the_address_behind_a_name(listener: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address that was looked at is the one that is called, with the name in the header Host."""
    monkeypatch.setattr(http_callback, "leads_here", lambda host: False)
    url = f"http://localhost:{urlsplit(listener.url).port}/x?a=1"

    outcome = asyncio.run(http_callback.post(url, b"{}", {}, 5, away=True))

    assert outcome.status == 200, outcome
    assert urlsplit(url).netloc == listener.requests[0].headers["host"]
    assert "/x?a=1" == listener.requests[0].path


def test_secrets_are_not_shown(sandbox: Sandbox, alice: Connection, listener: Stub) -> None:
    """Lists of callbacks, subscriptions and triggers show no signature; the callback itself has it."""
    url = f"{listener.url}/x?sig=s3cret&a=1"
    alice.post(MAIL, {"NotificationUrl": url})
    assert put(alice, trigger(url)).status_code == 201
    alice.deliver()
    made = sandbox.made_callbacks()
    path = f"/connections/{alice.id}"
    lists = [made, *(alice.api.get(f"{path}/{name}").json() for name in ("subscriptions", "triggerConfigs"))]

    assert 2 == len(made) == len(listener.requests)
    assert all("s3cret" in request.path for request in listener.requests)
    assert all("/x?sig=(redacted)&a=1" in str(shown) and "s3cret" not in str(shown) for shown in lists)


def redirect(folder: Path, url: str) -> None:
    """Change the URL of the waiting callback of a stopped server."""
    connection = sqlite3.connect(folder / "default.sqlite")
    with connection:
        connection.execute("UPDATE callback SET url = ?", (url,))
    connection.close()


# Validation


@pytest.mark.parametrize(
    ("answer", "accepted"),
    [
        (lambda token: (200, "text/plain", token), True),
        (lambda token: (200, "text/plain; charset=utf-8", token), True),
        (lambda token: (202, "text/plain", token), False),
        (lambda token: (200, "application/json", token), False),
        (lambda token: (200, "text/plain", b""), False),
        (lambda token: (200, "text/plain", token + b"\n"), False),
        (lambda token: (302, "text/plain", token), False),
        (lambda token: (500, "text/plain", token), False),
    ],
)
def test_validation(listener: Stub, answer: Callable[[bytes], tuple[int, str, bytes]], accepted: bool) -> None:
    """With validation enabled, a subscriber must echo the token as plain text."""

    def respond(heard: Any) -> tuple[int, str, bytes]:
        token = httpx.URL(f"http://x{heard.path}").params.get("validationToken")
        return (200, "text/plain", b"") if token is None else answer(token.encode())

    listener.respond = respond
    with running(Settings(validate_callbacks="yes"), VirtualClock(START)) as http:
        subscribed = http.post(f"/apim/outlook/alice{MAIL}", json={"NotificationUrl": f"{listener.url}/x?sig=1"})
        http.post("/_emulator/api/sandboxes/default/connections", json={"id": "other"})
        http.post(f"{SANDBOX}/connections/alice/deliver", json={"from": "x@example.org"})
        poked = journal(http)

    assert listener.requests[0].path.startswith("/x?sig=1&validationToken=")
    assert accepted == (subscribed.status_code == 201) == (len(poked) == 1)
    assert accepted or (subscribed.status_code == 400 and "NotificationUrl" in subscribed.json()["message"])


def test_validation_refuses_before_it_calls(listener: Stub) -> None:
    """An invalid body or URL is rejected before any validation request."""
    with running(Settings(validate_callbacks="yes"), VirtualClock(START)) as http:
        bodies = [b"", b"{}", b"[", b'{"NotificationUrl": "https://example.org"}']
        answers = [http.post(f"/apim/outlook/alice{MAIL}", content=body) for body in bodies]
        nobody = http.post(f"/apim/outlook/alice{MAIL}", json={"NotificationUrl": f"http://localhost:{free_port()}"})

    assert [400] * 5 == [response.status_code for response in (*answers, nobody)]
    assert [] == listener.requests


@pytest.mark.slow
def test_more_hosts(alice: Connection) -> None:
    """A setting allows callbacks to other hosts."""
    for hosts, expected in (("", 400), ("example.org", 201), ("a.test, EXAMPLE.org", 201), ("org", 400), ("*", 201)):
        with running(Settings(callback_hosts=hosts), VirtualClock(START)) as http:
            body = {"NotificationUrl": "https://Example.org/x"}
            assert expected == http.post(f"/apim/outlook/alice{MAIL}", json=body).status_code, hosts


# Push


def trigger(url: str, operation: str = "OnNewEmailV2", **more: Any) -> dict[str, Any]:
    properties = {
        "operationName": operation,
        "connectionDetails": {"connectorName": "outlook"},
        "notificationDetails": {"callbackUrl": url, "httpMethod": "Post"},
        "parameters": [{"name": name, "value": value} for name, value in more.pop("parameters", {}).items()],
    }
    return {"properties": properties | more}


def put(alice: Connection, body: Any, name: str = "news") -> httpx.Response:
    return alice.api.put(f"/connections/{alice.id}/triggerConfigs/{name}", json=body)


def subjects(heard: Any) -> list[str]:
    """Return the subjects in a callback, parsed with Microsoft's own class."""
    payload: Any = TriggerCallbackPayload.from_dict(json.loads(heard.body))
    return [mail["Subject"] for mail in payload.body.value]


def test_push(sandbox: Sandbox, alice: Connection, listener: Stub) -> None:
    """New items are pushed at once, in an envelope with the headers that a receiver requires."""
    alice.deliver(subject="Before")
    assert 201 == put(alice, trigger(f"{listener.url}/runtime/webhooks/connector?code=k")).status_code
    alice.deliver(subject="One")
    alice.deliver(subject="Two")
    alice.meet()
    entries = sandbox.made_callbacks()
    bodies = [json.loads(request.body) for request in listener.requests]

    assert [["One"], ["Two"]] == [subjects(request) for request in listener.requests]
    assert [["One"], ["Two"]] == [[item["Subject"] for item in body["body"]["value"]] for body in bodies]
    assert {("application/json", "news")} == {
        (request.headers["content-type"], request.headers["x-ms-trigger-name"]) for request in listener.requests
    }
    assert all(request.headers["x-ms-gateway-resource-name"] for request in listener.requests)
    assert [("push", f"{alice.id}/news", "done")] * 2 == [
        pick(entry, "kind", "reference", "state") for entry in entries
    ]
    assert alice.mails()[0].keys() >= bodies[0]["body"]["value"][0].keys() - {"Importance"}


def test_whether_anybody_is_called() -> None:
    """What is remembered of that is right after each change of subscriptions, triggers and callbacks."""
    address = f"http://localhost:{free_port()}"
    with (
        serving.running(Settings(), VirtualClock(START)) as served,
        httpx.Client(base_url=served.url, headers=AUTHORIZED, timeout=30) as http,
    ):
        db = served.app.state.sandboxes.default.db
        path, triggers = f"/apim/outlook/alice{MAIL}", f"{SANDBOX}/connections/alice/triggerConfigs/news"

        def is_called() -> bool:
            remembered = callbacks.has_work(db)
            db.callback_work = None
            assert remembered == callbacks.has_work(db)
            return remembered

        assert not is_called()
        location = http.post(path, json={"NotificationUrl": address}).headers["location"]
        assert is_called()
        assert http.delete(location).is_success
        assert not is_called()
        assert 201 == http.put(triggers, json=trigger(address)).status_code
        assert is_called()
        assert http.delete(triggers).is_success
        assert not is_called()


def test_push_one_by_one(sandbox: Sandbox, alice: Connection, bob: Connection, listener: Stub) -> None:
    """With splitOn each item is pushed in its own callback."""
    put(alice, trigger(listener.url, splitOn=True))
    alice.send("alice@example.com; alice@example.com", subject="Mine")
    bob.send("alice@example.com", subject="His")
    sandbox.advance()

    assert [["Mine"], ["His"]] == [subjects(request) for request in listener.requests]
    assert ["Mine", "His"] == [json.loads(request.body)["body"]["Subject"] for request in listener.requests]


def test_push_of_events(sandbox: Sandbox, alice: Connection, listener: Stub) -> None:
    """A calendar trigger takes its calendar from the parameters."""
    put(alice, trigger(listener.url, "CalendarGetOnNewItemsV2", parameters={"table": "Calendar"}))
    alice.meet("Planning")
    sandbox.advance()

    (heard,) = listener.requests
    assert ["Planning"] == [event["Subject"] for event in json.loads(heard.body)["body"]["value"]]


def test_push_waits_for_time(sandbox: Sandbox, alice: Connection, listener: Stub) -> None:
    """Upcoming events are pushed when the clock reaches them, without any change."""
    put(
        alice,
        trigger(listener.url, "OnUpcomingEventsV2", parameters={"table": "Calendar", "lookAheadTimeInMinutes": "15"}),
    )
    now = datetime.fromisoformat(sandbox.api.get("/clock").json()["now"])
    alice.meet("Daily", start=(now + timedelta(hours=1)).isoformat(), Recurrence="Daily", NumberOfOccurrences=3)
    sandbox.advance()
    early = list(listener.requests)
    instants: list[str] = []

    def respond(heard: Any) -> tuple[int, str, bytes]:
        instants.append(sandbox.api.get("/clock").json()["now"])
        return 200, "text/plain", b""

    listener.respond = respond
    assert sandbox.api.post("/clock", json={"advance": "P3D"}).status_code == 200

    assert [] == early
    starts = [json.loads(request.body)["body"]["value"][0]["Start"] for request in listener.requests]
    for minutes, seen in ((60, starts), (45, instants)):
        expected = [(now + timedelta(days=day, minutes=minutes)).isoformat()[:19] for day in range(3)]
        assert expected == [start[:19] for start in seen]


def test_push_of_the_first_poll(sandbox: Sandbox, alice: Connection, listener: Stub) -> None:
    """The message for the first trigger run is pushed at registration."""
    message = alice.deliver(subject="First")
    parameters = {"messageIdToFireOnFirstTriggerRun": message["Id"]}
    registered = put(alice, trigger(listener.url, "OnNewMentionMeEmail", parameters=parameters))
    assert 201 == registered.status_code, registered.text
    sandbox.advance()
    sandbox.advance("1h")

    assert [["First"]] == [subjects(request) for request in listener.requests]


def test_a_push_that_breaks(
    sandbox: Sandbox,
    alice: Connection,
    bob: Connection,
    listener: Stub,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A push trigger that fails affects neither the other triggers nor the clock."""
    put(alice, trigger(f"{listener.url}/alice"))
    put(bob, trigger(f"{listener.url}/bob"))
    parameters = {"table": "Calendar", "lookAheadTimeInMinutes": "15"}
    put(alice, trigger(listener.url, "OnUpcomingEventsV2", parameters=parameters), "soon")
    polled = push_triggers._poll

    def poll(mailbox: Any, *rest: Any) -> Any:
        if mailbox.owner.address == alice.address:
            raise RuntimeError("broken poll")
        return polled(mailbox, *rest)

    def look(*rest: Any, **more: Any) -> Any:
        raise RuntimeError("broken look")

    monkeypatch.setattr(push_triggers, "_poll", poll)
    monkeypatch.setitem(vars(push_triggers.operation_named("OnUpcomingEventsV2")), "next_at", look)
    subscribe(alice, f"{listener.url}/poke")
    for connection in (alice, bob):
        connection.deliver(subject="News")
    sandbox.advance("1h")
    heard = sorted(request.path for request in listener.requests)
    monkeypatch.undo()
    sandbox.advance("1h")

    assert ["/bob", "/poke"] == heard
    assert "/alice" in [request.path for request in listener.wait(3)]
    printed = caplog.text
    assert "broken poll" in printed
    assert "broken look" in printed


def test_a_deleted_trigger_is_not_tried_again(
    sandbox: Sandbox, alice: Connection, bob: Connection, listener: Stub
) -> None:
    """Deleting or replacing a registration cancels its waiting callbacks, but not those of another connection."""
    listener.answer_with(500)
    for connection in (alice, bob):
        put(connection, trigger(f"{listener.url}/{connection.address}"))
        connection.deliver()
    sandbox.advance()
    alice.api.delete(f"/connections/{alice.id}/triggerConfigs/news")
    sandbox.advance("1s")
    first = [pick(entry, "state", "attempts") for entry in sandbox.made_callbacks()]
    put(bob, trigger(f"{listener.url}/new"))
    sandbox.advance("1m")

    assert [("cancelled", 1), ("pending", 2)] == first
    assert [("cancelled", 1), ("cancelled", 2)] == [
        pick(entry, "state", "attempts") for entry in sandbox.made_callbacks()
    ]
    assert 3 == len(listener.requests)


def test_trigger_configs(sandbox: Sandbox, alice: Connection, bob: Connection, listener: Stub) -> None:
    """A registration is returned as sent, replaced by name, and does not push after deletion."""
    registered = put(alice, trigger(listener.url, parameters={"folderPath": "Inbox", "importance": "High"}))
    root = f"/connections/{alice.id}/triggerConfigs"
    shown = alice.api.get(f"{root}/news")
    listed = alice.api.get(root).json()["value"]
    changed = put(alice, trigger(f"{listener.url}/new"))
    ended = alice.api.delete(f"{root}/news")
    alice.deliver()

    assert registered.json() == shown.json() == listed[0]
    assert "news" == registered.json()["name"]
    expected = trigger(listener.url, parameters={"folderPath": "Inbox", "importance": "High"})["properties"]
    expected["connectionDetails"]["connectionName"] = alice.id
    assert expected | {"splitOn": False} == registered.json()["properties"]
    assert f"{listener.url}/new" == changed.json()["properties"]["notificationDetails"]["callbackUrl"]
    assert (204, 404, 404) == (
        ended.status_code,
        alice.api.get(f"{root}/news").status_code,
        alice.api.delete(f"{root}/news").status_code,
    )
    assert [] == alice.api.get(f"/connections/{bob.id}/triggerConfigs").json()["value"]
    assert [] == sandbox.made_callbacks()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"operationName": "SendEmailV2"}, "operationName"),
        ({"operationName": "Nothing"}, "operationName"),
        ({"notificationDetails": {"callbackUrl": "https://example.org"}}, "callbackUrl"),
        ({"notificationDetails": {"httpMethod": "Post"}}, "callbackUrl"),
        ({"notificationDetails": {"callbackUrl": "http://localhost", "httpMethod": "Get"}}, "httpMethod"),
        ({"connectionDetails": {"connectionName": "other"}}, "connectionName"),
        ({"operationName": "CalendarGetOnNewItemsV2"}, "table"),
        ({"operationName": "OnUpcomingEventsV2"}, "table"),
        ({"parameters": [{"name": "x-ms-operation-context", "value": "simulate"}]}, "x-ms-operation-context"),
        ({"parameters": [{"name": "folder", "value": "Inbox"}]}, "folder"),
        ({"parameters": [{"name": "importance", "value": "Huge"}]}, "importance"),
        ({"parameters": [{"name": "folderPath", "value": "Nowhere"}]}, "Nowhere"),
    ],
)
def test_bad_trigger(alice: Connection, change: dict[str, Any], named: str) -> None:
    """A registration that could never push is rejected with an error that names the property."""
    body = trigger("http://localhost")
    body["properties"] |= change
    answer = put(alice, body)

    assert answer.status_code in (400, 404)
    error = answer.json()
    assert named in error["message"] + error["error"]["originalMessage"]
    assert [] == alice.api.get(f"/connections/{alice.id}/triggerConfigs").json()["value"]
