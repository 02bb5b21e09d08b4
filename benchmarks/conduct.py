"""What limits and the journal add to a request that no limit refuses, over HTTP and in process.

Run alone with `python -m benchmarks.conduct`.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from benchmarks.calls import LIST, SEND, TABLES, TEST
from benchmarks.client import Call, rate
from benchmarks.running import on_second_core, running
from benchmarks.server import emulator, unwatched
from benchmarks.straight import straight

CALLS = {"list 10 mails": LIST, "send to one recipient": SEND, "list calendars": TABLES, "test connection": TEST}
MAILS = 100
ALLOWED = 1.15
ROUNDS, SECONDS, BATCH = 31, 0.2, 200
FILLING = 3000
"""How many calls go ahead, so that the journal is full and each entry has to make room for itself."""
Measure = Callable[[], float]
"""Makes a call many times and says what one of them costs, in microseconds."""


def conduct() -> None:
    """Print what a request costs with limits and a journal, against one without either."""
    print(
        f"A request with limits and journal, against one without (median of {ROUNDS} rounds; goal: at most {ALLOWED}):"
    )
    with running("emulator", str(MAILS)) as watched, running("unwatched", str(MAILS)) as other:
        for name, call in CALLS.items():
            _compare(name, _over_http(watched.port, call), _over_http(other.port, call))
    print("... in process, with no network to share the cost:")
    apps = emulator(MAILS), unwatched(MAILS)
    for name, call in CALLS.items():
        _compare(name, *(_in_process(app, call) for app in apps))


def _over_http(port: int, call: Call) -> Measure:
    rate(port, call, FILLING / 2000)
    return lambda: 1e6 / rate(port, call, SECONDS)


def _in_process(app: Any, call: Call) -> Measure:
    """By the time that the processor works, since others may want it as well."""
    straight(app, call, FILLING)()
    batch = straight(app, call, BATCH)

    def measure() -> float:
        start = time.process_time()
        batch()
        return (time.process_time() - start) / BATCH * 1e6

    return measure


def _compare(name: str, watched: Measure, other: Measure) -> None:
    """Print two costs and their ratio, measured in turns so that a change of the machine's mood hits both."""
    pairs = [(watched(), other()) for _ in range(ROUNDS)]
    ratio = statistics.median(mine / theirs for mine, theirs in pairs)
    mine, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"  {name:28} {ratio:6.3f}   ({mine:6.1f} µs against {theirs:6.1f} µs)")


if __name__ == "__main__":
    on_second_core()
    conduct()
