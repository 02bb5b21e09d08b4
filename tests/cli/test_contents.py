"""The commands that look into a mailbox: `mail list`, `mail show`, `events`, `contacts`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Connection, Sandbox

Look = Callable[..., tuple[int, list[str], str]]


@pytest.fixture
def look(sandbox: Sandbox, alice: Connection, say: Callable[..., Any]) -> Look:
    """Run a command on the mailbox of alice; its exit code, lines of output and error."""

    def run(*words: str) -> tuple[int, list[str], str]:
        where = ("--connection", alice.id, "--sandbox", sandbox.name, "--url", sandbox.server.url)
        status, out, error = say(*words, *where)
        return status, out.splitlines(), error

    return run


def deliver(alice: Connection, **mail: Any) -> None:
    sent = {"from": "bob@example.net", "to": "alice@example.com", "text": "Hello"} | mail
    answer = alice.api.post(f"/connections/{alice.id}/deliver", json=sent)
    assert answer.status_code == 201, answer.text


def test_a_list_of_mails(alice: Connection, look: Look) -> None:
    """Mails come newest first, read ones too, with their marks; the list marks nothing as read."""
    deliver(alice, subject="old", received="2026-01-02T03:04:05Z", isRead=True)
    file = {"Name": "a.txt", "ContentBytes": "aGk="}
    deliver(alice, subject="new", received="2026-01-03T03:04:05Z", isFlagged=True, attachments=[file])
    first, second = look("mail", "list"), look("mail", "list")

    assert first == second
    assert [
        ["N", "RECEIVED", "FROM", "SUBJECT", "MARKS"],
        ["1", "2026-01-03T03:04:05+00:00", "bob@example.net", "new", "unread,", "flagged,", "attachments"],
        ["2", "2026-01-02T03:04:05+00:00", "bob@example.net", "old", "-"],
    ] == [line.split() for line in first[1]]


@pytest.mark.parametrize(
    ("flags", "subjects"),
    [
        (["--unread"], ["b"]),
        (["--search", "subject:a"], ["a"]),
        (["--folder", "Inbox/Old"], ["c"]),
        (["--top", "1"], ["b"]),
        (["--skip", "1"], ["a"]),
    ],
)
def test_filters_of_mails(alice: Connection, look: Look, flags: list[str], subjects: list[str]) -> None:
    """A list can be narrowed by folder, search and unread mails, and be read in pages."""
    deliver(alice, subject="a", received="2026-01-02T00:00:00Z", isRead=True)
    deliver(alice, subject="b", received="2026-01-03T00:00:00Z")
    deliver(alice, subject="c", folder="Inbox/Old")
    status, lines, _ = look("mail", "list", *flags, "--json")

    assert (0, subjects) == (status, [mail["subject"] for mail in json.loads(lines[0])["value"]])


def test_numbers_go_on(alice: Connection, look: Look) -> None:
    """The numbers of a later page go on, so that `mail show` takes them."""
    for subject in "ab":
        deliver(alice, subject=subject, received=f"2026-01-0{1 + 'ab'.index(subject)}T00:00:00Z")

    assert ["2"] == [line.split()[0] for line in look("mail", "list", "--skip", "1")[1][1:]]
    assert "Subject     a" in look("mail", "show", "2")[1]
    assert "Subject     b" in look("mail", "show")[1]


def test_a_mail(alice: Connection, look: Look) -> None:
    """`mail show` prints headers, the text of the body, and attachments, those that the connector skips too."""
    files = [{"Name": name, "ContentBytes": "aGk="} for name in ("a.txt", "b.ics")]
    deliver(alice, subject="Hi", cc="c@example.net", html="<p>One</p><p>Two\x07</p>", attachments=files)
    status, lines, error = look("mail", "show")
    shown = dict(line.split(None, 1) for line in lines[: lines.index("")])

    assert (0, "") == (status, error)
    assert ("bob@example.net", "alice@example.com", "c@example.net") == (shown["From"], shown["To"], shown["Cc"])
    assert (
        "a.txt (text/plain, 2 bytes), b.ics (text/calendar, 2 bytes, not shown by the connector)"
        == (shown["Attachments"])
    )
    assert {"Subject": "Hi", "Folder": "Inbox", "Importance": "normal"}.items() <= shown.items()
    assert ["One", "Two"] == [line.strip() for line in lines[lines.index("") + 1 :] if line.strip()]


def test_forms_of_a_mail(alice: Connection, look: Look) -> None:
    """A mail can be printed as HTML, as a MIME message and as JSON, and be named by its id."""
    deliver(alice, subject="Hi", html="<p>One</p>")
    details = json.loads(look("mail", "show", "--json")[1][0])
    by_id = look("mail", "show", details["id"], "--html")[1]
    mime = look("mail", "show", "--mime")[1]

    assert ("Hi", "One", "Inbox") == (details["subject"], details["text"].strip(), details["folder"])
    assert any("<p>One</p>" in line for line in by_id)
    assert "Subject: Hi" in mime


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["mail", "show", "7"], "Inbox has no mail 7"),
        (["mail", "show", "1", "--folder", "Nowhere"], "Nowhere"),
        (["mail", "show", "0"], "Id is malformed. (message)"),
        (["mail", "list", "--top", "0"], "'top'"),
        (["events", "--since", "soon"], "'since'"),
        (["events", "--since", "2020-01-01", "--until", "2019-01-01"], "'until'"),
        (["contacts", "--folder", "Nowhere"], "Nowhere"),
    ],
)
def test_errors(look: Look, words: list[str], reason: str) -> None:
    """What cannot be shown exits with 1 and one line that says why."""
    status, lines, error = look(*words)

    assert (1, [], 1) == (status, lines, len(error.splitlines()))
    assert reason in error


def test_events(alice: Connection, look: Look) -> None:
    """`events` lists each series once, or with a time its occurrences."""
    event = {"Subject": "Daily", "Start": "2026-03-01T09:00:00", "End": "2026-03-01T09:30:00", "Recurrence": "Daily"}
    answer = alice.http.post(
        "/datasets/calendars/v2/tables/Calendar/items", json=event | {"NumberOfOccurrences": 3, "Location": "Mill Room"}
    )
    assert answer.status_code in (200, 201), answer.text
    all_events = look("events")[1]
    window = look("events", "--since", "2026-03-02T00:00:00Z", "--until", "2026-03-03T00:00:00Z")[1]

    assert ["START", "END", "SUBJECT", "LOCATION", "ATTENDEES"] == all_events[0].split()
    assert ["2026-03-01T09:00:00+00:00  2026-03-01T09:30:00+00:00  Daily (series)  Mill Room  -"] == all_events[1:]
    assert ["2026-03-02T09:00:00+00:00  2026-03-02T09:30:00+00:00  Daily    Mill Room  -"] == window[1:]


def test_contacts(alice: Connection, look: Look) -> None:
    """`contacts` lists names, addresses, companies and mobile numbers."""
    contact = {
        "GivenName": "Ada",
        "EmailAddresses": [{"Name": "A", "Address": "ada@example.com"}],
        "MobilePhone1": "42",
    }
    answer = alice.http.post("/datasets/contacts/tables/Contacts/items", json=contact)
    assert answer.status_code in (200, 201), answer.text

    assert [
        ["NAME", "MAIL", "COMPANY", "MOBILE"],
        ["Ada", "ada@example.com", "-", "42"],
    ] == [line.split() for line in look("contacts")[1]]


def test_looking_leaves_no_trace(alice: Connection, sandbox: Sandbox, look: Look) -> None:
    """Looking is in no journal and counts against no limit."""
    deliver(alice, subject="Hi")
    for words in (["mail", "list"], ["mail", "show"], ["events"], ["contacts"]):
        assert 0 == look(*words)[0]

    assert 0 == sandbox.api.get("/journal").json()["total"]
    assert [False] == [mail["IsRead"] for mail in alice.mails()]
