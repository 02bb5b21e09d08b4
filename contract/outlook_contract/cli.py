"""`outlook-emulator contract`: runs the suite against a target."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, chdir, nullcontext
from pathlib import Path
from typing import Protocol

import httpx
import pytest

import outlook_contract.suite
from outlook_contract import har
from outlook_contract.drift import as_json, table
from outlook_contract.interrupts import terminable
from outlook_contract.options import TargetOptions
from outlook_contract.plugin import ContractPlugin, ContractRun
from outlook_contract.replay import Player
from outlook_contract.targets import TargetError

_SUITE = outlook_contract.suite.FOLDER
_QUIET = (
    *("-p", "no:cacheprovider", "-p", "no:outlook-emulator", "-p", "no:schemathesis"),
    *("-c", os.devnull, "-o", "python_files=test_*.py"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
    "--no-header",
)
"""Keeps what the folder of the caller configures out of the run."""
_INTERRUPTED = 130
"""The exit code of a program that Ctrl+C ended."""
_UNUSABLE = 2
"""The exit code for wrong options, and for a target that cannot be used."""


def run(
    options: TargetOptions,
    *,
    selected: Sequence[str] = (),
    json_file: str = "",
    junit_file: str = "",
    keyword: str = "",
    plugin_class: type[ContractPlugin] = ContractPlugin,
) -> int:
    """Run the suite, or the `selected` groups of it.

    Returns 0 if every check passed, 1 for new drift, 2 if no check fits what was selected, and 130 after Ctrl+C.
    Raises TargetError.
    """
    if unknown := set(selected) - set(groups()):
        raise TargetError(f"There are no checks {', '.join(sorted(unknown))}; the groups are {', '.join(groups())}.")
    _check_files(options.definition, json_file, junit_file)
    contract_run = ContractRun(options)
    # A part of the suite cannot exercise every operation, and a connection cannot show every refusal.
    demands_all = not (selected or keyword or options.read_only) and "/apim/" not in options.target
    demands_all = demands_all and options.target != "real"
    paths = [str(_SUITE / f"test_{name}.py") for name in selected] or [str(_SUITE)]
    arguments = [*_QUIET, f"--rootdir={_SUITE}", *paths]
    if options.target != "emulator":
        # A request takes its time there, so progress is a line for each check.
        arguments.append("--verbose")
    if keyword:
        arguments += ["-k", keyword]
    if junit_file:
        arguments.append(f"--junit-xml={junit_file}")
    plugin = plugin_class(contract_run, demands_all=demands_all)
    code: int = _INTERRUPTED
    try:
        # pytest ends in the folder of the suite.
        with chdir(Path.cwd()), terminable(), contract_run:
            code = _exit_code(int(pytest.main(arguments, plugins=[plugin])), plugin)
    except KeyboardInterrupt:
        code = _INTERRUPTED
    if code == 0 and contract_run.left_behind:
        code = 1
    if json_file:
        document = {"target": options.target, "exitCode": code, "unexercised": plugin.missing}
        document |= plugin.summary.as_json()
        Path(json_file).write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return code


class Counting(Protocol):
    """Receives how many requests are played, and how many there are."""

    def count(self, done: int, total: int) -> object: ...


def replay(
    options: TargetOptions,
    file: Path,
    *,
    json_file: str = "",
    shown: AbstractContextManager[Counting] | None = None,
) -> int:
    """Play a recording against a target, and print how the responses differ. `shown` shows how far it is.

    Returns 0 without new drift, 1 with it, and 130 after Ctrl+C. Raises TargetError, HarError and ReplayError.
    """
    recorded = har.read(file)
    contract_run = ContractRun(dataclasses.replace(options, client="http"))
    try:
        with shown or nullcontext() as counter, terminable(), contract_run:
            player = Player(contract_run, recorded)
            player.play(counter.count if counter else None)
    except httpx.TransportError as error:
        raise TargetError(f"The target does not respond: {error}") from error
    except KeyboardInterrupt:
        return _INTERRUPTED
    drifts = contract_run.report.drifts
    if drifts:
        print(table(drifts))
    print(f"played {player.played} of {len(recorded)} requests: {len(set(drifts))} differences")
    for reason, count in player.left_out.items():
        print(f"left out {count}: {reason}")
    if json_file:
        document = {"target": options.target, "played": player.played, "drift": [as_json(drift) for drift in drifts]}
        Path(json_file).write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return int(any(drift.is_new for drift in drifts))


def groups() -> list[str]:
    """The groups of checks, by the names that select them."""
    return outlook_contract.suite.groups(_SUITE)


def _check_files(definition: str, *written: str) -> None:
    """Raise TargetError for a file that cannot be read or written, before a run of minutes ends without its results."""
    try:
        if definition:
            json.loads(Path(definition).read_bytes())
        for file in map(Path, filter(None, written)):
            is_new = not file.exists()
            file.open("a").close()
            if is_new:
                file.unlink()
    except OSError as error:
        raise TargetError(f"Cannot open {error.filename}: {error.strerror}.") from error
    except ValueError as error:
        raise TargetError(f"{definition} is not JSON: {error}") from error


def _exit_code(code: int, plugin: ContractPlugin) -> int:
    if plugin.is_interrupted:
        return _INTERRUPTED
    if plugin.lost:
        return _UNUSABLE
    # pytest means an error while collecting with its own 2, which stands for a wrong option here.
    return {pytest.ExitCode.INTERRUPTED: 3, pytest.ExitCode.NO_TESTS_COLLECTED: 2}.get(pytest.ExitCode(code), code)
