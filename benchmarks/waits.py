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
WARM_UP, ROUNDS, BATCH, SECONDS = 200, 7, 100, 10.0
"""Sends before the measurement; batches of sends for each row, the fastest of which counts; and seconds at most."""
_WAIT = "/_emulator/api/sandboxes/default/wait"
_LONGEST = 60
_PAUSE = 0.2


def waits() -> None:
    """Print the processor time of a send with open waits, and its ratio to one without them."""
    print(f"The processor time of a send while waits are open (goal with {WAITS[-1]}: at most {GOAL}):")
    for mails in MAILS:
        with running("emulator", str(mails)) as server:
            _measure(server, 1, WARM_UP)
            alone = None
            for count in WAITS:
                with _open(server, count):
                    cost = _measure(server, ROUNDS, BATCH)
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


def _measure(server: Running, rounds: int, batch: int) -> float:
    """The processor time of one send in the fastest batch, in microseconds."""
    costs: list[float] = []
    begin = time.perf_counter()
    with connect(server.port) as connection:
        while len(costs) < rounds and time.perf_counter() - begin < SECONDS:
            sent, start = 0, server.cpu_seconds()
            while sent < batch and time.perf_counter() - begin < SECONDS:
                exchange(connection, SEND)
                sent += 1
            costs.append((server.cpu_seconds() - start) / sent * 1e6)
    return min(costs)


if __name__ == "__main__":
    on_second_core()
    waits()
