"""Polls of the calendar triggers that pause: a change during a pause is in one poll, and in one alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import httpx
import pytest
from starlette.applications import Starlette

from outlook_emulator.app import create_app
from outlook_emulator.clock import VirtualClock
from outlook_emulator.mailbox import changes
from outlook_emulator.sandbox import feed_limit
from outlook_emulator.server import slices
from outlook_emulator.settings import Settings

ALICE = "/apim/outlook/alice"
TABLE = f"{ALICE}/datasets/calendars/v2/tables/Calendar"
SPAN = {"Start": "2026-03-04T09:10:00Z", "End": "2026-03-04T09:30:00Z"}
_MOST_PAUSES = 50
"""More than any of the polls has."""


class Case(NamedTuple):
    """A trigger, whether its events are updated after the first poll, and the change during the second poll.

    `early` are the items of both later polls if the change comes before the poll, `during` those if it comes meanwhile.
    """

    trigger: str
    updates: bool
    change: str
    early: tuple[set[str], set[str]]
    during: tuple[set[str], set[str]]


CHANGED, NEW = f"{TABLE}/onchangeditems", f"{TABLE}/onnewitems"
UPDATED = f"{TABLE}/onupdateditems"
UPCOMING = f"{ALICE}/v2/Events/OnUpcomingEvents?table=Calendar"
CASES = [
    Case(CHANGED, True, "delete", ({"updated", "deleted C"}, set()), ({"updated", "updated C"}, {"deleted C"})),
    Case(CHANGED, True, "update", ({"updated", "updated X"}, set()), ({"updated", "updated C"}, {"updated X"})),
    Case(CHANGED, False, "delete", ({"added"}, set()), ({"added", "added C"}, {"deleted C"})),
    Case(CHANGED, False, "create", ({"added", "added C", "added X"}, set()), ({"added", "added C"}, {"added X"})),
    Case(NEW, False, "delete", ({""}, set()), ({"", "C"}, set())),
    Case(NEW, False, "update", ({"", "X"}, set()), ({"", "C"}, set())),
    Case(NEW, False, "create", ({"", "C", "X"}, set()), ({"", "C"}, {"X"})),
    Case(UPDATED, True, "delete", ({""}, set()), ({"", "C"}, set())),
    Case(UPDATED, True, "update", ({"", "X"}, set()), ({"", "C"}, {"X"})),
    Case(UPCOMING, False, "delete", ({""}, set()), ({"", "C"}, set())),
    Case(UPCOMING, False, "update", ({"", "X"}, set()), ({"", "C"}, set())),
    Case(UPCOMING, False, "create", ({"", "C", "X"}, set()), ({"", "C"}, {"X"})),
]


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[Starlette]:
    """An app whose polls pause after each step."""
    monkeypatch.setattr(changes, "PAGE", 2)
    monkeypatch.setattr(slices, "SLICE", 0)
    yield (app := create_app(Settings(max_calls=0), VirtualClock(datetime(2026, 3, 4, 9, tzinfo=UTC))))
    app.state.sandboxes.close()


class Client(httpx.AsyncClient):
    """A client of an app on the same event loop."""

    def __init__(self, app: Starlette) -> None:
        super().__init__(
            transport=httpx.ASGITransport(app),
            base_url="http://x",
            headers={"Authorization": "Bearer x"},
            trust_env=False,
        )

    async def write(self, change: str, id: str, subject: str) -> str:
        """Create, update or delete an event; returns its id."""
        if change == "create":
            return str((await self.post(f"{TABLE}/items", json={"Subject": subject, **SPAN})).json()["Id"])
        if change == "update":
            answer = await self.patch(f"{TABLE}/items/{id}", json={"Subject": subject, **SPAN})
        else:
            answer = await self.delete(f"{ALICE}/datasets/calendars/tables/Calendar/items/{id}")
        answer.raise_for_status()
        return id


def named(answer: httpx.Response, last: str) -> set[str]:
    """What a poll has returned: the action, and the subject of the last event and of what was written meanwhile."""
    items = answer.json()["value"] if answer.status_code == 200 else []
    names = [
        (item.get("ActionType", ""), "C" if item["Subject"] is None and item["Id"] == last else item["Subject"])
        for item in items
    ]
    assert len(names) == len(set(names))
    return {f"{action} {name if name in ('C', 'X') else ''}".strip() for action, name in names}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.trigger.rpartition('/')[2][:14]}-{case.change}")
def test_a_change_during_a_poll(app: Starlette, case: Case) -> None:
    """Whenever it comes, the polls return each change once, and each event as it was at its poll."""

    async def polls(pauses: int) -> tuple[set[str], set[str]]:
        async with Client(app) as http:
            await http.post("/_emulator/api/sandboxes/default/reset")
            names = [f"{number}" for number in range(4)] + ["C"]
            ids = [await http.write("create", "", name) for name in names] if case.updates else []
            place = (await http.get(case.trigger)).headers["location"]
            if case.updates:
                ids = [await http.write("update", id, name) for id, name in zip(ids, names, strict=True)]
            else:
                ids = [await http.write("create", "", name) for name in names]
            poll = asyncio.create_task(http.get(place))
            for _ in range(pauses):
                await asyncio.sleep(0)
            await http.write(case.change, ids[-1], "X")
            first = await poll
            second = await http.get(first.headers["location"])
            return named(first, ids[-1]), named(second, ids[-1])

    results = [asyncio.run(polls(pauses)) for pauses in range(0, _MOST_PAUSES, 5)]

    assert case.early == results[0]
    assert case.during == results[-1]
    assert [] == [result for result in results if result not in (case.early, case.during)]


def test_changes_that_are_forgotten_meanwhile(app: Starlette, monkeypatch: pytest.MonkeyPatch) -> None:
    """A poll that needs a change that the feed has dropped meanwhile fails as one with an old state does."""

    async def poll() -> int:
        async with Client(app) as http:
            place = (await http.get(CHANGED)).headers["location"]
            ids = [await http.write("create", "", "C") for _ in range(5)]
            poll = asyncio.create_task(http.get(place))
            for _ in range(12):
                await asyncio.sleep(0)
            for number in range(3):
                await http.write("update", ids[-1], f"{number}")
            sandbox = app.state.sandboxes.default
            sandbox.use(Settings(change_feed_entries=1))
            feed_limit.trim(sandbox)
            return (await poll).status_code

    assert asyncio.run(poll()) == 400
