"""Limits over HTTP: show, change, invalid changes, switch off, and reset."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from outlook_emulator.settings import limits
from tests.conftest import Connection, Sandbox, Server

DEFAULTS = {limit.limit: limit.default for limit in limits()} | {"calls": 0}
"""The server of the tests does not limit calls."""
IMAGE = '<img src="data:image/png;base64,{}">'
APPROVAL = "/approvalmail/$subscriptions"


def change(sandbox: Sandbox, **changes: Any) -> dict[str, Any]:
    """Change limits, which must succeed, and return the response."""
    answer = sandbox.api.patch("/limits", json=changes)
    assert answer.status_code == 200, answer.text
    facts: dict[str, Any] = answer.json()
    return facts


def shown(sandbox: Sandbox) -> dict[str, Any]:
    facts: dict[str, Any] = sandbox.api.get("/limits").json()
    return facts


def statuses(connection: Connection, count: int) -> list[int]:
    return [connection.http.get("/testconnection").status_code for _ in range(count)]


def request_approval(connection: Connection, count: int) -> int:
    """Send an approval request with this number of options and return the status."""
    options = ",".join(f"o{number}" for number in range(count))
    body = {"NotificationUrl": "http://127.0.0.1:9/", "Message": {"To": "a@example.net", "Options": options}}
    status: int = connection.http.post(APPROVAL, json=body).status_code
    return status


def sent(connection: Connection, body: str) -> int:
    mail = {"To": "a@example.net", "Subject": "s", "Body": body}
    status: int = connection.http.post("/v2/Mail", json=mail).status_code
    return status


def test_the_limits_of_a_new_sandbox(sandbox: Sandbox) -> None:
    """A new sandbox has the limits of the server's settings and no usage."""
    assert {**DEFAULTS, "connections": []} == shown(sandbox)


def test_change_some(sandbox: Sandbox) -> None:
    """A PATCH changes the given limits; null and missing ones keep their value, and the response shows the result."""
    changed = change(sandbox, calls=5, warnAt=0, mailBytes=7, period=None)

    assert {**DEFAULTS, "calls": 5, "warnAt": 0, "mailBytes": 7, "connections": []} == changed
    assert changed == change(sandbox) == shown(sandbox)


def test_names_in_any_spelling(sandbox: Sandbox) -> None:
    """Names of limits ignore case and underscores."""
    facts = change(sandbox, concurrent_requests=4, INLINEIMAGEBYTES=9)

    assert (4, 9) == (facts["concurrentRequests"], facts["inlineImageBytes"])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"calls": -1}, "'calls' is invalid: must be a whole number from 0 to 1000000000, not -1."),
        ({"calls": 1.5}, "'calls' is invalid: must be a whole number from 0 to 1000000000, not 1.5."),
        ({"calls": "5"}, "'calls' is invalid: must be a whole number from 0 to 1000000000, not \"5\"."),
        ({"calls": True}, "'calls' is invalid: must be a whole number from 0 to 1000000000, not true."),
        ({"calls": [5]}, "'calls' is invalid: must be a whole number from 0 to 1000000000, not a list."),
        ({"calls": 10**9 + 1}, "must be a whole number from 0 to 1000000000, not 1000000001."),
        ({"concurrentRequests": 10**30}, "'concurrentRequests' is invalid: must be a whole number from 0"),
        ({"period": 0}, "'period' is invalid: must be a whole number from 1 to 31622400, not 0."),
        ({"warnAt": 101}, "'warnAt' is invalid: must be a whole number from 0 to 100, not 101."),
        ({"bytesInFlight": -1}, "'bytesInFlight' is invalid: must be a whole number from 0 to 1099511627776"),
        ({"mailBytes": 2**41}, "'mailBytes' is invalid: must be a whole number from 0 to 1099511627776"),
        ({"inlineImageBytes": {}}, "'inlineImageBytes' is invalid: must be a whole number from 0"),
        ({"options": -3}, "'options' is invalid: must be a whole number from 0 to 1000000000, not -3."),
        ({"speed": 5}, "has no member 'speed'. It may have: calls, period, concurrentRequests, bytesInFlight,"),
        ({"connections": []}, "has no member 'connections'."),
        ([5], "The request body must be a JSON object."),
    ],
)
def test_invalid_change(sandbox: Sandbox, changes: Any, reason: str) -> None:
    """An invalid number or an unknown limit is rejected and nothing changes."""
    body = {"warnAt": 50, **changes} if isinstance(changes, dict) else changes
    answer = sandbox.api.patch("/limits", json=body)

    assert 400 == answer.status_code
    assert reason in answer.json()["message"]
    assert {**DEFAULTS, "connections": []} == shown(sandbox)


@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_unknown_sandbox(server: Server, method: str) -> None:
    """The limits of an unknown sandbox respond 404."""
    answer = server.http.request(method, "/_emulator/api/sandboxes/nowhere/limits", json={})

    assert (404, True) == (answer.status_code, "No sandbox 'nowhere' exists." in answer.json()["message"])


def test_usage_of_connections(sandbox: Sandbox, alice: Connection, bob: Connection) -> None:
    """Each connection's usage has its calls, its remaining calls and when the oldest call leaves."""
    change(sandbox, calls=5)
    statuses(alice, 3)
    sandbox.advance("10s")
    statuses(bob, 1)
    alices, bobs = shown(sandbox)["connections"]
    sandbox.advance("50s")
    later = shown(sandbox)["connections"]

    end = datetime.fromisoformat(sandbox.api.get("/clock").json()["now"])
    assert {
        "connection": alice.id,
        "calls": 3,
        "remaining": 2,
        "resetsAt": alices["resetsAt"],
        "concurrentRequests": 0,
        "bytesInFlight": 0,
    } == alices
    assert (bob.id, 1, 4) == (bobs["connection"], bobs["calls"], bobs["remaining"])
    assert [end, end + timedelta(seconds=10)] == [datetime.fromisoformat(use["resetsAt"]) for use in (alices, bobs)]
    assert {**alices, "calls": 0, "remaining": 5, "resetsAt": None} == later[0]
    assert bobs == later[1]
    assert [None, None] == [connection["remaining"] for connection in change(sandbox, calls=0)["connections"]]


def test_change_applies_at_once(sandbox: Sandbox, alice: Connection) -> None:
    """A new limit applies at once and counts the calls already made in the current window."""
    change(sandbox, calls=2)
    first = statuses(alice, 3)
    change(sandbox, calls=3)
    second = statuses(alice, 2)
    remaining = change(sandbox, calls=1)["connections"][0]["remaining"]
    change(sandbox, calls=0)

    assert ([200, 200, 429], [200, 429], 0) == (first, second, remaining)
    assert [200, 200] == statuses(alice, 2)


def test_a_new_period_applies_at_once(sandbox: Sandbox, alice: Connection) -> None:
    """A new period decides at once which of the earlier calls count."""
    change(sandbox, calls=1)
    statuses(alice, 1)
    sandbox.advance("9s")
    change(sandbox, period=10)
    before = statuses(alice, 1)
    sandbox.advance("1s")
    after = statuses(alice, 2)
    change(sandbox, period=60)
    sandbox.advance("59s")

    assert ([429], [200, 429]) == (before, after)
    assert [429] == statuses(alice, 1)
    sandbox.advance("1s")
    assert [200] == statuses(alice, 1)


def test_usage_slides_with_the_clock(sandbox: Sandbox, alice: Connection) -> None:
    """As the oldest call leaves the window, one more call remains, and the next oldest call names the next reset."""
    change(sandbox, calls=2)
    statuses(alice, 1)
    sandbox.advance("20s")
    statuses(alice, 1)
    (full,) = shown(sandbox)["connections"]
    sandbox.advance("40s")
    (slid,) = shown(sandbox)["connections"]

    assert [(2, 0), (1, 1)] == [(use["calls"], use["remaining"]) for use in (full, slid)]
    resets = [datetime.fromisoformat(use["resetsAt"]) for use in (full, slid)]
    assert timedelta(seconds=20) == resets[1] - resets[0]


def test_limits_of_mails(sandbox: Sandbox, alice: Connection) -> None:
    """The sandbox limits the size of mails and inline images, and the number of options."""
    change(sandbox, mailBytes=100, inlineImageBytes=8, options=2)

    assert [200, 400] == [sent(alice, "x" * 100), sent(alice, "x" * 101)]
    assert [200, 500] == [sent(alice, IMAGE.format("QUJD" * 2)), sent(alice, IMAGE.format("QUJD" * 3))]
    assert [201, 400] == [request_approval(alice, 2), request_approval(alice, 3)]


def test_limits_of_mails_off(sandbox: Sandbox, alice: Connection) -> None:
    """0 removes the limit on sizes and on the number of options."""
    before = [sent(alice, IMAGE.format("QUJD" * 300_000)), request_approval(alice, 101)]
    change(sandbox, mailBytes=0, inlineImageBytes=0, options=0)

    assert [500, 400] == before
    assert [200, 201] == [sent(alice, IMAGE.format("QUJD" * 300_000)), request_approval(alice, 101)]


def test_triggers_skip_mails_above_the_limit(sandbox: Sandbox, alice: Connection) -> None:
    """A trigger skips a mail above the size limit, and returns it once the limit is raised or removed."""
    first = alice.http.get("/Mail/OnNewEmail")
    alice.deliver(text="x" * 50)
    statuses = []
    for most in (10, 50, 49, 0):
        change(sandbox, mailBytes=most)
        statuses.append(alice.http.get(first.headers["location"]).status_code)

    assert [202, 200, 202, 200] == statuses


def test_reset_restores_the_limits(sandbox: Sandbox, alice: Connection) -> None:
    """A reset restores the limits of the server's settings and clears all usage."""
    change(sandbox, calls=1, period=5, concurrentRequests=2, bytesInFlight=9999, warnAt=1)
    change(sandbox, mailBytes=1, inlineImageBytes=2, options=3)
    statuses(alice, 2)
    sandbox.api.post("/reset")

    assert {**DEFAULTS, "connections": []} == shown(sandbox)


def test_sandboxes_have_separate_limits(sandbox: Sandbox, server: Server, alice: Connection) -> None:
    """A change in one sandbox does not affect other sandboxes."""
    before = server.http.get("/_emulator/api/sandboxes/default/limits").json()
    change(sandbox, calls=1)
    refused = statuses(alice, 2)

    assert [200, 429] == refused
    assert before == server.http.get("/_emulator/api/sandboxes/default/limits").json()
