"""The commands `question` and `callbacks`: approval mails, their answers and the callbacks."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.conftest import Connection, Sandbox
from tests.stub import Stub


def test_questions(
    sandbox: Sandbox, alice: Connection, bob: Connection, listener: Stub, say: Callable[..., Any]
) -> None:
    """A question is listed with its options and can be answered; its callback is listed afterwards."""
    message = {"To": bob.address, "Subject": "The Budget", "Options": "Yes, No"}
    alice.post("/approvalmail/$subscriptions", {"NotificationUrl": listener.url, "Message": message})
    asked = ("--sandbox", sandbox.name, "--url", sandbox.server.url)
    (question,) = json.loads(say("question", "list", "--json", *asked)[1])["value"]
    listed = say("question", "list", *asked)[1].splitlines()
    answered = say("question", "answer", question["id"], "Yes", *asked)
    listener.wait()
    sandbox.advance()
    called = say("callbacks", *asked)[1].splitlines()

    assert ["ID", "KIND", "FROM", "TO", "SUBJECT", "OPTIONS", "STATE"] == listed[0].split()
    assert listed[1].endswith("alice@example.com  bob@example.com  The Budget  Yes, No  open")
    assert (0, "The Budget: answered Yes\n", "") == answered
    assert say("question", "list", *asked)[1].rstrip().endswith("answered Yes")
    assert ["ID", "KIND", "STATE", "ATTEMPTS", "LAST", "DUE", "URL"] == called[0].split()
    assert ["done", "1", "200", "-", listener.url] == called[1].split()[2:]


def test_invalid_answer(
    sandbox: Sandbox, alice: Connection, bob: Connection, listener: Stub, say: Callable[..., Any]
) -> None:
    """An unknown option or an unknown question exits with 1 and the server's reason."""
    message = {"To": bob.address, "Subject": "The Budget", "Options": "Yes, No"}
    alice.post("/approvalmail/$subscriptions", {"NotificationUrl": listener.url, "Message": message})
    asked = ("--sandbox", sandbox.name, "--url", sandbox.server.url)
    (question,) = json.loads(say("question", "list", "--json", *asked)[1])["value"]
    perhaps, nowhere = (say("question", "answer", id, "Perhaps", *asked) for id in (question["id"], "a/b"))

    assert [(1, ""), (1, "")] == [perhaps[:2], nowhere[:2]]
    assert "'Perhaps'" in perhaps[2]
    assert len(nowhere[2].splitlines()) == 1


def test_withdrawn_question(stub: Any, say: Callable[..., Any]) -> None:
    """A withdrawn question is neither open nor answered."""
    stub.body = {"value": [{"answer": None, "withdrawn": True}]}

    assert say("question", "list", "--url", stub.url)[1].rstrip().endswith("withdrawn")
