"""Prints the measurements: ratios to a bare route, scaling, limits and journal, waits, fixtures, start-up, layers."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import orjson

from benchmarks.client import Request, connect, exchange, fetch, rate
from benchmarks.layers import layers
from benchmarks.plugin import plugin
from benchmarks.requests import BELOW, LIST, MAIL, POLL, SEND
from benchmarks.running import Running, on_second_core, running
from benchmarks.traffic import traffic
from benchmarks.waits import waits

SMALL, LARGE = 100, 100_000
ROUNDS, SECONDS = 5, 1.0
TURNS, TURN = 60, 50
_FIRST = f"{BELOW}/Mail"
_EVERY = "fetchOnlyUnread=false"
READS = {
    "list 10": LIST,
    "from=": Request("GET", f"{MAIL}?{_EVERY}&from=person3@example.com&top=3"),
    "subjectFilter=": Request("GET", f"{MAIL}?{_EVERY}&subjectFilter=zeppelin&top=3"),
    "importance=High": Request("GET", f"{MAIL}?{_EVERY}&importance=High&top=5"),
    "with attachment": Request("GET", f"{MAIL}?{_EVERY}&fetchOnlyWithAttachment=true&top=2"),
    "flagged": Request("GET", f"{MAIL}?{_EVERY}&fetchOnlyFlagged=true&top=5"),
    "search, rare word": Request("GET", f"{MAIL}?{_EVERY}&searchQuery=zeppelin"),
    "search, common word": Request("GET", f"{MAIL}?{_EVERY}&searchQuery=quarterly"),
    "search, NOT": Request("GET", f"{MAIL}?{_EVERY}&searchQuery=NOT%20subject:zeppelin"),
    "page 5 (V1)": Request("GET", f"{_FIRST}?{_EVERY}&skip=40&top=10"),
    "two filters, few hits": Request("GET", f"{MAIL}?{_EVERY}&fetchOnlyFlagged=true&importance=High&top=1"),
}
BOUNDED = {
    "from= without a hit": Request("GET", f"{MAIL}?{_EVERY}&from=nobody@example.com"),
    "two filters without a hit": Request("GET", f"{MAIL}?{_EVERY}&fetchOnlyFlagged=true&importance=Low"),
    "phrase without a hit": Request("GET", f"{MAIL}?{_EVERY}&searchQuery=%22figures%20quarterly%22"),
}
"""Reads that examine more in a large mailbox: 250 mails instead of 100, or every mail with a word."""


_EVENTS = f"{BELOW}/datasets/calendars/v3/tables/Calendar/items"
_CONTACTS = f"{BELOW}/datasets/contacts/tables/Contacts/items?$top=10&$filter="
_VIEW = f"{BELOW}/datasets/calendars/v2/tables/items/calendarview?calendarId=Calendar"
FEW, MANY = 100, 10_000
ITEM_READS = {
    "a week's view": Request("GET", f"{_VIEW}&startDateTimeOffset=2026-03-02&endDateTimeOffset=2026-03-09"),
    "contacts by surname": Request("GET", f"{_CONTACTS}Surname%20eq%20'Zeppelin'"),
    "contacts by start of name": Request("GET", f"{_CONTACTS}startswith(Surname,'Zep')"),
    "contacts by address": Request(
        "GET", f"{_CONTACTS}EmailAddresses/any(e:%20e/Address%20eq%20'zeppelin@example.com')"
    ),
    "events of a day": Request(
        "GET", f"{_EVENTS}?$top=10&$filter=Start%20ge%20'2026-03-02'%20and%20Start%20lt%20'2026-03-03'"
    ),
}
CREATE = Request(
    "POST",
    _EVENTS,
    orjson.dumps({"Subject": "Review", "Start": "2031-03-04T10:00:00Z", "End": "2031-03-04T11:00:00Z"}),
)


def compare(name: str, server: Running, request: Request, other: Running, other_request: Request) -> None:
    """Print the ratio of two rates, measured alternately so that a change of the machine's load affects both."""
    pairs = [(rate(server.port, request, SECONDS), rate(other.port, other_request, SECONDS)) for _ in range(ROUNDS)]
    ratio = statistics.median(measured / reference for measured, reference in pairs)
    measured, reference = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"  {name:28} {ratio:6.2f}   ({measured:8.0f}/s against {reference:8.0f}/s)")


def ratios(small: Running, large: Running) -> None:
    print(f"Ratio to a bare Starlette route that returns the same bytes (median of {ROUNDS} rounds):")
    with running("bare", "-", fetch(small.port, LIST)) as bare, running("emulator", str(SMALL)) as keeping:
        compare("list 10 mails", small, LIST, bare, Request("GET", "/"))
        compare("... the same again", keeping, LIST, bare, Request("GET", "/"))
        compare(f"list 10 of {LARGE:,} mails", large, LIST, bare, Request("GET", "/"))
    with running("bare", "-") as bare:
        compare("send to one recipient", small, SEND, bare, Request("POST", "/", SEND.body))
        compare("... with 100,000 mails", large, SEND, bare, Request("POST", "/", SEND.body))
        with TemporaryDirectory() as folder, running("stored", folder) as stored:
            for server in (small, large):
                server.wait_until_idle()
            compare("... with --data", stored, SEND, bare, Request("POST", "/", SEND.body))
            spread(
                {
                    "list": (small, LIST),
                    "send": (small, SEND),
                    "--data": (stored, SEND),
                    "a bare route": (bare, Request("GET", "/")),
                }
            )


def spread(requests: dict[str, tuple[Running, Request]]) -> None:
    """Print how much longer the slowest hundredth of the requests takes than one in the middle.

    In turns, since other processes slow all servers down alike, the bare route as well. The processor time leaves out
    how long a server waits for its core, but not that it then finds the caches empty.
    """
    times: dict[str, list[float]] = {name: [] for name in requests}
    costs: dict[str, list[float]] = {name: [] for name in requests}
    with ExitStack() as stack:
        connections = {name: stack.enter_context(connect(server.port)) for name, (server, _) in requests.items()}
        for _ in range(TURNS):
            for name, (server, request) in requests.items():
                for _ in range(TURN):
                    used, start = server.cpu_seconds(), time.perf_counter()
                    exchange(connections[name], request)
                    times[name].append(time.perf_counter() - start)
                    costs[name].append(server.cpu_seconds() - used)
    print("Slow responses, as the 99th percentile to the median of a client that sends one request at a time:")
    for name in requests:
        print(f"  {name:28} {_spread(times[name])}   processor time {_spread(costs[name])}")


def _spread(values: list[float]) -> str:
    median, slow = statistics.median(values), statistics.quantiles(values, n=100)[98]
    return f"{slow / median:6.2f}   ({slow * 1e6:8.0f} µs to {median * 1e6:8.0f} µs)"


def flatness(small: Running, large: Running) -> None:
    print(f"A mailbox of {LARGE:,} mails, as a ratio to one of {SMALL} (1.00 is no difference):")
    for name, request in READS.items():
        compare(name, large, request, small, request)
    print("Reads that cost more in a large mailbox; the code says why:")
    for name, request in BOUNDED.items():
        compare(name, large, request, small, request)
    compare("skip 90 % (V1)", large, _deep(LARGE), small, _deep(SMALL))


def polls(small: Running, large: Running) -> None:
    """A trigger's poll without new mails, whose cost must not depend on the size of the mailbox."""
    few, many = (_next_poll(server) for server in (small, large))
    print(f"A trigger's poll without new mails, as a ratio to a bare route, and {LARGE:,} mails to {SMALL}:")
    with running("bare", "-") as bare:
        compare("poll without new mails", small, few, bare, Request("GET", "/"))
        compare(f"... in {LARGE:,} mails", large, many, bare, Request("GET", "/"))
    compare("poll without new mails", large, many, small, few)


def _next_poll(server: Running) -> Request:
    """The request of the second poll: the address that the first response contains."""
    with closing(HTTPConnection("127.0.0.1", server.port)) as connection:
        connection.request(POLL.method, POLL.path, headers={"Authorization": "Bearer bench"})
        location = urlsplit(connection.getresponse().headers["location"])
    return Request("GET", f"{location.path}?{location.query}")


def items() -> None:
    """Calendars and contacts: ratios to a bare route, and of ten thousand items to a hundred."""
    with running("items", str(FEW)) as few, running("items", str(MANY)) as many:
        print(f"Calendars and contacts, {MANY:,} of each, as a ratio to a bare route with the same bytes:")
        for name, request in ITEM_READS.items():
            with running("bare", "-", fetch(many.port, request)) as bare:
                compare(name, many, request, bare, Request("GET", "/"))
        with running("bare", "-", fetch(many.port, CREATE)) as bare:
            compare("create an event", many, CREATE, bare, Request("POST", "/", CREATE.body))
        print(f"... and as a ratio to {FEW} of each (1.00 is no difference):")
        for name, request in ITEM_READS.items():
            compare(name, many, request, few, request)
        compare("create an event", many, CREATE, few, CREATE)
    with running("live", str(MANY)) as live, running("items", str(FEW)) as few:
        view = ITEM_READS["a week's view"]
        print(f"A week with {MANY // 50} series, as a ratio to a week with 2:")
        compare("a week's view", live, view, few, view)


def _deep(size: int) -> Request:
    return Request("GET", f"{_FIRST}?{_EVERY}&skip={size * 9 // 10}&top=10")


def fresh_sandbox(server: Running) -> None:
    """Create a sandbox with 20 mails and send one request, over HTTP to a running server."""
    times = []
    mail = {"from": "a@example.com", "subject": "Hello", "text": "Hello"}
    with connect(server.port) as connection:
        for index in range(100):
            order = {"name": f"b{index}", "connections": [{"id": f"b{index}", "mails": [mail] * 20}]}
            create = Request("POST", "/_emulator/api/sandboxes", orjson.dumps(order))
            start = time.perf_counter()
            exchange(connection, create)
            exchange(connection, Request("GET", f"/apim/outlook/b{index}/v2/Mail"))
            times.append(time.perf_counter() - start)
            exchange(connection, Request("DELETE", f"/_emulator/api/sandboxes/b{index}"))
    print(f"A new sandbox with 20 mails and one request: {statistics.median(times) * 1000:.1f} ms (median of 100)")


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
    with running("forgetful", str(SMALL)) as small, running("forgetful", str(LARGE)) as large:
        ratios(small, large)
        flatness(small, large)
        polls(small, large)
        fresh_sandbox(small)
    items()
    traffic()
    waits()
    plugin()
    start_up()
    layers()


if __name__ == "__main__":
    main()
