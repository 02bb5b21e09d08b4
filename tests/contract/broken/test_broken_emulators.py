"""The suite catches emulators that are broken in one place each.

These are a sample of them: each takes most of a second. `python -m tools.broken_emulators` runs all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.contract.broken.runner import Runner
from tests.contract.broken.swap import Swap, SwapError
from tests.contract.broken.swaps import SWAPS, caught, sample

pytestmark = pytest.mark.slow

_LEAST = 450
"""How many broken emulators there are at least."""


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    """Runs checks of the suite against broken emulators."""
    if not hasattr(os, "fork"):
        pytest.skip("the runner forks processes, which this system cannot")
    with Runner() as runner:
        yield runner


@pytest.mark.parametrize("swap", sample(), ids=lambda swap: swap.name)
def test_suite_catches(runner: Runner, swap: Swap) -> None:
    """One of the checks that the table names fails, and the emulator works otherwise."""
    checks = caught().get(swap.name)
    assert checks, "not in the table: run python -m tools.broken_emulators"
    groups = sorted({check.group for check in checks})
    outcome = runner.run(swap, groups, [check.name for check in checks])

    assert "" == outcome.problem
    assert outcome.failures, "the swap has no effect on these checks"
    assert not any("The emulator failed on this request" in failure.difference for failure in outcome.failures)


def test_unbroken_emulator_passes(runner: Runner) -> None:
    """Without a swap the same checks pass."""
    checks = {check for checks in caught().values() for check in checks}
    groups = sorted({check.group for check in checks})
    outcome = runner.run(None, groups, [check.name for check in checks])

    assert ("", ()) == (outcome.problem, outcome.failures)
    assert outcome.passed >= len(checks)


def test_names_are_unique() -> None:
    """Each broken emulator has a name of its own, and the table has no others."""
    names = [swap.name for swap in SWAPS]

    assert len(names) == len(set(names)) >= _LEAST
    assert set(names) == set(caught())


def test_sample() -> None:
    """The sample has each group of checks that the table names, and each module that a broken emulator changes."""
    chosen = sample()

    assert {check.group for checks in caught().values() for check in checks} == {
        check.group for swap in chosen for check in caught()[swap.name]
    }
    assert {swap.module for swap in SWAPS} == {swap.module for swap in chosen}
    assert 60 < len(chosen) < len(SWAPS)


def test_every_swap_fits() -> None:
    """The text that a broken emulator replaces is in the source of the emulator, once, also outside the sample."""
    for swap in SWAPS:
        assert swap.replacement in swap.source()


@pytest.mark.parametrize(
    ("module", "text", "replacement", "expected"),
    [
        ("mailbox.text", "no such text", "", "holds 'no such text' 0 times instead of once"),
        ("mailbox.text", "return", "", "times instead of once"),
        ("mailbox.text", "PREVIEW_LENGTH = 255", "PREVIEW_LENGTH = = 255", "would not be Python any more"),
        ("mailbox.no_such_module", "x", "y", "there is no module outlook_emulator.mailbox.no_such_module"),
    ],
)
def test_swap_that_does_not_fit(runner: Runner, module: str, text: str, replacement: str, expected: str) -> None:
    """A swap whose text has changed is an error that says so, and no catch."""
    swap = Swap("out of date", module, text, replacement)

    with pytest.raises(SwapError, match=expected):
        swap.code()
    outcome = runner.run(swap, ["mail"], ["test_the_preview_is_the_start_of_the_text"])
    assert expected in outcome.problem
    assert () == outcome.failures


def test_swap_without_effect(runner: Runner) -> None:
    """A swap that changes nothing is not caught."""
    swap = Swap("as before", "mailbox.text", "PREVIEW_LENGTH = 255", "PREVIEW_LENGTH = 200 + 55")
    outcome = runner.run(swap, ["mail"], ["test_the_preview_is_the_start_of_the_text"])

    assert (1, (), "") == outcome


def test_emulator_that_does_not_start(runner: Runner) -> None:
    """An emulator that cannot be imported is a problem, and no catch."""
    swap = Swap("broken altogether", "mailbox.text", "PREVIEW_LENGTH = 255", "PREVIEW_LENGTH = 1 // 0")
    outcome = runner.run(swap, ["mail"], ["test_the_preview_is_the_start_of_the_text"])

    assert "the emulator does not start: ZeroDivisionError" in outcome.problem
    assert () == outcome.failures
