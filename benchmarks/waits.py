"""What open waits of the admin API cost a send, with few and with many mails in the sandbox.

Run it alone with `python -m benchmarks.waits`.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from statistics import median

import orjson

from benchmarks.client import Request, connect, exchange
from benchmarks.requests import SEND
from benchmarks.running import Running, on_second_core, running

MAILS = (0, 3000)
WAITS = (0, 10, 200)
GOAL = 1.2
WARM_UP, ROUNDS, BATCH = 200, 15, 50
"""Sends before the measurement, and rounds in which each server gets a batch of sends."""
_WAIT = "/_emulator/api/sandboxes/default/wait"
_LONGEST = 60
_PAUSE = 0.2


def waits() -> None:
    """Print the processor time of a send with open waits, and its ratio to one without them.

    The servers take turns, since the speed of a machine changes from second to second.
    """
    print(f"The processor time of a send while waits are open (goal with {WAITS[-1]}: at most {GOAL}):")
    for mails in MAILS:
        with ExitStack() as stack:
            servers = [stack.enter_context(running("emulator", str(mails))) for _ in WAITS]
            for server, count in zip(servers, WAITS, strict=True):
                _measure(server, WARM_UP)
                _open(stack, server, count)
            rounds = [[_measure(server, BATCH) for server in servers] for _ in range(ROUNDS)]
        for number, count in enumerate(WAITS):
            cost = median(costs[number] for costs in rounds)
            ratio = median(costs[number] / costs[0] for costs in rounds)
            print(f"  {mails:5} mails, {count:3} waits {cost:10.1f} µs   ratio {ratio:8.3f}")


def _open(stack: ExitStack, server: Running, count: int) -> None:
    """Open waits for mails that do not come, and let the server read what is there."""
    for number in range(count):
        order = orjson.dumps({"subject": f"code {number}!", "timeoutSeconds": _LONGEST})
        waiting = stack.enter_context(connect(server.port))
        waiting.sendall(Request("POST", _WAIT, order).to_bytes())
    # Even an idle server looks at the time now and then.
    busy = True
    while busy:
        used = server.cpu_seconds()
        time.sleep(_PAUSE)
        busy = server.cpu_seconds() - used > _PAUSE / 20


def _measure(server: Running, sends: int) -> float:
    """The processor time of one send, in microseconds."""
    with connect(server.port) as connection:
        start = server.cpu_seconds()
        for _ in range(sends):
            exchange(connection, SEND)
    return (server.cpu_seconds() - start) / sends * 1e6


if __name__ == "__main__":
    on_second_core()
    waits()
