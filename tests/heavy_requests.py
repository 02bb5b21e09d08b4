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
from tests.loop_lag import ADMIN, Answer, Caller

APIM = "/apim/outlook/me"
SANDBOX = f"{ADMIN}/sandboxes/default"
_VIEW = "/datasets/calendars/v2/tables/items/calendarview?calendarId=Calendar"
_FIVE_YEARS = f"{APIM}{_VIEW}&startDateTimeOffset=2026-03-01&endDateTimeOffset=2031-02-28"
_ALL = f"{APIM}/datasets/calendars/v2/tables/Calendar/items?$orderby=Subject&$filter=contains(Subject,%27e%27)"
_HOUR = 3_600_000_000


class Heavy(NamedTuple):
    """A heavy request: `prepare` makes the state that it needs, `request` sends it, and `check` looks at its answer.

    `prepare` also sends a small request of the kind, since the first of each kind imports what it needs.
    """

    name: str
    prepare: Callable[[Caller], Awaitable[None]]
    request: Callable[[Caller], Awaitable[Answer]]
    check: Callable[[Answer], None]


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
        await caller.json("GET", _ALL)
        mailbox = mailbox_of(caller)
        (calendar, *_) = calendar_store.calendars(mailbox.db, mailbox.owner.id)
        with mailbox.db.transaction():
            for number in range(count):
                start = microseconds(START) + number * _HOUR
                fields = EventFields(subject=f"Event {number}", start=start, end=start + _HOUR)
                event_store.insert(mailbox, calendar.id, fields)

    return prepare


def get(path: str) -> Callable[[Caller], Awaitable[Answer]]:
    """Sends a GET."""
    return lambda caller: caller.send("GET", path)


def post(path: str, body: Any) -> Callable[[Caller], Awaitable[Answer]]:
    """Sends a POST with JSON."""
    content = orjson.dumps(body)
    return lambda caller: caller.send("POST", path, content, {"content-type": "application/json"})


def search(query: str) -> Callable[[Caller], Awaitable[Answer]]:
    """Searches the Inbox."""
    return get(f"{APIM}/v2/Mail?fetchOnlyUnread=false&searchQuery={quote(query)}")


def view(query: str = "") -> Callable[[Caller], Awaitable[Answer]]:
    """Asks for five years of the calendar."""
    return get(f"{_FIVE_YEARS}{query}")


def wait(**conditions: Any) -> Callable[[Caller], Awaitable[Answer]]:
    """Waits for something that is not there."""
    return post(f"{SANDBOX}/wait", {"timeoutSeconds": 0, **conditions})


def items(count: int) -> Callable[[Answer], None]:
    """The answer has so many items."""

    def check(answer: Answer) -> None:
        assert answer.status in (200, 201)
        assert len(answer.json["value"]) == count

    return check


def created(count: int) -> Callable[[Answer], None]:
    """The answer is a new sandbox with so many connections."""

    def check(answer: Answer) -> None:
        assert answer.status == 201
        assert len(answer.json["connections"]) == count

    return check


def refused(status: int, text: str) -> Callable[[Answer], None]:
    """The answer is an error that says so."""

    def check(answer: Answer) -> None:
        assert answer.status == status
        assert text in answer.json["message"]

    return check


async def one_sandbox(caller: Caller) -> None:
    """Creates a first sandbox."""
    await caller.json("POST", f"{ADMIN}/sandboxes", {"name": "first", "connections": [{"id": "first"}]})


async def journal(caller: Caller) -> None:
    """Fills the journal with requests that have large bodies."""
    body = {"To": "nobody@example.com", "Subject": "Hello", "Body": "token " * 10_000}
    for _ in range(30):
        await caller.json("POST", f"{APIM}/v2/Mail", body)
    await caller.json("GET", f"{SANDBOX}/journal?limit=1")
    await caller.json("POST", f"{SANDBOX}/journal/query", {"limit": 1, "body": {"Subject": "None"}})


def plan(count: int) -> dict[str, Any]:
    """A plan of fault rules."""
    return {"faults": [{"match": {"path": f"/v2/Mail*{number}"}, "effect": "throttled"} for number in range(count)]}


async def one_rule(caller: Caller) -> None:
    """Reads a plan for the first time, which builds what reads it."""
    await caller.json("POST", f"{SANDBOX}/faults", {"faults": [{"effect": "throttled", "match": {"path": "/v2/Mail"}}]})
    await caller.json("DELETE", f"{SANDBOX}/faults")


def mails_and_a_wait(count: int) -> Callable[[Caller], Awaitable[None]]:
    """Puts mails into the Inbox, after a first wait, which builds what reads its order."""

    async def prepare(caller: Caller) -> None:
        await wait(subject="None")(caller)
        await mails(count)(caller)

    return prepare


_STARS = "*".join(["", *("token " for _ in range(9000)), "none"])
_SANDBOX_OF_MANY = {"name": "many", "connections": [{"id": f"c{number}"} for number in range(500)]}
HEAVY = (
    Heavy("first search of many mails", mails(1500), search("word42"), items(10)),
    Heavy("first search of a long mail", mails(1, 300_000), search("word42"), items(1)),
    Heavy("long phrase", mails(1500), search(f'"{"word1 " * 400}"'), items(0)),
    Heavy("many words", mails(1500), search(" OR ".join(f"word{n}" for n in range(250))), items(10)),
    Heavy("prefixes", mails(1500), search(" ".join(f"w{'o' * (n % 2)}*" for n in range(60))), items(10)),
    Heavy("many negations", mails(1), search("NOT " * 12_000 + "word1"), refused(400, "more than 2500 words")),
    Heavy("view of one daily series", series(1), view(), items(1824)),
    Heavy("first page of many daily series", series(1000), view("&$top=256"), items(256)),
    Heavy("view of too many events", series(20), view(), refused(413, "more than 10000 events")),
    Heavy("ordered view", series(2), view("&$orderby=Subject%20desc&$top=5"), items(5)),
    Heavy("list of many events", single_events(5000), get(_ALL), items(5000)),
    Heavy("journal of large bodies", journal, get(f"{SANDBOX}/journal"), items(31)),
    Heavy(
        "journal query with many stars",
        journal,
        post(f"{SANDBOX}/journal/query", {"body": {"Body": _STARS}}),
        items(0),
    ),
    Heavy("as many fault rules as possible", one_rule, post(f"{SANDBOX}/faults", plan(1000)), items(1000)),
    Heavy("too many fault rules", one_rule, post(f"{SANDBOX}/faults", plan(10_000)), refused(409, "at most 1000")),
    Heavy("sandbox of many connections", one_sandbox, post(f"{ADMIN}/sandboxes", _SANDBOX_OF_MANY), created(500)),
    Heavy("wait over many mails", mails_and_a_wait(3000), wait(subject="None"), refused(408, "0 of 1")),
    Heavy("wait for a text in many mails", mails_and_a_wait(3000), wait(text="None"), refused(408, "0 of 1")),
)
