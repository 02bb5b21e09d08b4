"""Prints the speed figures: ratios to a bare route, flatness, limits and journal, test fixtures, start-up, layers."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from benchmarks.calls import BELOW, LIST, MAIL, SEND
from benchmarks.client import Call, ask, connect, fetch, rate
from benchmarks.layers import layers
from benchmarks.plugin import plugin
from benchmarks.running import Running, on_second_core, running
from benchmarks.traffic import traffic

SMALL, LARGE = 100, 100_000
ROUNDS, SECONDS = 5, 1.0
_FIRST = f"{BELOW}/Mail"
_EVERY = "fetchOnlyUnread=false"
POLL = Call("GET", f"{MAIL}/OnNewEmail?folderPath=Inbox&importance=Any")
READS = {
    "list 10": LIST,
    "from=": Call("GET", f"{MAIL}?{_EVERY}&from=person3@example.com&top=3"),
    "subjectFilter=": Call("GET", f"{MAIL}?{_EVERY}&subjectFilter=zeppelin&top=3"),
    "importance=High": Call("GET", f"{MAIL}?{_EVERY}&importance=High&top=5"),
    "with attachment": Call("GET", f"{MAIL}?{_EVERY}&fetchOnlyWithAttachment=true&top=2"),
    "flagged": Call("GET", f"{MAIL}?{_EVERY}&fetchOnlyFlagged=true&top=5"),
    "search, rare word": Call("GET", f"{MAIL}?{_EVERY}&searchQuery=zeppelin"),
    "search, common word": Call("GET", f"{MAIL}?{_EVERY}&searchQuery=quarterly"),
    "search, NOT": Call("GET", f"{MAIL}?{_EVERY}&searchQuery=NOT%20subject:zeppelin"),
    "page 5 (V1)": Call("GET", f"{_FIRST}?{_EVERY}&skip=40&top=10"),
    "two filters, few hits": Call("GET", f"{MAIL}?{_EVERY}&fetchOnlyFlagged=true&importance=High&top=1"),
}
BOUNDED = {
    "from= without a hit": Call("GET", f"{MAIL}?{_EVERY}&from=nobody@example.com"),
    "two filters without a hit": Call("GET", f"{MAIL}?{_EVERY}&fetchOnlyFlagged=true&importance=Low"),
    "phrase without a hit": Call("GET", f"{MAIL}?{_EVERY}&searchQuery=%22figures%20quarterly%22"),
}
"""Reads that look at more in a large mailbox: at 250 mails instead of 100, or at every mail with a word."""


_EVENTS = f"{BELOW}/datasets/calendars/v3/tables/Calendar/items"
_CONTACTS = f"{BELOW}/datasets/contacts/tables/Contacts/items?$top=10&$filter="
_VIEW = f"{BELOW}/datasets/calendars/v2/tables/items/calendarview?calendarId=Calendar"
FEW, MANY = 100, 10_000
ITEM_READS = {
    "a week's view": Call("GET", f"{_VIEW}&startDateTimeOffset=2026-03-02&endDateTimeOffset=2026-03-09"),
    "contacts by surname": Call("GET", f"{_CONTACTS}Surname%20eq%20'Zeppelin'"),
    "contacts by start of name": Call("GET", f"{_CONTACTS}startswith(Surname,'Zep')"),
    "contacts by address": Call("GET", f"{_CONTACTS}EmailAddresses/any(e:%20e/Address%20eq%20'zeppelin@example.com')"),
    "events of a day": Call(
        "GET", f"{_EVENTS}?$top=10&$filter=Start%20ge%20'2026-03-02'%20and%20Start%20lt%20'2026-03-03'"
    ),
}
CREATE = Call(
    "POST",
    _EVENTS,
    orjson.dumps({"Subject": "Review", "Start": "2031-03-04T10:00:00Z", "End": "2031-03-04T11:00:00Z"}),
)


def compare(name: str, one: Running, call: Call, other: Running, other_call: Call) -> None:
    """Print the ratio of two rates, measured in turns so that a change of the machine's mood hits both."""
    pairs = [(rate(one.port, call, SECONDS), rate(other.port, other_call, SECONDS)) for _ in range(ROUNDS)]
    ratio = statistics.median(mine / theirs for mine, theirs in pairs)
    mine, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"  {name:28} {ratio:6.2f}   ({mine:8.0f}/s against {theirs:8.0f}/s)")


def ratios(small: Running, large: Running) -> None:
    print(f"Against a bare Starlette route that returns the same bytes (median of {ROUNDS} rounds):")
    with running("bare", "-", fetch(small.port, LIST)) as bare:
        compare("list 10 mails", small, LIST, bare, Call("GET", "/"))
        compare(f"list 10 of {LARGE:,} mails", large, LIST, bare, Call("GET", "/"))
    with running("bare", "-") as bare:
        compare("send to one recipient", small, SEND, bare, Call("POST", "/", SEND.body))
        compare("... beside 100,000 mails", large, SEND, bare, Call("POST", "/", SEND.body))


def flatness(small: Running, large: Running) -> None:
    print(f"A mailbox of {LARGE:,} mails against one of {SMALL} (1.00 is flat):")
    for name, call in READS.items():
        compare(name, large, call, small, call)
    print("Not flat, and why stands beside them in the code:")
    for name, call in BOUNDED.items():
        compare(name, large, call, small, call)
    compare("skip 90 % (V1)", large, _deep(LARGE), small, _deep(SMALL))


def polls(small: Running, large: Running) -> None:
    """A poll with nothing new costs what it costs, however much lies in the mailbox."""
    few, many = (_next_poll(one) for one in (small, large))
    print(f"A trigger's poll with nothing new, against a bare route that is as silent, and {LARGE:,} against {SMALL}:")
    with running("bare", "-") as bare:
        compare("poll with nothing new", small, few, bare, Call("GET", "/"))
        compare(f"... in {LARGE:,} mails", large, many, bare, Call("GET", "/"))
    compare("poll with nothing new", large, many, small, few)


def _next_poll(server: Running) -> Call:
    """What an engine asks after its first poll: the address that it was given for that."""
    with closing(HTTPConnection("127.0.0.1", server.port)) as one:
        one.request(POLL.method, POLL.path, headers={"Authorization": "Bearer bench"})
        location = urlsplit(one.getresponse().headers["location"])
    return Call("GET", f"{location.path}?{location.query}")


def items() -> None:
    """Calendars and contacts: ratios to a bare route, and a hundred items against ten thousand."""
    with running("items", str(FEW)) as few, running("items", str(MANY)) as many:
        print(f"Calendars and contacts, {MANY:,} of each, against a bare route with the same bytes:")
        for name, call in ITEM_READS.items():
            with running("bare", "-", fetch(many.port, call)) as bare:
                compare(name, many, call, bare, Call("GET", "/"))
        with running("bare", "-", fetch(many.port, CREATE)) as bare:
            compare("create an event", many, CREATE, bare, Call("POST", "/", CREATE.body))
        print(f"... and against {FEW} of each (1.00 is flat):")
        for name, call in ITEM_READS.items():
            compare(name, many, call, few, call)
        compare("create an event", many, CREATE, few, CREATE)
    with running("live", str(MANY)) as live, running("items", str(FEW)) as few:
        view = ITEM_READS["a week's view"]
        print(f"Not flat: {MANY // 50} series that all occur in the week, against 2.")
        compare("a week's view", live, view, few, view)


def _deep(size: int) -> Call:
    return Call("GET", f"{_FIRST}?{_EVERY}&skip={size * 9 // 10}&top=10")


def fresh_sandbox(server: Running) -> None:
    """A sandbox, 20 mails into it, one call, over HTTP on a server that is up."""
    times = []
    mail = {"from": "a@example.com", "subject": "Hello", "text": "Hello"}
    with connect(server.port) as one:
        for index in range(100):
            order = {"name": f"b{index}", "connections": [{"id": f"b{index}", "mails": [mail] * 20}]}
            create = Call("POST", "/_emulator/api/sandboxes", orjson.dumps(order))
            start = time.perf_counter()
            ask(one, create)
            ask(one, Call("GET", f"/apim/outlook/b{index}/v2/Mail"))
            times.append(time.perf_counter() - start)
            ask(one, Call("DELETE", f"/_emulator/api/sandboxes/b{index}"))
    print(f"A fresh sandbox with 20 mails and one call: {statistics.median(times) * 1000:.1f} ms (median of 100)")


def start_up() -> None:
    times, memory = [], []
    for _ in range(7):
        start = time.perf_counter()
        command = [sys.executable, "-m", "outlook_emulator", "serve", "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            times.append(time.perf_counter() - start)
            status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            memory.append(next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024)
            process.terminate()
    print(f"From process start to ready: {statistics.median(times):.2f} s; idle memory {max(memory):.0f} MB")


def main() -> None:
    on_second_core()
    with running("emulator", str(SMALL)) as small, running("emulator", str(LARGE)) as large:
        ratios(small, large)
        flatness(small, large)
        polls(small, large)
        fresh_sandbox(small)
    items()
    traffic()
    plugin()
    start_up()
    layers()


if __name__ == "__main__":
    main()
