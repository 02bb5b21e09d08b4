"""`outlook-emulator contract probe`: lists probes, runs them, and compares their answers."""

from __future__ import annotations

import dataclasses
import logging
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from outlook_contract.interrupts import terminable
from outlook_contract.options import TargetOptions
from outlook_contract.plugin import ContractRun
from outlook_contract.probes import answers
from outlook_contract.probes.catalog import PROBES
from outlook_contract.probes.probe import Need, Probe
from outlook_contract.probes.runner import ProbeResult, ProbeRunner
from outlook_contract.targets import TargetError

_INTERRUPTED = 130
_WIDTH = 100


def selected(names: Sequence[str]) -> list[Probe]:
    """The probes with these names or numbers, all without any. Raises TargetError for an unknown one."""
    by_name = {name.casefold(): probe for probe in PROBES for name in (probe.id, probe.name)}
    if unknown := [name for name in names if name.casefold() not in by_name]:
        known = ", ".join(probe.id for probe in PROBES)
        raise TargetError(f"There is no probe {', '.join(unknown)}; the probes are {known}.")
    return list(dict.fromkeys(by_name[name.casefold()] for name in names)) or list(PROBES)


def listing(names: Sequence[str] = ()) -> int:
    """Print the questions. Returns the exit code. Raises TargetError."""
    for probe in selected(names):
        print(f"{probe.id} {probe.name}")
        lines = [probe.question, f"settles: {', '.join(probe.settles)}"]
        if needs := ", ".join(conditions(probe)):
            lines.append(f"needs: {needs}")
        for line in lines:
            print(textwrap.indent(textwrap.fill(line, _WIDTH, break_on_hyphens=False), "  "))
    return 0


def conditions(probe: Probe) -> Iterator[str]:
    """The options that a probe needs."""
    yield from (need.value for need in Need if need in probe.needs)
    if probe.heavy:
        yield "--heavy"


def run(options: TargetOptions, *, names: Sequence[str] = (), file: Path | None = None, heavy: bool = False) -> int:
    """Run probes, write their answers, and print how they differ from those of the emulator as it is delivered.

    Returns 0 if every probe that ran came to its end, else 1, and 130 after Ctrl+C. Raises TargetError.
    """
    probes = selected(names)
    if file is not None:
        _check_writable(file)
    # What an emulator in this process logs about odd requests is in their answers.
    logging.getLogger("outlook_emulator").addHandler(logging.NullHandler())
    contract = ContractRun(dataclasses.replace(options, client="http"))
    is_emulator = False
    results: list[ProbeResult] = []
    code = 0
    try:
        with terminable(), contract:
            is_emulator = contract.target.is_emulator
            if not is_emulator:
                print(f"what the probes create carries {contract.marker}, and goes at the end", flush=True)
            runner = ProbeRunner(contract, heavy=heavy)
            for probe in probes:
                results.append(runner.run(probe))
                print(_line(results[-1]), flush=True)
    except KeyboardInterrupt:
        code = _INTERRUPTED
    if not results:
        return code
    date = "" if is_emulator else datetime.now(UTC).date().isoformat()
    content = answers.document(results, "emulator" if is_emulator else "connection", date)
    # Read first: the file may be that of the emulator itself.
    ours = answers.of_emulator()
    if file is not None:
        answers.write(file, content)
    _print_differences(ours, content, first="on file" if is_emulator else "emulator", second="here")
    if file is not None:
        print(f"wrote the answers of {sum(not result.skipped for result in results)} probes to {file}")
    return code or int(any(result.failed for result in results))


def _check_writable(file: Path) -> None:
    """Raise TargetError for a file that cannot be written, before the minutes that a run takes."""
    try:
        file.open("a").close()
    except OSError as error:
        raise TargetError(f"Cannot write {file}: {error.strerror or error}.") from error


def compare(file: Path, names: Sequence[str] = ()) -> int:
    """Print how the answers in a file differ from those of the emulator. Returns 1 if they do, else 0.

    Raises TargetError and AnswersError.
    """
    wanted = {probe.id for probe in selected(names)}
    theirs = answers.read(file)
    return int(_print_differences(answers.of_emulator(), theirs, wanted) > 0)


def _print_differences(
    ours: Mapping[str, Any],
    theirs: Mapping[str, Any],
    wanted: set[str] | None = None,
    *,
    first: str = "emulator",
    second: str = "theirs",
) -> int:
    """Print the differences, with words for whose answers come first and second. Returns how many answers differ."""
    by_probe = groupby(answers.differences(ours, theirs), key=lambda difference: difference.probe)
    questions = {probe.id: f"{probe.id} {probe.name}: {probe.question}" for probe in PROBES}
    number = 0
    for probe, differences in by_probe:
        if wanted is not None and probe not in wanted:
            continue
        print(f"\n{questions.get(probe, probe)}")
        for about, places in groupby(differences, key=lambda difference: difference.about):
            number += 1
            for line in _difference_lines(about, list(places), first, second):
                print(line)
    compared = _number_compared(ours, theirs, wanted)
    print(f"\n{compared} answers compared, {number} of them different")
    return number


def _difference_lines(about: str, places: list[answers.Difference], first: str, second: str) -> Iterator[str]:
    deviations = places[0].deviations
    yield f"  {about}" + (f" (deviation {', '.join(deviations)})" if deviations else " (no deviation names this)")
    for place in places:
        if place.member:
            yield f"    {place.member}"
        width = max(len(first), len(second)) + 1
        yield f"      {first + ':':{width}} {place.ours}"
        yield f"      {second + ':':{width}} {place.theirs}"


def _number_compared(ours: Mapping[str, Any], theirs: Mapping[str, Any], wanted: set[str] | None) -> int:
    our_answers, their_answers = answers.by_probe(ours), answers.by_probe(theirs)
    return sum(
        len(our_answers[probe].keys() & their_answers.get(probe, {}).keys())
        for probe in our_answers
        if wanted is None or probe in wanted
    )


def _line(result: ProbeResult) -> str:
    start = f"{result.probe.id} {result.probe.name}: "
    if result.skipped:
        return f"{start}skipped, {result.skipped}"
    counts = f"{len(result.answers)} answers, {result.requests} requests"
    return f"{start}{counts}" + (f", then it failed: {result.failed}" if result.failed else "")
