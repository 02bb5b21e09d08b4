"""Faults over HTTP: the catalogue, atomic arming of plans, the ledger, and a file of rules at startup."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as trying
from hypothesis import strategies as st

from outlook_emulator.app import create_app
from outlook_emulator.clock import VirtualClock
from outlook_emulator.operations import OPERATIONS
from outlook_emulator.options import options_of
from outlook_emulator.server.admin.routes import ROOT
from outlook_emulator.server.faults.names import NAMED
from outlook_emulator.settings import Settings
from outlook_emulator.traffic.fault_plan import FaultEffect, FaultMatch, FaultPlan, FaultRule, FaultWhen
from tests.cli.commands import failure, run
from tests.conftest import START, Connection, Sandbox, Server, new_sandbox

Ask = Callable[..., httpx.Response]

PLAN = "x-outlook-emulator-plan"
SECTIONS = {
    "general-known-issues-and-limitations",
    "known-issues-and-limitations-with-actions",
    "known-issues-and-limitations-with-triggers",
    "throttling-limits",
}
"""The sections of the connector's documentation that named faults refer to."""


def arm(sandbox: Sandbox, *rules: Any, **plan: Any) -> list[dict[str, Any]]:
    """Arm rules, which must succeed, and return their ledger entries."""
    answer = sandbox.api.post("/faults", json={**plan, "faults": rules})
    assert answer.status_code == 201, answer.text
    armed: list[dict[str, Any]] = answer.json()["value"]
    return armed


def ledger(sandbox: Sandbox) -> list[dict[str, Any]]:
    answer = sandbox.api.get("/faults")
    assert answer.status_code == 200, answer.text
    rules: list[dict[str, Any]] = answer.json()["value"]
    return rules


def counted(sandbox: Sandbox) -> list[tuple[str, str, int, int]]:
    """Return the name, the state, the number of matching requests and the number of hits of each rule."""
    return [(fault["name"], fault["state"], fault["matched"], fault["used"]) for fault in ledger(sandbox)]


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Return the status and text of an error response, which must have the connector's shape."""
    body = answer.json()
    assert ["status", "message", "error", "source"] == list(body), body
    return answer.status_code, body["error"]["message"]


def status(connection: Connection, path: str = "/v2/Mail", **headers: str) -> int:
    return connection.http.get(path, headers=headers).status_code


def statuses(connection: Connection, count: int, path: str = "/v2/Mail") -> list[int]:
    return [status(connection, path) for _ in range(count)]


@pytest.fixture
def other(server: Server) -> Iterator[Sandbox]:
    """A second sandbox."""
    with new_sandbox(server) as sandbox:
        yield sandbox


# The catalogue


def test_catalogue(sandbox: Sandbox) -> None:
    """Each named fault has a summary, a documentation link, the families it applies to and its options."""
    shown = sandbox.server.http.get(f"{ROOT}/faults").json()["value"]
    families = {operation.family for operation in OPERATIONS}

    assert list(NAMED) == [fault["name"] for fault in shown]
    assert {"name", "summary", "documentation", "families", "takes"} == set().union(*shown)
    assert all(fault["summary"] for fault in shown)
    assert families >= {family for fault in shown for family in fault["families"]}


def test_catalogue_links_to_the_documentation(sandbox: Sandbox) -> None:
    """A named fault links to its section of the connector's documentation, or else to another page about it."""
    shown = sandbox.server.http.get(f"{ROOT}/faults").json()["value"]
    pages = {tuple(fault["documentation"].partition("#")[::2]) for fault in shown}
    learn = "https://learn.microsoft.com/connectors/outlook/"

    assert {(learn, section) for section in SECTIONS} == {page for page in pages if page[0] == learn}
    assert {
        "https://github.com/Azure/LogicAppsUX/issues/8230",
        "https://learn.microsoft.com/azure/logic-apps/logic-apps-exception-handling",
        "https://learn.microsoft.com/connectors/office365/",
        "https://learn.microsoft.com/troubleshoot/exchange/email-delivery/ndr/non-delivery-reports-in-exchange-online",
    } == {page[0] for page in pages if page[0] != learn}


def test_catalogue_by_family(sandbox: Sandbox) -> None:
    """A fault that applies to some operations lists their families; a fault that applies to all lists none."""
    shown = {fault["name"]: fault for fault in sandbox.server.http.get(f"{ROOT}/faults").json()["value"]}

    assert ([], ["retryAfter"]) == (shown["throttled"]["families"], shown["throttled"]["takes"])
    assert (["ReplyTo"], []) == (shown["encrypted-reply"]["families"], shown["encrypted-reply"]["takes"])
    assert ["names"] == shown["attachment-skipped"]["takes"]
    assert ["delay"] == shown["trigger-delayed"]["takes"]
    assert ["GetEmails", "GetEmail", "OnNewEmail", "OnFlaggedEmail", "OnNewMentionMeEmail"] == (
        shown["protected-mail"]["families"]
    )
    assert ["OnNewEmail", "OnFlaggedEmail", "OnNewMentionMeEmail"] == shown["delivered-twice"]["families"]
    assert ["ReceiveResponseGet", "ReceiveResponsePost"] == shown["approval-page-error"]["families"]


# Arming, and the ledger


def test_armed_rule(sandbox: Sandbox, alice: Connection) -> None:
    """An armed rule has the submitted definition and zero counts in the response, the list and under its own URL."""
    rule = {
        "name": "first",
        "optional": True,
        "match": {"connection": alice.id, "operation": ["SendEmailV2"], "query": {}, "body": {"Subject": "Hi*"}},
        "when": {"nth": [1, 3], "from": "0s", "until": "2999-12-31T00:00:00Z"},
        "effect": {"status": 503, "shape": "gateway", "headers": {"X-A": "b"}, "retryAfter": 4},
    }
    (rule_state,) = arm(sandbox, rule)

    assert {
        "name": "first",
        "state": "armed",
        "matched": 0,
        "used": 0,
        "neverReached": True,
        "optional": True,
        "header": None,
        "rule": rule,
    } == rule_state
    assert [rule_state] == ledger(sandbox)
    assert rule_state == sandbox.api.get("/faults/first").json()


def test_rules_have_names(sandbox: Sandbox) -> None:
    """A rule without a name gets a unique numbered name, and rules are listed in the order they were armed."""
    arm(sandbox, {"name": "fault-2", "effect": "throttled"})
    rules = arm(sandbox, {"effect": "throttled"}, {"name": "mine", "effect": "throttled"}, {"effect": "bad-gateway"})

    assert ["fault-1", "mine", "fault-3"] == [fault["name"] for fault in rules]
    assert ["fault-2", "fault-1", "mine", "fault-3"] == [fault["name"] for fault in ledger(sandbox)]


def test_rules_are_shown_in_normal_form(sandbox: Sandbox) -> None:
    """Rules are shown in a normal form: a named fault as a string, a single operation as a list."""
    (rule_state,) = arm(sandbox, {"match": {"operation": "SendEmail"}, "sequence": ["work", {"fault": "throttled"}]})
    rule = {"match": {"operation": ["SendEmail"]}, "sequence": ["work", "throttled"]}

    assert rule == rule_state["rule"]


def test_matches_and_hits_are_counted(sandbox: Sandbox, alice: Connection) -> None:
    """The ledger counts matching requests and hits, and a rule that has reached its limit is used up."""
    arm(sandbox, {"name": "twice", "when": {"after": 1, "times": 2}, "effect": {"status": 503}})
    before = counted(sandbox)
    seen = statuses(alice, 2)
    during = counted(sandbox)
    seen += statuses(alice, 2)

    assert [200, 503, 503, 200] == seen
    assert [("twice", "armed", 0, 0)] == before
    assert [("twice", "armed", 2, 1)] == during
    assert [("twice", "used up", 3, 2)] == counted(sandbox)
    assert not ledger(sandbox)[0]["neverReached"]


def test_expired_rules_are_over(sandbox: Sandbox, alice: Connection) -> None:
    """A rule is over once its time has passed, whether or not it has acted."""
    arm(
        sandbox,
        {"name": "past", "match": {"operation": "SendEmail"}, "when": {"until": "1m"}, "effect": "throttled"},
        {"name": "acted", "match": {"method": "POST"}, "when": {"until": "1m"}, "effect": "throttled"},
    )
    assert 429 == alice.http.post("/v2/Mail", json={}).status_code
    sandbox.advance("1m")

    assert [("past", "over", 0, 0), ("acted", "over", 1, 1)] == counted(sandbox)
    assert [True, False] == [fault["neverReached"] for fault in ledger(sandbox)]


def test_plans_add_up(sandbox: Sandbox, alice: Connection) -> None:
    """A later plan adds to an earlier one; if two rules apply, the earlier rule acts."""
    arm(sandbox, {"name": "a", "when": {"times": 1}, "effect": {"status": 501}})
    arm(sandbox, {"name": "b", "when": {"times": 1}, "effect": {"status": 502}})

    assert [501, 502, 200] == statuses(alice, 3)
    assert [("a", "used up", 1, 1), ("b", "used up", 1, 1)] == counted(sandbox)


def test_remove(sandbox: Sandbox, alice: Connection) -> None:
    """A deleted rule no longer acts, and the other rules stay."""
    arm(sandbox, {"name": "a", "effect": {"status": 501}}, {"name": "b", "effect": {"status": 502}})
    first = status(alice)
    gone = sandbox.api.delete("/faults/a")

    assert (501, 204, b"") == (first, gone.status_code, gone.content)
    assert (502, [("b", "armed", 1, 1)]) == (status(alice), counted(sandbox))


def test_clear(sandbox: Sandbox, alice: Connection) -> None:
    """Deleting all rules restarts their numbering, and is no error when there are none."""
    arm(sandbox, {"effect": {"status": 501}}, {"effect": {"status": 502}})
    gone = [sandbox.api.delete("/faults") for _ in range(2)]

    assert [(204, b"")] * 2 == [(response.status_code, response.content) for response in gone]
    assert ([], 200) == (ledger(sandbox), status(alice))
    assert ["fault-1"] == [fault["name"] for fault in arm(sandbox, {"effect": "throttled"})]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_unknown_rule(sandbox: Sandbox, method: str) -> None:
    """An unknown rule responds 404 with the names of the existing rules."""
    empty = refusal(sandbox.api.request(method, "/faults/nothing"))
    arm(sandbox, {"name": "a", "effect": "throttled"}, {"name": "b", "effect": "throttled"})

    assert (404, "No fault rule 'nothing' exists. There are: none.") == empty
    assert (404, "No fault rule 'nothing' exists. There are: a, b.") == refusal(
        sandbox.api.request(method, "/faults/nothing")
    )
    assert ["a", "b"] == [fault["name"] for fault in ledger(sandbox)]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("POST", ""), ("DELETE", ""), ("GET", "/a"), ("DELETE", "/a")]
)
def test_unknown_sandbox(sandbox: Sandbox, method: str, path: str) -> None:
    """The faults of an unknown sandbox respond 404."""
    answer = sandbox.server.http.request(method, f"{ROOT}/sandboxes/nowhere/faults{path}", json={"faults": []})

    assert (404, True) == (answer.status_code, "nowhere" in answer.text)


def test_duplicate_name(sandbox: Sandbox) -> None:
    """A plan with a duplicate name, in the sandbox or in the plan itself, responds 409 and arms nothing."""
    (first,) = arm(sandbox, {"name": "a", "effect": "throttled"})
    fresh, taken = {"name": "b", "effect": "bad-gateway"}, {"name": "a", "effect": "bad-gateway"}
    answers = [sandbox.api.post("/faults", json={"faults": rules}) for rules in ([fresh, taken], [fresh, fresh])]

    assert [(409, f"A fault rule '{name}' exists already.") for name in "ab"] == [refusal(answer) for answer in answers]
    assert [first] == ledger(sandbox)


def test_all_or_none(sandbox: Sandbox, alice: Connection) -> None:
    """If one rule of a plan is invalid, none is armed, and the error names the invalid rule."""
    answer = sandbox.api.post("/faults", json={"faults": [{"effect": "throttled"}, {"effect": "thrott1ed"}]})

    assert (400, "faults[1]: There is no fault 'thrott1ed'. Did you mean throttled?") == refusal(answer)
    assert ([], 200) == (ledger(sandbox), status(alice))


def test_maximum_number_of_rules(sandbox: Sandbox) -> None:
    """A sandbox holds at most 1000 rules, and a plan that exceeds this arms nothing."""
    arm(sandbox, *[{"effect": "throttled"}] * 999)
    answer = sandbox.api.post("/faults", json={"faults": [{"effect": "throttled"}] * 2})

    assert (409, "A sandbox has at most 1000 fault rules.") == refusal(answer)
    assert 999 == len(ledger(sandbox))


# Plans bound to a header


def test_plan_with_a_header(sandbox: Sandbox, alice: Connection) -> None:
    """A plan with a header acts on and counts only requests with exactly that header value."""
    rules = arm(sandbox, {"name": "a", "effect": {"status": 503}}, header="t-17")
    seen = [status(alice, **headers) for headers in ({}, {PLAN: "t-18"}, {PLAN: "T-17"}, {PLAN: "t-17"})]

    assert ["t-17"] == [fault["header"] for fault in rules]
    assert [200, 200, 200, 503] == seen
    assert [("a", "armed", 1, 1)] == counted(sandbox)


def test_plans_of_two_tests(sandbox: Sandbox, alice: Connection) -> None:
    """A plan with a header acts only on its test's requests; a plan without a header acts on all requests."""
    for header in ("t-1", "t-2"):
        arm(
            sandbox, {"name": header, "when": {"times": 1}, "effect": {"status": int(f"50{header[-1]}")}}, header=header
        )
    arm(sandbox, {"name": "all", "effect": {"status": 509}})

    assert [502, 501, 509, 509] == [status(alice, **{PLAN: header}) for header in ("t-2", "t-1", "t-1", "t-3")]


@pytest.mark.parametrize("way", ["reset", "delete"])
def test_reset_and_delete_remove_rules(sandbox: Sandbox, alice: Connection, way: str) -> None:
    """A reset, or deleting and recreating the sandbox, leaves no rules, and rules can be armed again."""
    root = f"{ROOT}/sandboxes"
    arm(sandbox, {"name": "a", "effect": {"status": 503}})
    assert 503 == status(alice)
    if way == "reset":
        assert sandbox.server.http.post(f"{root}/{sandbox.name}/reset").is_success
    else:
        assert sandbox.server.http.delete(f"{root}/{sandbox.name}").is_success
        assert sandbox.server.http.post(root, json={"name": sandbox.name}).is_success
        alice = sandbox.connect("alice")

    assert ([], 200) == (ledger(sandbox), status(alice))
    assert ["a"] == [fault["name"] for fault in arm(sandbox, {"name": "a", "effect": {"status": 503}})]


def test_sandboxes_do_not_share_rules(sandbox: Sandbox, alice: Connection, other: Sandbox) -> None:
    """A rule acts only in its own sandbox, and rules of the same name in different sandboxes are independent."""
    stranger = other.connect("alice")
    arm(sandbox, {"name": "a", "effect": {"status": 503}})
    alone = (status(alice), status(stranger), ledger(other))
    arm(other, {"name": "a", "effect": {"status": 504}})
    both = (status(alice), status(stranger))
    assert other.api.delete("/faults").is_success

    assert (503, 200, []) == alone
    assert (503, 504) == both
    assert (503, 200) == (status(alice), status(stranger))


# Invalid rules and plans

HTTP = {"status": 503}
NOTHING = "The effect does nothing: it needs 'fault', 'status', 'headers', 'delay' or 'break'."


def effect(**members: Any) -> dict[str, Any]:
    return {"effect": members}


def when(**members: Any) -> dict[str, Any]:
    return {"effect": HTTP, "when": members}


def match(**members: Any) -> dict[str, Any]:
    return {"effect": HTTP, "match": members}


REFUSED: list[tuple[dict[str, Any], str]] = [
    # The rule
    ({}, "A rule must have either an 'effect' or a 'sequence'."),
    ({"effect": HTTP, "sequence": [HTTP]}, "A rule must have either an 'effect' or a 'sequence'."),
    ({"name": "a b", **effect(**HTTP)}, "'name' must be 1 to 100 letters, digits, -._ or ~, unlike 'a b'."),
    ({"name": "", **effect(**HTTP)}, "'name' must be 1 to 100 letters, digits, -._ or ~, unlike ''."),
    (
        {"name": "x" * 101, **effect(**HTTP)},
        f"'name' must be 1 to 100 letters, digits, -._ or ~, unlike '{'x' * 101}'.",
    ),
    ({"effect": "work"}, "'work' alone does nothing: it is a step of a 'sequence'."),
    ({"sequence": []}, "'sequence' has no step."),
    (
        {"sequence": ["work", "trigger-delayed"]},
        "'trigger-delayed' cannot be a step of a sequence: it acts on triggers, not on requests.",
    ),
    # When
    (when(nth=0), "'nth' must be from 1 to 1000000000, not 0."),
    (when(nth=[1, -1]), "'nth' must be from 1 to 1000000000, not -1."),
    (when(nth=[]), "'nth' must have at least one number."),
    (when(after=-1), "'after' must be from 0 to 1000000000, not -1."),
    (when(times=0), "'times' must be from 1 to 1000000000, not 0."),
    (when(times=1_000_000_001), "'times' must be from 1 to 1000000000, not 1000000001."),
    (when(nth=1, after=1), "'nth' names the requests and cannot be combined with 'after'."),
    (when(nth=1, times=1), "'nth' names the requests and cannot be combined with 'times'."),
    (
        {"sequence": [HTTP], "when": {"times": 2}},
        "'times' cannot be combined with a 'sequence': each of its steps happens once.",
    ),
    (when(probability=0), "'probability' must be above 0 and at most 1."),
    (when(probability=1.01), "'probability' must be above 0 and at most 1."),
    (when(seed=1), "'seed' needs a 'probability': nothing else is random."),
    (when(until="0s"), "'until' must be later than 'from' and later than now."),
    (when(until="2026-03-02T09:00:00Z"), "'until' must be later than 'from' and later than now."),
    (when(**{"from": "2h", "until": "1h"}), "'until' must be later than 'from' and later than now."),
    (when(until="200000D"), "'until' is too far in the future."),
    (when(**{"from": "200000D"}), "'from' is too far in the future."),
    (
        when(**{"from": "soon"}),
        "'from' must be a duration like PT1H30M, 1h30m or 300ms, or a number of seconds, not 'soon'.",
    ),
    (when(until="2026-13-01"), "'until' must be an ISO 8601 date and time, not '2026-13-01'."),
    # Which requests
    (match(connection="nobody-here"), "has no connection 'nobody-here'."),
    (match(operation="SendMail"), "There is no operation 'SendMail'. Did you mean SendEmail"),
    (match(operation=["SendEmail", "Nothing"]), "There is no operation 'Nothing'."),
    (match(operation=[]), "'operation' must name at least one operation."),
    (match(family="Send"), "There is no family of operations 'Send'."),
    (
        match(operation="SendEmail", family="GetEmails"),
        "The rule can match nothing: no operation among SendEmail has 'family'.",
    ),
    (
        match(operation="SendEmail", method="GET"),
        "The rule can match nothing: no operation among SendEmail has 'method' GET.",
    ),
    (match(method="BREW"), "The rule can match nothing: no operation has 'method' BREW."),
    (match(path="/v7/Mial*"), "The rule can match nothing: no operation has 'path' /v7/Mial*."),
    (match(path="/Mail/*/Atachments/*"), "The rule can match nothing: no operation has 'path' /Mail/*/Atachments/*."),
    (match(path="/Mail/a/b"), "The rule can match nothing: no operation has 'path' /Mail/a/b."),
    (match(path="*" * 1001), "'path' must have at most 1000 characters."),
    (match(path="v2/Mail"), "The rule can match nothing: no operation has 'path' v2/Mail."),
    (match(query={"topp": 1}), "The rule can match nothing: no operation has the query parameter 'topp'."),
    (
        match(operation="SendEmailV2", query={"top": 1}),
        "The rule can match nothing: no operation among SendEmailV2 has the query parameter 'top'.",
    ),
    (match(body={"Subjekt": "x"}), "The rule can match nothing: no operation has the body member 'Subjekt'."),
    (
        match(method="GET", body={"Subject": "x"}),
        "The rule can match nothing: no operation has the body member 'Subject'.",
    ),
    (match(query={"top": [1]}), "'query.top' must be a text, a number or a boolean."),
    (match(body={"Subject": None}), "'body.Subject' must be a text, a number or a boolean."),
    (
        {"match": {"operation": "GetEmails"}, "effect": "encrypted-reply"},
        "The rule can match nothing: no operation among GetEmails has the fault 'encrypted-reply'.",
    ),
    (
        {"sequence": ["encrypted-reply", "attachment-skipped"]},
        "has the fault 'attachment-skipped'.",
    ),
    # The effect
    (effect(), NOTHING),
    (effect(retryAfter=3), NOTHING),
    ({"effect": "gremlins"}, "There is no fault 'gremlins'. There are: timeout-504-before, "),
    ({"sequence": ["gremlins"]}, "There is no fault 'gremlins'."),
    (effect(**HTTP, shape="round"), "'shape' must be one of connector, gateway, wrapped, policy, not 'round'."),
    (effect(**HTTP, phase="during"), "'phase' must be one of before, after, not 'during'."),
    (effect(delay="1s", delayBy="moon"), "'delayBy' must be one of clock, real, not 'moon'."),
    ({"effect": {"break": "leg"}}, "'break' must be one of reset, cut, stall, malformed, not 'leg'."),
    (
        {"sequence": [{"fault": "work", "delay": "1s"}]},
        "'delay' cannot be combined with a named fault: 'work' lets the request through.",
    ),
    (
        effect(fault="throttled", status=503),
        "'status' cannot be combined with a named fault: 'throttled' determines the response.",
    ),
    (
        effect(fault="token-expired", retryAfter=3),
        "'retryAfter' cannot be combined with a named fault: 'token-expired' determines the response.",
    ),
    (effect(fault="throttled", retryAfter=-1), "'retryAfter' must be from 0 to 86400, not -1."),
    (effect(**HTTP, retryAfter=86_401), "'retryAfter' must be from 0 to 86400, not 86401."),
    (
        effect(fault="trigger-delayed", delay="1h1s"),
        "'delay' of 'trigger-delayed' must be above zero and at most one hour.",
    ),
    (
        effect(fault="trigger-delayed", delay="0s"),
        "'delay' of 'trigger-delayed' must be above zero and at most one hour.",
    ),
    (
        effect(fault="trigger-delayed", delayBy="real"),
        "'delayBy' cannot be combined with 'trigger-delayed': triggers use the sandbox's clock.",
    ),
    (effect(**HTTP, names="*.eml"), "'names' can only be combined with the fault 'attachment-skipped'."),
    (effect(headers={"X": "y"}, message="m"), "'message' needs a 'status'."),
    (effect(delay="1s", shape="gateway"), "'shape' needs a 'status'."),
    (effect(delay="1s", code="c"), "'code' needs a 'status'."),
    (effect(delay="1s", body={}), "'body' needs a 'status'."),
    (effect(delay="1s", retryAfter=1), "'retryAfter' needs a 'status'."),
    (effect(status=199), "'status' must be from 200 to 599, not 199."),
    (effect(status=600), "'status' must be from 200 to 599, not 600."),
    (
        effect(**HTTP, **{"break": "reset"}),
        "'status' cannot be combined with 'break': 'reset': after a reset no response arrives.",
    ),
    (effect(**HTTP, body="x", message="y"), "'body' is the whole response and cannot be combined with 'message'."),
    (effect(status=200, shape="connector"), "'shape' describes an error, but 200 is not an error status."),
    (effect(status=204, body="x"), "A response with status 204 has no body."),
    (effect(status=304, **{"break": "cut"}), "A response with status 304 has no body."),
    (effect(headers={"x-a": "b"}, phase="after"), "'phase' needs a 'status', a 'delay' or a 'break'."),
    (effect(headers={"Date": "x"}), "'headers' cannot set 'Date'."),
    (effect(headers={"cache-control": "public"}), "'headers' cannot set 'cache-control'."),
    ({"sequence": ["work", "work"]}, "The sequence does nothing: none of its steps is a fault."),
    ({"name": "..", "effect": "throttled"}, "'name' must be 1 to 100 letters, digits, -._ or ~, unlike '..'."),
    (
        {"match": {"body": {"NotificationUrl": "*"}}, "effect": "trigger-delayed"},
        "'body' cannot be combined with 'trigger-delayed': the result of a trigger has no body.",
    ),
    (
        {
            "match": {"operation": "CreateOnNewEmailPokeSubscription", "query": {"folderPath": "*"}},
            "effect": "trigger-delayed",
        },
        "The rule can match nothing: no operation among CreateOnNewEmailPokeSubscription has a query for",
    ),
    (
        effect(phase="before", **{"break": "cut"}),
        "'break': 'cut' before the operation needs a 'status': there is no response to break.",
    ),
    (effect(headers={"X Y": "z"}), "'headers' cannot set 'X Y'."),
    (effect(headers={"Content-Length": "3"}), "'headers' cannot set 'Content-Length'."),
    (effect(headers={"Transfer-Encoding": "x"}), "'headers' cannot set 'Transfer-Encoding'."),
    (effect(headers={"X": "a\r\nY: b"}), "The value of 'X' in 'headers' must be one line of Latin-1 text."),
    (effect(headers={"X": "\N{SNOWMAN}"}), "The value of 'X' in 'headers' must be one line of Latin-1 text."),
    (effect(**HTTP, delayBy="real"), "'delayBy' needs a 'delay'."),
    (effect(delay="0s"), "'delay' must be above zero."),
    (effect(delay="11m", delayBy="real"), "'delay' must be at most 10 minutes in real time."),
    (
        effect(delay="later"),
        "'delay' must be a duration like PT1H30M, 1h30m or 300ms, or a number of seconds, not 'later'.",
    ),
]


@pytest.mark.parametrize(("rule", "text"), REFUSED, ids=[json.dumps(rule)[:90] for rule, _ in REFUSED])
def test_invalid_rule(sandbox: Sandbox, rule: dict[str, Any], text: str) -> None:
    """A rule that is unknown, contradictory or can never act is rejected with the reason, and nothing is armed."""
    status, said = refusal(sandbox.api.post("/faults", json={"faults": [{"effect": "throttled"}, rule]}))

    assert (400, "faults[1]: ", True) == (status, said[:11], text in said), said
    assert [] == ledger(sandbox)


@pytest.mark.parametrize(
    ("plan", "text"),
    [
        ({}, "The property 'faults' is required."),
        ([], "The request body must be a JSON object."),
        ({"faults": []}, "The plan has no rule: 'faults' is empty."),
        ({"faults": {}}, "The property 'faults' must be a list."),
        ({"faults": [3]}, "The property 'faults[0]' must be a JSON object."),
        ({"faults": [{"effect": HTTP}], "headers": "t"}, "The request body has no member 'headers'. It may have: "),
        ({"faults": [{"effects": HTTP}]}, "The property 'faults[0]' has no member 'effects'. It may have: name, "),
        ({"faults": [match(operations="x")]}, "The property 'faults[0].match' has no member 'operations'."),
        ({"faults": [when(nths=1)]}, "The property 'faults[0].when' has no member 'nths'. It may have: nth, "),
        ({"faults": [effect(state=503)]}, "The property 'faults[0].effect' has no member 'state'."),
        ({"faults": [{"sequence": [{"state": 1}]}]}, "The property 'faults[0].sequence[0]' has no member 'state'."),
        ({"faults": [when(times="often")]}, "The property 'faults[0].when.times' is invalid: "),
        ({"faults": [{"effect": HTTP}], "header": ""}, "'header' must be 1 to 200 printable ASCII characters"),
        ({"faults": [{"effect": HTTP}], "header": "a b"}, "'header' must be 1 to 200 printable ASCII characters"),
        ({"faults": [{"effect": HTTP}], "header": "x" * 201}, "'header' must be 1 to 200 printable ASCII characters"),
    ],
)
def test_invalid_plan(sandbox: Sandbox, plan: Any, text: str) -> None:
    """A malformed plan, or a plan with an unknown member, is rejected with the reason."""
    status, said = refusal(sandbox.api.post("/faults", json=plan))

    assert (400, True) == (status, text in said), said
    assert [] == ledger(sandbox)


def test_connection_of_another_sandbox(sandbox: Sandbox, alice: Connection, other: Sandbox) -> None:
    """A rule about a connection of another sandbox can never act and is rejected."""
    answer = other.api.post("/faults", json={"faults": [match(connection=alice.id)]})
    text = f"The rule can match nothing: the sandbox '{other.name}' has no connection '{alice.id}'."

    assert (400, f"faults[0]: {text}") == refusal(answer)


def test_connection_that_does_not_exist_yet() -> None:
    """In the default sandbox a rule may name a connection that does not exist yet."""
    with served(Settings()) as ask:
        response = ask("POST", f"{ROOT}/sandboxes/default/faults", json={"faults": [match(connection="new")]})

        assert (201, 503) == (response.status_code, ask("GET", "/apim/outlook/new/v2/Mail").status_code)
    with served(Settings(unknown_connections="refuse")) as ask:
        refused = ask("POST", f"{ROOT}/sandboxes/default/faults", json={"faults": [match(connection="new")]})

    assert 400 == refused.status_code


# Property-based test


def fixed(examples: int) -> trying:
    """The same examples in every run, all in the sandbox of the test."""
    quiet = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much]
    return trying(max_examples=examples, derandomize=True, database=None, deadline=None, suppress_health_check=quiet)


DECLARED = (FaultPlan, FaultRule, FaultMatch, FaultWhen, FaultEffect)
NAMES = st.sampled_from(sorted({option.member for declaration in DECLARED for option in options_of(declaration)}))
PLAIN = "work a * /v2/* SendEmail POST connector gateway before after clock real reset cut stall malformed 1h Subject"
TIMES = "PT0.000001S 9999-12-31T23:59:59-14:00 0001-01-01"
WORDS = st.sampled_from([*NAMED, *PLAIN.split(), *TIMES.split()])
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.sampled_from([0, 1, 200, 204, 429, 503, 0.5]) | st.floats() | WORDS
) | st.text(max_size=20)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | WORDS, inner, max_size=3), max_leaves=6
)


def some(**named: Any) -> Any:
    """Generate objects with a subset of these members."""
    return st.fixed_dictionaries({}, optional=named)


@st.composite
def spoiled(draw: st.DrawFn, sound: Any) -> Any:
    """Generate a valid value with one part replaced by an arbitrary value."""
    whole = place = draw(sound)
    while isinstance(place, dict | list) and place:
        key = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if isinstance(place[key], dict | list) and place[key] and draw(st.integers(0, 3)):
            place = place[key]
            continue
        place[key] = draw(VALUES)
        break
    return whole


DELAYS = st.sampled_from(["0s", "1h", "PT0.000001S", "P9999999W", "30"])
MOMENTS = DELAYS | st.sampled_from(["2026-03-02T10:00:00Z", "9999-12-31T23:59:59-14:00", "0001-01-01", "2020-01-01"])
STATUSES = st.sampled_from([199, 200, 204, 304, 429, 503, 599, 600])
PHASES = st.sampled_from(["before", "after"])
HEADERS = st.dictionaries(st.sampled_from(["x-a", "Retry-After", "Connection", ""]) | st.text(), st.text(), max_size=2)
TIMING = {"delay": DELAYS, "delayBy": st.sampled_from(["clock", "real"])}
RETRY = st.integers(-1, 90_000)
EFFECTS = (
    st.sampled_from([*NAMED, "work", "gremlins"])
    | st.fixed_dictionaries({"fault": st.sampled_from([*NAMED])}, optional={"retryAfter": RETRY, **TIMING})
    | st.fixed_dictionaries(
        {"status": STATUSES},
        optional={
            "shape": st.sampled_from(["connector", "gateway", "wrapped", "policy", "bare"]),
            "message": st.text(),
            "code": st.text(),
            "phase": PHASES,
        },
    )
    | st.fixed_dictionaries({"status": STATUSES}, optional={"body": VALUES, "headers": HEADERS, "retryAfter": RETRY})
    | some(
        headers=HEADERS, phase=PHASES, **TIMING, **{"break": st.sampled_from(["reset", "cut", "stall", "malformed"])}
    )
)
PATTERNS = st.dictionaries(
    st.sampled_from(["top", "folderPath", "Subject", "To", "Message.To", "x"]), SCALARS, max_size=2
)
CALLS = some(
    operation=st.sampled_from(["SendEmailV2", "getemails", "Nothing", [], ["GetEmailsV2", "ReplyToV3"]]),
    method=st.sampled_from(["GET", "post", "BREW"]),
) | some(
    family=st.sampled_from(["SendEmail", "OnNewEmail", "x"]),
    path=st.sampled_from(["/v2/*", "*", "/v2/Mail", "/nothing", ""]) | st.text(),
    query=PATTERNS,
    body=PATTERNS,
)
TURNS = (
    some(nth=st.integers(0, 3) | st.lists(st.integers(0, 3), max_size=2), probability=st.floats(0, 1))
    | some(after=st.integers(-1, 3), times=st.integers(), probability=st.floats(0, 1), seed=st.integers())
    | some(until=MOMENTS, **{"from": MOMENTS})
)
ABOUT = {
    "name": st.sampled_from(["kept", "a", "b c"]) | st.text(),
    "optional": st.booleans(),
    "match": CALLS,
    "when": TURNS,
}
RULES = st.fixed_dictionaries({"effect": EFFECTS}, optional=ABOUT) | st.fixed_dictionaries(
    {"sequence": st.lists(EFFECTS, max_size=3)}, optional=ABOUT
)
SOUND = st.fixed_dictionaries(
    {"faults": st.lists(RULES, min_size=1, max_size=2)}, optional={"header": st.sampled_from(["t-1", "a b"])}
)
PLANS = SOUND | spoiled(SOUND) | VALUES


@pytest.mark.slow
@fixed(300)
@given(plan=PLANS)
def test_any_plan_is_armed_or_rejected(sandbox: Sandbox, plan: Any) -> None:
    """Any plan is either armed as a whole or rejected with a reason, and a rejected plan changes nothing."""
    sandbox.api.delete("/faults")
    (kept,) = arm(sandbox, {"name": "kept", "effect": "throttled"})
    answer = sandbox.api.post("/faults", content=json.dumps(plan))

    assert answer.status_code in (201, 400, 404, 409), answer.text
    rules = answer.json()["value"] if answer.status_code == 201 else []
    assert [kept, *rules] == ledger(sandbox)


# Armed at startup


@contextmanager
def served(settings: Settings) -> Iterator[Ask]:
    """Run an app with these settings in process."""
    app = create_app(settings, VirtualClock(START))

    def ask(method: str, path: str, **more: Any) -> httpx.Response:
        async def call() -> httpx.Response:
            headers = {"Authorization": "Bearer token"}
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
                return await client.request(method, path, **more)

        return asyncio.run(call())

    try:
        yield ask
    finally:
        app.state.sandboxes.close()


def write_plan(folder: Path, plan: Any) -> str:
    """Write a file of fault rules and return its path."""
    file = folder / "faults.json"
    file.write_text(plan if isinstance(plan, str) else json.dumps(plan))
    return str(file)


def test_file_is_armed_at_startup(tmp_path: Path) -> None:
    """Rules from the file act in the default sandbox from the first request on, and in no other sandbox."""
    plan = {"faults": [{"name": "first", "match": {"connection": "office"}, "when": {"nth": 1}, "effect": "throttled"}]}
    with served(Settings(faults=write_plan(tmp_path, plan), seed="office", early_retries="allow")) as ask:
        response = ask("POST", f"{ROOT}/sandboxes", json={"name": "other"})
        rules = [
            [fault["name"] for fault in ask("GET", f"{ROOT}/sandboxes/{name}/faults").json()["value"]]
            for name in ("default", "other")
        ]
        seen = [ask("GET", "/apim/outlook/office/v2/Mail").status_code for _ in range(2)]

    assert 201 == response.status_code
    assert ([["first"], []], [429, 200]) == (rules, seen)


def test_reset_removes_rules_of_the_file(tmp_path: Path) -> None:
    """A reset of the default sandbox also removes the rules from the file."""
    with served(Settings(faults=write_plan(tmp_path, {"faults": [{"effect": "throttled"}]}))) as ask:
        reset = ask("POST", f"{ROOT}/sandboxes/default/reset")
        rules = ask("GET", f"{ROOT}/sandboxes/default/faults").json()["value"]

    assert (True, []) == (reset.is_success, rules)


UNUSABLE: list[tuple[Any, str]] = [
    ("{", "The request body is not valid JSON: "),
    ("", "The request body is not valid JSON: "),
    ([], "The request body must be a JSON object."),
    ({"faults": []}, "The plan has no rule: 'faults' is empty."),
    ({"rules": []}, "The request body has no member 'rules'. It may have: header, faults."),
    ({"faults": [{"effect": "gremlins"}]}, "faults[0]: There is no fault 'gremlins'."),
    (
        {"faults": [{"effect": HTTP, "when": {"nth": 1, "after": 1}}]},
        "faults[0]: 'nth' names the requests and cannot be combined with 'after'.",
    ),
    ({"faults": [{"name": "a", "effect": HTTP}] * 2}, "A fault rule 'a' exists already."),
]


@pytest.mark.parametrize(("plan", "reason"), UNUSABLE)
def test_invalid_file(tmp_path: Path, plan: Any, reason: str) -> None:
    """An invalid plan prevents the start, and the error names the file and the reason."""
    file = write_plan(tmp_path, plan)
    with pytest.raises(ValueError, match="cannot be used") as refused:
        create_app(Settings(faults=file))

    said = str(refused.value)
    assert said.startswith(f"the faults in {file} cannot be used: "), said
    assert reason in said


@pytest.mark.parametrize(("kind", "reason"), [("missing", "No such file or directory"), ("folder", "Is a directory")])
def test_unreadable_file(tmp_path: Path, kind: str, reason: str) -> None:
    """A missing or unreadable file prevents the start, and the error gives the reason."""
    file = tmp_path if kind == "folder" else tmp_path / "nowhere.json"
    with pytest.raises(OSError, match="cannot read") as refused:
        create_app(Settings(faults=str(file)))

    assert f"cannot read the faults in {file}: {reason}" == str(refused.value)


@pytest.mark.slow
def test_serve_rejects_invalid_faults(tmp_path: Path) -> None:
    """`serve` exits with 1 and one line on standard error if the file is missing or its plan is invalid."""
    bad, missing = write_plan(tmp_path, {"faults": [{"effect": "gremlins"}]}), str(tmp_path / "nowhere.json")
    said = [failure(run("serve", "--port", "0", "--faults", file)) for file in (bad, missing)]

    assert said[0].startswith(f"the faults in {bad} cannot be used: faults[0]: There is no fault 'gremlins'. There are")
    assert f"cannot read the faults in {missing}: No such file or directory" == said[1]


def test_deeply_nested_rules(sandbox: Sandbox) -> None:
    """A rule that could not be shown is refused before it is armed; what is armed can be shown."""

    def nested(levels: int) -> httpx.Response:
        deep = "[" * levels + "]" * levels
        plan = f'{{"faults":[{{"effect":{{"status":500,"body":{deep}}}}}]}}'
        return sandbox.api.post("/faults", content=plan, headers={"content-type": "application/json"})

    answers = [nested(levels) for levels in (150, 250, 900)]

    assert [201, 400, 400] == [answer.status_code for answer in answers]
    assert all("The rule has more than 200 levels of JSON." in answer.text for answer in answers[1:])
    assert sandbox.api.get("/faults").status_code == 200
