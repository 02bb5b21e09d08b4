"""The cost of a sandbox per test: setup and teardown by pytest's clock, over HTTP and in process.

Run it alone with `python -m benchmarks.plugin`.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import pytest

TESTS = 300
GOALS = {"http": 5.0, "app": 3.0}
"""The goal for each transport, in milliseconds."""
_NAMES = {"http": "over HTTP", "app": "in process"}
_SOURCE = f"""
import pytest


@pytest.mark.parametrize("number", range({TESTS}))
def test_bare(number):
    pass


@pytest.mark.parametrize("number", range({TESTS}))
def test_sandbox(outlook, number):
    pass
"""


class Stopwatch:
    """Adds up the setup and teardown time of each test, in milliseconds."""

    def __init__(self) -> None:
        self._tests: dict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call":
            self._tests[report.nodeid] += report.duration * 1000

    def median(self, function: str) -> float:
        return statistics.median(time for name, time in self._tests.items() if function in name)


def plugin() -> None:
    """Print the time that the fixture `outlook` adds to a test."""
    print(f"A sandbox per test, created and deleted, by pytest's clock (median of {TESTS}):")
    for transport, goal in GOALS.items():
        environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        command = [sys.executable, "-m", "benchmarks.plugin", transport]
        process = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        cost = float(process.stdout.splitlines()[-1])
        print(f"  {_NAMES[transport]:28} {cost:6.2f} ms   (goal: under {goal:.0f} ms)")


def _measure(transport: str) -> float:
    if hasattr(os, "sched_setaffinity"):
        # A test run may use all cores, unlike the client of the other measurements.
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "test_it.py").write_text(_SOURCE, encoding="utf-8")
        plugins = ["-p", "outlook_emulator.pytest_plugin", "-p", "no:cacheprovider", "-p", "no:terminal"]
        if pytest.main([*plugins, f"--outlook-transport={transport}", folder], plugins=[watch]):
            raise RuntimeError(f"the tests did not pass {_NAMES[transport]}")
    return watch.median("test_sandbox") - watch.median("test_bare")


if __name__ == "__main__":
    if sys.argv[1:]:
        print(_measure(sys.argv[1]))
    else:
        plugin()
