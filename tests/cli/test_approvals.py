"""The commands `question` and `callbacks`: approval mails, their answers and the callbacks."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.conftest import Connection, Sandbox
from tests.stub import Stub


def _send_question(sandbox: Sandbox, alice: Connection, bob: Connection, listener: Stub) -> tuple[str, ...]:
    """Send an approval mail from Alice to Bob; returns the options of commands about its sandbox."""
    message = {"To": bob.address, "Subject": "The Budget", "Options": "Yes, No"}
    alice.post("/approvalmail/$subscriptions", {"NotificationUrl": listener.url, "Message": message})
    return "--sandbox", sandbox.name, "--url", sandbox.server.url


def test_questions(
    sandbox: Sandbox, alice: Connection, bob: Connection, listener: Stub, say: Callable[..., Any]
) -> None:
    """A question is listed with its options and can be answered; its callback is listed afterwards."""
    options = _send_question(sandbox, alice, bob, listener)
    (question,) = json.loads(say("question", "list", "--json", *options)[1])["value"]
    listed = say("question", "list", *options)[1].splitlines()
    answered = say("question", "answer", question["id"], "Yes", *options)
    listener.wait()
    sandbox.advance()
    called = say("callbacks", *options)[1].splitlines()

    assert ["ID", "KIND", "FROM", "TO", "SUBJECT", "OPTIONS", "STATE"] == listed[0].split()
    assert listed[1].endswith("alice@example.com  bob@example.com  The Budget  Yes, No  open")
    assert (0, "The Budget: answered Yes\n", "") == answered
    assert say("question", "list", *options)[1].rstrip().endswith("answered Yes")
    assert ["ID", "KIND", "STATE", "ATTEMPTS", "LAST", "DUE", "URL"] == called[0].split()
    assert ["done", "1", "200", "-", listener.url] == called[1].split()[2:]


def test_invalid_answer(
    sandbox: Sandbox, alice: Connection, bob: Connection, listener: Stub, say: Callable[..., Any]
) -> None:
    """An unknown option or an unknown question exits with 1 and the server's reason."""
    options = _send_question(sandbox, alice, bob, listener)
    (question,) = json.loads(say("question", "list", "--json", *options)[1])["value"]
    perhaps, nowhere = (say("question", "answer", id, "Perhaps", *options) for id in (question["id"], "a/b"))

    assert [(1, ""), (1, "")] == [perhaps[:2], nowhere[:2]]
    assert "'Perhaps'" in perhaps[2]
    assert len(nowhere[2].splitlines()) == 1


def test_withdrawn_question(stub: Any, say: Callable[..., Any]) -> None:
    """A withdrawn question is neither open nor answered."""
    stub.body = {"value": [{"answer": None, "withdrawn": True}]}

    assert say("question", "list", "--url", stub.url)[1].rstrip().endswith("withdrawn")
