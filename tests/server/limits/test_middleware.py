"""The connector's limits as callers meet them: by the sandbox's clock, for each connection, with a warning."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from http.client import HTTPConnection
from itertools import count
from typing import Any
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
"""Seconds to wait for an answer that does come: only a broken test waits so long."""


class Limited:
    """A server with the limits that one has unless told otherwise, and the clock it goes by."""

    def __init__(self, http: httpx.Client, clock: VirtualClock) -> None:
        self.http, self.clock = http, clock
        self._numbers = count(1)

    def connection(self) -> str:
        """The path of a connection that nobody has used yet."""
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
    facts: dict[str, Any] = answer.json()
    return facts


def causes(sandbox: Sandbox, **query: Any) -> list[Any]:
    """The kinds and names of what shaped the answers that are meant."""
    found = sandbox.api.post("/journal/query", json=query).json()["value"]
    return [[(one["kind"], one["name"]) for one in entry["causes"]] for entry in found]


def refusal(answer: httpx.Response) -> tuple[int, str, Any]:
    return answer.status_code, answer.headers["retry-after"], answer.json()


@contextmanager
def held(sandbox: Sandbox, connection: Connection, calls: int, body: bytes = b"") -> Iterator[list[HTTPConnection]]:
    """So many calls of a connection that wait for the sandbox's clock to move on by an hour."""
    rule = {
        "match": {"connection": connection.id},
        "when": {"times": calls},
        "effect": {"delay": "1h", "delayBy": "clock"},
    }
    assert sandbox.api.post("/faults", json={"faults": [rule]}).status_code == 201
    url = urlsplit(connection.url)
    with ExitStack() as open_ones:
        sockets = [HTTPConnection(url.hostname or "", url.port, timeout=LONG) for _ in range(calls)]
        for one in sockets:
            open_ones.callback(one.close)
            method, path = ("POST", "/v2/Mail") if body else ("GET", "/testconnection")
            one.request(method, f"{url.path}{path}", body or None, CREDENTIAL)
        for _ in range(10_000):
            (use,) = [one for one in limits(sandbox)["connections"] if one["connection"] == connection.id] or [None]
            if use and use["concurrentRequests"] == calls:
                break
        else:
            pytest.fail("the calls did not arrive")
        yield sockets


# Calls in a window


@pytest.mark.slow
def test_calls(limited: Limited) -> None:
    """300 calls of a connection in 60 seconds are let in; then the gateway refuses until the time is over."""
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

    assert {200} == {one.status_code for one in (*let_in, others, *again)}
    text = "Rate limit is exceeded. Try again in {} seconds."
    assert (429, "60", {"statusCode": 429, "message": text.format(60)}) == refusal(refused)
    # Rounded up, so that whoever waits as long is let in.
    assert (429, "40", {"statusCode": 429, "message": text.format(40)}) == refusal(inside_the_wait)
    assert (429, "1") == refusal(late)[:2]
    assert [429] == [one.status_code for one in limited.calls(path, 1)]


@pytest.mark.slow
def test_a_warning_comes_first(limited: Limited) -> None:
    """From 90 percent of the calls on each answer says how many there were; a refusal says so itself."""
    answers = limited.calls(limited.connection(), 301)
    warned = [one.headers[WARNING] for one in answers[269:300]]

    assert {None} == {one.headers.get(WARNING) for one in (*answers[:269], answers[300])}
    assert [f"{number} of 300 calls" for number in range(270, 301)] == warned


def test_all_limits_are_on(limited: Limited) -> None:
    """Without a word a server has the numbers of the connector's documentation."""
    facts = limited.http.get(f"{SANDBOX}/limits").json()
    megabyte = 1024 * 1024

    assert (300, 60, 30) == tuple(facts[one] for one in ("calls", "period", "concurrentRequests"))
    assert (300 * megabyte, 50 * megabyte) == (facts["bytesInFlight"], facts["mailBytes"])
    assert (megabyte, 100) == (facts["inlineImageBytes"], facts["options"])


def test_time_is_the_sandboxs(sandbox: Sandbox, alice: Connection) -> None:
    """The wait ends when the sandbox's clock was moved on, whatever the server's shows."""
    limits(sandbox, calls=1)
    before = [alice.http.get("/testconnection").status_code for _ in range(2)]
    sandbox.advance("60s")

    assert ([200, 429], 200) == (before, alice.http.get("/testconnection").status_code)


def test_a_refused_call_does_nothing(sandbox: Sandbox, alice: Connection) -> None:
    """What is refused is not done, and the journal says why."""
    limits(sandbox, calls=1)
    mail = {"To": "a@example.net", "Subject": "s", "Body": "b"}
    statuses = [alice.http.post("/v2/Mail", json=mail).status_code for _ in range(2)]

    assert ([200, 429], 1) == (statuses, len(sandbox.outbox.mails()))
    assert [[("limit", "CallsExceeded")]] == causes(sandbox, status=429, effected=False)


def test_warnings_are_causes(sandbox: Sandbox, alice: Connection) -> None:
    """An answer with a warning has it as a cause; with `warnAt` 0 there is none."""
    limits(sandbox, calls=4, warnAt=75)
    warned = [alice.http.get("/testconnection").headers.get(WARNING) for _ in range(3)]
    limits(sandbox, warnAt=0)

    assert [None, None, "3 of 4 calls"] == warned
    assert WARNING not in alice.http.get("/testconnection").headers
    assert [[], [], [("limit", "warning")], []] == causes(sandbox)


def test_who_is_not_let_in_does_not_count(sandbox: Sandbox, alice: Connection) -> None:
    """A call without a credential is nobody's, and uses nothing up."""
    limits(sandbox, calls=1)
    refused = httpx.get(f"{alice.url}/testconnection").status_code

    assert (401, []) == (refused, limits(sandbox)["connections"])


def test_calls_that_fail_count(sandbox: Sandbox, alice: Connection) -> None:
    """What the connector refuses, and what faults answer, is a call as well."""
    limits(sandbox, calls=2)
    sandbox.api.post("/faults", json={"faults": [{"when": {"nth": 2}, "effect": "bad-gateway"}]})
    statuses = [alice.http.delete("/Mail/none").status_code for _ in range(3)]

    assert [400, 502, 429] == statuses


# At a time


def test_concurrent_requests(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """30 requests of a connection are let in at a time; one more is refused until one of them has its answer."""
    with held(sandbox, alice, 30) as waiting:
        refused = alice.http.get("/testconnection")
        others = bob.http.get("/testconnection")
        sandbox.advance("1h")
        statuses = [one.getresponse().status for one in waiting]

    text = "30 requests are being processed; at most 30 are allowed."
    assert (429, "1", {"statusCode": 429, "message": text}) == refusal(refused)
    assert ({200}, 200) == ({*statuses}, others.status_code)
    assert 200 == alice.http.get("/testconnection").status_code
    assert [[("limit", "TooManyAtOnce")]] == causes(sandbox, status=429)
    assert {0} == {one["concurrentRequests"] for one in limits(sandbox)["connections"]}


def test_a_warning_of_concurrent_requests(sandbox: Sandbox, alice: Connection) -> None:
    """Whoever comes as one of the last that are let in is warned."""
    limits(sandbox, concurrentRequests=10)
    with held(sandbox, alice, 8):
        answer = alice.http.get("/testconnection")
        sandbox.advance("1h")

    assert "9 of 10 concurrent requests" == answer.headers[WARNING]


def test_bytes_in_flight(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """Bodies that are under way count together; one that would be too much is refused, and taken when they are done."""
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
    assert (429, "1", {"statusCode": 429, "message": text}) == refusal(refused)
    assert (200, 200, 200) == (others.status_code, status, again.status_code)
    assert 3 == len(sandbox.outbox.mails())
    assert [[("limit", "TooManyAtOnce")]] == causes(sandbox, status=429, effected=False)


def test_answers_are_in_flight_too(sandbox: Sandbox, alice: Connection) -> None:
    """An answer that is too much is not sent; one near the limit comes with a warning."""
    alice.deliver(text="x" * 3000)
    size = len(alice.http.get("/v2/Mail").content)
    limits(sandbox, bytesInFlight=size)
    near = alice.http.get("/v2/Mail")
    limits(sandbox, bytesInFlight=size - 1)

    assert (200, f"{size} of {size} bytes in flight") == (near.status_code, near.headers[WARNING])
    assert 429 == alice.http.get("/v2/Mail").status_code
    assert {0} == {one["bytesInFlight"] for one in limits(sandbox)["connections"]}


def test_off(sandbox: Sandbox, alice: Connection) -> None:
    """Switched off, no limit refuses or warns."""
    limits(sandbox, calls=0, concurrentRequests=0, bytesInFlight=0)
    with held(sandbox, alice, 40) as waiting:
        answer = alice.http.get("/testconnection")
        sandbox.advance("1h")
        statuses = {one.getresponse().status for one in waiting}

    assert ({200}, 200, False) == (statuses, answer.status_code, WARNING in answer.headers)


def test_a_reset_forgets_what_was_used(sandbox: Sandbox, alice: Connection) -> None:
    """After a reset a connection begins anew."""
    limits(sandbox, calls=1)
    before = [alice.http.get("/testconnection").status_code for _ in range(2)]
    sandbox.api.post("/reset")
    limits(sandbox, calls=1)

    assert ([200, 429], 200) == (before, alice.http.get("/testconnection").status_code)
