"""The clock over HTTP: show, advance, set, freeze and release, invalid requests, and the Date header of responses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from outlook_emulator.app import create_app
from outlook_emulator.clock import VirtualClock, iso_seconds, moment
from outlook_emulator.sandbox.sandbox import Sandbox as ServerSandbox
from outlook_emulator.server.admin.clock import start_clock
from outlook_emulator.server.admin.routes import ROOT
from outlook_emulator.settings import Settings
from tests.conftest import START, Sandbox, Server

HOUR = timedelta(hours=1)


class Ticking:
    """A clock that advances at every reading."""

    def __init__(self) -> None:
        self.instant = 0

    def now(self) -> int:
        self.instant += 1
        return self.instant


def order(sandbox: Sandbox, **body: Any) -> dict[str, Any]:
    """Send a clock request that must succeed; return the response, which must equal what the clock shows afterwards."""
    answer = sandbox.api.post("/clock", json=body)
    assert answer.status_code == 200, answer.text
    facts: dict[str, Any] = answer.json()
    assert facts == sandbox.api.get("/clock").json()
    return facts


def base(server: Server) -> Any:
    return moment(server.clock.now())


def test_show_the_clock(sandbox: Sandbox, server: Server) -> None:
    """A new sandbox follows the server's clock."""
    assert {"now": base(server).isoformat(), "mode": "following", "shiftSeconds": 0} == sandbox.api.get("/clock").json()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT1H", 3600),
        ("pt90m", 5400),
        ("P1W", 604800),
        ("P1DT2H3M4.5S", 93784.5),
        ("1h30m", 5400),
        ("1w2d", 777600),
        (" 45s ", 45),
        ("300ms", 0.3),
        ("5m300ms", 300.3),
        ("0.000001", 1e-6),
        ("90", 90),
        (90, 90),
        (1.5, 1.5),
        (0, 0),
        ("PT0S", 0),
    ],
)
def test_advance(sandbox: Sandbox, server: Server, text: Any, seconds: float) -> None:
    """A duration is an ISO 8601 duration, a short form such as 1h30m, or a number of seconds."""
    expected = (base(server) + timedelta(seconds=seconds)).isoformat()

    mode = "shifted" if seconds else "following"
    assert {"now": expected, "mode": mode, "shiftSeconds": seconds} == order(sandbox, advance=text)


def test_set(sandbox: Sandbox, server: Server) -> None:
    """The clock can be set to a time with any UTC offset or none, and mail sent afterwards has that time."""
    alice = sandbox.connect("alice")
    then = (base(server) + HOUR).replace(tzinfo=None)
    facts = order(sandbox, set=then.isoformat())
    alice.send(alice.address)
    again = order(sandbox, set=f"{(then + 2 * HOUR).isoformat()}+02:00")

    assert (f"{then.isoformat()}+00:00", "shifted", 3600) == tuple(facts.values())
    assert f"{then.isoformat(timespec='seconds')}+00:00" == alice.mail()["DateTimeReceived"]
    assert facts == again


def test_freeze_and_follow(configured: Callable[..., Sandbox]) -> None:
    """While the clock is frozen, its time stands still; after the release it continues from that time."""
    sandbox = configured()
    server = sandbox.server
    start = base(server)
    frozen = order(sandbox, freeze=True)
    server.clock.advance(HOUR)
    stands = order(sandbox, freeze=True, advance="30m")
    runs = order(sandbox, freeze=False)
    server.clock.advance(HOUR)

    assert (start.isoformat(), "frozen", 0) == tuple(frozen.values())
    assert ((start + HOUR / 2).isoformat(), "frozen", -1800) == tuple(stands.values())
    assert (stands["now"], "shifted", -1800) == tuple(runs.values())
    assert (start + HOUR * 1.5).isoformat() == sandbox.api.get("/clock").json()["now"]


def test_move_and_release_at_once(sandbox: Sandbox, server: Server) -> None:
    """One request can move the clock and release it."""
    order(sandbox, freeze=True)

    assert ((base(server) + HOUR).isoformat(), "shifted", 3600) == tuple(
        order(sandbox, freeze=False, advance=3600).values()
    )


@pytest.mark.parametrize(
    ("start", "mode", "now"),
    [
        ({"set": "2001-01-01T10:00:00+01:00", "freeze": True}, "frozen", "2001-01-01T09:00:00+00:00"),
        ({"set": "2001-01-01T09:00:00"}, "shifted", "2001-01-01T09:00:00+00:00"),
        ({"freeze": True}, "frozen", START.isoformat()),
        ({"set": "2090-01-01", "freeze": False}, "shifted", "2090-01-01T00:00:00+00:00"),
    ],
)
def test_sandbox_starts_at_its_own_time(start: dict[str, Any], mode: str, now: str) -> None:
    """A new sandbox can start in the past, and its first mails arrive at that time."""
    app = create_app(Settings(), VirtualClock(START))
    mail = {"from": "x@example.org", "subject": "Early"}
    connection = {"id": "early", "address": "early@example.com", "mails": [mail]}

    async def ask() -> tuple[Any, Any]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x", trust_env=False) as http:
            order = {"name": "early", "clock": start, "connections": [connection]}
            assert (await http.post(f"{ROOT}/sandboxes", json=order)).status_code == 201
            mails = await http.get("/apim/outlook/early/v2/Mail", headers={"Authorization": "Bearer token"})
            return (await http.get(f"{ROOT}/sandboxes/early/clock")).json(), mails.json()["value"]

    facts, mails = asyncio.run(ask())

    assert (mode, now) == (facts["mode"], facts["now"])
    assert [now] == [mail["DateTimeReceived"] for mail in mails]


def test_frozen_sandbox_shows_its_exact_start() -> None:
    """A clock that starts frozen shows exactly its start time, although real time passes during the start."""
    clock = create_app(Settings(), Ticking()).state.sandboxes.create("early").clock
    start_clock(clock, {"set": "2001-01-01T09:00:00Z", "freeze": True})

    assert "2001-01-01T09:00:00+00:00" == iso_seconds(clock.now())
    assert 0 == clock.now() % 1_000_000


@pytest.mark.parametrize(
    ("start", "text"),
    [
        ({"set": "soon"}, "'clock.set' must be an ISO 8601 date and time"),
        ({"set": "1969-12-31T23:59:59Z"}, "no earlier than 1970-01-01"),
        ({"set": "9000-01-01T00:00:00.000001Z"}, "no further than 9000-01-01"),
        ({"freeze": "maybe"}, "freeze"),
        ("2001-01-01", "clock"),
    ],
)
def test_invalid_start(sandbox: Sandbox, server: Server, start: Any, text: str) -> None:
    """A sandbox with an invalid start time is not created."""
    name = f"{sandbox.name}-start"
    answer = server.http.post(f"{ROOT}/sandboxes", json={"name": name, "clock": start})

    assert answer.status_code == 400
    assert text in answer.json()["message"]
    assert server.http.get(f"{ROOT}/sandboxes/{name}").status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({}, 400, "The request needs 'freeze', 'set' or 'advance'"),
        ({"freeze": None}, 400, "The request needs 'freeze', 'set' or 'advance'"),
        ({"faster": True}, 400, "The request body has no member 'faster'. It may have: freeze, set, advance."),
        ({"set": "2100-01-01", "advance": 1}, 400, "'set' and 'advance' cannot be combined"),
        ({"freeze": True, "set": "soon"}, 400, "'set' must be an ISO 8601 date and time"),
        ({"set": ""}, 400, "'set' must be"),
        ({"set": 5}, 400, "'set'"),
        ({"freeze": "maybe"}, 400, "'freeze'"),
        ({"freeze": True, "set": "2001-01-01T00:00:00Z"}, 409, "cannot go backwards"),
        ({"freeze": True, "set": "0001-01-01"}, 409, "cannot go backwards"),
        ({"freeze": True, "set": "9000-01-01T00:00:00.000001Z"}, 400, "no further than 9000-01-01"),
        ({"freeze": True, "advance": "P999999W"}, 400, "no further than 9000-01-01"),
        *(
            ({"freeze": True, "advance": bad}, 400, "'advance'")
            for bad in ["", "P", "PT", "P1M", "P1Y", "1y", "-1h", -1, "1m1h", "PT1", "T1H", "1h 30m", "\u0663s", 1e300]
        ),
        *(({"advance": bad}, 400, "'advance'") for bad in [True, [], {}, "P999999999W", "1" * 5000]),
    ],
)
def test_invalid_request(sandbox: Sandbox, body: dict[str, Any], status: int, text: str) -> None:
    """An invalid clock request is rejected in the connector's shape and changes nothing."""
    before = sandbox.api.get("/clock").json()
    answer = sandbox.api.post("/clock", json=body)

    assert (status, status) == (answer.status_code, answer.json()["status"])
    assert text in answer.json()["message"]
    assert before == sandbox.api.get("/clock").json()


def test_date_header(sandbox: Sandbox, server: Server) -> None:
    """The Date header, also of errors, has the time of the sandbox, or of the server if the path names no sandbox."""
    alice = sandbox.connect("alice")
    order(sandbox, advance="48h")
    own = [
        alice.http.get("/testconnection"),
        alice.http.get("/Mail", params={"top": "many"}),
        alice.http.get("/Mail/none"),
        sandbox.api.get("/clock"),
        sandbox.api.get("/outbox/5/mime"),
    ]
    servers = [
        server.http.get("/readyz"),
        server.http.get("/nothing"),
        server.http.get(f"{ROOT}/sandboxes"),
        server.http.get(f"{ROOT}/sandboxes/none"),
        httpx.get(f"{server.url}/apim/outlook/nothing"),
    ]
    now, later = ({moment(server.clock.now()).replace(microsecond=0) + step} for step in (0 * HOUR, 48 * HOUR))

    assert later == {parsedate_to_datetime(time.headers["date"]) for time in own}
    assert now == {parsedate_to_datetime(time.headers["date"]) for time in servers}
    assert {1} == {len(time.headers.get_list("date")) for time in [*own, *servers]}


def test_move_waits_for_due_work() -> None:
    """The response to a clock request is sent after all work that fell due has run, including asynchronous work."""
    seen: list[str] = []

    class Delivery:
        def next_at(self, sandbox: ServerSandbox) -> int | None:
            return None if seen else sandbox.clock.now() + 60_000_000

        async def run(self, sandbox: ServerSandbox, now: int) -> None:
            await asyncio.sleep(0)
            seen.append(iso_seconds(now))

    app = create_app(Settings(), VirtualClock(START))
    app.state.sandboxes.default.due.append(Delivery())

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x", trust_env=False) as http:
            return await http.post(f"{ROOT}/sandboxes/default/clock", json={"advance": "1h", "freeze": True})

    answer = asyncio.run(ask())

    assert (200, "2026-03-02T10:00:00+00:00") == (answer.status_code, answer.json()["now"])
    assert ["2026-03-02T09:01:00+00:00"] == seen
