"""Fault rules, the ledger and the journal as a test uses them; `tests/server` tests them over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from outlook_emulator.testing import AdminError, Faults, Journal
from outlook_emulator.testing.admin import Admin
from outlook_emulator.testing.kept_connections import Exchange
from outlook_emulator.testing.target import HttpTarget

Answers = dict[str, tuple[int, Any]]


class Line:
    """An admin API with fixed responses by method and path, which records the bodies of requests."""

    def __init__(self, **answers: Any) -> None:
        self.answers: Answers = {}
        self.sent: list[Any] = []
        self.admin = Admin(_Target(self), "/sandboxes/t1")


class _Target(HttpTarget):
    """Responds to requests itself."""

    def __init__(self, line: Line) -> None:
        super().__init__("http://emulator")
        self._line = line

    def exchange(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None, seconds: float
    ) -> Exchange:
        if body:
            self._line.sent.append(json.loads(body))
        status, answer = self._line.answers[f"{method} {path.removeprefix('/_emulator/api/sandboxes/t1')}"]
        return Exchange(status, json.dumps(answer).encode())


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture
def arm(line: Line) -> Callable[..., Any]:
    """Return a function that arms rules and returns the plan it sends."""
    line.answers["POST /faults"] = (201, {"value": []})

    def add(*rules: Any, **keywords: Any) -> Any:
        Faults(line.admin).add(*rules, **keywords)
        return line.sent.pop()

    return add


RULE = {"name": "first", "match": {"operation": "SendEmailV2"}, "effect": {"status": 503}}


@pytest.mark.parametrize(
    ("rules", "plan"),
    [
        ((), {"faults": []}),
        (("throttled",), {"faults": [{"effect": "throttled"}]}),
        (("throttled", RULE), {"faults": [{"effect": "throttled"}, RULE]}),
        (({"header": "t-17", "faults": [RULE]},), {"header": "t-17", "faults": [RULE]}),
    ],
)
def test_rules(arm: Callable[..., Any], rules: tuple[Any, ...], plan: Any) -> None:
    """Fault names, rules and whole plans are sent unchanged."""
    assert plan == arm(*rules)


@pytest.mark.parametrize(
    ("rules", "keywords", "rule"),
    [
        (("throttled",), {"path": "/v2/*", "nth": 2}, {"match": {"path": "/v2/*"}, "when": {"nth": 2}}),
        (("throttled",), {"name": "a", "optional": True}, {"name": "a", "optional": True}),
        (("throttled",), {"from_": "1h", "until": "2h"}, {"when": {"from": "1h", "until": "2h"}}),
        (("throttled",), {"match": {"body": {"To": "x"}}}, {"match": {"body": {"To": "x"}}}),
        (("throttled",), {"match": {"path": "/v2/*"}, "method": "PUT"}, {"match": {"path": "/v2/*", "method": "PUT"}}),
        (("throttled",), {"retry_after": 7}, {"effect": {"fault": "throttled", "retryAfter": 7}}),
        ((), {"status": 503, "delay_by": "real"}, {"effect": {"status": 503, "delayBy": "real"}}),
        ((), {"break_": "cut", "effect": {"body": "x"}}, {"effect": {"body": "x", "break": "cut"}}),
        (
            (),
            {"sequence": ["throttled", "work"], "after": 2},
            {"sequence": ["throttled", "work"], "when": {"after": 2}},
        ),
        ((), {"sequence": [504, "work"]}, {"sequence": [{"status": 504}, "work"]}),
        (
            ("attachment-skipped",),
            {"names": "*.pdf"},
            {"effect": {"fault": "attachment-skipped", "names": "*.pdf"}},
        ),
        ((), {"effect": "throttled", "nth": 2}, {"effect": "throttled", "when": {"nth": 2}}),
    ],
)
def test_rule_by_keywords(arm: Callable[..., Any], rules: tuple[Any, ...], keywords: Any, rule: Any) -> None:
    """Each keyword sets its member of the rule; names that Python reserves end with an underscore."""
    effect = {"effect": rules[0]} if rules else {}

    assert {"faults": [{**effect, **rule}]} == arm(*rules, **keywords)


def test_plan_with_a_header(arm: Callable[..., Any]) -> None:
    """With a header, a plan applies only to requests with that header."""
    assert {"header": "t-17", "faults": [{"effect": "throttled"}]} == arm("throttled", header="t-17")


@pytest.mark.parametrize(
    ("rules", "keywords", "said"),
    [
        (("throttled",), {"nht": 2}, "no rule has 'nht'; known are addresses, after, break_, code"),
        (("throttled",), {"body": {}}, r"use match=\{'body': …\} or effect=\{'body': …\}"),
        (("throttled",), {"match": "all"}, "no rule has 'match'"),
        (("throttled", "bad-gateway"), {"nth": 2}, "keywords describe one rule"),
        ((RULE,), {"nth": 2}, "keywords describe one rule"),
    ],
)
def test_invalid_rule(arm: Callable[..., Any], rules: Any, keywords: Any, said: str) -> None:
    """An unknown or ambiguous keyword raises TypeError before anything is armed."""
    with pytest.raises(TypeError, match=said):
        arm(*rules, **keywords)


def test_armed(line: Line) -> None:
    """`armed` becomes true after the first successful plan; a rejected plan does not change it."""
    faults = Faults(line.admin)
    line.answers["POST /faults"] = (400, {"message": "There is no fault 'none'.\r\nclientRequestId: 1"})
    with pytest.raises(AdminError, match=r"400 to POST /sandboxes/t1/faults: There is no fault 'none'\.$"):
        faults.add("none")
    before = faults.armed
    line.answers["POST /faults"] = (201, {"value": [{"name": "fault-1"}]})

    assert [{"name": "fault-1"}] == faults.add("throttled")
    assert (False, True) == (before, faults.armed)


LEDGER = [
    {"name": "used", "matched": 3, "used": 1, "optional": False, "rule": RULE},
    {"name": "spare", "matched": 0, "used": 0, "optional": True, "rule": RULE},
    {"name": "late", "matched": 2, "used": 0, "optional": False, "rule": RULE},
    {"name": "missed", "matched": 0, "used": 0, "optional": False, "rule": RULE},
    {"name": "any", "matched": 0, "used": 0, "optional": False, "rule": {"effect": "throttled"}},
]
MISS = {"operation": "SendEmail", "connection": "t1-me", "status": 200, "differs": ["operation", "path"]}


@pytest.mark.parametrize("knows", [True, False])
def test_complaint_about_unused_rules(line: Line, knows: bool) -> None:
    """The complaint names each required rule that was not used, the reason, and the near miss if there is one."""
    line.answers["GET /faults"] = (200, {"value": LEDGER})
    line.answers["POST /journal/query"] = (200, {"nearMisses": [MISS]}) if knows else (400, {"message": "no"})
    faults = Faults(line.admin)
    nearly = ["  nearly: SendEmail of t1-me, answered 200; differs in: operation, path"] if knows else []

    assert ["late", "missed", "any"] == [unused["name"] for unused in faults.unused()]
    assert [
        "The fault 'late' was never used: matching requests: 2, but none that it acts on.",
        "The fault 'missed' was never used: no request matched.",
        *nearly,
        "The fault 'any' was never used: no request matched.",
    ] == faults.complaint().splitlines()
    assert [RULE["match"]] == line.sent


def test_assert_called(line: Line) -> None:
    """`assert_called` passes for the given number of calls, or for any number above zero without one."""
    line.answers["POST /journal/query"] = (200, {"value": [], "count": 2, "nearMisses": []})
    journal = Journal(line.admin)
    journal.assert_called(operation="SendEmailV2", status=504)
    journal.assert_called(operation="SendEmailV2", times=2)

    assert [{"operation": "SendEmailV2", "status": 504}, {"operation": "SendEmailV2"}] == line.sent


def test_keywords_of_the_journal(line: Line) -> None:
    """The journal takes its filters as keywords, also under the admin API's names, and rejects other keywords."""
    line.answers["POST /journal/query"] = (200, {"value": [], "count": 2, "nearMisses": []})
    journal = Journal(line.admin)
    journal.count(workflow_run="r-1", clientRequestId="c-1", cause=None)

    assert [{"workflowRun": "r-1", "clientRequestId": "c-1"}] == line.sent
    with pytest.raises(TypeError, match="the journal has no filter 'colour'; it has after, body, cause, "):
        journal.count(colour="red")


@pytest.mark.parametrize(
    ("count", "times", "said"),
    [(2, 1, "2 times, not once: "), (1, 0, "once, not 0 times: "), (0, None, "0 times, not at least once: ")],
)
def test_assert_called_fails(line: Line, count: int, times: int | None, said: str) -> None:
    """A failed assertion shows the number of calls, the expected number and the near misses."""
    line.answers["POST /journal/query"] = (200, {"value": [], "count": count, "nearMisses": [MISS]})

    with pytest.raises(AssertionError) as failed:
        Journal(line.admin).assert_called(operation="SendEmailV2", times=times)
    assert f"Called {said}" in str(failed.value)
    assert "operation='SendEmailV2'\n  nearly: SendEmail of t1-me, answered 200; differs in: op" in str(failed.value)
