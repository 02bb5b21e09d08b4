"""Fixtures for tests that work against a running emulator; nothing of the server is imported."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from emulator.client import call, server_url

Answer = Callable[..., dict[str, Any]]


@pytest.fixture
def outlook_answer() -> Answer:
    """A function that answers the newest open approval mail or mail with options, as a click in it would.

    `outlook_answer("Approve", subject="Budget", sandbox="t1")` picks the question by a part of its subject, in the
    emulator at `OUTLOOK_EMULATOR_URL`, and gives the question as the admin API has it. The test fails when nothing is
    open, or when the emulator refuses.
    """

    def answer(option: str, *, subject: str = "", sandbox: str = "default") -> dict[str, Any]:
        root = f"{server_url()}/_emulator/api/sandboxes/{quote(sandbox, safe='')}/questions"
        everything = _read(call("GET", root))["value"]
        waiting = [one for one in everything if one["answer"] is None and not one["withdrawn"]]
        found = [one for one in waiting if subject.casefold() in one["subject"].casefold()]
        if not found:
            pytest.fail(
                f"No open question has {subject!r} in its subject; open are {[one['subject'] for one in waiting]}."
            )
        return _read(call("POST", f"{root}/{quote(found[-1]['id'], safe='')}/answer", {"option": option}))

    return answer


def _read(answered: tuple[int, str]) -> dict[str, Any]:
    status, text = answered
    if not 200 <= status < 300:
        pytest.fail(f"The emulator answered {status or 'nothing'}: {text}")
    found: dict[str, Any] = json.loads(text)
    return found
