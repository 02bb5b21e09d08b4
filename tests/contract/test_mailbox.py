"""A mailbox as a check uses it: calls by operation, comparisons, waiting, and removing what a run created."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from outlook_contract import mailbox as module
from outlook_contract.mailbox import Mailbox, Report, Unexpected
from outlook_contract.targets import Party
from outlook_contract.transport import Access, Pace
from outlook_emulator.testing import Connection, Server

MARKER = "contract-test"


@pytest.fixture
def connection() -> Iterator[Connection]:
    with Server.in_process() as server, server.sandbox("mailbox") as sandbox:
        yield sandbox.connect("own")


def opened(connection: Connection, **options: Any) -> Mailbox:
    server = connection.sandbox.server
    access = Access(connection.url, lambda: f"Bearer {server.credential}")
    settings: dict[str, Any] = {"microsoft": False, "read_only": False, "patience": 0, **options}
    return Mailbox(Party(access, connection.address, server.transport), MARKER, Pace(0), Report(), **settings)


@pytest.fixture
def mailbox(connection: Connection) -> Iterator[Mailbox]:
    own = opened(connection)
    yield own
    own.close()


def members(mailbox: Mailbox) -> list[tuple[str, str, str, str]]:
    return [tuple(drift[:4]) for drift in mailbox.report.drifts]  # type: ignore[misc]


def send(mailbox: Mailbox, subject: str) -> None:
    mailbox.ok("SendEmailV2", {"To": mailbox.address, "Subject": subject, "Body": "<p>Hi</p>"})


def test_call(mailbox: Mailbox) -> None:
    """A call has the names of the definition, `$` left out; what passes is recorded by operation."""
    mailbox.ok("V3CalendarGetItems", table="Calendar", top=1, filter="Subject eq 'x'")
    (exchange,) = mailbox.transport.exchanges

    assert "V3CalendarGetItems" == exchange.operation
    assert {"$top": "1", "$filter": "Subject eq 'x'"} == dict(httpx.URL(exchange.url).params)
    assert {"V3CalendarGetItems": {200}} == mailbox.report.statuses
    assert [] == members(mailbox)


def test_unknown_parameter(mailbox: Mailbox) -> None:
    """A mistake in a check is an error of the check."""
    with pytest.raises(TypeError, match="GetEmail has no parameter id; it has messageId"):
        mailbox.call("GetEmail", id="x")


def test_success_is_demanded(mailbox: Mailbox) -> None:
    """`ok` records the refusal of a call and ends the check."""
    with pytest.raises(Unexpected, match="400"):
        mailbox.ok("GetEmail", messageId="nope")
    ((operation, member, expected, seen),) = members(mailbox)

    assert ("GetEmail", "status", "success") == (operation, member, expected)
    assert seen.startswith("400")


def test_refusal_is_demanded(mailbox: Mailbox) -> None:
    """`refused` compares the status, and the code where the status fits."""
    mailbox.refused("GetEmail", 400, messageId="nope", code="ErrorInvalidIdMalformed")
    assert [] == members(mailbox)
    mailbox.refused("GetEmail", 404, messageId="nope", code="ErrorItemNotFound")
    mailbox.refused("GetEmail", 400, messageId="nope", code="ErrorItemNotFound")

    assert [
        ("GetEmail", "status", "404", "400"),
        ("GetEmail", "error.code", "ErrorItemNotFound", "ErrorInvalidIdMalformed"),
    ] == members(mailbox)


@pytest.mark.parametrize(("seen", "expected"), [(1, True), ("1", 1), (None, ""), ([], None), (0.0, 0)])
def test_equal_compares_types(mailbox: Mailbox, seen: Any, expected: Any) -> None:
    """A number is no word, and nothing is no empty text."""
    assert not mailbox.equal("GetEmail", "Importance", seen, expected)
    assert mailbox.equal("GetEmail", "Importance", expected, expected)
    assert 1 == len(members(mailbox))


def test_members(mailbox: Mailbox) -> None:
    """Only the members that are expected are compared; one that is not there differs."""
    mailbox.members("GetEmail", "value[]", {"A": 1, "B": 2, "C": 3}, {"A": 1, "B": 3, "D": None})

    assert [("GetEmail", "value[].B", "3", "2"), ("GetEmail", "value[].D", "null", "(missing)")] == members(mailbox)


def test_holds(mailbox: Mailbox) -> None:
    """A statement that is false is recorded in words."""
    assert mailbox.holds("GetEmail", "Id", "abc", "short", True)
    assert not mailbox.holds("GetEmail", "Id", "abc", "starts with x", False)
    assert [("GetEmail", "Id", "starts with x", "abc")] == members(mailbox)


def test_request_without_credential(mailbox: Mailbox) -> None:
    """`raw` sends what no operation allows."""
    exchange = mailbox.raw("GET", "/testconnection", headers={"Authorization": "none"})

    assert 401 == exchange.status


class Time:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def monotonic(self) -> float:
        return self.now


def looks(results: list[Any]) -> Callable[[], Any]:
    return lambda: results.pop(0)


def test_waiting(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look is repeated with growing pauses, until there is something or the patience ends."""
    clock = Time()
    monkeypatch.setattr(module, "time", clock)
    mailbox = opened(connection, patience=20)

    assert "there" == mailbox.until("It", looks([None, [], "there"]))
    assert 3.0 == clock.now
    with pytest.raises(Unexpected, match="It did not appear within 20 seconds"):
        mailbox.until("It", looks([None] * 20))
    assert 20 <= clock.now - 3 < 40
    mailbox.close()


def test_no_patience(mailbox: Mailbox) -> None:
    """An emulator gets one look."""
    left = [None, "late"]
    with pytest.raises(Unexpected):
        mailbox.until("It", looks(left))
    assert ["late"] == left


def test_clean_up(mailbox: Mailbox, connection: Connection) -> None:
    """What carries the marker goes, wherever it is, and nothing else does."""
    for subject in ("Mine", mailbox.name("Sent"), mailbox.name("Deleted"), mailbox.name("Archived")):
        send(mailbox, subject)
    mailbox.ok("DeleteEmail", messageId=mailbox.mail(mailbox.name("Deleted"))["Id"])
    mailbox.ok("Move", messageId=mailbox.mail(mailbox.name("Archived"))["Id"], folderPath="Archive")
    for name in ("Mine", mailbox.name("Event")):
        times = {"Start": "2026-03-04T10:00:00Z", "End": "2026-03-04T11:00:00Z"}
        mailbox.ok("CalendarPostItem", {"Subject": name, **times}, table="Calendar")
        mailbox.ok("ContactPostItem", {"GivenName": name, "HomePhones": []}, table="Contacts")
    # A mail counts twice: it goes to Deleted Items, and then from there.
    number = mailbox.clean_up()

    assert (13, 0) == (number, mailbox.clean_up())
    assert [["Mine"], ["Mine"], [], []] == [
        [mail["Subject"] for mail in connection.mails(folder)]
        for folder in ("Inbox", "SentItems", "Archive", "DeletedItems")
    ]
    events = mailbox.ok("CalendarGetItems", table="Calendar")["value"]
    contacts = mailbox.ok("ContactGetItems", table="Contacts")["value"]
    assert [["Mine"], ["Mine"]] == [
        [event["Subject"] for event in events],
        [contact["GivenName"] for contact in contacts],
    ]


def test_clean_up_reads_every_page(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """However short a page is, everything is found."""
    monkeypatch.setattr(module, "_PAGE", 2)
    for _ in range(5):
        mailbox.ok("ContactPostItem", {"GivenName": mailbox.name("Ann"), "HomePhones": []}, table="Contacts")

    assert (5, 0) == (mailbox.clean_up(), mailbox.clean_up())


def test_clean_up_of_a_run_that_only_reads(connection: Connection) -> None:
    """A run that changes nothing has nothing to remove, and sends nothing."""
    mailbox = opened(connection, read_only=True)

    assert (0, []) == (mailbox.clean_up(), mailbox.transport.exchanges)
    mailbox.close()


def test_subscriptions_are_deleted_once(mailbox: Mailbox) -> None:
    """A subscription goes at the URL that its creation named."""
    location = f"{mailbox.url}/MailSubscription/nothing"
    mailbox.remember_subscription(location)
    mailbox.clean_up()
    mailbox.clean_up()
    deleted = [exchange.url for exchange in mailbox.transport.exchanges if exchange.method == "DELETE"]

    assert [location] == deleted
