"""`journal --follow` against a stub: what it asks for, and what it prints."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.stub import Request, Stub


def exchange(id: int, outcome: str = "answered", **members: Any) -> dict[str, Any]:
    return {
        "id": id,
        "at": f"2026-01-01T10:00:{id:02}.0000000Z",
        "kind": "exchange",
        "connection": "c",
        "operation": f"Operation{id}",
        "status": 200,
        "outcome": outcome,
        "tookMilliseconds": 1.5,
        "causes": [],
    } | members


@pytest.fixture
def follow(stub: Stub, say: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run the command over pages of the journal, one for each look; Ctrl+C ends it after the last."""

    def run(pages: list[list[dict[str, Any]]], *flags: str) -> tuple[list[str], list[dict[str, list[str]]]]:
        left = list(pages)

        def respond(request: Request) -> tuple[int, str, bytes]:
            return 200, "application/json", json.dumps({"value": left.pop(0)}).encode()

        def pause(seconds: float) -> None:
            if not left:
                raise KeyboardInterrupt

        stub.respond = respond
        monkeypatch.setattr("outlook_emulator.cli.journal_follow.time.sleep", pause)
        status, out, err = say("journal", "--follow", *flags, "--url", stub.url)
        assert (0, "") == (status, err)
        return out.splitlines(), [parse_qs(urlsplit(request.path).query) for request in stub.requests]

    return run


def test_each_entry_once(follow: Callable[..., Any]) -> None:
    """It begins with the last ten entries and prints each later one once, although it looks at some again."""
    pages = [[exchange(1), exchange(2)], [exchange(1), exchange(2), exchange(3)], [exchange(id) for id in (1, 2, 3)]]
    lines, queries = follow(pages)

    assert [
        "10:00:01  200     1.5 ms  c             Operation1",
        "10:00:02  200     1.5 ms  c             Operation2",
        "10:00:03  200     1.5 ms  c             Operation3",
    ] == lines
    assert [{"limit": ["10"]}, {"after": ["0"]}, {"after": ["0"]}] == queries


def test_entries_under_way(follow: Callable[..., Any]) -> None:
    """An entry that is under way is printed when it has ended, however many follow it."""
    later = [exchange(id) for id in range(2, 60)]
    lines, queries = follow([[exchange(1, "under way")], [exchange(1, "under way"), *later], [exchange(1), *later]])

    assert [f"Operation{id}" for id in (*range(2, 60), 1)] == [line.split()[-1] for line in lines]
    assert ["0"] == queries[-1]["after"]


def test_entries_before_the_first(follow: Callable[..., Any]) -> None:
    """It prints no older entry than it begins with, although it looks back further."""
    lines, _ = follow([[exchange(id) for id in range(36, 46)], [exchange(id) for id in range(26, 47)]])

    assert [f"Operation{id}" for id in range(36, 47)] == [line.split()[-1] for line in lines]


def test_looks_back(follow: Callable[..., Any]) -> None:
    """It asks only for the last entries again."""
    _, queries = follow([[exchange(50)], [exchange(51)], []])

    assert [None, ["30"], ["31"]] == [query.get("after") for query in queries]


def test_filters_and_json(follow: Callable[..., Any]) -> None:
    """It takes the filters of the journal, and prints whole entries with `--json`."""
    lines, queries = follow([[exchange(1)]], "--operation", "GetEmailsV2", "--limit", "3", "--json")

    assert [exchange(1)] == [json.loads(line) for line in lines]
    assert [{"operation": ["GetEmailsV2"], "limit": ["3"]}] == queries


def test_what_shaped_a_response(follow: Callable[..., Any]) -> None:
    """A line names causes, an unknown path, and a callback with its error."""
    cause = {"kind": "fault", "name": "f", "reason": "throttled"}
    delivery = {
        "id": 3,
        "at": "2026-01-01T10:00:03Z",
        "kind": "delivery",
        "url": "http://h",
        "status": None,
        "error": "no",
    }
    unknown = exchange(2, operation=None, method="GET", path="/no", status=404, connection=None)
    lines, _ = follow([[exchange(1, "reset", causes=[cause]), unknown, delivery]])

    assert [
        ["10:00:01", "reset", "1.5", "ms", "c", "Operation1", "fault", "f:", "throttled"],
        ["10:00:02", "404", "1.5", "ms", "-", "GET", "/no"],
        ["10:00:03", "lost", "-", "callback", "http://h", "no"],
    ] == [line.split() for line in lines]


def test_the_server_stops(stub: Stub, say: Callable[..., Any]) -> None:
    """An error of the server ends it."""
    stub.status, stub.body = 404, {"error": {"originalMessage": "no sandbox 'x'"}, "message": "no"}

    assert (1, "", "outlook-emulator: no sandbox 'x'\n") == say("journal", "--follow", "--url", stub.url)


def test_only_list(say: Callable[..., Any]) -> None:
    """Only `list` can follow."""
    status, _, error = say("journal", "count", "--follow")

    assert 2 == status
    assert "--follow can only be used with list, not with count" in error
