"""Unknown members and query parameters: accepted with a warning, or refused."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from outlook_emulator.settings import Settings
from outlook_emulator.testing import Connection, Server

WARNING = "x-outlook-emulator-warning"
MAIL = {"To": "bob@example.net", "Subject": "Hello", "Body": "Hello"}
FILE = {"Name": "a", "ContentBytes": "YQ=="}
QUESTION: dict[str, Any] = {"NotificationUrl": "http://localhost/x", "Message": {**MAIL, "Options": "Yes"}}
BODY = "The request body has no member 'Bdoy'. Did you mean Body?"
NESTED = "The property 'Message' has no member 'Opitons'. Did you mean Options?"
LISTED = "The property 'Attachments[1]' has no member 'Nmae'. Did you mean Name?"
PARAMETER = "The operation has no query parameter 'foldrpath'. Did you mean folderPath?"
REQUESTS = [
    ("POST", "/v2/Mail", {**MAIL, "Bdoy": "Hi"}, BODY),
    ("POST", "/approvalmail/$subscriptions", {**QUESTION, "Message": {**QUESTION["Message"], "Opitons": "No"}}, NESTED),
    (
        "POST",
        "/v2/Mail",
        {**MAIL, "Attachments": [FILE, {**FILE, "Nmae": "b"}]},
        LISTED,
    ),
    ("GET", "/v2/Mail?foldrPath=Archive", None, PARAMETER),
]
RIGHT = [
    ("POST", "/v2/Mail", MAIL),
    ("POST", "/v2/Mail", {"to": "bob@example.net", "subject": "Hello", "body": "Hello", "importance": "High"}),
    ("POST", "/approvalmail/$subscriptions", QUESTION),
    ("GET", "/v2/Mail?FOLDERPATH=Inbox&&top=1&", None),
]


@pytest.fixture(scope="module", params=["no", "yes"])
def strict(request: pytest.FixtureRequest) -> Iterator[tuple[str, Connection]]:
    """The setting, and a mailbox on a server with it."""
    with Server.in_process(Settings(strict=request.param)) as server:
        yield request.param, server.connect("ann")


@pytest.mark.parametrize(("method", "path", "body", "text"), REQUESTS)
def test_unknown_name(strict: tuple[str, Connection], method: str, path: str, body: Any, text: str) -> None:
    """A strict server refuses an unknown name before anything happens; another one warns, also in the journal."""
    setting, ann = strict
    before = len(ann.sandbox.outbox.mails())
    answer = ann.http.request(method, path, json=body)
    cause = ann.sandbox.journal.entries()[-1]["causes"][-1]

    if setting == "yes":
        assert (400, True, None) == (answer.status_code, text in answer.json()["message"], answer.headers.get(WARNING))
        assert ("refusal", before) == (cause["kind"], len(ann.sandbox.outbox.mails()))
    else:
        assert (True, text) == (answer.is_success, answer.headers[WARNING])
        assert {"kind": "warning", "name": "UnknownName", "reason": text} == cause
        # The same request again has the same warning.
        assert text == ann.http.request(method, path, json=body).headers[WARNING]


@pytest.mark.parametrize(("method", "path", "body"), RIGHT)
def test_known_names(strict: tuple[str, Connection], method: str, path: str, body: Any) -> None:
    """Names in another case or in snake case are known."""
    answer = strict[1].http.request(method, path, json=body)

    assert (True, None) == (answer.is_success, answer.headers.get(WARNING))


def test_the_next_poll_is_known(strict: tuple[str, Connection]) -> None:
    """The parameter of a poll's state is known although no operation declares it."""
    ann = strict[1]
    first = ann.http.get("/v2/Mail/OnNewEmail?folderPath=Inbox")
    second = ann.http.get(first.headers["Location"])

    assert [(202, None)] * 2 == [(answer.status_code, answer.headers.get(WARNING)) for answer in (first, second)]


def test_warnings_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """The log has each unknown name of an operation once; a response names at most five, in one line of ASCII."""
    odd = {**MAIL, "B\x00d\u00f6y": 1, **{f"zz{number}": 1 for number in range(9)}}
    with Server.in_process() as server, caplog.at_level(logging.WARNING, "outlook_emulator"):
        ann = server.connect("ann")
        answers = [ann.http.post("/v2/Mail", json=odd) for _ in range(2)]

    assert ["B?d\\xf6y", "zz0", "zz1", "zz2", "zz3"] == [
        part.partition("'")[0] for part in answers[1].headers[WARNING].split("has no member '")[1:]
    ]
    assert "SendEmailV2: The request body has no member 'B?döy'. Did you mean Body?" == caplog.records[0].message
    assert 5 == len(caplog.records)
