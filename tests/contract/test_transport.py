"""Every request to a target is authorized, paced, guarded, repeated after a 429, and recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import httpx
import pytest

from outlook_contract import transport
from outlook_contract.transport import Access, CarefulTransport, Pace, ReadOnly

URL = "https://example.com/apim/outlook/own"


class Time:
    """A clock that moves when somebody sleeps; `sleeps` holds how long."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.sleeps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(round(seconds, 3))
        self.now += seconds

    def monotonic(self) -> float:
        return self.now

    time = perf_counter = monotonic


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    fake = Time()
    monkeypatch.setattr(transport, "time", fake)
    return fake


def careful(
    respond: Callable[[httpx.Request], httpx.Response], per_minute: int = 0, *, read_only: bool = False
) -> tuple[CarefulTransport, httpx.Client]:
    inner = httpx.MockTransport(respond)
    tokens = count(1)
    wrapped = CarefulTransport(inner, Access(URL, lambda: f"Key {next(tokens)}"), Pace(per_minute), read_only=read_only)
    return wrapped, httpx.Client(transport=wrapped, base_url=URL)


def ok(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={})


def throttled(*waits: str) -> Callable[[httpx.Request], httpx.Response]:
    """Refuses as many requests as there are values for `Retry-After`, and then responds."""
    left: Iterator[str] = iter(waits)

    def respond(request: httpx.Request) -> httpx.Response:
        wait = next(left, None)
        return ok(request) if wait is None else httpx.Response(429, headers={"Retry-After": wait} if wait else {})

    return respond


def test_pace_stays_below_the_limit(clock: Time) -> None:
    """At 90 calls a minute, no minute has more than 90 calls, retries included."""
    wrapped, client = careful(throttled("1", "1"), 90)
    for _ in range(200):
        client.get("/testconnection")
    starts = [exchange.started for exchange in wrapped.exchanges]

    assert 202 == len(starts)
    assert 90 == max(sum(start <= other < start + 59.99 for other in starts) for start in starts)


def test_connections_share_a_pace(clock: Time) -> None:
    """Two mailboxes take turns, so that both together stay below the limit."""
    pace = Pace(60)
    clients = [
        httpx.Client(transport=CarefulTransport(httpx.MockTransport(ok), Access(URL, lambda: "Key k"), pace))
        for _ in range(2)
    ]
    for client in clients * 3:
        client.get(f"{URL}/testconnection")

    assert [1.0] * 5 == clock.sleeps


def test_no_pace(clock: Time) -> None:
    """A pace of 0 does not wait."""
    _, client = careful(ok)
    client.get("/testconnection")
    client.get("/testconnection")

    assert [] == clock.sleeps


def test_retry_after(clock: Time) -> None:
    """A 429 is sent again after `Retry-After`, after a second without one; the caller sees the last response."""
    wrapped, client = careful(throttled("7", ""))
    response = client.post("/v2/Mail", json={"To": "a@example.com"})

    assert 200 == response.status_code
    assert [7.0, 1.0] == clock.sleeps
    assert [429, 429, 200] == [exchange.status for exchange in wrapped.exchanges]
    assert 1 == len({exchange.request_body for exchange in wrapped.exchanges})


@pytest.mark.parametrize("wait", ["121", "Thu, 26 Nov 2026 15:00:00 GMT"])
def test_wait_that_is_too_long(clock: Time, wait: str) -> None:
    """A `Retry-After` of more than two minutes, or one that is no number, is the caller's to see."""
    _, client = careful(throttled(wait))

    assert (429, []) == (client.get("/testconnection").status_code, clock.sleeps)


def test_impatient(clock: Time) -> None:
    """A check of throttling sees the 429 itself."""
    wrapped, client = careful(throttled("7"))
    wrapped.patient = False

    assert (429, []) == (client.get("/testconnection").status_code, clock.sleeps)


def test_credential_is_asked_for_each_request() -> None:
    """A token may expire during a run. Nothing of it follows from the header that a caller sets."""
    wrapped, client = careful(ok)
    client.get("/testconnection")
    client.get("/testconnection", headers={"Authorization": "Bearer other"})

    assert ["Key 1", "Key 2"] == [exchange.request_headers["Authorization"] for exchange in wrapped.exchanges]


def test_request_without_credential() -> None:
    """`Authorization: none` sends a request without the header."""
    wrapped, client = careful(ok)
    client.get("/testconnection", headers={"Authorization": "none"})

    assert "Authorization" not in wrapped.exchanges[0].request_headers


@pytest.mark.parametrize(("credential", "sent"), [("Basic wrong", "Basic wrong"), ("none", None)])
def test_another_credential(credential: str, sent: str | None) -> None:
    """The extension `authorization` is sent in place of the credential; `none` sends none."""
    wrapped, client = careful(ok)
    client.get("/testconnection", extensions={"authorization": credential})

    assert sent == wrapped.exchanges[0].request_headers.get("Authorization")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v2/Mail"),
        ("DELETE", "/Mail/id"),
        ("PATCH", "/Mail/Flag/id"),
        ("POST", "/nothing"),
        ("HEAD", "/testconnection"),
        ("GET", "/approvalmail/response"),
    ],
)
def test_read_only_lets_nothing_through_that_changes(method: str, path: str) -> None:
    """A request that changes something never leaves; the links of approval mails change something with GET."""
    requests: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return ok(request)

    _, client = careful(respond, read_only=True)
    if "approval" in path:
        from outlook_contract.routes import routes

        client = httpx.Client(transport=client._transport, base_url="https://example.com/apim/outlook")
        path = routes()["ReceiveResponseGet"].path.replace("{", "").replace("}", "")
    with pytest.raises(ReadOnly, match="would change something"):
        client.request(method, path)
    assert [] == requests


def test_what_changed_is_known_before_the_response() -> None:
    """A run that is interrupted while it waits for a response has to clean up as well."""

    def interrupted(request: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    wrapped, client = careful(interrupted)
    with pytest.raises(KeyboardInterrupt):
        client.get("/testconnection")
    assert not wrapped.has_changed
    with pytest.raises(KeyboardInterrupt):
        client.post("/v2/Mail", json={})
    assert wrapped.has_changed


def test_exchange() -> None:
    """An exchange holds the request and the response as they were sent, and names the operation."""
    wrapped, client = careful(ok)
    client.post("/v2/Mail", json={"To": "a@example.com"})
    client.get("/v9/Nothing")
    mail, nothing = wrapped.exchanges

    assert ("SendEmailV2", "POST", f"{URL}/v2/Mail") == (mail.operation, mail.method, mail.url)
    assert (b'{"To":"a@example.com"}', 200, {}) == (mail.request_body, mail.status, mail.json())
    assert nothing.operation is None
