"""The command `clock`: show, freeze, set, advance and follow."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.cli.commands import failure, run_here
from tests.conftest import Sandbox

pytestmark = pytest.mark.slow


def test_clock(url: str) -> None:
    """`clock` shows, freezes, moves and releases a sandbox's clock, and reports an invalid move in one line."""
    httpx.post(f"{url}/_emulator/api/sandboxes", json={"name": "timed"}).raise_for_status()
    orders = [["freeze"], ["set", "2090-03-01T09:00Z"], ["advance", "1h30m"], [], ["follow"]]
    done = [run_here("clock", *order, "--sandbox", "timed", "--url", url, "--json") for order in orders]
    facts = [json.loads(result.stdout) for result in done]

    assert ["frozen", "frozen", "frozen", "frozen", "shifted"] == [fact["mode"] for fact in facts]
    assert ["2090-03-01T09:00:00+00:00", *["2090-03-01T10:30:00+00:00"] * 2] == [fact["now"] for fact in facts[1:4]]
    late = run_here("clock", "set", "2001-01-01", "--sandbox", "timed", "--url", url)
    assert failure(late).startswith("The clock was not moved: a clock cannot go backwards")


def test_clock_as_text(say: Callable[..., Any], sandbox: Sandbox) -> None:
    """The text output is one line with the time, the mode and the shift."""
    asked = ("--sandbox", sandbox.name, "--url", sandbox.server.url)

    assert (0, "2026-03-02T09:00:00+00:00 following\n", "") == say("clock", *asked)
    assert (0, "2026-03-02T10:30:00+00:00 shifted, 5400 s ahead\n", "") == say("clock", "advance", "1h30m", *asked)


@pytest.mark.parametrize("order", [["advance", "90s"], ["advance", "90000ms"]])
def test_flags_before_the_value(say: Callable[..., Any], sandbox: Sandbox, order: list[str]) -> None:
    """Flags may stand between the words of a command."""
    action, value = order
    status, out, error = say("clock", action, "--sandbox", sandbox.name, value, "--url", sandbox.server.url)

    assert (0, "2026-03-02T09:01:30+00:00 shifted, 90 s ahead\n", "") == (status, out, error)


def test_a_negative_duration(say: Callable[..., Any], sandbox: Sandbox) -> None:
    """`-5m` is a value, and refused as one: a clock never goes back."""
    status, _, error = say("clock", "advance", "-5m", "--sandbox", sandbox.name, "--url", sandbox.server.url)

    assert 1 == status
    assert "'advance' must not be negative, but is '-5m'." in error


@pytest.mark.parametrize("arguments", [["advance"], ["set"], ["freeze", "1h"], ["show", "1h"], ["rewind"]])
def test_usage_errors(say: Callable[..., Any], arguments: list[str]) -> None:
    """A missing or extra value, or an unknown action, is a usage error."""
    status, out, errors = say("clock", *arguments)

    assert (2, "", True) == (status, out, "outlook-emulator clock: error: " in errors)
