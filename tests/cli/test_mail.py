"""The commands `mail` and `outbox`: deliver a mail, wait for a mail, and list the outbox."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import Connection, Sandbox
from tests.paths import EML
from tests.stub import Stub

EML = EML / "inline-image.eml"


def test_deliver(sandbox: Sandbox, alice: Connection, say: Callable[..., Any]) -> None:
    """`mail deliver` delivers a file to the given folder with the given time and flags."""
    asked = ("--connection", alice.id, "--sandbox", sandbox.name, "--url", sandbox.server.url)
    how = ("--folder", "Inbox/Old", "--received", "2026-01-02T03:04:05Z", "--read", "--flagged")
    status, out, errors = say("mail", "deliver", str(EML), *how, *asked)
    folder = sandbox.api.post(f"/connections/{alice.id}/folders", json={"path": "Inbox/Old"}).json()["id"]
    (mail,) = alice.mails(folder)

    assert (0, "") == (status, errors)
    assert out.startswith("delivered ")
    assert out.endswith(f" as {mail['Id']}\n")
    assert ("2026-01-02T03:04:05+00:00", True) == (mail["DateTimeReceived"], mail["IsRead"])


def test_deliver_from_standard_input(
    sandbox: Sandbox, alice: Connection, say: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`-` reads the mail from standard input, and --json prints the server's response."""
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"Subject: piped\r\n\r\nHello")))
    asked = ("--connection", alice.id, "--sandbox", sandbox.name, "--url", sandbox.server.url)
    status, out, _ = say("mail", "deliver", "-", "--json", *asked)

    assert (0, "piped") == (status, json.loads(out)["message"]["Subject"])
    assert ["piped"] == [mail["Subject"] for mail in alice.mails()]


def test_invalid_delivery(sandbox: Sandbox, alice: Connection, say: Callable[..., Any], tmp_path: Path) -> None:
    """An unreadable file or an unknown mailbox exits with 1 and the reason."""
    asked = ("--sandbox", sandbox.name, "--url", sandbox.server.url)
    missing = say("mail", "deliver", str(tmp_path), "--connection", alice.id, *asked)
    nobody = say("mail", "deliver", str(EML), "--connection", "nobody", *asked)

    assert (1, "", f"outlook-emulator: cannot read {tmp_path}: Is a directory\n") == missing
    assert (1, "", "outlook-emulator: No connection 'nobody' exists in this sandbox.\n") == nobody


def test_wait(sandbox: Sandbox, alice: Connection, say: Callable[..., Any]) -> None:
    """`mail wait` prints the newest match, a line per member, and exits with 1 after a timeout."""
    for subject in ("Code 1", "Code 2", "Nothing"):
        alice.deliver(subject=subject)
    order = ["mail", "wait", "--connection", alice.id, "--sandbox", sandbox.name, "--url", sandbox.server.url]
    result = say(*order, "--subject", "code", "--from", "stranger@example.org")
    failed = say(*order, "--subject", "password", "--timeout", "0")
    facts = dict(line.split(maxsplit=1) for line in result[1].splitlines())

    assert (0, "") == result[::2]
    assert ("stranger@example.org", "Code 2", "Inbox") == (facts["from"], facts["subject"], facts["folder"])
    assert (
        1,
        "",
        "outlook-emulator: 0 of 1 came in 0 seconds. The nearest miss differs in: subject.\n",
    ) == failed


def test_wait_sends_every_condition(stub: Stub, say: Callable[..., Any]) -> None:
    """Each condition is sent under the server's name for it, and --json prints the whole response."""
    stub.body = {"value": [{"id": "1"}, {"id": "2"}], "waitedSeconds": 0.0}
    many = ("--subject", "s", "--from", "f@x", "--recipient", "r@x", "--folder", "F", "--text", "t")
    asked = ("--connection", "c", "--url", stub.url, "--json")
    status, out, _ = say("mail", "wait", *many, "--newer-than", "7", "--count", "2", "--timeout", "1.5", *asked)

    assert (0, stub.body) == (status, json.loads(out))
    assert "POST /_emulator/api/sandboxes/default/wait" == stub.last().line
    assert {
        "connection": "c",
        "subject": "s",
        "from": "f@x",
        "recipient": "r@x",
        "folder": "F",
        "text": "t",
        "newerThan": "7",
        "count": 2,
        "timeoutSeconds": 1.5,
    } == stub.last().json


def test_outbox(sandbox: Sandbox, alice: Connection, say: Callable[..., Any]) -> None:
    """Each outbox mail is one line."""
    alice.send("carol@example.net", "Out\x1b[31m there")
    lines = say("outbox", "--sandbox", sandbox.name, "--url", sandbox.server.url)[1].splitlines()

    assert ["ID", "DEPARTED", "FROM", "TO", "SUBJECT"] == lines[0].split()
    assert lines[1].endswith("  alice@example.com  carol@example.net  Out [31m there")
    assert 2 == len(lines)
