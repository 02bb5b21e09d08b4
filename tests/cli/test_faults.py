"""The command `fault` against a stub: the request of each action, and the output for its response."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.stub import Stub

F = "/_emulator/api/sandboxes/t1/faults"
RULE = {"name": "first", "effect": "timeout-504-after"}
FACTS = {"name": "first", "state": "used up", "matched": 3, "used": 1, "neverReached": False, "rule": RULE}
SEQUENCE = {
    "name": "s",
    "state": "armed",
    "matched": 0,
    "used": 0,
    "neverReached": True,
    "rule": {"sequence": ["work"]},
}


def plan(stub: Stub, say: Callable[..., Any], *arguments: str) -> Any:
    """Run `fault add`, which must succeed, and return the plan it sends."""
    stub.status, stub.body = 201, {"value": [FACTS]}
    assert (0, "first is used up\n", "") == say("fault", "add", *arguments, "--sandbox", "t1", "--url", stub.url)
    assert f"POST {F}" == stub.last().line
    return stub.last().json


def test_names(stub: Stub, say: Callable[..., Any]) -> None:
    """`fault names` lists the named faults with their summaries."""
    stub.body = {"value": [{"name": "throttled", "summary": "too many calls", "documentation": "…"}]}

    assert (0, "NAME       SUMMARY\nthrottled  too many calls\n", "") == say("fault", "names", "--url", stub.url)
    assert "GET /_emulator/api/faults" == stub.last().line


def test_list(stub: Stub, say: Callable[..., Any]) -> None:
    """`fault list` prints a table with the state, the number of matches, the number of hits and the effect of each
    rule.
    """
    stub.body = {"value": [FACTS, SEQUENCE]}
    lines = say("fault", "list", "--sandbox", "t1", "--url", stub.url)[1].splitlines()

    assert f"GET {F}" == stub.last().line
    assert ["NAME", "STATE", "MATCHED", "USED", "NEVER", "REACHED", "EFFECT"] == lines[0].split()
    assert ["first", "used", "up", "3", "1", "no", "timeout-504-after"] == lines[1].split()
    assert ["s", "armed", "0", "0", "yes", "work"] == lines[2].split()


def test_show(stub: Stub, say: Callable[..., Any]) -> None:
    """`fault show` prints a rule as it was submitted, and --json prints the server's response."""
    stub.body = FACTS
    asked = ("fault", "show", "first/send", "--sandbox", "t1", "--url", stub.url)
    facts = dict(line.split(maxsplit=1) for line in say(*asked)[1].splitlines())

    assert f"GET {F}/first%2Fsend" == stub.last().line
    assert {"name": "first", "state": "used up", "matched": "3", "used": "1", "rule": json.dumps(RULE)} == facts
    assert FACTS == json.loads(say(*asked, "--json")[1])


@pytest.mark.parametrize(
    ("arguments", "asked", "said"),
    [
        (["remove", "a b"], f"DELETE {F}/a%20b", "removed fault a b\n"),
        (["clear"], f"DELETE {F}", "removed all faults\n"),
    ],
)
def test_remove_and_clear(stub: Stub, say: Callable[..., Any], arguments: list[str], asked: str, said: str) -> None:
    """`fault remove` deletes a rule by name, and `fault clear` deletes all rules."""
    stub.status = 204

    assert (0, said, "") == say("fault", *arguments, "--sandbox", "t1", "--url", stub.url)
    assert asked == stub.last().line


def test_add_a_named_fault(stub: Stub, say: Callable[..., Any]) -> None:
    """The name of a fault is a complete plan."""
    assert {"faults": [{"effect": "throttled"}]} == plan(stub, say, "throttled")


def test_add_with_every_option(stub: Stub, say: Callable[..., Any]) -> None:
    """Each option sets its member of the rule."""
    sent = plan(
        *(stub, say, "timeout-504-after", "--name", "n", "--optional", "--header", "t-17"),
        *("--connection", "c", "--operation", "SendEmailV2", "--family", "SendEmail", "--method", "POST"),
        *("--path", "/v2/Mail*", "--query", "top=1*", "--query", "a=b=c", "--body", "Message.Subject=Hi*"),
        *("--nth", "2", "--after", "3", "--times", "1", "--probability", "0.2", "--seed", "7"),
        *("--from", "1h", "--until", "2026-03-02T10:00:00Z", "--retry-after", "5"),
    )
    match = {
        "connection": "c",
        "operation": "SendEmailV2",
        "family": "SendEmail",
        "method": "POST",
        "path": "/v2/Mail*",
        "query": {"top": "1*", "a": "b=c"},
        "body": {"Message.Subject": "Hi*"},
    }
    when = {
        "nth": 2,
        "after": 3,
        "times": 1,
        "probability": 0.2,
        "seed": 7,
        "from": "1h",
        "until": "2026-03-02T10:00:00Z",
    }
    effect = {"fault": "timeout-504-after", "retryAfter": 5}
    rule = {"name": "n", "optional": True, "match": match, "when": when, "effect": effect}

    assert {"header": "t-17", "faults": [rule]} == sent


def test_add_with_lists(stub: Stub, say: Callable[..., Any]) -> None:
    """Several operations and several values of --nth become lists."""
    sent = plan(stub, say, "throttled", "--operation", "A", "--operation", "B", "--nth", "1,3")

    assert [{"match": {"operation": ["A", "B"]}, "when": {"nth": [1, 3]}, "effect": "throttled"}] == sent["faults"]


def test_add_a_custom_effect(stub: Stub, say: Callable[..., Any]) -> None:
    """An effect can be built from options."""
    sent = plan(
        *(stub, say, "--status", "503", "--shape", "gateway", "--message", "m", "--code", "c", "--answer", "<html>"),
        *("--answer-header", "X-A=1", "--answer-header", "X-B=2", "--retry-after", "0", "--phase", "after"),
        *("--delay", "30s", "--delay-by", "real", "--break", "reset"),
    )
    effect = {
        "status": 503,
        "shape": "gateway",
        "message": "m",
        "code": "c",
        "body": "<html>",
        "retryAfter": 0,
        "headers": {"X-A": "1", "X-B": "2"},
        "phase": "after",
        "delay": "30s",
        "delayBy": "real",
        "break": "reset",
    }

    assert [{"effect": effect}] == sent["faults"]


def test_add_with_file_names(stub: Stub, say: Callable[..., Any]) -> None:
    """--names is part of the effect."""
    sent = plan(stub, say, "attachment-skipped", "--names", "*.pdf")

    assert [{"effect": {"fault": "attachment-skipped", "names": "*.pdf"}}] == sent["faults"]


def test_add_a_sequence(stub: Stub, say: Callable[..., Any]) -> None:
    """A sequence can contain fault names, statuses and `work`."""
    sent = plan(stub, say, "--sequence", "timeout-504-before, 503,work", "--after", "3")

    assert [{"when": {"after": 3}, "sequence": ["timeout-504-before", {"status": 503}, "work"]}] == sent["faults"]


def test_add_a_file(stub: Stub, say: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan from a file or standard input is sent unchanged."""
    stub.body, file = {"value": [FACTS, SEQUENCE]}, tmp_path / "plan.json"
    file.write_bytes(b'{"faults": [ ] }')
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"piped")))
    done = [say("fault", "add", "--file", source, "--url", stub.url) for source in (str(file), "-")]

    assert [(0, "first is used up\ns is armed\n", "")] * 2 == done
    assert [b'{"faults": [ ] }', b"piped"] == [request.body for request in stub.requests]


def test_unreadable_file(stub: Stub, say: Callable[..., Any], tmp_path: Path) -> None:
    """An unreadable plan file is named in the error, and no request is sent."""
    done = say("fault", "add", "--file", str(tmp_path / "none"), "--url", stub.url)

    assert (1, "", f"outlook-emulator: cannot read {tmp_path / 'none'}: No such file or directory\n") == done
    assert [] == stub.requests


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "say what happens"),
        (["--times", "1"], "say what happens"),
        (["throttled", "--file", "-"], "--file excludes all other options"),
        (["--file", "-", "--header", "t"], "--file excludes all other options"),
        (["--file", "-", "--status", "500"], "--file excludes all other options"),
        (["throttled", "--sequence", "work"], "--sequence excludes all other effects"),
        (["--sequence", "work", "--delay", "3s"], "--sequence excludes all other effects"),
        (["throttled", "--query", "top"], "--query takes NAME=VALUE, not 'top'"),
        (["throttled", "--body", "=x"], "--body takes NAME=VALUE, not '=x'"),
        (["--status", "500", "--answer-header", "X"], "--answer-header takes NAME=VALUE, not 'X'"),
        (["throttled", "--nth", "one"], "--nth"),
        (["--status", "many"], "--status"),
        (["--status", "500", "--phase", "during"], "--phase"),
        (["--break", "leg"], "--break"),
        (["throttled", "bad-gateway"], "bad-gateway"),
    ],
)
def test_usage_errors(stub: Stub, say: Callable[..., Any], arguments: list[str], reason: str) -> None:
    """Contradictory or missing options are usage errors with the reason, and no request is sent."""
    status, out, errors = say("fault", "add", *arguments, "--url", stub.url)

    assert (2, "", True, []) == (status, out, reason in errors, stub.requests)


def test_error_response(stub: Stub, say: Callable[..., Any]) -> None:
    """An error response exits with 1 and the server's message."""
    stub.status, stub.body = 400, {"status": 400, "message": "There is no fault 'x'.\r\nclientRequestId: 1"}

    assert (1, "", "outlook-emulator: There is no fault 'x'.\n") == say("fault", "add", "x", "--url", stub.url)
