"""Runs the contract suite against broken emulators, each in a process of its own that starts at once.

`python -m tests.contract.broken.runner` imports the suite and its libraries once. For each line that it reads, it forks
a process that imports the emulator, broken, and checks it. A line of standard input is a job, a line of standard output
its outcome, both in JSON. `Runner` is the other end.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import pytest

from outlook_contract import cli
from outlook_contract.options import TargetOptions
from outlook_contract.plugin import ContractPlugin, ContractRun
from tests.contract.broken.swap import PACKAGE, Swap, SwapError, break_emulator
from tests.paths import ROOT

_LONGEST = 300
"""Seconds after which a run counts as stuck."""


class Failure(NamedTuple):
    """A check that failed, and the first difference that it saw."""

    group: str
    check: str
    difference: str


class Outcome(NamedTuple):
    """What the suite said: how many checks passed, which ones failed, and why it could not run if it could not."""

    passed: int = 0
    failures: tuple[Failure, ...] = ()
    problem: str = ""


class Runner:
    """Runs checks against broken emulators, in a `with` block."""

    def __enter__(self) -> Self:
        # Without this, pytest imports every plugin of the environment.
        environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.contract.broken.runner"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *error: object) -> None:
        self._process.communicate()

    def run(self, swap: Swap | None, groups: Sequence[str], checks: Sequence[str] = ()) -> Outcome:
        """Check an emulator with groups of the suite, or with some of their checks; None is the unbroken emulator."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([swap, groups, checks]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the runner ended"
        passed, failures, problem = json.loads(line)
        return Outcome(passed, tuple(Failure(*failure) for failure in failures), problem)


class _ChosenChecks(ContractPlugin):
    """Runs the checks with some names only."""

    names: frozenset[str] = frozenset()
    instance: _ChosenChecks

    def __init__(self, run: ContractRun, *, demands_all: bool = False) -> None:
        super().__init__(run, demands_all=demands_all)
        type(self).instance = self

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        if self.names:
            config.hook.pytest_deselected(items=[item for item in items if item.name not in self.names])
            items[:] = [item for item in items if item.name in self.names]

    def outcome(self) -> Outcome:
        differences: dict[str, str] = {}
        for drift in self.run.report.drifts:
            text = f"{drift.operation} {drift.member}: {drift.seen} instead of {drift.expected}"
            differences.setdefault(drift.check, " ".join(text.split()))
        failed = [result for result in self.results if result.outcome == "failed"]
        failures = [Failure(result.group, result.check, differences.get(result.check, "")) for result in failed]
        return Outcome(sum(result.outcome == "passed" for result in self.results), tuple(failures))


def _check(swap: Swap | None, groups: Sequence[str], checks: Sequence[str]) -> Outcome:
    try:
        if swap is not None:
            break_emulator(swap)
        _ChosenChecks.names = frozenset(checks)
        cli.run(TargetOptions(client="http"), selected=groups, plugin_class=_ChosenChecks)
    except SwapError as error:
        return Outcome(problem=str(error))
    except Exception as error:
        return Outcome(problem=f"the emulator does not start: {error!r}")
    return _ChosenChecks.instance.outcome()


def _in_child(job: Sequence[Any]) -> str:
    """The outcome of a job as JSON, from a process of its own."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.close(reading)
            signal.alarm(_LONGEST)
            # Nearly all that the process makes is there to stay, and it ends soon.
            gc.disable()
            swap, groups, checks = job
            outcome = _check(Swap(*swap) if swap else None, groups, checks)
            with os.fdopen(writing, "w") as pipe:
                pipe.write(json.dumps(outcome))
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return text or json.dumps(Outcome(problem=f"the run took longer than {_LONGEST} seconds, or crashed"))


def _imported() -> set[str]:
    """The modules of the emulator that this process has imported."""
    return {name for name in sys.modules if name.split(".")[0] == PACKAGE}


def main() -> None:
    outcomes = os.fdopen(os.dup(1), "w", buffering=1)
    # What pytest prints is not for the reader of the outcomes.
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    for group in cli.groups():
        importlib.import_module(f"outlook_contract.suite.test_{group}")
    kept = _imported()
    # Imports what every run needs. The emulator itself is imported again by each child.
    _check(None, ["mail"], ["test_an_unknown_mail_is_refused"])
    for name in _imported() - kept:
        parent, _, module = name.rpartition(".")
        del sys.modules[name]
        if parent in kept:
            # `from outlook_emulator import …` would find it there.
            delattr(sys.modules[parent], module)
    # pytest collects garbage at its end, which would go through all that was imported here.
    gc.collect()
    gc.freeze()
    with contextlib.suppress(KeyboardInterrupt):
        for line in sys.stdin:
            outcomes.write(_in_child(json.loads(line)) + "\n")


if __name__ == "__main__":
    main()
