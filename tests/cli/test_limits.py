"""The command `limits` against a stub: the request of each action, and the output for its response."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.stub import Stub

LIMITS = {"calls": 10, "period": 60, "connections": [{"connection": "c", "calls": 3}]}
SAID = "calls   10\nperiod  60\n\nCONNECTION  CALLS\nc           3\n"
PATH = "/_emulator/api/sandboxes/t1/limits"


def test_show(stub: Stub, say: Callable[..., Any]) -> None:
    """Each limit is one line, and the usage of connections is a table."""
    stub.body = LIMITS

    assert (0, SAID, "") == say("limits", "show", "--sandbox", "t1", "--url", stub.url)
    assert f"GET {PATH}" == stub.last().line


def test_show_without_connections(stub: Stub, say: Callable[..., Any]) -> None:
    """Without connections there is no table."""
    stub.body = {"calls": 10, "connections": []}

    assert "calls  10\n" == say("limits", "show", "--url", stub.url)[1]


def test_set(stub: Stub, say: Callable[..., Any]) -> None:
    """Several limits can be set by name at once, and the result is shown."""
    stub.body = LIMITS
    done = say("limits", "set", "calls=10", "concurrentRequests=0", "--sandbox", "t1", "--url", stub.url)

    assert (0, SAID, "") == done
    assert (f"PATCH {PATH}", {"calls": 10, "concurrentRequests": 0}) == (stub.last().line, stub.last().json)


@pytest.mark.parametrize("words", [[], ["calls"], ["calls="], ["=3"], ["calls=many"], ["calls=-1"], ["calls=1.5"]])
def test_usage_errors(stub: Stub, say: Callable[..., Any], words: list[str]) -> None:
    """An argument that is not NAME=NUMBER is a usage error, and no request is sent."""
    status, _, errors = say("limits", "set", *words, "--url", stub.url)

    assert (2, True, []) == (status, "outlook-emulator limits set: error: " in errors, stub.requests)
