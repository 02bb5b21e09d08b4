"""Open questions, put to the target and compared with the answers of the emulator as it is delivered."""

from __future__ import annotations

from functools import cache

import pytest

from outlook_contract.plugin import ContractRun
from outlook_contract.probes import answers
from outlook_contract.probes.catalog import PROBES
from outlook_contract.probes.probe import Probe
from outlook_contract.probes.runner import ProbeRunner


@cache
def _runner(contract: ContractRun) -> ProbeRunner:
    # One for all probes, since it asks for the names of the mailboxes' owners.
    return ProbeRunner(contract)


def _parameter(probe: Probe) -> object:
    return pytest.param(probe, id=f"{probe.id}-{probe.name}", marks=pytest.mark.probe(probe.number, probe.question))


@pytest.mark.parametrize("probe", [_parameter(probe) for probe in PROBES])
def test_probe(contract: ContractRun, probe: Probe) -> None:
    """An emulator gives the answers that are on file; a connection may give others where a deviation says so."""
    result = _runner(contract).run(probe)
    if result.skipped:
        pytest.skip(result.skipped)
    theirs = answers.document([result], contract.target.name)
    for difference in answers.differences(answers.of_emulator(), theirs):
        # An emulator has no excuse: its answers are those on file.
        known = "" if contract.target.is_emulator else next(iter(difference.deviations), "")
        place = f"{difference.about}: {difference.member}".removesuffix(": ")
        contract.report.add(probe.id, place, difference.ours, difference.theirs, known=known)
    assert not result.failed, result.failed
