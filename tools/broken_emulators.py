"""Runs the contract suite against every broken emulator of `tests/contract/broken`, and writes which checks caught it.

`python -m tools.broken_emulators` (or `make broken-emulators`) runs for each of them what `make contract` runs, which
takes half an hour and more. Words select the broken emulators whose names contain one of them; the rows of the others
stay. It fails if one is not caught.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from queue import SimpleQueue

from outlook_contract import cli
from tests.contract.broken.runner import Outcome, Runner
from tests.contract.broken.swap import Swap
from tests.contract.broken.swaps import CAUGHT_FILE, SWAPS, Check, caught, write_caught
from tools import docs_tables

_LEFT_OUT = frozenset({"model", "operations", "probes"})
"""The groups that make their requests by chance, so that they catch something else each time, and the probes."""
_SHOWN = 3


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="WORD", help="select by name; without one, all")
    parser.add_argument("--jobs", type=int, default=2, help="emulators at a time; default 2")
    options = parser.parse_args(arguments)
    swaps = [swap for swap in SWAPS if not options.words or any(word in swap.name for word in options.words)]
    rows = caught() if options.words and CAUGHT_FILE.exists() else {}
    missed = 0
    for swap, outcome in _outcomes(swaps, options.jobs):
        checks = tuple(Check(failure.group, failure.check) for failure in outcome.failures)
        rows.pop(swap.name, None)
        if checks:
            rows[swap.name] = checks
        else:
            missed += 1
        print(f"{swap.name}: {_shown(outcome)}", flush=True)
    write_caught(rows)
    docs_tables.main()
    print(f"{len(swaps)} broken emulators, {len(swaps) - missed} caught")
    return int(missed > 0)


def _outcomes(swaps: list[Swap], jobs: int) -> Iterator[tuple[Swap, Outcome]]:
    """The outcome of each broken emulator, in their order."""
    groups = [group for group in cli.groups() if group not in _LEFT_OUT]
    idle: SimpleQueue[Runner] = SimpleQueue()

    def run(swap: Swap) -> Outcome:
        runner = idle.get()
        try:
            return runner.run(swap, groups)
        finally:
            idle.put(runner)

    with ExitStack() as stack:
        for _ in range(jobs):
            idle.put(stack.enter_context(Runner()))
        pool = stack.enter_context(ThreadPoolExecutor(jobs))
        yield from zip(swaps, pool.map(run, swaps), strict=True)


def _shown(outcome: Outcome) -> str:
    if outcome.problem:
        return f"NOT CAUGHT: {outcome.problem}"
    if not outcome.failures:
        return "NOT CAUGHT"
    names = ", ".join(failure.check for failure in outcome.failures[:_SHOWN])
    more = len(outcome.failures) - _SHOWN
    return names + (f" and {more} more" if more > 0 else "")


if __name__ == "__main__":
    sys.exit(main())
