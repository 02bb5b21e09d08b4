"""What open waits of the admin API cost a send, with few and with many mails in the sandbox.

Run it alone with `python -m benchmarks.waits`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import orjson

from benchmarks.client import Request, connect, exchange
from benchmarks.requests import SEND
from benchmarks.running import Running, on_second_core, running

MAILS = (0, 3000)
WAITS = (0, 10, 200)
GOAL = 1.2
WARM_UP, MOST, SECONDS = 200, 500, 10.0
"""Sends before the measurement, and at most so many sends or seconds for each row."""
_WAIT = "/_emulator/api/sandboxes/default/wait"
_LONGEST = 60
_PAUSE = 0.2


def waits() -> None:
    """Print the processor time of a send with open waits, and its ratio to one without them."""
    print(f"The processor time of a send while waits are open (goal with {WAITS[-1]}: at most {GOAL}):")
    for mails in MAILS:
        with running("emulator", str(mails)) as server:
            _measure(server, WARM_UP)
            alone = None
            for count in WAITS:
                with _open(server, count):
                    cost = _measure(server, MOST)
                alone = alone or cost
                print(f"  {mails:5} mails, {count:3} waits {cost:10.1f} µs   ratio {cost / alone:8.3f}")


@contextmanager
def _open(server: Running, count: int) -> Iterator[None]:
    """Open waits for mails that do not come, and let the server read what is there."""
    with ExitStack() as sockets:
        for number in range(count):
            order = orjson.dumps({"subject": f"code {number}!", "timeoutSeconds": _LONGEST})
            waiting = sockets.enter_context(connect(server.port))
            waiting.sendall(Request("POST", _WAIT, order).to_bytes())
        _settle(server)
        yield
    _settle(server)


def _settle(server: Running) -> None:
    """Wait until the server has little to do: even an idle one looks at the time now and then."""
    busy = True
    while busy:
        used = server.cpu_seconds()
        time.sleep(_PAUSE)
        busy = server.cpu_seconds() - used > _PAUSE / 20


def _measure(server: Running, most: int) -> float:
    """The processor time of one send, in microseconds."""
    sent, begin, start = 0, time.perf_counter(), server.cpu_seconds()
    with connect(server.port) as connection:
        while sent < most and time.perf_counter() - begin < SECONDS:
            exchange(connection, SEND)
            sent += 1
    return (server.cpu_seconds() - start) / sent * 1e6


if __name__ == "__main__":
    on_second_core()
    waits()
