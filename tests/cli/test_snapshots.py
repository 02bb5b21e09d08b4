"""The command `snapshot` against a stub: the request of each action, and the output for its response."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.stub import Stub

FACTS = {"name": "a b", "takenAt": "2026-03-02T09:00:00+00:00", "bytes": 4096}
SANDBOX = {"name": "t1", "connections": ["x"]}
S = "/_emulator/api/sandboxes/t1/snapshots"


@pytest.mark.parametrize(
    ("arguments", "status", "answer", "asked", "said"),
    [
        (["save", "a b"], 201, FACTS, f"PUT {S}/a%20b", "saved a b (4096 bytes)\n"),
        (["restore", "a b"], 200, SANDBOX, f"POST {S}/a%20b/restore", "sandbox t1 with connections: x\n"),
        (["delete", "a b"], 204, None, f"DELETE {S}/a%20b", "deleted snapshot a b\n"),
        (
            ["list"],
            200,
            {"value": [FACTS]},
            f"GET {S}",
            "NAME  TAKEN                      BYTES\na b   2026-03-02T09:00:00+00:00  4096\n",
        ),
        (["list"], 200, {"value": []}, f"GET {S}", "NAME  TAKEN  BYTES\n"),
    ],
)
def test_snapshot(
    stub: Stub, say: Callable[..., Any], arguments: list[str], status: int, answer: Any, asked: str, said: str
) -> None:
    """Each action sends one request without a body and prints a line or a table."""
    stub.status, stub.body = status, answer
    done = say("snapshot", *arguments, "--sandbox", "t1", "--url", stub.url)

    assert (0, said, "") == done
    assert [(asked, b"")] == [(request.line, request.body) for request in stub.requests]


def test_error_response(stub: Stub, say: Callable[..., Any]) -> None:
    """An error response exits with 1 and the server's message."""
    stub.status, stub.body = 404, {"message": "No snapshot 'x' exists."}

    assert (1, "", "outlook-emulator: No snapshot 'x' exists.\n") == say("snapshot", "restore", "x", "--url", stub.url)


@pytest.mark.parametrize("arguments", [[], ["save"], ["restore"], ["delete"], ["list", "x"], ["keep", "x"]])
def test_usage_errors(say: Callable[..., Any], arguments: list[str]) -> None:
    """A missing name or a missing action is a usage error."""
    assert (2, "") == say("snapshot", *arguments)[:2]
