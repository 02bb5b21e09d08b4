"""The cost of limits and journal for a request within the limits, over HTTP and in process.

Run it alone with `python -m benchmarks.traffic`.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from benchmarks.client import Request, count_responses
from benchmarks.in_process import repeated
from benchmarks.requests import LIST, SEND, TABLES, TEST
from benchmarks.running import Running, on_second_core, running
from benchmarks.server import emulator, without_traffic

REQUESTS = {"list 10 mails": LIST, "send to one recipient": SEND, "list calendars": TABLES, "test connection": TEST}
MAILS = 100
GOAL = 1.15
ROUNDS, SECONDS, BATCH = 31, 0.2, 200
WARM_UP = 3000
"""The number of requests before the measurement: the journal is full then, and each entry replaces another."""
Measure = Callable[[], float]
"""Sends a request many times and returns the processor time of one, in microseconds.

Wall-clock time would include other processes.
"""


def traffic() -> None:
    """Print the cost of a request with limits and journal, as a ratio to one without them."""
    print("The processor time of a request with limits and journal, as a ratio to one without,")
    print(f"over HTTP (median of {ROUNDS} rounds; goal: at most {GOAL}):")
    with running("emulator", str(MAILS)) as normal, running("without_traffic", str(MAILS)) as other:
        for name, request in REQUESTS.items():
            _compare(name, _over_http(normal, request), _over_http(other, request))
    print("... and in process:")
    apps = emulator(MAILS), without_traffic(MAILS)
    for name, request in REQUESTS.items():
        _compare(name, *(_in_process(app, request) for app in apps))


def _over_http(server: Running, request: Request) -> Measure:
    sent = 0
    while sent < WARM_UP:
        sent += count_responses(server.port, request, SECONDS)[0]

    def measure() -> float:
        start = server.cpu_seconds()
        count, _ = count_responses(server.port, request, SECONDS)
        return (server.cpu_seconds() - start) / count * 1e6

    return measure


def _in_process(app: Any, request: Request) -> Measure:
    repeated(app, request, WARM_UP)()
    batch = repeated(app, request, BATCH)

    def measure() -> float:
        start = time.process_time()
        batch()
        return (time.process_time() - start) / BATCH * 1e6

    return measure


def _compare(name: str, normal: Measure, other: Measure) -> None:
    """Print two costs and their ratio, measured alternately so that a change of the machine's load affects both."""
    pairs = [(normal(), other()) for _ in range(ROUNDS)]
    ratio = statistics.median(cost / reference for cost, reference in pairs)
    cost, reference = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"  {name:28} {ratio:6.3f}   ({cost:6.1f} µs against {reference:6.1f} µs)")


if __name__ == "__main__":
    on_second_core()
    traffic()
