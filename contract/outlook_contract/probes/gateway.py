"""What the gateway in front of the connector answers: routes, credentials, headers and the rate limit."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from typing import Any

from outlook_contract.exchange import Exchange
from outlook_contract.mailbox import CALENDAR, CONTACTS
from outlook_contract.probes.probe import Need, probe
from outlook_contract.probes.probe_run import ProbeRun
from outlook_contract.suite.events import create, day, viewed
from outlook_contract.transport import Pace

_OF_SERVERS = frozenset(
    {"date", "server", "connection", "content-length", "transfer-encoding", "content-encoding", "keep-alive", "via"}
)
"""Headers that every server sets as it likes."""
_LIMIT = 300
_HALF = 150
_REFUSED = 100
_PAUSE = 25
_AT_ONCE, _CONCURRENT = 40, 30
_LONGEST = 60.0


@probe(
    13,
    "gateway-refusals",
    "What do unknown paths, wrong methods, missing and wrong credentials and foreign connections answer?",
    settles=("unknown-route", "missing-credential", "unknown-connection", "slashes-in-paths"),
    reads=True,
)
def gateway_refusals(run: ProbeRun) -> None:
    """Sends requests that no operation has, and requests without the right to send them."""
    for path in ("/nothing", "/v9/Mail", "/datasets/nothing/tables", "/Mail/Flag", "/"):
        exchange = run.mailbox.raw("GET", path)
        run.respond(f"GET {path}", exchange, "unknown-route", headers=("Content-Type",))
    wrong = run.mailbox.raw("GET", "/codeless/api/v2.0/me/messages/nope/forward")
    run.respond("GET where only POST is", wrong, "unknown-route", headers=("Allow", "Content-Type"))
    for path in ("/testconnection/", "//testconnection", "/datasets//contacts/tables", "/v2/Mail/"):
        run.respond(f"GET {path}", run.mailbox.raw("GET", path), "slashes-in-paths")
    for about, authorization in (
        ("no credential", "none"),
        ("a credential of another scheme", "Basic d3Jvbmc6d3Jvbmc="),
        ("a wrong key", "Key wrong"),
        ("a wrong token", "Bearer wrong"),
    ):
        exchange = run.mailbox.raw("GET", "/testconnection", extensions={"authorization": authorization})
        # An emulator may have been started so that it takes any key and token.
        if not exchange.is_success or run.sandbox is None:
            headers = ("WWW-Authenticate", "Content-Type")
            run.respond(about, exchange, "missing-credential", headers=headers)
    other = run.mailbox.url.rpartition("/")[0] + "/00000000000000000000000000000000/testconnection"
    run.respond("the connection of somebody else", run.mailbox.follow(other), "unknown-connection")


@probe(
    22,
    "headers-and-ids",
    "Which headers do responses have, in which order are members, and what do ids look like?",
    settles=(
        *("standing-headers", "id-calendars", "id-contacts", "id-occurrences", "id-conversations"),
        *("internet-message-id", "event-change-key", "id-folder-part", "source-host"),
    ),
    needs=(Need.ADDRESS,),
)
def headers_and_ids(run: ProbeRun) -> None:
    """Creates an item of each kind, and reads it."""
    mail = run.to_self("mail")
    event = create(run.mailbox, run.text("event"), day(18), Recurrence="Daily", NumberOfOccurrences=2)
    contact = run.mailbox.ok("ContactPostItem", {"GivenName": run.name("contact"), "HomePhones": []}, table=CONTACTS)
    reads: dict[str, Exchange] = {
        "TestConnection": run.mailbox.call("TestConnection"),
        "GetEmail": run.mailbox.call("GetEmail", messageId=mail["Id"]),
        "GetEmailsV2": run.mailbox.call("GetEmailsV2", top=1, fetchOnlyUnread=False),
        "V2CalendarGetItem": run.mailbox.call("V2CalendarGetItem", table=CALENDAR, id=event["Id"]),
        "ContactGetItem": run.mailbox.call("ContactGetItem", table=CONTACTS, id=contact["Id"]),
        "CalendarGetTables": run.mailbox.call("CalendarGetTables"),
        "GetDataSets": run.mailbox.call("GetDataSets"),
        "a refusal": run.mailbox.call("GetEmail", messageId="nope"),
    }
    for about, exchange in reads.items():
        names = sorted({name.lower() for name in exchange.headers} - _OF_SERVERS)
        run.record(f"{about}: headers", {"status": exchange.status, "names": names}, "standing-headers")
        body = exchange.json()
        if isinstance(body, dict):
            run.record(f"{about}: order of members", list(body))
    source = str((reads["a refusal"].json() or {}).get("source", ""))
    run.record("the source of a refusal", source, "source-host")
    _ids(run, mail, event, contact)


def _ids(run: ProbeRun, mail: dict[str, Any], event: dict[str, Any], contact: dict[str, Any]) -> None:
    tables = run.mailbox.ok("CalendarGetTables")["value"]
    folders = run.mailbox.ok("ContactGetTables")["value"]
    occurrences = [item for item in viewed(run.mailbox, day(17), day(20)) if run.mine(item["Subject"]) == "event"]
    change_key = run.mailbox.ok("CalendarGetItem", table=CALENDAR, id=event["Id"])["ChangeKey"]
    ids = {
        "the id of a mail": (mail["Id"], ()),
        "the id of a conversation": (mail["ConversationId"], ("id-conversations",)),
        "the id of an event": (event["Id"], ()),
        "the id of an occurrence": (occurrences[0]["Id"] if occurrences else "", ("id-occurrences",)),
        "the id of a contact": (contact["Id"], ("id-contacts",)),
        "the id of a calendar": (tables[0]["Name"] if tables else "", ("id-calendars",)),
        "the id of a folder of contacts": (folders[0]["Name"] if folders else "", ("id-calendars",)),
        "the change key of a contact": (contact.get("ChangeKey") or "", ()),
    }
    for about, (id, deviations) in ids.items():
        # The start is the same in all mailboxes; what follows names one of them.
        run.record(f"form of {about}", {"characters": len(id), "start": id[:4]}, *deviations)
    # The only one that begins with what names the mailbox.
    run.record("form of the change key of an event", {"characters": len(change_key)}, "event-change-key")
    local, _, host = mail["InternetMessageId"].strip("<>").partition("@")
    shown = {"characters before the @": len(local), "end of the host": ".".join(host.split(".")[-3:])}
    run.record("InternetMessageId", shown, "internet-message-id")
    moved = run.mailbox.ok("Move", messageId=mail["Id"], folderPath="Archive")
    same = next((n for n, pair in enumerate(zip(moved["Id"], mail["Id"], strict=False)) if pair[0] != pair[1]), None)
    run.record("a move changes the part of the id for the folder", same is not None and same < 110, "id-folder-part")


@probe(
    21,
    "throttling",
    "What does a call too many answer, does the window slide, do refused calls count, and do 40 at once pass?",
    settles=("rate-limit-exact", "refused-calls"),
    heavy=True,
)
def throttling(run: ProbeRun) -> None:
    """Makes calls until one is refused, waits as long as it says, counts how many are let in, and sends 40 at once."""
    # A whole window without calls comes first, so that earlier ones do not count.
    with _impatient(run):
        run.wait(61)
        first = _calls(run, _HALF)
        run.record("calls that are refused at first", sum(exchange.status == 429 for exchange in first))
        run.wait(_PAUSE)
        second = _calls(run, _LIMIT)
        refused = [exchange for exchange in second if exchange.status == 429]
        allowed = len(first) + len(second) - len(refused)
        run.record("calls that are allowed, rounded to 50", _rounded(allowed), "rate-limit-exact")
        if not refused:
            return
        body = refused[0].json() or {}
        seconds = str(refused[0].headers.get("retry-after", ""))
        answer = {
            "status": refused[0].status,
            "members": list(body),
            "statusCode": body.get("statusCode"),
            "message": str(body.get("message")).replace(f" {seconds} ", " N "),
            "Retry-After": "seconds" if seconds.isdigit() else seconds,
        }
        run.record("a call too many", answer)
        run.record("Retry-After, rounded to 10 seconds", round(int(seconds or 0), -1), "rate-limit-exact")
        _calls(run, _REFUSED)
        run.wait(int(seconds or 60) + 1)
        third = [exchange.status for exchange in _calls(run, _LIMIT)]
        run.record("calls allowed after Retry-After, rounded to 50", _rounded(third.count(200)), "refused-calls")
        run.wait(61)
        statuses = _at_once(run)
        run.record("statuses of calls at once", sorted(set(statuses)))
        run.record("calls at once that pass, rounded to 10", round(statuses.count(200), -1))


@contextmanager
def _impatient(run: ProbeRun) -> Iterator[None]:
    """Without pauses and repetitions; an emulator has the connector's limit, and a clock that stands still."""
    transport = run.mailbox.transport
    pace, transport.pace, transport.patient = transport.pace, Pace(0), False
    limits = run.sandbox.limits() if run.sandbox else {}
    before = {name: limits.get(name) for name in ("calls", "concurrentRequests")}
    if run.sandbox is not None:
        run.sandbox.limits(calls=_LIMIT, concurrentRequests=_CONCURRENT)
        run.sandbox.clock.freeze()
    try:
        yield
    finally:
        transport.pace, transport.patient = pace, True
        if run.sandbox is not None:
            run.sandbox.limits(**before)
            run.sandbox.clock.follow()


def _calls(run: ProbeRun, number: int) -> list[Exchange]:
    return [run.mailbox.call("TestConnection") for _ in range(number)]


def _at_once(run: ProbeRun) -> list[int]:
    """The statuses of calls that do not wait for each other. An emulator is so quick that it has to hold them."""
    url = f"{run.mailbox.url}/testconnection"
    if run.sandbox is not None:
        run.sandbox.faults.add(operation="TestConnection", times=_CONCURRENT, delay="1m", delay_by="clock")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        calls = [pool.submit(run.mailbox.http.get, url) for _ in range(_AT_ONCE)]
        if run.sandbox is not None:
            refused = as_completed(calls, timeout=_LONGEST)
            for _ in range(_AT_ONCE - _CONCURRENT):
                next(refused)
            run.wait(61)
        return [call.result().status_code for call in calls]


def _rounded(number: int) -> int:
    return round(number / 50) * 50
