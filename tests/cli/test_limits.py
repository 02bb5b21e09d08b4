"""The command `limits`, held against a stub: what each action asks, and what is said of the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.stub import Stub

LIMITS = {"calls": 10, "period": 60, "connections": [{"connection": "c", "calls": 3}]}
SAID = "calls   10\nperiod  60\n\nCONNECTION  CALLS\nc           3\n"
PATH = "/_emulator/api/sandboxes/t1/limits"


def test_show(stub: Stub, say: Callable[..., Any]) -> None:
    """The limits are a line each, and what connections use of them is a table."""
    stub.body = LIMITS

    assert (0, SAID, "") == say("limits", "show", "--sandbox", "t1", "--url", stub.url)
    assert f"GET {PATH}" == stub.last().line


def test_show_before_anybody_called(stub: Stub, say: Callable[..., Any]) -> None:
    """Without connections there is no table."""
    stub.body = {"calls": 10, "connections": []}

    assert "calls  10\n" == say("limits", "show", "--url", stub.url)[1]


def test_set(stub: Stub, say: Callable[..., Any]) -> None:
    """Limits are set by name, several at once, and shown as they are then."""
    stub.body = LIMITS
    done = say("limits", "set", "calls=10", "concurrentRequests=0", "--sandbox", "t1", "--url", stub.url)

    assert (0, SAID, "") == done
    assert (f"PATCH {PATH}", {"calls": 10, "concurrentRequests": 0}) == (stub.last().line, stub.last().json)


@pytest.mark.parametrize("words", [[], ["calls"], ["calls="], ["=3"], ["calls=many"], ["calls=-1"], ["calls=1.5"]])
def test_misused(stub: Stub, say: Callable[..., Any], words: list[str]) -> None:
    """What is no name with a whole number is misuse, and nothing is asked."""
    status, _, errors = say("limits", "set", *words, "--url", stub.url)

    assert (2, True, []) == (status, "outlook-emulator limits set: error: " in errors, stub.requests)
