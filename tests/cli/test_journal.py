"""The command `journal` against a stub: the request of each action, and the output for its response."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Connection, Sandbox
from tests.stub import Stub

J = "/_emulator/api/sandboxes/t1/journal"
ENTRIES = [
    {
        "id": 1,
        "at": "T1",
        "kind": "exchange",
        "connection": "c",
        "operation": "Move",
        "status": 504,
        "cause": "f",
    },
    {"id": 2, "at": "T2", "kind": "exchange", "connection": "c", "method": "GET", "path": "/nowhere", "status": 404},
]
RETRY = {
    "operation": "SendEmailV2",
    "connection": "c",
    "status": 504,
    "at": "T1",
    "cameBack": True,
    "waitedSeconds": 2.5,
    "askedSeconds": None,
    "waitedAsAsked": True,
    "refusedAgain": False,
    "timesEffected": 2,
    "duplicated": True,
    "entries": [1, 2],
}


@pytest.mark.parametrize("action", [[], ["list"]])
def test_list(stub: Stub, say: Callable[..., Any], action: list[str]) -> None:
    """`list` is the default action: one line per entry, and the number of entries."""
    stub.body = {"value": ENTRIES, "total": 7, "dropped": 3}
    done = say("journal", *action, "--sandbox", "t1", "--url", stub.url)

    assert f"GET {J}" == stub.last().line
    assert (0, "") == done[::2]
    assert [
        ["ID", "AT", "KIND", "CONNECTION", "OPERATION", "STATUS", "CAUSE"],
        ["1", "T1", "exchange", "c", "Move", "504", "f"],
        ["2", "T2", "exchange", "c", "GET", "/nowhere", "404", "-"],
        ["2", "of", "7", "entries,", "3", "older", "ones", "dropped"],
    ] == [line.split() for line in done[1].splitlines()]


def test_several_causes(stub: Stub, say: Callable[..., Any]) -> None:
    """An entry shows all its causes, and a delivery shows its URL."""
    causes = [{"kind": "fault", "name": "first"}, {"kind": "limit", "name": "calls"}]
    delivery = {"id": 3, "at": "T3", "kind": "delivery", "url": "http://h/hook", "status": 200}
    stub.body = {"value": [{**ENTRIES[0], "causes": causes}, delivery], "total": 2, "dropped": 0}
    lines = say("journal", "--url", stub.url)[1].splitlines()

    assert lines[1].endswith("504     fault first, limit calls")
    assert ["3", "T3", "delivery", "-", "http://h/hook", "200", "-"] == lines[2].split()


def test_list_with_filters(stub: Stub, say: Callable[..., Any]) -> None:
    """Each filter is sent under the server's name for it, and --json prints the response."""
    stub.body = {"value": [], "total": 0, "dropped": 0}
    many = ("--connection", "a&b", "--operation", "SendEmailV2", "--status", "504", "--kind", "exchange")
    status, out, _ = say(
        "journal", *many, "--after", "7", "--limit", "2", "--sandbox", "t1", "--url", stub.url, "--json"
    )

    assert (0, stub.body) == (status, json.loads(out))
    assert (
        f"GET {J}?connection=a%26b&operation=SendEmailV2&kind=exchange&status=504&after=7&limit=2" == stub.last().line
    )


def test_flags_whose_names_differ_from_the_filters(stub: Stub, say: Callable[..., Any]) -> None:
    """Flags are sent under the names of their filters; `--url` stays the URL of the server."""
    stub.body = {"value": [], "total": 0, "dropped": 0}
    flags = ("--workflow-run", "r", "--callback-url", "*/hook", "--no-effected")
    status, _, _ = say("journal", *flags, "--sandbox", "t1", "--url", stub.url)

    assert (0, f"GET {J}?effected=False&workflowRun=r&url=%2A%2Fhook") == (status, stub.last().line)


def test_count(stub: Stub, say: Callable[..., Any]) -> None:
    """Each count is one line, including the counts by name."""
    stub.body = {"exchanges": 3, "deliveries": 1, "byStatus": {"200": 2, "504": 1}, "byCause": {}}
    done = say("journal", "count", "--sandbox", "t1", "--url", stub.url)

    assert f"GET {J}/counts" == stub.last().line
    assert (0, "exchanges     3\ndeliveries    1\nbyStatus 200  2\nbyStatus 504  1\n", "") == done


def test_retries(stub: Stub, say: Callable[..., Any]) -> None:
    """Each failed request is a line with its retry, followed by the number of duplicated sends."""
    stub.body = {"value": [RETRY], "duplicatedSends": 1}
    done = say("journal", "retries", "--sandbox", "t1", "--url", stub.url)
    lines = done[1].splitlines()

    assert f"GET {J}/retries" == stub.last().line
    assert ["T1", "c", "SendEmailV2", "504", "yes", "2.5", "-", "yes", "no", "2", "yes"] == lines[1].split()
    assert (0, "1 duplicated send") == (done[0], lines[2])


def test_clear(stub: Stub, say: Callable[..., Any]) -> None:
    """`clear` prints one line."""
    stub.status = 204

    assert (0, "cleared the journal\n", "") == say("journal", "clear", "--sandbox", "t1", "--url", stub.url)
    assert f"DELETE {J}" == stub.last().line


@pytest.mark.parametrize(
    ("arguments", "order", "said"),
    [
        (["5"], {"cap": 5}, "5 entries"),
        (["0", "--body-bytes", "9"], {"cap": 0, "bodyBytes": 9}, "0 entries and 9 bytes of a body"),
        (["--body-bytes", "9"], {"bodyBytes": 9}, "9 bytes of a body"),
    ],
)
def test_cap(stub: Stub, say: Callable[..., Any], arguments: list[str], order: Any, said: str) -> None:
    """The number of entries and the size of bodies can be set together or separately."""
    done = say("journal", "cap", *arguments, "--sandbox", "t1", "--url", stub.url)

    assert (f"PATCH {J}", order) == (stub.last().line, stub.last().json)
    assert (0, f"the journal keeps {said}\n", "") == done


@pytest.mark.parametrize(
    "arguments",
    [
        *(["cap"], ["cap", "many"], ["cap", "-1"], ["list", "3"], ["clear", "3"], ["count", "--body-bytes", "3"]),
        *(["clear", "--connection", "c"], ["count", "--limit", "1"], ["--limit", "few"], ["burn"]),
    ],
)
def test_usage_errors(stub: Stub, say: Callable[..., Any], arguments: list[str]) -> None:
    """A missing or unexpected number, and a filter without a list, are usage errors."""
    assert (2, "", []) == (*say("journal", *arguments, "--url", stub.url)[:2], stub.requests)


def test_filters_by_parameter_and_member(stub: Stub, say: Callable[..., Any]) -> None:
    """`--query` and `--body` ask for entries with such parameters and members, together with the other filters."""
    stub.body = {"value": ENTRIES[:1], "count": 3, "nearMisses": []}
    flags = ("--query", "top=1", "--body", "Subject=A=*", "--body", "To=x", "--status", "504")
    status, out, _ = say("journal", *flags, "--sandbox", "t1", "--url", stub.url)

    assert (0, f"POST {J}/query") == (status, stub.last().line)
    assert {"query": {"top": "1"}, "body": {"Subject": "A=*", "To": "x"}, "status": 504} == stub.last().json
    assert "1 of 3 matching requests" == out.splitlines()[-1]


def test_near_misses(stub: Stub, say: Callable[..., Any]) -> None:
    """If nothing matches, the requests that are near are listed with what differs."""
    stub.body = {"value": [], "count": 0, "nearMisses": [ENTRIES[0] | {"differs": ["body.Subject"]}]}
    lines = say("journal", "--body", "Subject=x", "--url", stub.url)[1].splitlines()

    assert ["0 of 0 matching requests", "These are near, but differ:"] == lines[1:3]
    assert "body.Subject" == lines[-1].split()[-1]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--body", "Subject"], "--body takes NAME=VALUE, not 'Subject'"),
        (["--body", "a=b", "--follow"], "--follow cannot be combined with --query or --body"),
        (["show"], "show takes the id of an entry"),
        (["show", "x"], "show takes a whole number, not 'x'"),
    ],
)
def test_usage_of_filters_and_show(say: Callable[..., Any], words: list[str], reason: str) -> None:
    """A usage error exits with 2 and says what is wrong."""
    status, _, error = say("journal", *words)

    assert 2 == status
    assert error.rstrip().endswith(reason)


def test_show_an_exchange(sandbox: Sandbox, alice: Connection, say: Callable[..., Any]) -> None:
    """`journal show` prints an exchange whole: facts, request and response with headers, without the credential."""
    alice.http.post("/v2/Mail?x=1", json={"Subject": "Hi"}, headers={"X-Own": "1"})
    status, out, _ = say("journal", "show", "1", "--sandbox", sandbox.name, "--url", sandbox.server.url)
    facts, request, request_body, response, response_body = out.split("\n\n")

    assert 0 == status
    assert "Operation   SendEmailV2" in facts.splitlines()
    assert any("refusal InvalidRequest" in line and "'To'" in line for line in facts.splitlines())
    assert "POST /v2/Mail?x=1" == request.splitlines()[0]
    assert {"x-own: 1", "authorization: (redacted)"} <= set(request.splitlines())
    assert {"Subject": "Hi"} == json.loads(request_body)
    assert "Status 400" == response.splitlines()[0]
    assert 400 == json.loads(response_body)["status"]


def test_show_a_callback(stub: Stub, say: Callable[..., Any]) -> None:
    """`journal show` prints a callback with its URL, its body, and how it ended."""
    delivery = {
        "id": 3,
        "at": "T",
        "kind": "delivery",
        "purpose": "poke",
        "number": 2,
        "url": "http://h",
        "body": {"a": 1},
    }
    stub.body = {"value": [delivery | {"status": None, "error": "refused"}]}
    failed = say("journal", "show", "3", "--url", stub.url)[1].splitlines()
    stub.body = {"value": [delivery | {"status": 202, "error": None}]}
    done = say("journal", "show", "3", "--url", stub.url)[1].splitlines()

    assert ("Failed: refused", "Status 202") == (failed[-1], done[-1])
    assert {"POST http://h", '  "a": 1', "Attempt  2"} <= set(done)


def test_show_an_unknown_entry(stub: Stub, say: Callable[..., Any]) -> None:
    """An id that the journal does not have exits with 1."""
    stub.body = {"value": ENTRIES[1:]}

    assert (1, "", "outlook-emulator: the journal has no entry 1\n") == say("journal", "show", "1", "--url", stub.url)
