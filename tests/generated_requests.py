"""Sends generated requests to every operation for as long as you like: no server error, and no slow response.

`python -m tests.generated_requests [SECONDS]` goes through the operations of the connector and of the admin API, again
and again, with other requests each time, and prints how many it sent and how long the slowest took. It stops at the
first failure and shows its request. The test suite runs a few of them, the same ones each time.
"""

from __future__ import annotations

import itertools
import logging
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from outlook_emulator.operations import OPERATIONS
from outlook_emulator.server.admin.routes import ADMIN, ROOT
from tests.server import test_fuzz

_EACH = 4
"""How many requests an operation gets in each round."""


class Run:
    """The requests so far: how many, which statuses they got, and the slowest."""

    def __init__(self) -> None:
        self.count = 0
        self.statuses: set[int] = set()
        self.slowest = (0.0, "")

    def send(self, app: Any, base: str, case: Any) -> None:
        test_fuzz._hasten(case)
        started = time.process_time()
        status = test_fuzz.answered(app, case, base)
        took = time.process_time() - started
        self.count += 1
        self.statuses.add(status)
        self.slowest = max(self.slowest, (took, f"{case.method} {case.path}"))
        sandbox = app.state.sandboxes.default
        sandbox.traffic.faults.clear()
        if base == ROOT:
            # A request may have set limits, or filled the sandbox.
            app.state.sandboxes.reset("default")


def main(seconds: float = 60) -> None:
    # A generator of requests that is not used up warns.
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    run, end = Run(), time.monotonic() + seconds
    connector, admin = test_fuzz.connector_document(), test_fuzz.admin_document()
    operations = [(connector, "/apim/outlook", row.full_path, row.method) for row in OPERATIONS]
    operations += [(admin, ROOT, row.path, row.method) for row in ADMIN]
    for number in itertools.count():
        # In another order each time, since a round takes minutes.
        Random(number).shuffle(operations)
        for app in test_fuzz.running():
            for document, base, path, method in operations:
                if time.monotonic() > end:
                    took, what = run.slowest
                    print(f"{run.count} requests, statuses {sorted(run.statuses)}")
                    print(f"the slowest took {took * 1000:.0f} ms of processor time: {what}")
                    return
                _check(partial(run.send, app, base), test_fuzz.requests(document, path, method), number)


def _check(send: Callable[[Any], None], requests: Any, number: int) -> None:
    quiet = list(HealthCheck)

    @seed(number)
    @settings(max_examples=_EACH, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=quiet)
    @given(requests)
    def check(case: Any) -> None:
        send(case)

    check()


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]))
