"""`outlook-emulator contract`: runs the suite against a target."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

import outlook_contract.suite
from outlook_contract.drift import as_json
from outlook_contract.options import TargetOptions
from outlook_contract.plugin import ContractPlugin, ContractRun

_SUITE = Path(outlook_contract.suite.__file__).parent
_QUIET = (
    *("-p", "no:cacheprovider", "-p", "no:outlook-emulator"),
    *("-c", os.devnull, "-o", "python_files=test_*.py"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)
"""Keeps what the folder of the caller configures out of the run."""


def run(
    options: TargetOptions,
    *,
    selected: Sequence[str] = (),
    json_file: str = "",
    junit_file: str = "",
    keyword: str = "",
    plugin_class: type[ContractPlugin] = ContractPlugin,
) -> int:
    """Run the suite, or the `selected` modules of it. Returns 0 without new drift, 1 with it.

    Raises TargetError.
    """
    contract_run = ContractRun(options)
    # A part of the suite cannot exercise every operation, and a connection cannot show every refusal.
    demands_all = not (selected or keyword or options.read_only) and "/apim/" not in options.target
    demands_all = demands_all and options.target != "real"
    paths = [str(_SUITE / f"test_{name}.py") for name in selected] or [str(_SUITE)]
    arguments = [*_QUIET, f"--rootdir={_SUITE}", *paths]
    if keyword:
        arguments += ["-k", keyword]
    if junit_file:
        arguments.append(f"--junit-xml={junit_file}")
    with contract_run:
        code = pytest.main(arguments, plugins=[plugin_class(contract_run, demands_all=demands_all)])
    if json_file:
        document = {"target": options.target, "drift": [as_json(drift) for drift in contract_run.report.drifts]}
        Path(json_file).write_text(json.dumps(document, indent=1), encoding="utf-8")
    return int(code)
