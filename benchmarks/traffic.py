"""What limits and the journal add to a request that no limit refuses, over HTTP and in process.

Run alone with `python -m benchmarks.traffic`.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from benchmarks.calls import LIST, SEND, TABLES, TEST
from benchmarks.client import Call, answers
from benchmarks.running import Running, on_second_core, running
from benchmarks.server import emulator, unwatched
from benchmarks.straight import straight

CALLS = {"list 10 mails": LIST, "send to one recipient": SEND, "list calendars": TABLES, "test connection": TEST}
MAILS = 100
ALLOWED = 1.15
ROUNDS, SECONDS, BATCH = 31, 0.2, 200
FILLING = 3000
"""How many calls go ahead, so that the journal is full and each entry has to make room for itself."""
Measure = Callable[[], float]
"""Makes a call many times and says how long the processor works for one of them, in microseconds.

The clock on the wall would count whoever else wants the processor as well.
"""


def traffic() -> None:
    """Print what a request costs with limits and a journal, against one without either."""
    print("A request with limits and journal, against one without, by the time the processor works for it")
    print(f"(median of {ROUNDS} rounds; goal: at most {ALLOWED}), over HTTP:")
    with running("emulator", str(MAILS)) as watched, running("unwatched", str(MAILS)) as other:
        for name, call in CALLS.items():
            _compare(name, _over_http(watched, call), _over_http(other, call))
    print("... and in process:")
    apps = emulator(MAILS), unwatched(MAILS)
    for name, call in CALLS.items():
        _compare(name, *(_in_process(app, call) for app in apps))


def _over_http(server: Running, call: Call) -> Measure:
    filled = 0
    while filled < FILLING:
        filled += answers(server.port, call, SECONDS)[0]

    def measure() -> float:
        start = server.worked()
        done, _ = answers(server.port, call, SECONDS)
        return (server.worked() - start) / done * 1e6

    return measure


def _in_process(app: Any, call: Call) -> Measure:
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
    traffic()
