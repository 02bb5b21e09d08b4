"""Fault rules at work: what a struck call is answered, when a rule acts, and that nobody else is in its way."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from starlette.applications import Starlette

from outlook_emulator.app import create_app
from outlook_emulator.clock import VirtualClock
from outlook_emulator.server.admin.routes import ROOT
from outlook_emulator.settings import Settings
from outlook_emulator.traffic.journal import Cause, ExchangeEntry
from tests.conftest import START, Connection, Sandbox
from tests.server.admin.test_faults import EFFECTS, PLAN, arm, counted, fixed, ledger, status, statuses
from tests.server.connector.test_alternate_routes import dynamic_invoke, invoke
from tests.server.faults.test_names import SOURCE, said

LONG = 30
"""Seconds to wait for what does come: only a broken test waits so long."""
DEFAULT = f"{ROOT}/sandboxes/default"
MAIL = {"To": "bob@example.com", "Subject": "Hi", "Body": "<p>Hi</p>"}


def strike(sandbox: Sandbox, connection: Connection, **effect: Any) -> httpx.Response:
    """What a call is answered to which an effect happens."""
    arm(sandbox, {"name": "it", "effect": effect})
    answer = connection.http.get("/v2/Mail")
    assert sandbox.api.delete("/faults").is_success
    return answer


@pytest.fixture
def app() -> Iterator[Starlette]:
    """An emulator without limits, in the test's own event loop."""
    made = create_app(Settings(max_calls=0, max_concurrent=0), VirtualClock(START))
    yield made
    made.state.sandboxes.close()


@asynccontextmanager
async def asking(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": "Bearer token"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test", headers=headers) as http:
        yield http


async def armed(http: httpx.AsyncClient, *rules: Any) -> None:
    answer = await http.post(f"{DEFAULT}/faults", json={"faults": rules})
    assert answer.status_code == 201, answer.text


async def waiting(app: Starlette) -> None:
    """Return once a call waits for the clock of the default sandbox, or in real time."""
    waits = app.state.sandboxes.default.traffic.waits
    async with asyncio.timeout(LONG):
        while waits.next_at(None) is None:
            await asyncio.sleep(0)


async def acted(http: httpx.AsyncClient, sandbox: Sandbox) -> None:
    """Return once the rule `it` has acted on a call that is still under way."""
    async with asyncio.timeout(LONG):
        while not (await http.get(f"{sandbox.api.base_url}faults/it")).json()["used"]:
            pass


# The answer


@pytest.mark.parametrize(
    ("given", "code", "text"),
    [
        ({"status": 400}, "BadRequest", "An injected fault."),
        ({"status": 418}, "ErrorInvalidRequest", "An injected fault."),
        ({"status": 503}, "InternalServerError", "An injected fault."),
        ({"status": 403, "message": "No entry"}, "Forbidden", "No entry"),
        ({"status": 500, "code": "ErrorServerBusy", "message": "Busy"}, "ErrorServerBusy", "Busy"),
        ({"status": 503, "shape": "connector"}, "InternalServerError", "An injected fault."),
    ],
)
def test_a_status_in_the_connectors_shape(
    sandbox: Sandbox, alice: Connection, given: dict[str, Any], code: str, text: str
) -> None:
    """An error is told as the connector tells its own, unless the rule says otherwise."""
    answer = strike(sandbox, alice, **given)

    assert (given["status"], (given["status"], text, code)) == (answer.status_code, said(answer.json()))
    assert "application/json; charset=utf-8" == answer.headers["content-type"]


def test_a_status_in_the_gateways_shape(sandbox: Sandbox, alice: Connection) -> None:
    """The gateway tells status and text, and no more."""
    answer = strike(sandbox, alice, status=503, shape="gateway", message="Busy")

    assert (503, {"statusCode": 503, "message": "Busy"}) == (answer.status_code, answer.json())


def test_a_wrapped_status(sandbox: Sandbox, alice: Connection) -> None:
    """The gateway wraps what the connector said, under the code."""
    answer = strike(sandbox, alice, status=502, shape="wrapped", message="Gone", code="NoResponse")
    error = answer.json()["error"]

    assert (502, 502, "NoResponse", SOURCE) == (answer.status_code, error["code"], error["message"], error["source"])
    assert f"Gone\r\nclientRequestId: {error['clientRequestId']}" == error["innerError"]["message"]


@pytest.mark.parametrize(
    ("body", "kind", "content"),
    [
        ("<html>Busy</html>", "text/plain; charset=utf-8", b"<html>Busy</html>"),
        ("Grüße", "text/plain; charset=utf-8", "Grüße".encode()),
        ("", "text/plain; charset=utf-8", b""),
        ({"error": ["Busy", None]}, "application/json", b'{"error":["Busy",null]}'),
        ([], "application/json", b"[]"),
        (7, "application/json", b"7"),
    ],
)
@pytest.mark.parametrize("code", [200, 302, 503])
def test_a_body_of_ones_own(
    sandbox: Sandbox, alice: Connection, body: Any, kind: str, content: bytes, code: int
) -> None:
    """It takes the place of the answer: a text as it is, all else as JSON, with any status."""
    answer = strike(sandbox, alice, status=code, body=body)

    assert (code, kind, content) == (answer.status_code, answer.headers["content-type"], answer.content)


@pytest.mark.parametrize("code", [200, 204, 304, 399])
def test_a_status_that_is_no_error(sandbox: Sandbox, alice: Connection, code: int) -> None:
    """It comes without a body, though nothing was done."""
    answer = strike(sandbox, alice, status=code)

    assert (code, b"", False) == (answer.status_code, answer.content, "content-type" in answer.headers)


def test_headers(sandbox: Sandbox, alice: Connection) -> None:
    """They come with the answer, in place of those it has; a content type of one's own as well."""
    given = {"Content-Type": "text/html", "X-Ms-Note": "né", "Retry-After": "soon"}
    answer = strike(sandbox, alice, status=503, body="<p>", headers=given)

    assert ["text/html", "né", "soon"] == [answer.headers[name] for name in given]
    assert [["text/html"], ["soon"]] == [answer.headers.get_list(one) for one in ("content-type", "retry-after")]


def test_retry_after(sandbox: Sandbox, alice: Connection) -> None:
    """It is a header in seconds, and wins over one of that name."""
    answer = strike(sandbox, alice, status=429, shape="gateway", retryAfter=0, headers={"retry-after": "9"})

    assert (429, ["0"]) == (answer.status_code, answer.headers.get_list("retry-after"))


def test_headers_on_an_answer_that_works(sandbox: Sandbox, alice: Connection) -> None:
    """Headers alone let the operation do its work, and come with its answer."""
    alice.deliver(subject="Here")
    answer = strike(sandbox, alice, headers={"X-Extra": "1"})

    assert (200, "1") == (answer.status_code, answer.headers["x-extra"])
    assert ["Here"] == [one["Subject"] for one in answer.json()["value"]]


def test_malformed(sandbox: Sandbox, alice: Connection) -> None:
    """JSON that ends in its middle comes with its right length, after the operation has done its work."""
    alice.deliver(subject="Here")
    whole = alice.http.get("/v2/Mail").content
    answer = strike(sandbox, alice, **{"break": "malformed"})

    assert (200, whole[: len(whole) // 2]) == (answer.status_code, answer.content)
    with pytest.raises(ValueError, match=r"Unterminated string|Expecting"):
        answer.json()


def test_malformed_errors(sandbox: Sandbox, alice: Connection) -> None:
    """A status of one's own can be malformed too; and what has no body gets the beginning of one."""
    error = strike(sandbox, alice, status=503, body={"a": "bcdef"}, **{"break": "malformed"})
    arm(sandbox, {"effect": {"break": "malformed"}})
    sent = alice.http.post("/v2/Mail", json=MAIL)

    assert (503, b'{"a":"') == (error.status_code, error.content)
    assert (200, b'{"value":[') == (sent.status_code, sent.content)


@pytest.mark.slow
@fixed(150)
@given(effect=EFFECTS)
def test_whatever_an_effect_says_it_can_be_answered(sandbox: Sandbox, alice: Connection, effect: Any) -> None:
    """A rule that is taken strikes with an answer that arrives, and never with a failure of the emulator's own."""
    if isinstance(effect, dict):
        effect = {name: value for name, value in effect.items() if name not in ("delay", "delayBy", "break")}
    assert sandbox.api.delete("/faults").is_success
    made = sandbox.api.post("/faults", content=json.dumps({"faults": [{"effect": effect}]}))
    answers = [alice.http.get("/v2/Mail"), alice.http.post("/v2/Mail", json=MAIL)]

    assert made.status_code in (201, 400), made.text
    assert [] == [one.text for one in answers if "The emulator failed" in one.text]
    assert made.status_code == 201 or [200, 200] == [one.status_code for one in answers]


# Before or after the effect


@pytest.mark.parametrize(("phase", "sent"), [("before", 0), ("after", 1), (None, 0)])
def test_phase(sandbox: Sandbox, alice: Connection, bob: Connection, phase: str | None, sent: int) -> None:
    """A status comes before the operation unless told otherwise; after it, the mail is there all the same."""
    arm(sandbox, {"effect": {"status": 500, **({} if phase is None else {"phase": phase})}})
    answer = alice.http.post("/v2/Mail", json={**MAIL, "To": bob.address})
    assert sandbox.api.delete("/faults").is_success

    assert (500, sent) == (answer.status_code, len(bob.mails()))


def test_after_an_operation_that_was_refused(sandbox: Sandbox, alice: Connection) -> None:
    """The status of the rule hides the operation's own."""
    arm(sandbox, {"effect": {"status": 200, "phase": "after"}})

    assert [200, 200] == [alice.http.request(method, "/Mail/nonsense").status_code for method in ("GET", "DELETE")]


# Which calls


@pytest.mark.parametrize(
    ("match", "hit"),
    [
        ({}, ["read", "send", "bob", "one", "event", "test"]),
        ({"connection": "bob"}, ["bob"]),
        ({"operation": "GetEmailsV2"}, ["read", "bob"]),
        ({"operation": ["sendemailv2", "GetEmail"]}, ["send", "one"]),
        ({"family": "CalendarPostItem"}, ["event"]),
        ({"method": "post"}, ["send", "event"]),
        ({"path": "/v2/mail"}, ["read", "send", "bob"]),
        ({"path": "/V2/*"}, ["read", "send", "bob"]),
        ({"path": "*/items"}, ["event"]),
        ({"path": "/Mail/no thing*"}, ["one"]),
        ({"query": {"top": 7}}, ["read"]),
        ({"query": {"TOP": "*", "folderpath": "in*"}}, ["read"]),
        ({"query": {"top": 8}}, []),
        ({"query": {"fetchOnlyUnread": False}}, ["bob"]),
        ({"body": {"Subject": "hi*"}}, ["send"]),
        ({"body": {"subject": "*"}}, ["send", "event"]),
        ({"body": {"Attachments.Name": "b.txt"}}, ["send"]),
        ({"body": {"Attachments.Name": "c.txt"}}, []),
        ({"body": {"is_all_day": True}}, ["event"]),
        ({"operation": "SendEmailV2", "body": {"To": "*@example.com", "Subject": "Hi"}}, ["send"]),
        ({"method": "POST", "path": "/v2/*", "body": {"Subject": "Review"}}, []),
    ],
)
def test_match(sandbox: Sandbox, alice: Connection, bob: Connection, match: dict[str, Any], hit: list[str]) -> None:
    """All that a match says must fit; texts compare without case and by pattern, other values by how JSON has them."""
    if "connection" in match:
        match = {**match, "connection": bob.id}
    arm(sandbox, {"name": "it", "match": match, "effect": {"status": 599}})
    mail = {**MAIL, "Attachments": [{"Name": name, "ContentBytes": "YQ=="} for name in ("a.txt", "b.txt")]}
    event = {"Subject": "Review", "Start": "2026-03-04T10:00:00Z", "End": "2026-03-04T11:00:00Z", "IsAllDay": True}
    asked = {
        "read": alice.http.get("/v2/Mail", params={"top": "7", "folderPath": "Inbox"}),
        "send": alice.http.post("/v2/Mail", json=mail),
        "bob": bob.http.get("/v2/Mail", params={"fetchOnlyUnread": "False"}),
        "one": alice.http.get("/Mail/no%20thing"),
        "event": alice.http.post("/datasets/calendars/v3/tables/Calendar/items", json=event),
        "test": alice.http.get("/testconnection"),
    }

    assert hit == [name for name, answer in asked.items() if answer.status_code == 599]
    assert [("it", "armed", len(hit), len(hit))] == counted(sandbox)


def test_a_query_that_does_not_match(sandbox: Sandbox, alice: Connection) -> None:
    """A parameter that is left out matches no pattern, not even the one for anything."""
    arm(sandbox, {"match": {"query": {"top": "*"}}, "effect": {"status": 599}})

    assert [200, 599] == [status(alice), status(alice, "/v2/Mail?top=1")]


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"null", b"\xff"])
def test_a_body_that_is_no_object(sandbox: Sandbox, alice: Connection, content: bytes) -> None:
    """It matches nothing, and is refused as it is without the rule."""
    before = alice.http.post("/v2/Mail", content=content)
    arm(sandbox, {"name": "it", "match": {"body": {"Subject": "*"}}, "effect": {"status": 599}})
    after = alice.http.post("/v2/Mail", content=content)

    assert (400, 400) == (before.status_code, after.status_code)
    assert said(before.json()) == said(after.json())
    assert [("it", "armed", 0, 0)] == counted(sandbox)


def test_a_body_that_was_compared_arrives_whole(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """What a rule has looked at and let alone is sent as it was written."""
    arm(sandbox, {"match": {"body": {"Subject": "Other"}}, "effect": {"status": 599}})
    alice.send(bob.address, "Grüße", "x" * 100_000)

    assert ("Grüße", "x" * 100_000) == (bob.mail()["Subject"], bob.mail()["Body"])


# When


@pytest.mark.parametrize(
    ("when", "hit", "state"),
    [
        ({}, [1, 2, 3, 4, 5, 6], "armed"),
        ({"nth": 3}, [3], "used up"),
        ({"nth": [5, 2]}, [2, 5], "used up"),
        ({"nth": [7]}, [], "armed"),
        ({"after": 4}, [5, 6], "armed"),
        ({"after": 6}, [], "armed"),
        ({"times": 2}, [1, 2], "used up"),
        ({"after": 1, "times": 3}, [2, 3, 4], "used up"),
    ],
)
def test_when(sandbox: Sandbox, alice: Connection, when: dict[str, Any], hit: list[int], state: str) -> None:
    """Calls are counted from one: a rule acts on the nth, after so many, or so many times."""
    arm(sandbox, {"name": "it", "when": when, "effect": {"status": 599}})
    found = statuses(alice, 6)

    assert hit == [number for number, one in enumerate(found, 1) if one == 599]
    assert (state, len(hit)) == (ledger(sandbox)[0]["state"], ledger(sandbox)[0]["used"])


def test_only_calls_that_match_are_counted(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """The nth call is the nth of those that the rule is about."""
    arm(sandbox, {"match": {"connection": bob.id}, "when": {"nth": 2}, "effect": {"status": 599}})

    assert [200, 200, 200, 599] == [status(one) for one in (bob, alice, alice, bob)]


def pattern(sandbox: Sandbox, connection: Connection, count: int = 40, **when: Any) -> list[bool]:
    """Which of so many calls a rule acts on that is left to chance."""
    assert sandbox.api.delete("/faults").is_success
    arm(sandbox, {"name": "it", "when": {"probability": 0.5, **when}, "effect": {"status": 599}})
    return [one == 599 for one in statuses(connection, count)]


def test_chance_repeats(sandbox: Sandbox, alice: Connection) -> None:
    """The same seed strikes the same calls, another one others, and not all are struck."""
    first, again, other = (pattern(sandbox, alice, seed=seed) for seed in (7, 7, 8))

    assert first == again
    assert first != other
    assert {True, False} == set(first)


def test_chance_without_a_seed(sandbox: Sandbox, alice: Connection) -> None:
    """The server's own seed and the rule's name say what happens, so that a run can be repeated."""
    assert pattern(sandbox, alice) == pattern(sandbox, alice)


def test_chance_and_times(sandbox: Sandbox, alice: Connection) -> None:
    """A rule of chance may be limited: it acts so often at most, counting those that it struck."""
    hit = pattern(sandbox, alice, times=3, seed=7)

    assert (3, "used up") == (sum(hit), ledger(sandbox)[0]["state"])


def test_certainty(sandbox: Sandbox, alice: Connection) -> None:
    """A probability of one strikes each call."""
    assert [True] * 10 == pattern(sandbox, alice, 10, probability=1)


@pytest.mark.parametrize("instants", [False, True])
def test_a_window_of_time(sandbox: Sandbox, alice: Connection, instants: bool) -> None:
    """A rule begins at its first instant and is over at its last, by the sandbox's clock; other calls do not count."""
    now = datetime.fromisoformat(sandbox.api.get("/clock").json()["now"])
    window = [(now + timedelta(minutes=one)).isoformat() for one in (10, 20)] if instants else ["PT10M", "20m"]
    arm(sandbox, {"name": "it", "when": dict(zip(("from", "until"), window, strict=True)), "effect": {"status": 599}})
    found = [status(alice)]
    for step in ("9m59s", "1s", "9m59s", "1s"):
        sandbox.advance(step)
        found.append(status(alice))

    assert [200, 200, 599, 599, 200] == found
    assert [("it", "over", 2, 2)] == counted(sandbox)


# Sequences


def test_a_sequence(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """One step after the other: a fault by name, a status, a call that works, and then nothing any more."""
    arm(
        sandbox,
        {
            "name": "it",
            "match": {"operation": "SendEmailV2"},
            "sequence": ["timeout-504-after", {"status": 503, "retryAfter": 1}, "work", "throttled"],
        },
    )
    answers = [alice.http.post("/v2/Mail", json={**MAIL, "To": bob.address}) for _ in range(5)]

    assert [504, 503, 200, 429, 200] == [one.status_code for one in answers]
    assert [None, "1", None, "60", None] == [one.headers.get("retry-after") for one in answers]
    assert 3 == len(bob.mails())
    assert [("it", "used up", 4, 4)] == counted(sandbox)


def test_a_sequence_by_turns(sandbox: Sandbox, alice: Connection) -> None:
    """When the rule does not act, its sequence stays where it is."""
    arm(sandbox, {"when": {"nth": [2, 4]}, "sequence": [{"status": 501}, {"status": 502}]})

    assert [200, 501, 200, 502, 200] == statuses(alice, 5)


def test_a_sequence_is_atomic(app: Starlette) -> None:
    """Of 64 calls at a time each gets another step, and none is left over."""

    async def story() -> tuple[list[int], list[int], dict[str, Any]]:
        async with asking(app) as http:
            steps = [{"status": 500 + number} for number in range(64)]
            await armed(http, {"name": "it", "sequence": steps})
            asked = [http.post(f"/apim/outlook/c{number % 5}/v2/Mail", json=MAIL) for number in range(64)]
            answers = await asyncio.gather(*asked)
            later = await asyncio.gather(*(http.get("/apim/outlook/c0/v2/Mail") for _ in range(8)))
            facts = (await http.get(f"{DEFAULT}/faults/it")).json()
        return [one.status_code for one in answers], [one.status_code for one in later], facts

    found, later, facts = asyncio.run(story())

    assert [500 + number for number in range(64)] == sorted(found)
    assert [200] * 8 == later
    assert ("used up", 64, 64) == (facts["state"], facts["matched"], facts["used"])


def test_a_sequence_is_atomic_over_sockets(sandbox: Sandbox) -> None:
    """The same through a server's own connections."""
    people = [sandbox.connect(f"c{number}") for number in range(4)]
    arm(sandbox, {"name": "it", "sequence": [{"status": 500 + number} for number in range(64)]})

    async def story() -> list[int]:
        headers = {"Authorization": "Bearer token"}
        async with httpx.AsyncClient(headers=headers, verify=False, timeout=LONG) as http:
            asked = [http.post(f"{people[number % 4].url}/v2/Mail", json=MAIL) for number in range(64)]
            return [one.status_code for one in await asyncio.gather(*asked)]

    assert [500 + number for number in range(64)] == sorted(asyncio.run(story()))
    assert [("it", "used up", 64, 64)] == counted(sandbox)


def test_counts_add_up_under_parallel_calls(app: Starlette) -> None:
    """With a probability and a limit, what callers saw is what the ledger says."""

    async def story() -> tuple[Counter[int], dict[str, Any]]:
        async with asking(app) as http:
            await armed(http, {"name": "it", "when": {"probability": 0.3, "seed": 1}, "effect": {"status": 599}})
            answers = await asyncio.gather(*(http.get("/apim/outlook/me/v2/Mail") for _ in range(100)))
            return Counter(one.status_code for one in answers), (await http.get(f"{DEFAULT}/faults/it")).json()

    found, facts = asyncio.run(story())

    assert (100, found[599], {200, 599}) == (facts["matched"], facts["used"], set(found))


# Delays


def test_a_delay_by_the_clock(app: Starlette) -> None:
    """The call stays open until the sandbox's time has come; others, of the same connection too, are answered."""

    async def story() -> tuple[list[bool], list[int], httpx.Response]:
        async with asking(app) as http:
            match = {"operation": "SendEmailV2"}
            await armed(http, {"match": match, "when": {"times": 1}, "effect": {"delay": "30s"}})
            late = asyncio.create_task(http.post("/apim/outlook/me/v2/Mail", json=MAIL))
            await waiting(app)
            others = [
                await http.get("/apim/outlook/me/v2/Mail"),
                await http.post("/apim/outlook/me/v2/Mail", json=MAIL),
                await http.get("/apim/outlook/you/v2/Mail"),
                await http.post(f"{DEFAULT}/clock", json={"advance": "29s"}),
            ]
            done = [late.done()]
            others.append(await http.post(f"{DEFAULT}/clock", json={"advance": "1s"}))
            return [*done, late.done()], [one.status_code for one in others], await late

    done, others, answer = asyncio.run(story())

    assert ([200] * 5, 200) == (others, answer.status_code)
    assert not done[0]
    assert "Mon, 02 Mar 2026 09:00:30 GMT" == answer.headers["date"]


@pytest.mark.parametrize(("phase", "early", "late"), [("before", 0, 0), ("after", 1, 1), (None, 0, 1)])
def test_what_a_delayed_call_has_done(app: Starlette, phase: str | None, early: int, late: int) -> None:
    """A delay holds back the work as well, unless it is done before; a status before it has nothing done at all."""
    effect = {"delay": "30s", **({} if phase is None else {"status": 503, "phase": phase})}

    async def story() -> list[int]:
        async with asking(app) as http:

            async def sent() -> int:
                return len((await http.get("/apim/outlook/you/v2/Mail")).json()["value"])

            order = {"id": "you", "address": "bob@example.com"}
            assert (await http.post(f"{DEFAULT}/connections", json=order)).is_success
            await armed(http, {"match": {"method": "POST"}, "effect": effect})
            call = asyncio.create_task(http.post("/apim/outlook/me/v2/Mail", json=MAIL))
            await waiting(app)
            found = [await sent()]
            await http.post(f"{DEFAULT}/clock", json={"advance": "30s"})
            return [*found, (await call).status_code, await sent()]

    assert [early, 503 if phase else 200, late] == asyncio.run(story())


def test_a_delay_by_the_clock_over_sockets(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """A server's connection waits while others are answered, and is answered once the clock is moved."""
    match = {"connection": alice.id}
    arm(sandbox, {"name": "it", "match": match, "when": {"times": 1}, "effect": {"delay": "1h"}})

    async def story() -> tuple[bool, list[int]]:
        headers = {"Authorization": "Bearer token"}
        async with httpx.AsyncClient(headers=headers, verify=False, timeout=LONG) as http:
            call = asyncio.create_task(http.get(f"{alice.url}/v2/Mail"))
            await acted(http, sandbox)
            others = [await http.get(f"{one.url}/v2/Mail") for one in (alice, bob)]
            done = call.done()
            others.append(await http.post(f"{sandbox.api.base_url}clock", json={"advance": "1h"}))
            return done, [one.status_code for one in [*others, await call]]

    assert (False, [200] * 4) == asyncio.run(story())


def test_a_delay_after_the_work(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """The mail is there at once, and its answer is not until the clock is moved."""
    arm(sandbox, {"name": "it", "match": {"operation": "SendEmailV2"}, "effect": {"delay": "1h", "phase": "after"}})

    async def story() -> tuple[bool, int]:
        async with httpx.AsyncClient(headers={"Authorization": "Bearer token"}, verify=False, timeout=LONG) as http:
            call = asyncio.create_task(http.post(f"{alice.url}/v2/Mail", json={**MAIL, "To": bob.address}))
            await acted(http, sandbox)
            found = len((await http.get(f"{bob.url}/v2/Mail")).json()["value"])
            assert not call.done()
            await http.post(f"{sandbox.api.base_url}clock", json={"advance": "1h"})
            return found == 1, (await call).status_code

    assert (True, 200) == asyncio.run(story())


@pytest.mark.parametrize("path", ["faults", "faults/it"])
def test_a_rule_that_is_taken_away_has_nobody_wait(sandbox: Sandbox, alice: Connection, path: str) -> None:
    """The call that waited because of it goes on at once."""
    arm(sandbox, {"name": "it", "effect": {"delay": "1h"}})

    async def story() -> int:
        async with httpx.AsyncClient(headers={"Authorization": "Bearer token"}, verify=False, timeout=LONG) as http:
            call = asyncio.create_task(http.get(f"{alice.url}/v2/Mail"))
            await acted(http, sandbox)
            assert (await http.delete(f"{sandbox.api.base_url}{path}")).status_code == 204
            return (await call).status_code

    assert 200 == asyncio.run(story())


@pytest.mark.parametrize("by", ["clock", "real"])
@pytest.mark.parametrize("phase", ["before", "after"])
def test_who_hangs_up_is_in_nobodys_way(
    sandbox: Sandbox, alice: Connection, bob: Connection, by: str, phase: str
) -> None:
    """The work is done, the place is free again, and the report says that the mail came twice."""
    effect = {"delay": "5m", "delayBy": by, "phase": phase}
    arm(sandbox, {"name": "it", "match": {"operation": "SendEmailV2"}, "when": {"nth": 1}, "effect": effect})
    assert sandbox.api.patch("/limits", json={"concurrentRequests": 1}).is_success

    async def story() -> int:
        async with httpx.AsyncClient(headers={"Authorization": "Bearer token"}, verify=False, timeout=LONG) as http:
            url, mail = f"{alice.url}/v2/Mail", {**MAIL, "To": bob.address}
            call = asyncio.create_task(http.post(url, json=mail))
            await acted(http, sandbox)
            call.cancel()
            await asyncio.wait([call])
            while (answer := await http.post(url, json=mail)).status_code == 429:
                pass
            return answer.status_code

    status = asyncio.run(story())
    report = sandbox.api.get("/journal/retries").json()
    entries = sandbox.api.get("/journal?operation=SendEmailV2").json()["value"]

    assert (200, 2) == (status, len(bob.mails()))
    assert [("lost", True), ("answered", True)] == [
        (one["outcome"], one["effected"]) for one in entries if one["status"] != 429
    ]
    assert 1 == report["duplicatedSends"]


def test_a_delay_in_real_time(sandbox: Sandbox, alice: Connection) -> None:
    """It passes while the sandbox's clock stands still."""
    date = alice.http.get("/v2/Mail").headers["date"]
    answer = strike(sandbox, alice, status=503, delay="PT0.001S", delayBy="real")

    assert (503, date) == (answer.status_code, answer.headers["date"])


@pytest.mark.parametrize("by", ["clock", "real"])
@pytest.mark.parametrize("effect", [{}, {"status": 503}, {"fault": "throttled"}])
def test_a_reset_ends_a_call_that_waits(app: Starlette, by: str, effect: dict[str, Any]) -> None:
    """The call is told with 409, and nothing was done; the rule is gone."""

    async def story() -> tuple[httpx.Response, list[Any]]:
        async with asking(app) as http:
            assert (await http.get("/apim/outlook/me/v2/Mail")).is_success
            await armed(http, {"effect": {**effect, "delay": "5m", "delayBy": by}})
            late = asyncio.create_task(http.post("/apim/outlook/me/v2/Mail", json=MAIL))
            await waiting(app)
            assert (await http.post(f"{DEFAULT}/reset")).is_success
            answer = await late
            sent = (await http.get("/apim/outlook/me/v2/Mail?folderPath=Sent%20Items")).json()["value"]
            return answer, [sent, (await http.get(f"{DEFAULT}/faults")).json()["value"]]

    answer, left = asyncio.run(story())
    text = "The sandbox was reset or deleted while this request waited."

    assert (409, (409, text, "Conflict"), [[], []]) == (answer.status_code, said(answer.json()), left)


def test_deleting_a_sandbox_ends_a_call_that_waits(sandbox: Sandbox, alice: Connection) -> None:
    """The end of the sandbox is the end of the wait."""
    arm(sandbox, {"name": "it", "effect": {"delay": "1h"}})

    async def story() -> httpx.Response:
        async with httpx.AsyncClient(headers={"Authorization": "Bearer token"}, verify=False, timeout=LONG) as http:
            call = asyncio.create_task(http.get(f"{alice.url}/v2/Mail"))
            await acted(http, sandbox)
            assert (await http.delete(str(sandbox.api.base_url).rstrip("/"))).is_success
            return await call

    assert 409 == asyncio.run(story()).status_code


# Who is let alone, and what is noted


@pytest.mark.parametrize(
    ("method", "path", "headers", "expected"),
    [
        ("GET", "/v2/Mail", {"Authorization": ""}, 401),
        ("GET", "/v2/Mail", {"Authorization": "Basic x"}, 401),
        ("GET", "/v9/Mail", {}, 404),
        ("PUT", "/v2/Mail", {}, 405),
    ],
)
def test_a_call_that_is_refused_anyway(
    sandbox: Sandbox, alice: Connection, method: str, path: str, headers: dict[str, str], expected: int
) -> None:
    """Who has no credential, or asks for what is not there, is refused as ever, and is not counted."""
    arm(sandbox, {"name": "it", "effect": {"status": 599}})
    answer = alice.http.request(method, path, headers=headers)

    assert (expected, [("it", "armed", 0, 0)]) == (answer.status_code, counted(sandbox))


def test_the_admin_api_is_let_alone(sandbox: Sandbox, alice: Connection) -> None:
    """Nothing goes wrong with what a test itself asks."""
    arm(sandbox, {"effect": {"status": 599}})

    assert [200, 200] == [sandbox.api.get(path).status_code for path in ("/clock", "/outbox")]


def journaled(ask: Callable[[httpx.AsyncClient], Any], *rules: Any) -> list[ExchangeEntry]:
    """What the journal has of calls to an emulator where these rules are armed."""
    app = create_app(Settings(max_calls=0), VirtualClock(START))

    async def story() -> None:
        async with asking(app) as http:
            await armed(http, *rules)
            await ask(http)

    asyncio.run(story())
    found = list(app.state.sandboxes.default.traffic.journal.exchanges())
    app.state.sandboxes.close()
    return found


def test_the_journal_names_the_rule() -> None:
    """Each answer that a rule shaped says which and how; one that was let alone says nothing."""

    async def ask(http: httpx.AsyncClient) -> None:
        for _ in range(4):
            await http.get("/apim/outlook/me/v2/Mail")

    entries = journaled(ask, {"name": "first", "sequence": ["throttled", {"status": 503}, "work"]})
    causes = [
        [Cause("fault", "first", "throttled")],
        [Cause("fault", "first", "custom")],
        [Cause("fault", "first", "work")],
        [],
    ]

    assert (causes, [429, 503, 200, 200]) == ([list(one.causes) for one in entries], [one.status for one in entries])


def test_the_journal_knows_what_was_done() -> None:
    """Of a call with a status after its effect it says that the operation worked, of one before that it did not."""

    async def ask(http: httpx.AsyncClient) -> None:
        for _ in range(3):
            await http.post("/apim/outlook/me/v2/Mail", json=MAIL)

    entries = journaled(ask, {"sequence": ["timeout-504-after", "timeout-504-before"]})

    assert [(504, True), (504, False), (200, True)] == [(one.status, one.effected) for one in entries]


def test_the_journal_names_a_rule_that_holds_a_find_back() -> None:
    """The poll that a rule begins to hold back says so."""

    async def ask(http: httpx.AsyncClient) -> None:
        first = await http.get("/apim/outlook/me/v2/Mail/OnNewEmail")
        order = {"from": "a@example.org", "subject": "Ping"}
        assert (await http.post(f"{DEFAULT}/connections/me/deliver", json=order)).is_success
        await http.get(first.headers["location"])

    entries = journaled(ask, {"name": "late", "effect": "trigger-delayed"})

    assert [(202, []), (202, [Cause("fault", "late", "trigger-delayed")])] == [
        (one.status, list(one.causes)) for one in entries
    ]


# The other doors


def test_a_fault_behind_invoke(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """A call as Power Apps makes it is struck as the straight one, and bound by the same header."""
    match = {"operation": "SendEmailV2", "body": {"Subject": "Hi"}, "path": "/v2/Mail"}
    arm(sandbox, {"name": "it", "match": match, "effect": {"status": 503, "retryAfter": 3}}, header="t-1")
    mail = {**MAIL, "To": bob.address}
    hit = invoke(alice, "POST", "/v2/Mail", mail, **{PLAN: "t-1"})
    spared = invoke(alice, "POST", "/v2/Mail", mail)

    assert (503, "3", (503, "An injected fault.", "InternalServerError")) == (
        hit.status_code,
        hit.headers["retry-after"],
        said(hit.json()),
    )
    assert (200, 1, [("it", "armed", 1, 1)]) == (spared.status_code, len(bob.mails()), counted(sandbox))


def test_a_fault_behind_dynamic_invoke(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """A call through the management API succeeds, and holds the struck answer inside."""
    arm(sandbox, {"name": "it", "match": {"method": "POST"}, "effect": {"status": 503, "retryAfter": 3}})
    inside = dynamic_invoke(alice, "POST", "/v2/Mail", body={**MAIL, "To": bob.address})

    assert ("ServiceUnavailable", "3") == (inside["statusCode"], inside["headers"]["Retry-After"])
    assert (503, "An injected fault.", "InternalServerError") == said(inside["body"])
    assert ([], [("it", "armed", 1, 1)]) == (bob.mails(), counted(sandbox))


def test_a_named_fault_behind_dynamic_invoke(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """The mail arrives while the answer inside says that it timed out."""
    arm(sandbox, {"match": {"method": "POST"}, "effect": "timeout-504-after"})
    inside = dynamic_invoke(alice, "POST", "/v2/Mail", body={**MAIL, "To": bob.address})

    assert ("GatewayTimeout", {"status": 504, "message": "Request failed. Try again later"}, 1) == (
        inside["statusCode"],
        inside["body"],
        len(bob.mails()),
    )


def test_malformed_behind_dynamic_invoke(sandbox: Sandbox, alice: Connection) -> None:
    """JSON that is none any more is passed on as the bytes it is, and the answer around it stays whole."""
    arm(sandbox, {"effect": {"status": 503, "body": {"a": "bcdef"}, "break": "malformed"}})
    inside = dynamic_invoke(alice, "GET", "/v2/Mail")

    assert "ServiceUnavailable" == inside["statusCode"]
    assert {"$content-type": "application/json", "$content": "eyJhIjoi"} == inside["body"]


@pytest.mark.parametrize("how", ["reset", "cut"])
@pytest.mark.parametrize("door", [invoke, dynamic_invoke])
def test_a_broken_connection_behind_a_door(
    sandbox: Sandbox, alice: Connection, how: str, door: Callable[..., Any]
) -> None:
    """An answer that is not to arrive does not arrive by another door either, and the server goes on."""
    arm(sandbox, {"name": "it", "when": {"times": 1}, "effect": {"break": how}})
    with pytest.raises(httpx.TransportError):
        door(alice, "GET", "/v2/Mail")

    assert ([("it", "used up", 1, 1)], 200) == (counted(sandbox), status(alice))
