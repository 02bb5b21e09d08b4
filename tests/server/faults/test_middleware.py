"""Fault rules in use: the response of a request they hit, when they act, and which requests they leave alone."""

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

from outlook_emulator import testing
from outlook_emulator.app import create_app
from outlook_emulator.clock import VirtualClock
from outlook_emulator.server.admin.routes import ROOT
from outlook_emulator.server.faults import middleware
from outlook_emulator.settings import Settings
from outlook_emulator.traffic.journal import Cause, ExchangeEntry
from tests.bodies import from_fragment
from tests.conftest import START, Connection, Sandbox
from tests.server.admin.test_faults import EFFECTS, PLAN, arm, counted, fixed, ledger, status, statuses
from tests.server.connector.test_alternate_routes import dynamic_invoke, invoke
from tests.server.faults.test_names import SOURCE, error_parts

LONG = 30
"""Timeout in seconds of what must happen; only a failing test waits this long."""
DEFAULT = f"{ROOT}/sandboxes/default"
MAIL = {"To": "bob@example.com", "Subject": "Hi", "Body": "<p>Hi</p>"}


def response_with(sandbox: Sandbox, connection: Connection, **effect: Any) -> httpx.Response:
    """The response of a request that a rule with this effect hits."""
    arm(sandbox, {"name": "it", "effect": effect})
    answer = connection.http.get("/v2/Mail")
    assert sandbox.api.delete("/faults").is_success
    return answer


@pytest.fixture
def app() -> Iterator[Starlette]:
    """An app without limits, which runs in the test's event loop."""
    app = create_app(Settings(max_calls=0, max_concurrent=0), VirtualClock(START))
    yield app
    app.state.sandboxes.close()


@asynccontextmanager
async def asking(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": "Bearer token"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test", headers=headers) as http:
        yield http


async def armed(http: httpx.AsyncClient, *rules: Any) -> None:
    answer = await http.post(f"{DEFAULT}/faults", json={"faults": rules})
    assert answer.status_code == 201, answer.text


async def waiting(app: Starlette) -> None:
    """Return once a request waits for the clock of the default sandbox, or for real time."""
    waits = app.state.sandboxes.default.traffic.waits
    async with asyncio.timeout(LONG):
        while waits.next_at(None) is None:
            await asyncio.sleep(0)


async def acted(http: httpx.AsyncClient, sandbox: Sandbox) -> None:
    """Return once the rule `it` has acted on a request, which may still be under way."""
    async with asyncio.timeout(LONG):
        while not (await http.get(f"{sandbox.api.base_url}faults/it")).json()["used"]:
            pass


# The response


@pytest.mark.parametrize(
    ("effect", "code", "text"),
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
    sandbox: Sandbox, alice: Connection, effect: dict[str, Any], code: str, text: str
) -> None:
    """An injected error has the connector's shape by default; the rule may set its message and code."""
    answer = response_with(sandbox, alice, **effect)

    assert (effect["status"], (effect["status"], text, code)) == (answer.status_code, error_parts(answer.json()))
    assert "application/json; charset=utf-8" == answer.headers["content-type"]


def test_a_401_in_the_connectors_shape(sandbox: Sandbox, alice: Connection) -> None:
    """An injected 401 has the form of the connector's own 401, unless the rule sets a code."""
    plain = response_with(sandbox, alice, status=401, message="Sign in").json()
    assert sandbox.api.delete("/faults").is_success
    coded = response_with(sandbox, alice, status=401, message="Sign in", code="Unauthorized").json()

    assert {"status": 401, "message": "Sign in", "error": {"message": "Sign in"}, "source": SOURCE} == plain
    assert {"message": "Sign in", "code": "Unauthorized", "originalMessage": "Sign in"} == coded["error"]


def test_a_status_in_the_gateways_shape(sandbox: Sandbox, alice: Connection) -> None:
    """An error in the gateway's shape has a status and a message only."""
    answer = response_with(sandbox, alice, status=503, shape="gateway", message="Busy")

    assert (503, {"statusCode": 503, "message": "Busy"}) == (answer.status_code, answer.json())


def test_a_wrapped_status(sandbox: Sandbox, alice: Connection) -> None:
    """A wrapped error is a gateway error that holds the connector's error and has the rule's code as its message."""
    answer = response_with(sandbox, alice, status=502, shape="wrapped", message="Gone", code="NoResponse")
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
def test_a_body(sandbox: Sandbox, alice: Connection, body: Any, kind: str, content: bytes, code: int) -> None:
    """A rule's body replaces that of the response, with any status; a string is sent as text, other values as JSON."""
    answer = response_with(sandbox, alice, status=code, body=body)

    assert (code, kind, content) == (answer.status_code, answer.headers["content-type"], answer.content)


@pytest.mark.parametrize("code", [200, 204, 304, 399])
def test_a_status_that_is_no_error(sandbox: Sandbox, alice: Connection, code: int) -> None:
    """A status below 400 is sent without a body."""
    answer = response_with(sandbox, alice, status=code)

    assert (code, b"", False) == (answer.status_code, answer.content, "content-type" in answer.headers)


def test_headers(sandbox: Sandbox, alice: Connection) -> None:
    """A rule's headers replace those of the response, including its Content-Type."""
    headers = {"Content-Type": "text/html", "X-Ms-Note": "né", "Retry-After": "soon"}
    answer = response_with(sandbox, alice, status=503, body="<p>", headers=headers)

    assert ["text/html", "né", "soon"] == [answer.headers[name] for name in headers]
    assert [["text/html"], ["soon"]] == [answer.headers.get_list(name) for name in ("content-type", "retry-after")]


def test_retry_after(sandbox: Sandbox, alice: Connection) -> None:
    """`retryAfter` sets the Retry-After header in seconds, and wins over the rule's `headers`."""
    answer = response_with(sandbox, alice, status=429, shape="gateway", retryAfter=0, headers={"retry-after": "9"})

    assert (429, ["0"]) == (answer.status_code, answer.headers.get_list("retry-after"))


def test_the_response_names_its_fault(sandbox: Sandbox, alice: Connection) -> None:
    """A response that a rule shaped names the rule and its fault; a response of the connector alone does not."""
    alone = alice.http.get("/v2/Mail").headers
    shaped = [response_with(sandbox, alice, **effect).headers for effect in ({"status": 503}, {"fault": "bad-gateway"})]
    name = "x-outlook-emulator-fault"

    assert name not in alone
    assert ["it (custom)", "it (bad-gateway)"] == [headers[name] for headers in shaped]


def test_the_name_of_a_rule_beyond_ascii(sandbox: Sandbox, alice: Connection) -> None:
    """The header that names a rule escapes letters that a header cannot hold."""
    arm(sandbox, {"name": "übung", "effect": {"status": 503}})
    response = alice.http.get("/v2/Mail")

    assert (503, "\\xfcbung (custom)") == (response.status_code, response.headers["x-outlook-emulator-fault"])


def test_a_step_that_works_is_no_fault(sandbox: Sandbox, alice: Connection) -> None:
    """The working step of a sequence leaves the response as it is."""
    arm(sandbox, {"name": "it", "sequence": ["work", {"status": 503}]})
    answers = [alice.http.get("/v2/Mail") for _ in range(2)]

    assert [(200, None), (503, "it (custom)")] == [
        (answer.status_code, answer.headers.get("x-outlook-emulator-fault")) for answer in answers
    ]


def test_headers_only(sandbox: Sandbox, alice: Connection) -> None:
    """With headers only, the operation runs, and the headers are added to its response."""
    alice.deliver(subject="Here")
    answer = response_with(sandbox, alice, headers={"X-Extra": "1"})

    assert (200, "1") == (answer.status_code, answer.headers["x-extra"])
    assert ["Here"] == [mail["Subject"] for mail in answer.json()["value"]]


def test_malformed(sandbox: Sandbox, alice: Connection) -> None:
    """With `malformed`, the operation runs, and its JSON response ends in the middle."""
    alice.deliver(subject="Here")
    whole = alice.http.get("/v2/Mail").content
    answer = response_with(sandbox, alice, **{"break": "malformed"})

    assert (200, whole[: len(whole) // 2]) == (answer.status_code, answer.content)
    with pytest.raises(ValueError, match=r"Unterminated string|Expecting"):
        answer.json()


def test_malformed_errors(sandbox: Sandbox, alice: Connection) -> None:
    """A rule's own body can be malformed too, and a response without a body gets the start of a JSON object."""
    error = response_with(sandbox, alice, status=503, body={"a": "bcdef"}, **{"break": "malformed"})
    arm(sandbox, {"effect": {"break": "malformed"}})
    sent = alice.http.post("/v2/Mail", json=MAIL)

    assert (503, b'{"a":"') == (error.status_code, error.content)
    assert (200, b'{"value":[') == (sent.status_code, sent.content)


@pytest.mark.slow
@fixed(150)
@given(effect=EFFECTS)
def test_any_effect_leads_to_a_response(sandbox: Sandbox, alice: Connection, effect: Any) -> None:
    """Any effect is either rejected when the rule is armed or produces a response without an internal error."""
    if isinstance(effect, dict):
        effect = {name: value for name, value in effect.items() if name not in ("delay", "delayBy", "break")}
    assert sandbox.api.delete("/faults").is_success
    armed_response = sandbox.api.post("/faults", content=json.dumps({"faults": [{"effect": effect}]}))
    answers = [alice.http.get("/v2/Mail"), alice.http.post("/v2/Mail", json=MAIL)]

    assert armed_response.status_code in (201, 400), armed_response.text
    assert [] == [response.text for response in answers if "The emulator failed" in response.text]
    assert armed_response.status_code == 201 or [200, 200] == [response.status_code for response in answers]


# Before or after the effect


@pytest.mark.parametrize(("phase", "sent"), [("before", 0), ("after", 1), (None, 0)])
def test_phase(sandbox: Sandbox, alice: Connection, bob: Connection, phase: str | None, sent: int) -> None:
    """A status replaces the operation by default; with the phase `after`, the mail is sent."""
    arm(sandbox, {"effect": {"status": 500, **({} if phase is None else {"phase": phase})}})
    answer = alice.http.post("/v2/Mail", json={**MAIL, "To": bob.address})
    assert sandbox.api.delete("/faults").is_success

    assert (500, sent) == (answer.status_code, len(bob.mails()))


def test_after_an_operation_that_fails(sandbox: Sandbox, alice: Connection) -> None:
    """With the phase `after`, the rule's status replaces the error of the operation."""
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
    """Every member of a match must fit: strings as patterns in any case, other values by their JSON form."""
    if "connection" in match:
        match = {**match, "connection": bob.id}
    arm(sandbox, {"name": "it", "match": match, "effect": {"status": 599}})
    mail = {**MAIL, "Attachments": [{"Name": name, "ContentBytes": "YQ=="} for name in ("a.txt", "b.txt")]}
    event = {"Subject": "Review", "Start": "2026-03-04", "End": "2026-03-05", "IsAllDay": True}
    responses = {
        "read": alice.http.get("/v2/Mail", params={"top": "7", "folderPath": "Inbox"}),
        "send": alice.http.post("/v2/Mail", json=mail),
        "bob": bob.http.get("/v2/Mail", params={"fetchOnlyUnread": "False"}),
        "one": alice.http.get("/Mail/no%20thing"),
        "event": alice.http.post("/datasets/calendars/v3/tables/Calendar/items", json=event),
        "test": alice.http.get("/testconnection"),
    }

    assert hit == [name for name, answer in responses.items() if answer.status_code == 599]
    assert [("it", "armed", len(hit), len(hit))] == counted(sandbox)


def test_a_query_that_does_not_match(sandbox: Sandbox, alice: Connection) -> None:
    """A parameter that a request does not have matches no pattern, not even `*`."""
    arm(sandbox, {"match": {"query": {"top": "*"}}, "effect": {"status": 599}})

    assert [200, 599] == [status(alice), status(alice, "/v2/Mail?top=1")]


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"null", b"\xff"])
def test_a_body_that_is_not_an_object(sandbox: Sandbox, alice: Connection, content: bytes) -> None:
    """A body that is not a JSON object matches no rule, and gets the same error as without the rule."""
    before = alice.http.post("/v2/Mail", content=content)
    arm(sandbox, {"name": "it", "match": {"body": {"Subject": "*"}}, "effect": {"status": 599}})
    after = alice.http.post("/v2/Mail", content=content)

    assert (400, 400) == (before.status_code, after.status_code)
    assert error_parts(before.json()) == error_parts(after.json())
    assert [("it", "armed", 0, 0)] == counted(sandbox)


def test_a_body_that_a_rule_read_arrives_whole(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """A body that a rule compared without a match reaches the operation unchanged."""
    arm(sandbox, {"match": {"body": {"Subject": "Other"}}, "effect": {"status": 599}})
    alice.send(bob.address, "Grüße", "x" * 100_000)

    assert ("Grüße", from_fragment("x" * 100_000)) == (bob.mail()["Subject"], bob.mail()["Body"])


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
    """A rule acts on the nth matching request, counted from 1, after a number of requests, or a number of times."""
    arm(sandbox, {"name": "it", "when": when, "effect": {"status": 599}})
    answered = statuses(alice, 6)

    assert hit == [number for number, code in enumerate(answered, 1) if code == 599]
    assert (state, len(hit)) == (ledger(sandbox)[0]["state"], ledger(sandbox)[0]["used"])


def test_only_calls_that_match_are_counted(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """`nth` counts only the requests that the rule matches."""
    arm(sandbox, {"match": {"connection": bob.id}, "when": {"nth": 2}, "effect": {"status": 599}})

    assert [200, 200, 200, 599] == [status(connection) for connection in (bob, alice, alice, bob)]


def pattern(sandbox: Sandbox, connection: Connection, count: int = 40, **when: Any) -> list[bool]:
    """Whether a rule with a probability of 0.5 acts on each of `count` requests."""
    assert sandbox.api.delete("/faults").is_success
    arm(sandbox, {"name": "it", "when": {"probability": 0.5, **when}, "effect": {"status": 599}})
    return [code == 599 for code in statuses(connection, count)]


def test_probability_repeats(sandbox: Sandbox, alice: Connection) -> None:
    """A rule with the same random seed acts on the same requests; another seed selects others."""
    first, again, other = (pattern(sandbox, alice, seed=seed) for seed in (7, 7, 8))

    assert first == again
    assert first != other
    assert {True, False} == set(first)


def test_probability_without_a_seed(sandbox: Sandbox, alice: Connection) -> None:
    """Without a seed in the rule, the server's seed and the rule's name select the requests, so runs repeat."""
    assert pattern(sandbox, alice) == pattern(sandbox, alice)


def test_probability_and_times(sandbox: Sandbox, alice: Connection) -> None:
    """With a probability, `times` limits the number of requests that the rule acts on."""
    hit = pattern(sandbox, alice, times=3, seed=7)

    assert (3, "used up") == (sum(hit), ledger(sandbox)[0]["state"])


def test_probability_of_one(sandbox: Sandbox, alice: Connection) -> None:
    """A rule with a probability of 1 acts on every request."""
    assert [True] * 10 == pattern(sandbox, alice, 10, probability=1)


@pytest.mark.parametrize("instants", [False, True])
def test_a_window_of_time(sandbox: Sandbox, alice: Connection, instants: bool) -> None:
    """A rule acts from `from` up to `until` by the sandbox's clock, and counts only the requests in between."""
    now = datetime.fromisoformat(sandbox.api.get("/clock").json()["now"])
    window = [(now + timedelta(minutes=minutes)).isoformat() for minutes in (10, 20)] if instants else ["PT10M", "20m"]
    arm(sandbox, {"name": "it", "when": dict(zip(("from", "until"), window, strict=True)), "effect": {"status": 599}})
    observed = [status(alice)]
    for step in ("9m59s", "1s", "9m59s", "1s"):
        sandbox.advance(step)
        observed.append(status(alice))

    assert [200, 200, 599, 599, 200] == observed
    assert [("it", "over", 2, 2)] == counted(sandbox)


# Sequences


def test_a_sequence(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """A rule applies one step of its sequence to each request, and none after the last step."""
    arm(
        sandbox,
        {
            "name": "it",
            "match": {"operation": "SendEmailV2"},
            "sequence": ["timeout-504-after", {"status": 503, "retryAfter": 1}, "work", "throttled"],
        },
    )
    answers = [alice.http.post("/v2/Mail", json={**MAIL, "To": bob.address}) for _ in range(5)]

    assert [504, 503, 200, 429, 200] == [answer.status_code for answer in answers]
    assert [None, "1", None, "60", None] == [answer.headers.get("retry-after") for answer in answers]
    assert 3 == len(bob.mails())
    assert [("it", "used up", 4, 4)] == counted(sandbox)


def test_a_sequence_with_nth(sandbox: Sandbox, alice: Connection) -> None:
    """A request that the rule does not act on uses no step of its sequence."""
    arm(sandbox, {"when": {"nth": [2, 4]}, "sequence": [{"status": 501}, {"status": 502}]})

    assert [200, 501, 200, 502, 200] == statuses(alice, 5)


def test_a_sequence_is_atomic(app: Starlette) -> None:
    """Each of 64 concurrent requests gets a different step, and no step is left."""

    async def story() -> tuple[list[int], list[int], dict[str, Any]]:
        async with asking(app) as http:
            steps = [{"status": 500 + number} for number in range(64)]
            await armed(http, {"name": "it", "sequence": steps})
            requests = [http.post(f"/apim/outlook/c{number % 5}/v2/Mail", json=MAIL) for number in range(64)]
            answers = await asyncio.gather(*requests)
            later = await asyncio.gather(*(http.get("/apim/outlook/c0/v2/Mail") for _ in range(8)))
            rule = (await http.get(f"{DEFAULT}/faults/it")).json()
        return [answer.status_code for answer in answers], [answer.status_code for answer in later], rule

    first_statuses, later_statuses, rule = asyncio.run(story())

    assert [500 + number for number in range(64)] == sorted(first_statuses)
    assert [200] * 8 == later_statuses
    assert ("used up", 64, 64) == (rule["state"], rule["matched"], rule["used"])


def test_a_sequence_is_atomic_over_sockets(sandbox: Sandbox) -> None:
    """Each of 64 concurrent requests over sockets gets a different step, and no step is left."""
    people = [sandbox.connect(f"c{number}") for number in range(4)]
    arm(sandbox, {"name": "it", "sequence": [{"status": 500 + number} for number in range(64)]})

    async def story() -> list[int]:
        headers = {"Authorization": "Bearer token"}
        async with httpx.AsyncClient(headers=headers, verify=False, timeout=LONG) as http:
            requests = [http.post(f"{people[number % 4].url}/v2/Mail", json=MAIL) for number in range(64)]
            return [answer.status_code for answer in await asyncio.gather(*requests)]

    assert [500 + number for number in range(64)] == sorted(asyncio.run(story()))
    assert [("it", "used up", 64, 64)] == counted(sandbox)


def test_counts_add_up_under_parallel_calls(app: Starlette) -> None:
    """The counts of a rule with a probability equal the responses that 100 concurrent requests got."""

    async def story() -> tuple[Counter[int], dict[str, Any]]:
        async with asking(app) as http:
            await armed(http, {"name": "it", "when": {"probability": 0.3, "seed": 1}, "effect": {"status": 599}})
            answers = await asyncio.gather(*(http.get("/apim/outlook/me/v2/Mail") for _ in range(100)))
            return Counter(answer.status_code for answer in answers), (await http.get(f"{DEFAULT}/faults/it")).json()

    status_counts, rule = asyncio.run(story())

    assert (100, status_counts[599], {200, 599}) == (rule["matched"], rule["used"], set(status_counts))


# Coming back too early


def get(connection: Connection, path: str = "/v2/Mail", **headers: str) -> tuple[int, str | None]:
    """The status and the `Retry-After` of a request."""
    answer = connection.http.get(path, headers=headers)
    return answer.status_code, answer.headers.get("retry-after")


@pytest.mark.parametrize("effect", ["throttled", {"status": 429, "retryAfter": 60}])
def test_coming_back_too_early(sandbox: Sandbox, alice: Connection, bob: Connection, effect: Any) -> None:
    """After an injected 429, the requests that the rule is about are refused until its Retry-After is over."""
    arm(sandbox, {"name": "it", "match": {"operation": ["GetEmailsV2"]}, "when": {"nth": 1}, "effect": effect})
    seen = [get(alice), get(alice)]
    others = [get(bob)[0], get(alice, "/testconnection")[0]]
    sandbox.advance("59.5s")
    seen.append(get(alice))
    text = alice.http.get("/v2/Mail").json()["message"]
    sandbox.advance("0.5s")
    seen.append(get(alice))

    assert [("429", "60"), ("429", "60"), ("429", "1"), ("200", None)] == [(str(code), after) for code, after in seen]
    assert [200, 200] == others
    assert effect != "throttled" or text == "Rate limit is exceeded. Try again in 1 seconds."
    causes = [
        sandbox.journal.entries(operation="GetEmailsV2", connection=alice.id)[index]["causes"] for index in (0, 1)
    ]
    assert ["it", "it"] == [cause["name"] for (cause,) in causes]
    assert "too early" == causes[1][0]["reason"]
    assert (1, 3) == (ledger(sandbox)[0]["used"], ledger(sandbox)[0]["matched"])


def test_removing_a_rule_lets_callers_come_back(sandbox: Sandbox, alice: Connection) -> None:
    """Without its rule, nothing is refused any more."""
    arm(sandbox, {"name": "it", "when": {"nth": 1}, "effect": "throttled"})
    seen = [get(alice)[0], get(alice)[0]]
    sandbox.api.delete("/faults/it").raise_for_status()

    assert [429, 429, 200] == [*seen, get(alice)[0]]


def test_a_sequence_says_itself_what_comes(sandbox: Sandbox, alice: Connection) -> None:
    """A 429 in a sequence does not refuse the next request, whose effect is in the sequence."""
    arm(sandbox, {"sequence": [{"status": 429, "retryAfter": 60}, {"status": 503}, "work"]})

    assert [429, 503, 200] == [get(alice)[0] for _ in range(3)]


def test_a_client_that_waits_in_real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the sandbox's clock stands still, a client comes back in time by the machine's clock."""
    now = 100.0
    monkeypatch.setattr(middleware, "monotonic", lambda: now)
    with testing.Server.in_process(clock=VirtualClock(START)) as server:
        ann = server.connect("ann")
        ann.sandbox.faults.add("throttled", retry_after=5, nth=1)
        seen = [ann.http.get("/v2/Mail").status_code for _ in range(2)]
        now = 105.0
        seen.append(ann.http.get("/v2/Mail").status_code)

    assert [429, 429, 200] == seen


def test_coming_back_before_a_far_instant(sandbox: Sandbox, alice: Connection) -> None:
    """A `Retry-After` may have any number of digits."""
    headers = {"Retry-After": "9" * 400}
    arm(sandbox, {"when": {"times": 1}, "effect": {"status": 429, "headers": headers}})

    assert [429, 429] == [status(alice), status(alice)]


def test_early_retries_can_be_allowed() -> None:
    """With the setting `early_retries=allow`, a rule acts on its own requests only."""
    with testing.Server.in_process(Settings(early_retries="allow")) as server:
        ann = server.connect("ann")
        ann.sandbox.faults.add("throttled", nth=1)

        assert [429, 200] == [ann.http.get("/v2/Mail").status_code for _ in range(2)]


# Delays


def test_a_delay_by_the_clock(app: Starlette) -> None:
    """A delayed request waits until the sandbox's clock is advanced; others, of any connection, are served."""

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
            return [*done, late.done()], [answer.status_code for answer in others], await late

    done, others, answer = asyncio.run(story())

    assert ([200] * 5, 200) == (others, answer.status_code)
    assert not done[0]
    assert "Mon, 02 Mar 2026 09:00:30 GMT" == answer.headers["date"]


@pytest.mark.parametrize(("phase", "early", "late"), [("before", 0, 0), ("after", 1, 1), (None, 0, 1)])
def test_the_effect_of_a_delayed_request(app: Starlette, phase: str | None, early: int, late: int) -> None:
    """A delayed operation runs after the delay, or with the phase `after` before it; with `before` it never runs."""
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
            mails_before = [await sent()]
            await http.post(f"{DEFAULT}/clock", json={"advance": "30s"})
            return [*mails_before, (await call).status_code, await sent()]

    assert [early, 503 if phase else 200, late] == asyncio.run(story())


def test_a_delay_by_the_clock_over_sockets(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """A delayed request over a socket gets its response once the clock is advanced; others are served meanwhile."""
    match = {"connection": alice.id}
    arm(sandbox, {"name": "it", "match": match, "when": {"times": 1}, "effect": {"delay": "1h"}})

    async def story() -> tuple[bool, list[int]]:
        headers = {"Authorization": "Bearer token"}
        async with httpx.AsyncClient(headers=headers, verify=False, timeout=LONG) as http:
            call = asyncio.create_task(http.get(f"{alice.url}/v2/Mail"))
            await acted(http, sandbox)
            others = [await http.get(f"{connection.url}/v2/Mail") for connection in (alice, bob)]
            done = call.done()
            others.append(await http.post(f"{sandbox.api.base_url}clock", json={"advance": "1h"}))
            return done, [response.status_code for response in [*others, await call]]

    assert (False, [200] * 4) == asyncio.run(story())


def test_a_delay_after_the_effect(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """With the phase `after`, the mail is sent at once, and the response waits until the clock is advanced."""
    arm(sandbox, {"name": "it", "match": {"operation": "SendEmailV2"}, "effect": {"delay": "1h", "phase": "after"}})

    async def story() -> tuple[bool, int]:
        async with httpx.AsyncClient(headers={"Authorization": "Bearer token"}, verify=False, timeout=LONG) as http:
            call = asyncio.create_task(http.post(f"{alice.url}/v2/Mail", json={**MAIL, "To": bob.address}))
            await acted(http, sandbox)
            arrived = len((await http.get(f"{bob.url}/v2/Mail")).json()["value"])
            assert not call.done()
            await http.post(f"{sandbox.api.base_url}clock", json={"advance": "1h"})
            return arrived == 1, (await call).status_code

    assert (True, 200) == asyncio.run(story())


@pytest.mark.parametrize("path", ["faults", "faults/it"])
def test_removing_a_rule_ends_its_delays(sandbox: Sandbox, alice: Connection, path: str) -> None:
    """A delayed request continues at once when its rule is removed."""
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
def test_a_client_that_disconnects(sandbox: Sandbox, alice: Connection, bob: Connection, by: str, phase: str) -> None:
    """After a disconnect, the operation still runs and the slot is free; the retry report counts the duplicate."""
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
        (entry["outcome"], entry["effected"]) for entry in entries if entry["status"] != 429
    ]
    assert 1 == report["duplicatedSends"]


def test_a_delay_in_real_time(sandbox: Sandbox, alice: Connection) -> None:
    """A delay in real time passes while the sandbox's clock stands still."""
    date = alice.http.get("/v2/Mail").headers["date"]
    answer = response_with(sandbox, alice, status=503, delay="PT0.001S", delayBy="real")

    assert (503, date) == (answer.status_code, answer.headers["date"])


@pytest.mark.parametrize("by", ["clock", "real"])
@pytest.mark.parametrize("effect", [{}, {"status": 503}, {"fault": "throttled"}])
def test_a_reset_ends_a_call_that_waits(app: Starlette, by: str, effect: dict[str, Any]) -> None:
    """A reset ends a delayed request with a 409; nothing was sent, and the rule is removed."""

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

    assert (409, (409, text, "Conflict"), [[], []]) == (answer.status_code, error_parts(answer.json()), left)


def test_deleting_a_sandbox_ends_a_call_that_waits(sandbox: Sandbox, alice: Connection) -> None:
    """Deleting a sandbox ends its delayed requests with a 409."""
    arm(sandbox, {"name": "it", "effect": {"delay": "1h"}})

    async def story() -> httpx.Response:
        async with httpx.AsyncClient(headers={"Authorization": "Bearer token"}, verify=False, timeout=LONG) as http:
            call = asyncio.create_task(http.get(f"{alice.url}/v2/Mail"))
            await acted(http, sandbox)
            assert (await http.delete(str(sandbox.api.base_url).rstrip("/"))).is_success
            return await call

    assert 409 == asyncio.run(story()).status_code


# Requests that rules do not apply to, and the journal


@pytest.mark.parametrize(
    ("method", "path", "headers", "expected"),
    [
        ("GET", "/v2/Mail", {"Authorization": ""}, 401),
        ("GET", "/v2/Mail", {"Authorization": "Basic x"}, 401),
        ("GET", "/v9/Mail", {}, 404),
        ("PUT", "/v2/Mail", {}, 405),
    ],
)
def test_a_request_without_a_credential_or_operation(
    sandbox: Sandbox, alice: Connection, method: str, path: str, headers: dict[str, str], expected: int
) -> None:
    """A request without a credential or for an unknown operation gets its usual error, and no rule counts it."""
    arm(sandbox, {"name": "it", "effect": {"status": 599}})
    answer = alice.http.request(method, path, headers=headers)

    assert (expected, [("it", "armed", 0, 0)]) == (answer.status_code, counted(sandbox))


def test_the_admin_api_has_no_faults(sandbox: Sandbox, alice: Connection) -> None:
    """Fault rules do not apply to requests to the admin API."""
    arm(sandbox, {"effect": {"status": 599}})

    assert [200, 200] == [sandbox.api.get(path).status_code for path in ("/clock", "/outbox")]


def journaled(ask: Callable[[httpx.AsyncClient], Any], *rules: Any) -> list[ExchangeEntry]:
    """The journal entries of requests to an app where these rules are armed."""
    app = create_app(Settings(max_calls=0), VirtualClock(START))

    async def story() -> None:
        async with asking(app) as http:
            await armed(http, *rules)
            await ask(http)

    asyncio.run(story())
    journaled_entries = list(app.state.sandboxes.default.traffic.journal.exchanges())
    app.state.sandboxes.close()
    return journaled_entries


def test_the_journal_names_the_rule() -> None:
    """The entry of a request that a rule acted on has the rule and its effect as a cause; others have no cause."""

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

    assert (causes, [429, 503, 200, 200]) == (
        [list(entry.causes) for entry in entries],
        [entry.status for entry in entries],
    )


def test_the_journal_records_effects() -> None:
    """An entry is `effected` if the fault came after the operation, and not if it came before."""

    async def ask(http: httpx.AsyncClient) -> None:
        for _ in range(3):
            await http.post("/apim/outlook/me/v2/Mail", json=MAIL)

    entries = journaled(ask, {"sequence": ["timeout-504-after", "timeout-504-before"]})

    assert [(504, True), (504, False), (200, True)] == [(entry.status, entry.effected) for entry in entries]


def test_the_journal_names_a_rule_that_delays_a_trigger() -> None:
    """The entry of the first poll that a rule delays has the rule as its cause."""

    async def ask(http: httpx.AsyncClient) -> None:
        first = await http.get("/apim/outlook/me/v2/Mail/OnNewEmail")
        order = {"from": "a@example.org", "subject": "Ping"}
        assert (await http.post(f"{DEFAULT}/connections/me/deliver", json=order)).is_success
        await http.get(first.headers["location"])

    entries = journaled(ask, {"name": "late", "effect": "trigger-delayed"})

    assert [(202, []), (202, [Cause("fault", "late", "trigger-delayed")])] == [
        (entry.status, list(entry.causes)) for entry in entries
    ]


# Alternate routes


def test_a_fault_behind_invoke(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """A rule acts on a request through /invoke as on a direct one, and its plan's header must match too."""
    match = {"operation": "SendEmailV2", "body": {"Subject": "Hi"}, "path": "/v2/Mail"}
    arm(sandbox, {"name": "it", "match": match, "effect": {"status": 503, "retryAfter": 3}}, header="t-1")
    mail = {**MAIL, "To": bob.address}
    hit = invoke(alice, "POST", "/v2/Mail", mail, **{PLAN: "t-1"})
    spared = invoke(alice, "POST", "/v2/Mail", mail)

    assert (503, "3", (503, "An injected fault.", "InternalServerError")) == (
        hit.status_code,
        hit.headers["retry-after"],
        error_parts(hit.json()),
    )
    assert (200, 1, [("it", "armed", 1, 1)]) == (spared.status_code, len(bob.mails()), counted(sandbox))


def test_a_fault_behind_dynamic_invoke(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """A dynamicInvoke request succeeds and holds the injected response as its inner one."""
    arm(sandbox, {"name": "it", "match": {"method": "POST"}, "effect": {"status": 503, "retryAfter": 3}})
    inside = dynamic_invoke(alice, "POST", "/v2/Mail", body={**MAIL, "To": bob.address})

    assert ("ServiceUnavailable", "3") == (inside["statusCode"], inside["headers"]["Retry-After"])
    assert (503, "An injected fault.", "InternalServerError") == error_parts(inside["body"])
    assert ([], [("it", "armed", 1, 1)]) == (bob.mails(), counted(sandbox))


def test_a_named_fault_behind_dynamic_invoke(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """With `timeout-504-after`, the mail arrives although the inner response is a 504."""
    arm(sandbox, {"match": {"method": "POST"}, "effect": "timeout-504-after"})
    inside = dynamic_invoke(alice, "POST", "/v2/Mail", body={**MAIL, "To": bob.address})

    assert ("GatewayTimeout", {"status": 504, "message": "Request failed. Try again later"}, 1) == (
        inside["statusCode"],
        inside["body"],
        len(bob.mails()),
    )


def test_malformed_behind_dynamic_invoke(sandbox: Sandbox, alice: Connection) -> None:
    """A malformed inner response is passed on as base64, and the outer response stays valid JSON."""
    arm(sandbox, {"effect": {"status": 503, "body": {"a": "bcdef"}, "break": "malformed"}})
    inside = dynamic_invoke(alice, "GET", "/v2/Mail")

    assert "ServiceUnavailable" == inside["statusCode"]
    assert {"$content-type": "application/json", "$content": "eyJhIjoi"} == inside["body"]


@pytest.mark.parametrize("how", ["reset", "cut"])
@pytest.mark.parametrize("send_through", [invoke, dynamic_invoke])
def test_a_broken_connection_behind_an_alternate_route(
    sandbox: Sandbox, alice: Connection, how: str, send_through: Callable[..., Any]
) -> None:
    """A fault breaks the connection of an alternate route too, and the server still serves the next request."""
    arm(sandbox, {"name": "it", "when": {"times": 1}, "effect": {"break": how}})
    with pytest.raises(httpx.TransportError):
        send_through(alice, "GET", "/v2/Mail")

    assert ([("it", "used up", 1, 1)], 200) == (counted(sandbox), status(alice))
