"""Faults of triggers, for pokes and pushed items, by the sandbox's clock."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import Connection, Sandbox
from tests.stub import Stub

MAIL = "/MailSubscriptionPoke/$subscriptions"


def delay(sandbox: Sandbox, by: str | None = None, **match: Any) -> None:
    effect = "trigger-delayed" if by is None else {"fault": "trigger-delayed", "delay": by}
    rule = {"name": "late", "effect": effect, "match": match} if match else {"name": "late", "effect": effect}
    answer = sandbox.api.post("/faults", json={"faults": [rule]})
    assert answer.status_code == 201, answer.text


def used(sandbox: Sandbox) -> tuple[int, int]:
    rule = sandbox.api.get("/faults/late").json()
    return rule["matched"], rule["used"]


def push(sandbox: Sandbox, connection: Connection, url: str, operation: str = "OnNewEmailV2") -> None:
    properties = {"operationName": operation, "notificationDetails": {"callbackUrl": url}}
    path = f"/connections/{connection.id}/triggerConfigs/watch"
    answer = sandbox.api.put(path, json={"properties": properties})
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(("by", "early", "rest"), [(None, "3599.999s", "0.001s"), ("90s", "89s", "1s")])
def test_a_poke_comes_late(
    sandbox: Sandbox, alice: Connection, listener: Stub, by: str | None, early: str, rest: str
) -> None:
    """A poke is sent once after the delay, by default an hour, and the rule counts one use."""
    assert alice.post(MAIL, {"NotificationUrl": listener.url}).status_code == 201
    delay(sandbox, by)
    alice.deliver()
    sandbox.advance(early)
    before = len(listener.requests)
    (waiting,) = sandbox.made_callbacks()
    sandbox.advance(rest)
    (done,) = sandbox.made_callbacks()

    assert (0, "pending", 0) == (before, waiting["state"], waiting["attempts"])
    assert (1, "done", 1) == (len(listener.requests), done["state"], done["attempts"])
    assert (1, 1) == used(sandbox)


def test_what_is_pushed_comes_late(sandbox: Sandbox, alice: Connection, listener: Stub) -> None:
    """Pushed items arrive after the delay, unchanged."""
    push(sandbox, alice, listener.url)
    delay(sandbox, "PT10M", operation="OnNewEmailV2")
    alice.deliver(subject="Late")
    sandbox.advance("599s")
    before = len(listener.requests)
    sandbox.advance("1s")

    assert (0, 1) == (before, len(listener.requests))
    assert b"Late" in listener.requests[0].body
    assert (1, 1) == used(sandbox)


def test_other_connections_are_not_delayed(
    sandbox: Sandbox, alice: Connection, bob: Connection, listener: Stub
) -> None:
    """A rule for one connection does not delay the triggers of another."""
    delay(sandbox, connection=alice.id)
    for subscriber in (alice, bob):
        subscriber.post(MAIL, {"NotificationUrl": f"{listener.url}/{subscriber.id}"})
        subscriber.deliver()
    sandbox.advance("1s")

    assert [f"/{bob.id}"] == [request.path for request in listener.requests]
    assert (1, 1) == used(sandbox)


def test_a_deleted_rule(sandbox: Sandbox, alice: Connection, listener: Stub) -> None:
    """Deleting a rule does not shorten delays that already started; later callbacks are not delayed."""
    alice.post(MAIL, {"NotificationUrl": f"{listener.url}/x"})
    delay(sandbox, "10s")
    alice.deliver()
    sandbox.advance("1s")
    sandbox.api.delete("/faults")
    bob = sandbox.connect("carl")
    bob.post(MAIL, {"NotificationUrl": f"{listener.url}/y"})
    bob.deliver()
    sandbox.advance("1s")
    first = [request.path for request in listener.requests]
    sandbox.advance("8s")

    assert ["/y"] == first
    assert ["/y", "/x"] == [request.path for request in listener.requests]


@pytest.mark.parametrize(
    ("fault", "shown"),
    [
        ("protected-mail", ("This message is protected. Open it in Outlook to read it.", 1)),
        ("attachment-skipped", ("Secret", 0)),
    ],
)
def test_what_is_pushed_is_as_a_fault_shows_it(
    sandbox: Sandbox, alice: Connection, listener: Stub, fault: str, shown: tuple[str, int]
) -> None:
    """A fault that changes how mails read does so for one pushed batch, and looks that find nothing do not use it up.

    Protected mail: vendor's documentation of the Office 365 twin. Skipped attachments: the connector's own page.
    """
    push(sandbox, alice, listener.url)
    rule = {"name": "late", "effect": fault, "when": {"times": 1}}
    sandbox.api.post("/faults", json={"faults": [rule]}).raise_for_status()
    sandbox.advance("5m")
    assert (0, 0) == used(sandbox)
    for _ in range(2):
        alice.deliver(text="Secret", attachments=[{"Name": "plan.txt", "ContentBytes": "YQ=="}])
        sandbox.advance("1m")

    mails = [mail for request in listener.requests for mail in json.loads(request.body)["body"]["value"]]
    assert [shown, ("Secret", 1)] == [(mail["BodyPreview"], len(mail["Attachments"])) for mail in mails]
    assert (1, 1) == used(sandbox)


def test_what_is_pushed_comes_twice(sandbox: Sandbox, alice: Connection, listener: Stub) -> None:
    """A pushed mail with attachments is sent first without them and then whole; others are sent once."""
    push(sandbox, alice, listener.url)
    rule = {"name": "late", "effect": "delivered-twice"}
    sandbox.api.post("/faults", json={"faults": [rule]}).raise_for_status()
    files: list[dict[str, Any]] = [{"Name": "plan.txt", "ContentBytes": "YQ=="}]
    for subject, attachments in (("Plain", None), ("Plan", files)):
        alice.deliver(subject=subject, attachments=attachments)
        sandbox.advance("1m")

    mails = [mail for request in listener.requests for mail in json.loads(request.body)["body"]["value"]]
    assert [("Plain", 0), ("Plan", 0), ("Plan", 1)] == [(mail["Subject"], len(mail["Attachments"])) for mail in mails]
    assert (1, 1) == used(sandbox)
