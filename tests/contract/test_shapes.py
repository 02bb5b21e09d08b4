"""A response is compared with the declared status, content type, members and types."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from outlook_contract.exchange import Exchange
from outlook_contract.shapes import Problem, problems
from outlook_emulator.testing import Server


def exchange(operation: str | None, body: bytes | Any = b"", status: int = 200) -> Exchange:
    return Exchange(
        operation=operation,
        method="GET",
        url="https://example.com/",
        request_headers=httpx.Headers(),
        request_body=b"",
        status=status,
        headers=httpx.Headers(),
        body=body if isinstance(body, bytes) else json.dumps(body).encode(),
        started=0,
        seconds=0,
    )


@pytest.fixture(scope="module")
def mail() -> Iterator[dict[str, Any]]:
    """A mail as the emulator lists it."""
    with Server.in_process() as server, server.sandbox("shapes") as sandbox:
        mailbox = sandbox.connect("own")
        mailbox.deliver(subject="Hello")
        yield mailbox.mails()[0]


def of_mail(mail: dict[str, Any]) -> list[Problem]:
    return list(problems(exchange("GetEmailsV2", {"value": [mail]})))


def test_response_as_declared(mail: dict[str, Any]) -> None:
    """A mail as it should be has no problem."""
    assert [] == of_mail(mail)


def test_missing_member(mail: dict[str, Any]) -> None:
    """A declared member that is not there is a problem, unless recorded responses leave it out."""
    without = {name: value for name, value in mail.items() if name != "ReplyTo"}
    table = {"Name": "x", "DisplayName": "Contacts", "items": []}
    tables = {"value": [table], "@odata.nextLink": None, "@odata.deltaLink": None}

    (problem,) = of_mail(without)
    assert ("value[]", True) == (problem.member, "ReplyTo" in problem.expected)
    assert [] == list(problems(exchange("ContactGetTables", tables)))
    del tables["@odata.nextLink"]
    (problem,) = problems(exchange("ContactGetTables", tables))
    assert ("body", True) == (problem.member, "@odata.nextLink" in problem.expected)


@pytest.mark.parametrize(
    ("changes", "member"),
    [
        ({"IsRead": "false"}, "value[].IsRead"),
        ({"Importance": "urgent"}, "value[].Importance"),
        ({"HasAttachment": 0}, "value[].HasAttachment"),
        ({"Subject": 7}, "value[].Subject"),
        ({"Attachments": {}}, "value[].Attachments"),
        ({"Surprise": 1}, "value[]"),
    ],
)
def test_member_of_another_type(mail: dict[str, Any], changes: dict[str, Any], member: str) -> None:
    """The problem names the member, what is declared and what was there."""
    differences = of_mail({**mail, **changes})

    assert {member} == {problem.member for problem in differences}
    ((name, value),) = changes.items()
    assert all(json.dumps(value) in problem.seen or name in problem.expected for problem in differences)


@pytest.mark.parametrize(
    ("operation", "body", "status", "member"),
    [
        ("GetEmailsV2", {"value": []}, 206, "status"),
        ("GetEmailsV2", b"<html>", 200, "body"),
        ("GetEmailsV2", b"", 200, "body"),
        ("GetEmailsV2", [], 200, "body"),
        ("SendEmailV2", b"done", 200, "body"),
    ],
)
def test_response_of_another_kind(operation: str, body: Any, status: int, member: str) -> None:
    """A wrong status, no JSON, no body, and a body where none is declared are problems."""
    assert [member] == [problem.member for problem in problems(exchange(operation, body, status))]


@pytest.mark.parametrize(
    ("operation", "body", "status"),
    [("OnNewEmailV2", b"", 202), ("GetEmailsV2", {"error": {}}, 404), (None, b"anything", 200)],
)
def test_response_that_is_not_compared(operation: str | None, body: Any, status: int) -> None:
    """An idle poll is empty, refusals have shapes of their own, and a request may fit no operation."""
    assert [] == list(problems(exchange(operation, body, status)))
