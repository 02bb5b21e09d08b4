"""Heavy requests to a sandbox: what each needs, and how it is sent.

Sizes are so large that work in one piece would clearly hold the loop for longer than a request may.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple
from urllib.parse import quote

import orjson

from outlook_emulator.clock import microseconds
from outlook_emulator.mailbox.calendar import event_store
from outlook_emulator.mailbox.event import EventFields, Rule
from outlook_emulator.mailbox.mail import delivery
from outlook_emulator.mailbox.mailbox import Mailbox
from outlook_emulator.mailbox.message import Address, Mail
from outlook_emulator.mailbox.recurrence import DAILY
from outlook_emulator.store import calendar as calendar_store
from tests.conftest import START
from tests.loop_lag import ADMIN, Caller

APIM = "/apim/outlook/me"
SANDBOX = f"{ADMIN}/sandboxes/default"
_VIEW = "/datasets/calendars/v2/tables/items/calendarview?calendarId=Calendar"
_FIVE_YEARS = f"{APIM}{_VIEW}&startDateTimeOffset=2026-03-01&endDateTimeOffset=2031-02-28"
_HOUR = 3_600_000_000
JSON = {"content-type": "application/json"}


class Heavy(NamedTuple):
    """A heavy request: `prepare` makes the state that it needs, `request` sends it and checks its answer."""

    name: str
    prepare: Callable[[Caller], Awaitable[Any]]
    request: Callable[[Caller, Any], Awaitable[None]]


async def nothing(caller: Caller) -> None:
    """The state of a request that needs none."""


def mailbox_of(caller: Caller) -> Mailbox:
    """The mailbox of the connection `me`."""
    sandbox, owner = caller.app.state.sandboxes.find("me")
    mailbox: Mailbox = sandbox.mailbox(owner)
    return mailbox


def mails(count: int, words: int = 20) -> Callable[[Caller], Awaitable[None]]:
    """Puts mails into the Inbox, which are not in the search index yet."""

    async def prepare(caller: Caller) -> None:
        mailbox = mailbox_of(caller)
        sender, owner = Address("eve@example.com", ""), Address(mailbox.owner.address, "")
        with mailbox.db.transaction():
            for number in range(count):
                body = " ".join(f"word{(number + place) % 5000}" for place in range(words))
                delivery.deliver(mailbox, Mail(sender=sender, to=(owner,), subject=f"Mail {number}", body=body))

    return prepare


def series(count: int) -> Callable[[Caller], Awaitable[None]]:
    """Puts daily series without an end into the calendar."""

    async def prepare(caller: Caller) -> None:
        mailbox = mailbox_of(caller)
        (calendar, *_) = calendar_store.calendars(mailbox.db, mailbox.owner.id)
        start = microseconds(START)
        with mailbox.db.transaction():
            for number in range(count):
                fields = EventFields(
                    subject=f"Series {number}", start=start, end=start + _HOUR, rule=Rule(DAILY, START.date())
                )
                event_store.insert(mailbox, calendar.id, fields)
        # The first view imports the calendar arithmetic.
        await caller.json("GET", f"{APIM}{_VIEW}&startDateTimeOffset=2026-03-01&endDateTimeOffset=2026-03-02")

    return prepare


def single_events(count: int) -> Callable[[Caller], Awaitable[None]]:
    """Puts single events into the calendar."""

    async def prepare(caller: Caller) -> None:
        mailbox = mailbox_of(caller)
        (calendar, *_) = calendar_store.calendars(mailbox.db, mailbox.owner.id)
        with mailbox.db.transaction():
            for number in range(count):
                start = microseconds(START) + number * _HOUR
                fields = EventFields(subject=f"Event {number}", start=start, end=start + _HOUR)
                event_store.insert(mailbox, calendar.id, fields)

    return prepare


def search(query: str, count: int | None = None) -> Callable[[Caller, Any], Awaitable[None]]:
    """Searches the Inbox; `count` is the number of mails that the answer must have."""

    async def request(caller: Caller, _: Any) -> None:
        answer = await caller.json("GET", f"{APIM}/v2/Mail?fetchOnlyUnread=false&searchQuery={quote(query)}")
        assert count in (None, len(answer["value"]))

    return request


def view(query: str, count: int) -> Callable[[Caller, Any], Awaitable[None]]:
    """Asks for five years of the calendar; `count` is the number of events that the answer must have."""

    async def request(caller: Caller, _: Any) -> None:
        assert count == len((await caller.json("GET", f"{_FIVE_YEARS}{query}"))["value"])

    return request


async def refused_view(caller: Caller, _: Any) -> None:
    answer = await caller.send("GET", _FIVE_YEARS)
    assert answer.status == 413
    assert b"more than 10000 events" in answer.body


async def all_events(caller: Caller, _: Any) -> None:
    path = f"{APIM}/datasets/calendars/v2/tables/Calendar/items?$orderby=Subject&$filter=contains(Subject,%27e%27)"
    assert len((await caller.json("GET", path))["value"]) == 5000


async def journal(caller: Caller) -> None:
    """Fills the journal with requests that have large bodies."""
    body = {"To": "nobody@example.com", "Subject": "Hello", "Body": "token " * 10_000}
    for _ in range(30):
        await caller.json("POST", f"{APIM}/v2/Mail", body)
    await caller.json("GET", f"{SANDBOX}/journal?limit=1")


async def read_journal(caller: Caller, _: Any) -> None:
    assert len((await caller.json("GET", f"{SANDBOX}/journal"))["value"]) > 30


async def query_journal(caller: Caller, _: Any) -> None:
    pattern = "*".join(["", *("token " for _ in range(9_000)), "none"])
    matches = await caller.json("POST", f"{SANDBOX}/journal/query", {"body": {"Body": pattern}})
    assert matches["count"] == 0


def rules(count: int) -> Callable[[Caller, Any], Awaitable[None]]:
    """Arms fault rules; more than a sandbox can have are refused."""

    async def request(caller: Caller, _: Any) -> None:
        plan = {"faults": [{"match": {"path": f"/v2/Mail*{n}"}, "effect": "throttled"} for n in range(count)]}
        if count <= 1000:
            await caller.json("POST", f"{SANDBOX}/faults", plan)
            return
        with_too_many = await caller.send("POST", f"{SANDBOX}/faults", orjson.dumps(plan), JSON)
        assert with_too_many.status == 409

    return request


async def one_rule(caller: Caller) -> None:
    """Reads a plan for the first time, which builds what reads it."""
    await caller.json("POST", f"{SANDBOX}/faults", {"faults": [{"effect": "throttled", "match": {"path": "/v2/Mail"}}]})
    await caller.json("DELETE", f"{SANDBOX}/faults")


def wait(**conditions: Any) -> Callable[[Caller, Any], Awaitable[None]]:
    """Waits for something that is not there."""

    async def request(caller: Caller, _: Any) -> None:
        order = orjson.dumps({"timeoutSeconds": 0, **conditions})
        answer = await caller.send("POST", f"{SANDBOX}/wait", order, JSON)
        assert answer.status == 408

    return request


def mails_and_a_wait(count: int) -> Callable[[Caller], Awaitable[None]]:
    """Puts mails into the Inbox, after a first wait, which builds what reads its order."""

    async def prepare(caller: Caller) -> None:
        await wait(subject="None")(caller, None)
        await mails(count)(caller)

    return prepare


HEAVY = (
    Heavy("first search of many mails", mails(1500), search("word42", 10)),
    Heavy("first search of a long mail", mails(1, 300_000), search("word42", 1)),
    Heavy("long phrase", mails(1500), search(f'"{"word1 " * 400}"', 0)),
    Heavy("many words", mails(1500), search(" OR ".join(f"word{n}" for n in range(250)), 10)),
    Heavy("prefixes", mails(1500), search(" ".join(f"w{'o' * (n % 2)}*" for n in range(60)), 0)),
    Heavy("view of one daily series", series(1), view("", 1825)),
    Heavy("first page of many daily series", series(1000), view("&$top=256", 256)),
    Heavy("view of too many events", series(20), refused_view),
    Heavy("ordered view", series(2), view("&$orderby=Subject%20desc&$top=5", 5)),
    Heavy("list of many events", single_events(5000), all_events),
    Heavy("journal of large bodies", journal, read_journal),
    Heavy("journal query with many stars", journal, query_journal),
    Heavy("as many fault rules as possible", one_rule, rules(1000)),
    Heavy("too many fault rules", one_rule, rules(10_000)),
    Heavy("wait over many mails", mails_and_a_wait(3000), wait(subject="None")),
    Heavy("wait for a text in many mails", mails_and_a_wait(3000), wait(text="None")),
)
