"""Every trigger, used like a workflow engine: with the Swagger document and the responses alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import httpx
import pytest

from tests.conftest import Connection, Sandbox
from tests.stub import Stub

MENTION = '<a href="mailto:alice@example.com">@Alice</a> please look'


class Described(NamedTuple):
    """An operation of the Swagger document; `notified_by` is the operation that subscribes to its pokes, if any."""

    method: str
    path: str
    query: dict[str, str]
    notified_by: str | None


def in_ten_minutes(alice: Connection) -> str:
    now = datetime.fromisoformat(alice.api.get("/clock").json()["now"])
    return (now + timedelta(minutes=10)).strftime("%Y-%m-%dT%H:%M:00Z")


def deliver_mail(alice: Connection, subject: str) -> str:
    """Deliver a mail that fires every mail trigger, and return its id."""
    id: str = alice.deliver(subject=subject, html=MENTION, is_flagged=True)["Id"]
    return id


def flag_mail(alice: Connection, subject: str) -> str:
    id: str = alice.deliver(subject=subject)["Id"]
    alice.post(f"/Mail/Flag/{id}")
    return id


def create_event(alice: Connection, subject: str) -> str:
    id: str = alice.meet(subject, in_ten_minutes(alice))["Id"]
    return id


def change_event(alice: Connection, subject: str) -> str:
    id = create_event(alice, "Before")
    alice.change(id, Subject=subject)
    return id


Cause = Callable[[Connection, str], str]
TRIGGERS: dict[str, tuple[Cause, str | None]] = {
    "OnNewEmail": (deliver_mail, None),
    "OnNewEmailV2": (deliver_mail, "CreateOnNewEmailPokeSubscription"),
    "OnNewMentionMeEmail": (deliver_mail, None),
    "OnNewMentionMeEmailV2": (deliver_mail, "CreateOnNewMentionMeEmailPokeSubscription"),
    "OnFlaggedEmail": (flag_mail, None),
    "OnFlaggedEmailV2": (flag_mail, "CreateOnFlaggedEmailPokeSubscription"),
    "CalendarGetOnNewItems": (create_event, None),
    "CalendarGetOnNewItemsV2": (create_event, None),
    "ODataStyleGetOnNewItems": (create_event, None),
    "CalendarGetOnUpdatedItems": (change_event, None),
    "CalendarGetOnUpdatedItemsV2": (change_event, None),
    "ODataStyleCalendarGetOnUpdatedItems": (change_event, None),
    "CalendarGetOnChangedItems": (create_event, None),
    "CalendarGetOnChangedItemsV2": (create_event, "CreateOnChangedEventPokeSubscription"),
    "OnUpcomingEvents": (create_event, None),
    "OnUpcomingEventsV2": (create_event, None),
}
"""The action that fires each trigger, and the operation that subscribes to its pokes."""


@pytest.fixture(scope="module")
def described(server: Any) -> dict[str, Described]:
    """The operations by id, with the query parameters that a designer fills in by default."""
    operations = {}
    for path, methods in server.http.get("/_emulator/api/swagger.json").json()["paths"].items():
        for method, operation in methods.items():
            parameters = [entry for entry in operation.get("parameters", ()) if entry["in"] == "query"]
            query = {entry["name"]: str(entry["default"]) for entry in parameters if "default" in entry}
            query |= {entry["name"]: "Calendar" for entry in parameters if entry["name"] == "table"}
            filled = (
                path.removeprefix("/{connectionId}").replace("{table}", "Calendar").replace("{dataset}", "calendars")
            )
            notified_by = operation.get("x-ms-notification", {}).get("operationId")
            operations[operation["operationId"]] = Described(method.upper(), filled, query, notified_by)
    return operations


class Engine:
    """A workflow's trigger, whose only state is the URL to poll next."""

    def __init__(self, alice: Connection, trigger: Described) -> None:
        self._http = alice.http
        self._next = ""
        assert self._poll(trigger.path, trigger.query) == []

    def poll(self) -> list[tuple[str, str]]:
        """Return the ids and subjects of the new items."""
        return [(item["Id"], item["Subject"]) for item in self._poll(self._next)]

    def _poll(self, url: str, query: dict[str, str] | None = None) -> list[dict[str, Any]]:
        answer = self._http.get(url, params=query)
        self._next = answer.headers["Location"]
        assert self._next.startswith("http://")
        assert int(answer.headers["Retry-After"]) > 0
        if answer.status_code == 202:
            assert answer.content == b""
            return []
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"].startswith("application/json")
        items: list[dict[str, Any]] = answer.json()["value"]
        assert items
        return items


def count_pokes(sandbox: Sandbox, listener: Stub) -> int:
    """Deliver the pokes that are due and return the total number; every poke has an empty body."""
    sandbox.advance()
    assert {request.body for request in listener.requests} <= {b""}
    return len(listener.requests)


def test_table_has_every_trigger(server: Any, described: dict[str, Described]) -> None:
    document = server.http.get("/_emulator/api/swagger.json").json()
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]

    assert {row["operationId"] for row in operations if "x-ms-trigger" in row} == set(TRIGGERS)
    assert {id: described[id].notified_by for id in TRIGGERS} == {id: by for id, (_, by) in TRIGGERS.items()}


@pytest.mark.parametrize("id", [id for id, (_, by) in TRIGGERS.items() if by is None])
def test_polled_trigger(alice: Connection, described: dict[str, Described], id: str) -> None:
    """A polling engine starts at the trigger's path and continues at the URL of the last Location header."""
    cause, _ = TRIGGERS[id]
    cause(alice, "Too early")
    engine = Engine(alice, described[id])
    early = engine.poll()
    id_of_ping = cause(alice, "Ping")

    # An event that existed before may still be about to start.
    assert [subject for _, subject in early] == (["Too early"] if "Upcoming" in id else [])
    assert engine.poll() == [(id_of_ping, "Ping")]
    assert engine.poll() == []


@pytest.mark.parametrize("id", [id for id, (_, by) in TRIGGERS.items() if by is not None])
def test_poked_trigger(
    sandbox: Sandbox, alice: Connection, listener: Stub, described: dict[str, Described], id: str
) -> None:
    """A subscribed engine polls after each poke, renews its subscription within the hour, and unsubscribes."""
    cause, _ = TRIGGERS[id]
    trigger = described[id]
    engine = Engine(alice, trigger)
    subscribe = described[trigger.notified_by or ""]
    order = {"NotificationUrl": f"{listener.url}/run?code=a%2Fb"}
    known = {name: value for name, value in trigger.query.items() if name in subscribe.query}
    created = alice.http.request(subscribe.method, subscribe.path, params=known, json=order)

    assert created.status_code == 201, created.text
    assert created.json()["renewInterval"] == "PT1H"
    assert count_pokes(sandbox, listener) == 0
    address = created.headers["Location"]

    first = cause(alice, "Ping")
    poke = listener.wait()[0]
    assert (poke.path, poke.body) == ("/run?code=a%2Fb", b"")
    assert engine.poll() == [(first, "Ping")]
    assert engine.poll() == []

    sandbox.advance("59m")
    renewed = alice.http.patch(address, json=order)
    assert (renewed.status_code, renewed.json()["id"]) == (200, created.json()["id"])
    sandbox.advance("59m")
    before = count_pokes(sandbox, listener)
    second = cause(alice, "Pong")
    listener.wait(before + 1)
    assert engine.poll() == [(second, "Pong")]

    ended: httpx.Response = alice.http.delete(address)
    assert (ended.status_code, ended.content) == (200, b"")
    before = count_pokes(sandbox, listener)
    third = cause(alice, "Unheard")
    assert count_pokes(sandbox, listener) == before
    assert engine.poll() == [(third, "Unheard")]
