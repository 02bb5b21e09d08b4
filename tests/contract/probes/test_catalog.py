"""The probes: numbered without gaps, with a question each, and tied to the deviations that they settle."""

from __future__ import annotations

import re

import pytest

from outlook_contract.deviations import Kind, load
from outlook_contract.probes import answers
from outlook_contract.probes.catalog import PROBES
from outlook_contract.probes.probe import Probe
from tools.docs_tables import deviations, probes

NAMES = {deviation.name for deviation in load()}
EVERY = pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.id)


def test_numbers_and_names() -> None:
    """The numbers run from 1 without a gap, and no two probes share a name."""
    assert list(range(1, len(PROBES) + 1)) == [probe.number for probe in PROBES]
    assert len(PROBES) == len({probe.name for probe in PROBES})
    assert [] == [probe.name for probe in PROBES if not re.fullmatch(r"[a-z]+(-[a-z]+)*", probe.name)]


@EVERY
def test_each_settles_deviations_that_exist(probe: Probe) -> None:
    """A probe names at least one deviation, each of them exists, and its answers name the same ones."""
    entries = answers.by_probe(answers.of_emulator())[probe.id].values()

    assert "?" in probe.question
    assert set(probe.settles) <= NAMES
    assert set(probe.settles) == {name for entry in entries for name in entry.get("deviations", ())}


def test_contested_behaviour_can_be_settled() -> None:
    """Where sources disagree, a probe asks."""
    settled = {name for probe in PROBES for name in probe.settles}

    assert [] == [row.name for row in load() if row.kind is Kind.CONTESTED and row.name not in settled]


@pytest.mark.parametrize("kind", Kind)
def test_the_table_of_deviations_names_the_probes(kind: Kind) -> None:
    """The last column of a row has the probes that would settle it, and is empty without any."""
    rows = [row for row in load() if row.kind is kind]
    for line, row in zip(deviations(kind).splitlines()[2:], rows, strict=True):
        expected = ", ".join(probe.id for probe in PROBES if row.name in probe.settles)
        assert line.endswith(f"| {expected} |"), line


def test_the_table_of_probes_is_complete() -> None:
    """The documents list each probe with its question."""
    lines = probes().splitlines()[2:]

    assert len(PROBES) == len(lines)
    assert [] == [probe.id for probe, line in zip(PROBES, lines, strict=True) if probe.question not in line]
