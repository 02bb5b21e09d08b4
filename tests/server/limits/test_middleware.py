"""The connector's limits, for each connection and by the sandbox's clock, and their warnings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from http.client import HTTPConnection
from itertools import count
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx
import pytest

from outlook_emulator import running
from outlook_emulator.clock import VirtualClock
from outlook_emulator.settings import Settings
from tests.conftest import START, Connection, Sandbox

WARNING = "x-outlook-emulator-warning"
SANDBOX = "/_emulator/api/sandboxes/default"
CREDENTIAL = {"Authorization": "Bearer token"}
LONG = 30
"""Timeout in seconds of requests that must get a response; only a failing test waits this long."""


class Limited:
    """A server with the default limits, and its clock."""

    def __init__(self, http: httpx.Client, clock: VirtualClock) -> None:
        self.http, self.clock = http, clock
        self._numbers = count(1)

    def connection(self) -> str:
        """The path of a new connection."""
        return f"/apim/outlook/c{next(self._numbers)}"

    def calls(self, path: str, number: int) -> list[httpx.Response]:
        return [self.http.get(f"{path}/testconnection") for _ in range(number)]

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))


@pytest.fixture(scope="module")
def limited() -> Iterator[Limited]:
    clock = VirtualClock(START)
    with running(Settings(), clock) as served, httpx.Client(base_url=served.url, headers=CREDENTIAL) as http:
        yield Limited(http, clock)


def limits(sandbox: Sandbox, **changes: Any) -> dict[str, Any]:
    answer = sandbox.api.patch("/limits", json=changes)
    assert answer.status_code == 200, answer.text
    report: dict[str, Any] = answer.json()
    return report


def causes(sandbox: Sandbox, **query: Any) -> list[Any]:
    """The kind and name of each cause of the journal entries that match a query."""
    entries = sandbox.api.post("/journal/query", json=query).json()["value"]
    return [[(cause["kind"], cause["name"]) for cause in entry["causes"]] for entry in entries]


def statuses(connection: Connection, number: int) -> list[int]:
    return [connection.http.get("/testconnection").status_code for _ in range(number)]


def throttled_response(answer: httpx.Response) -> tuple[int, str, Any]:
    return answer.status_code, answer.headers["retry-after"], answer.json()


@contextmanager
def held(sandbox: Sandbox, connection: Connection, calls: int, body: bytes = b"") -> Iterator[list[HTTPConnection]]:
    """Requests of a connection that wait until the sandbox's clock is advanced by an hour."""
    rule = {
        "match": {"connection": connection.id},
        "when": {"times": calls},
        "effect": {"delay": "1h", "delayBy": "clock"},
    }
    assert sandbox.api.post("/faults", json={"faults": [rule]}).status_code == 201
    url = urlsplit(connection.url)
    with ExitStack() as stack:
        sockets = [HTTPConnection(url.hostname or "", url.port, timeout=LONG) for _ in range(calls)]
        for caller in sockets:
            stack.callback(caller.close)
            method, path = ("POST", "/v2/Mail") if body else ("GET", "/testconnection")
            caller.request(method, f"{url.path}{path}", body or None, CREDENTIAL)
        for _ in range(10_000):
            usages = {usage["connection"]: usage for usage in limits(sandbox)["connections"]}
            if connection.id in usages and usages[connection.id]["concurrentRequests"] == calls:
                break
        else:
            pytest.fail("the calls did not arrive")
        yield sockets


# Calls in a window


@pytest.mark.slow
def test_calls(limited: Limited) -> None:
    """A connection may make 300 calls in 60 seconds; further calls get 429 until the window has passed."""
    path, other = limited.connection(), limited.connection()
    let_in = limited.calls(path, 300)
    (refused,) = limited.calls(path, 1)
    limited.pass_time(20.5)
    (inside_the_wait,) = limited.calls(path, 1)
    (others,) = limited.calls(other, 1)
    limited.pass_time(39)
    (late,) = limited.calls(path, 1)
    limited.pass_time(int(late.headers["retry-after"]))
    again = limited.calls(path, 300)

    assert {200} == {answer.status_code for answer in (*let_in, others, *again)}
    text = "Rate limit is exceeded. Try again in {} seconds."
    assert (429, "60", {"statusCode": 429, "message": text.format(60)}) == throttled_response(refused)
    # Retry-After is rounded up, so that a client that waits as long is let in.
    assert (429, "40", {"statusCode": 429, "message": text.format(40)}) == throttled_response(inside_the_wait)
    assert (429, "1") == throttled_response(late)[:2]
    assert [429] == [answer.status_code for answer in limited.calls(path, 1)]


@pytest.mark.slow
def test_a_warning_comes_first(limited: Limited) -> None:
    """From 90 percent of the limit on, each successful response has a warning with the number of calls."""
    answers = limited.calls(limited.connection(), 301)
    warned = [answer.headers[WARNING] for answer in answers[269:300]]

    assert {None} == {answer.headers.get(WARNING) for answer in (*answers[:269], answers[300])}
    assert [f"{number} of 300 calls" for number in range(270, 301)] == warned


def test_default_limits(limited: Limited) -> None:
    """The default limits are those of the connector's documentation."""
    report = limited.http.get(f"{SANDBOX}/limits").json()
    megabyte = 1024 * 1024

    assert (300, 60, 30) == tuple(report[name] for name in ("calls", "period", "concurrentRequests"))
    assert (300 * megabyte, 50 * megabyte) == (report["bytesInFlight"], report["mailBytes"])
    assert (megabyte, 100) == (report["inlineImageBytes"], report["options"])


def test_the_rate_limit_is_a_sliding_window(sandbox: Sandbox, alice: Connection) -> None:
    """599 calls within 2 seconds do not pass, and each call is allowed again when it is a period old.

    API Management's documentation of its rate limit (vendor's page): the period is the length of a sliding window, and
    the number of allowed calls in it does not exceed the limit. It also says that a limit is never completely accurate.
    """
    limits(sandbox, calls=3)
    first = statuses(alice, 1)
    sandbox.advance("59s")
    second = statuses(alice, 3)
    sandbox.advance("1s")
    third = statuses(alice, 2)
    sandbox.advance("58s")
    fourth = statuses(alice, 1)
    sandbox.advance("1s")
    fifth = statuses(alice, 3)

    assert ([200], [200, 200, 429], [200, 429], [429], [200, 200, 429]) == (first, second, third, fourth, fifth)


def test_retry_after_is_when_the_oldest_call_leaves(sandbox: Sandbox, alice: Connection) -> None:
    """Retry-After is the time until the oldest call leaves the window, in seconds, rounded up.

    The text and the header with the same number are recorded (Azure's throttling guide and public reports); that the
    number is about the oldest call is inferred from the sliding window.
    """
    limits(sandbox, calls=2)
    statuses(alice, 1)
    sandbox.advance("20s")
    statuses(alice, 1)
    sandbox.advance("10.5s")
    early = alice.http.get("/testconnection")
    sandbox.advance("29.5s")
    let_in = statuses(alice, 1)
    late = alice.http.get("/testconnection")

    text = "Rate limit is exceeded. Try again in {} seconds."
    assert (429, "30", {"statusCode": 429, "message": text.format(30)}) == throttled_response(early)
    assert ([200], (429, "20")) == (let_in, throttled_response(late)[:2])


@pytest.mark.parametrize(("setting", "expected"), [("ignore", [429, 429, 200]), ("count", [429, 429, 429])])
def test_whether_refused_calls_count(setting: Literal["ignore", "count"], expected: list[int]) -> None:
    """The setting `refused_calls` says whether a refused call uses up a call; by default it does not.

    Inferred from API Management's documentation (vendor's page), which limits the number of allowed calls.
    """
    clock = VirtualClock(START)
    path = "/apim/outlook/c/testconnection"
    with (
        running(Settings(max_calls=1, refused_calls=setting), clock) as served,
        httpx.Client(base_url=served.url, headers=CREDENTIAL) as http,
    ):
        received = [http.get(path)]
        for _ in range(3):
            clock.advance(timedelta(seconds=20))
            received.append(http.get(path))

    assert [200, *expected] == [answer.status_code for answer in received]
    assert Settings().refused_calls == "ignore"
    waits = [answer.headers.get("retry-after") for answer in received[1:]]
    assert (["40", "20", None] if setting == "ignore" else ["60", "60", "60"]) == waits


def test_a_frozen_clock_keeps_calls_in_the_window(sandbox: Sandbox, alice: Connection) -> None:
    """While the clock stands still no call leaves; a restored snapshot, whose clock may be earlier, has no calls."""
    sandbox.api.put("/snapshots/before", json={}).raise_for_status()
    sandbox.advance("1h")
    limits(sandbox, calls=1)
    sandbox.api.post("/clock", json={"freeze": True}).raise_for_status()
    frozen = statuses(alice, 3)
    sandbox.api.post("/snapshots/before/restore", json={}).raise_for_status()
    limits(sandbox, calls=1)

    assert ([200, 429, 429], [200, 429]) == (frozen, statuses(alice, 2))


def test_the_window_follows_the_sandboxs_clock(sandbox: Sandbox, alice: Connection) -> None:
    """Calls are let in again after the sandbox's clock is advanced, whatever the server's time."""
    limits(sandbox, calls=1)
    before = [alice.http.get("/testconnection").status_code for _ in range(2)]
    sandbox.advance("60s")

    assert ([200, 429], 200) == (before, alice.http.get("/testconnection").status_code)


def test_a_throttled_call_does_nothing(sandbox: Sandbox, alice: Connection) -> None:
    """A throttled call has no effect, and the journal names the limit as its cause."""
    limits(sandbox, calls=1)
    mail = {"To": "a@example.net", "Subject": "s", "Body": "b"}
    statuses = [alice.http.post("/v2/Mail", json=mail).status_code for _ in range(2)]

    assert ([200, 429], 1) == (statuses, len(sandbox.outbox.mails()))
    assert [[("limit", "CallsExceeded")]] == causes(sandbox, status=429, effected=False)


def test_warnings_are_causes(sandbox: Sandbox, alice: Connection) -> None:
    """A response with a warning has it as a cause in the journal; a `warnAt` of 0 turns warnings off."""
    limits(sandbox, calls=4, warnAt=75)
    warned = [alice.http.get("/testconnection").headers.get(WARNING) for _ in range(3)]
    limits(sandbox, warnAt=0)

    assert [None, None, "3 of 4 calls"] == warned
    assert WARNING not in alice.http.get("/testconnection").headers
    assert [[], [], [("limit", "warning")], []] == causes(sandbox)


def test_calls_without_a_credential_do_not_count(sandbox: Sandbox, alice: Connection) -> None:
    """A call without a credential does not count towards any connection's limits."""
    limits(sandbox, calls=1)
    refused = httpx.get(f"{alice.url}/testconnection").status_code

    assert (401, []) == (refused, limits(sandbox)["connections"])


def test_calls_that_fail_count(sandbox: Sandbox, alice: Connection) -> None:
    """Calls that get an error, from the connector or from a fault, count towards the limit."""
    limits(sandbox, calls=2)
    sandbox.api.post("/faults", json={"faults": [{"when": {"nth": 2}, "effect": "bad-gateway"}]})
    statuses = [alice.http.delete("/Mail/none").status_code for _ in range(3)]

    assert [400, 502, 429] == statuses


# Concurrent requests and bytes in flight


def test_concurrent_requests(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """A connection may have 30 concurrent requests; another gets 429 until one of them has its response."""
    with held(sandbox, alice, 30) as waiting:
        refused = alice.http.get("/testconnection")
        others = bob.http.get("/testconnection")
        sandbox.advance("1h")
        statuses = [socket.getresponse().status for socket in waiting]

    text = "30 requests are being processed; at most 30 are allowed."
    assert (429, "1", {"statusCode": 429, "message": text}) == throttled_response(refused)
    assert ({200}, 200) == ({*statuses}, others.status_code)
    assert 200 == alice.http.get("/testconnection").status_code
    assert [[("limit", "TooManyAtOnce")]] == causes(sandbox, status=429)
    assert {0} == {usage["concurrentRequests"] for usage in limits(sandbox)["connections"]}


def test_a_warning_of_concurrent_requests(sandbox: Sandbox, alice: Connection) -> None:
    """A request near the limit of concurrent requests gets a warning."""
    limits(sandbox, concurrentRequests=10)
    with held(sandbox, alice, 8):
        answer = alice.http.get("/testconnection")
        sandbox.advance("1h")

    assert "9 of 10 concurrent requests" == answer.headers[WARNING]


def test_bytes_in_flight(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """The bodies of a connection's open requests are added up; a body above the limit gets 429 until they are done."""
    limits(sandbox, bytesInFlight=3000)
    body = b'{"To": "a@example.net", "Subject": "s", "Body": "%s"}'
    first, second = body % (b"x" * 2000), body % (b"y" * 1000)
    with held(sandbox, alice, 1, first) as (waiting,):
        in_flight = limits(sandbox)["connections"][0]["bytesInFlight"]
        refused = alice.http.post("/v2/Mail", content=second)
        others = bob.http.post("/v2/Mail", content=second)
        sandbox.advance("1h")
        status = waiting.getresponse().status
    again = alice.http.post("/v2/Mail", content=second)

    total = len(first) + len(second)
    text = f"{total} bytes are being transferred; at most 3000 are allowed."
    assert len(first) == in_flight
    assert (429, "1", {"statusCode": 429, "message": text}) == throttled_response(refused)
    assert (200, 200, 200) == (others.status_code, status, again.status_code)
    assert 3 == len(sandbox.outbox.mails())
    assert [[("limit", "TooManyAtOnce")]] == causes(sandbox, status=429, effected=False)


def test_response_bodies_are_in_flight_too(sandbox: Sandbox, alice: Connection) -> None:
    """A response counts while it is sent, and one near the limit or above it has a warning.

    That a response above the limit is sent all the same is inferred: no source shows the refusal.
    """
    alice.deliver(text="x" * 3000)
    size = len(alice.http.get("/v2/Mail").content)
    limits(sandbox, bytesInFlight=size)
    near = alice.http.get("/v2/Mail")
    limits(sandbox, bytesInFlight=size - 1)
    above = alice.http.get("/v2/Mail")

    assert (200, f"{size} of {size} bytes in flight") == (near.status_code, near.headers[WARNING])
    assert (200, f"{size} of {size - 1} bytes in flight") == (above.status_code, above.headers[WARNING])
    assert near.content == above.content
    assert {0} == {usage["bytesInFlight"] for usage in limits(sandbox)["connections"]}


EVENTS = "/datasets/calendars/v3/tables/Calendar/items"
EVENT = {"Subject": "Once", "Start": "2026-03-04T10:00:00Z", "End": "2026-03-04T11:00:00Z"}


def in_chunks(body: bytes) -> Iterator[bytes]:
    yield body[:10]
    yield body[10:]


def test_a_call_is_never_refused_after_its_effect(sandbox: Sandbox, alice: Connection) -> None:
    """With room for the request but not for the response, an event is made once and answered 201.

    Inferred: a limit of the gateway refuses a call before it reaches the connector. A client that got a 429 for a call
    that was carried out would repeat it.
    """
    body = json.dumps(EVENT).encode()
    limits(sandbox, bytesInFlight=len(body))
    answers = [
        alice.http.post(EVENTS, content=content, headers={"Content-Type": "application/json"})
        for content in (body, in_chunks(body))
    ]

    assert [201, 201] == [answer.status_code for answer in answers]
    assert all(len(answer.content) > len(body) for answer in answers)
    limits(sandbox, bytesInFlight=0)
    assert ["Once", "Once"] == [event["Subject"] for event in alice.events()]
    assert [] == causes(sandbox, status=429)


@pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "in chunks"])
@pytest.mark.parametrize("rule", [None, {"match": {"body": {"Subject": "Once"}}, "effect": {"delay": "1s"}}])
def test_a_body_above_the_limit_is_refused_before_the_effect(
    sandbox: Sandbox, alice: Connection, chunked: bool, rule: dict[str, Any] | None
) -> None:
    """A body above the limit is refused before anything happens, whether its length is announced or not.

    Inferred: status and text are those of the rate limit. A fault that reads the body first makes no difference.
    """
    body = json.dumps(EVENT).encode()
    limits(sandbox, bytesInFlight=len(body) - 1)
    if rule is not None:
        sandbox.api.post("/faults", json={"faults": [{**rule, "optional": True}]}).raise_for_status()
    answer = alice.http.post(EVENTS, content=in_chunks(body) if chunked else body)

    text = f"{len(body)} bytes are being transferred; at most {len(body) - 1} are allowed."
    assert (429, "1", {"statusCode": 429, "message": text}) == throttled_response(answer)
    limits(sandbox, bytesInFlight=0)
    assert [] == alice.events()
    assert [[("limit", "TooManyAtOnce")]] == causes(sandbox, status=429, effected=False)
    assert {0} == {usage["bytesInFlight"] for usage in limits(sandbox)["connections"]}


def test_a_body_in_chunks_is_in_flight(sandbox: Sandbox, alice: Connection) -> None:
    """A body without a length counts once it is read: until then, nobody knows its size."""
    mail = json.dumps({"To": "a@example.net", "Subject": "s", "Body": "x" * 1000}).encode()
    rule = {"when": {"times": 1}, "effect": {"delay": "1h"}}
    sandbox.api.post("/faults", json={"faults": [rule]}).raise_for_status()
    url = urlsplit(alice.url)
    caller = HTTPConnection(url.hostname or "", url.port, timeout=LONG)
    caller.request("POST", f"{url.path}/v2/Mail", in_chunks(mail), CREDENTIAL, encode_chunked=True)
    sizes = set()
    for _ in range(10_000):
        sizes |= {usage["bytesInFlight"] for usage in limits(sandbox)["connections"]}
        if len(mail) in sizes:
            break
    sandbox.advance("1h")

    assert len(mail) in sizes
    assert 200 == caller.getresponse().status
    caller.close()


def test_off(sandbox: Sandbox, alice: Connection) -> None:
    """A limit of 0 neither throttles nor warns."""
    limits(sandbox, calls=0, concurrentRequests=0, bytesInFlight=0)
    with held(sandbox, alice, 40) as waiting:
        answer = alice.http.get("/testconnection")
        sandbox.advance("1h")
        statuses = {socket.getresponse().status for socket in waiting}

    assert ({200}, 200, False) == (statuses, answer.status_code, WARNING in answer.headers)


def test_a_reset_clears_the_counts(sandbox: Sandbox, alice: Connection) -> None:
    """A reset of the sandbox clears the number of calls of its connections."""
    limits(sandbox, calls=1)
    before = [alice.http.get("/testconnection").status_code for _ in range(2)]
    sandbox.api.post("/reset")
    limits(sandbox, calls=1)

    assert ([200, 429], 200) == (before, alice.http.get("/testconnection").status_code)
