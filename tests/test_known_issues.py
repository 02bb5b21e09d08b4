"""The list of limits and known issues names only settings, faults and tests that exist."""

from __future__ import annotations

import ast
from collections import Counter

import pytest

from outlook_contract.known_issues import KNOWN_ISSUES
from outlook_emulator.server.faults.names import NAMED
from outlook_emulator.settings import options
from tests.paths import ROOT


def functions(file: str) -> set[str]:
    """Return the names of the tests in a file, including those in classes."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_settings_exist() -> None:
    """Every setting in the list exists."""
    named = {setting for row in KNOWN_ISSUES for setting in row.settings}

    assert named <= {option.name for option in options()}


def test_every_fault_is_listed_once() -> None:
    """Every named fault is in exactly one row, and every fault in a row exists."""
    assert Counter(list(NAMED)) == Counter(fault for row in KNOWN_ISSUES for fault in row.faults)


@pytest.mark.slow
def test_tests_exist() -> None:
    """Every row names tests that exist."""
    missing = [
        test
        for row in KNOWN_ISSUES
        for test in row.tests or (row.what,)
        if "::" not in test or test.rpartition("::")[2] not in functions(test.partition("::")[0])
    ]

    assert [] == missing
