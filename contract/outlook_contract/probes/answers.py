"""The file of answers: how it is written and read, and how two of them differ."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from outlook_contract.definition import specification
from outlook_contract.probes.runner import ProbeResult

FORMAT = "outlook-connector-emulator probe answers"
VERSION = 1
MISSING = "(missing)"
_CUT = 60
"""Characters of two long texts before and after the place where they differ."""


class AnswersError(Exception):
    """A file holds no answers of probes."""


class Difference(NamedTuple):
    """One place in which two answers differ. `member` is empty if they differ as a whole."""

    probe: str
    about: str
    member: str
    ours: str
    theirs: str
    deviations: tuple[str, ...]


def document(results: Iterable[ProbeResult], target: str, date: str = "") -> dict[str, Any]:
    """The file of answers as a JSON object. `date` is when a connection was asked."""
    dated = {"date": date} if date else {}
    return {"format": FORMAT, "version": VERSION, "target": target, **dated, "probes": list(map(_entry, results))}


def write(file: Path, content: Mapping[str, Any]) -> None:
    """Write a file of answers."""
    file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read(file: Path) -> Mapping[str, Any]:
    """The content of a file of answers. Raises AnswersError."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise AnswersError(f"Cannot read {file}: {error.strerror or error}.") from error
    except ValueError as error:
        raise AnswersError(f"{file} is not JSON: {error}.") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise AnswersError(f"{file} holds no answers of probes: its format is not '{FORMAT}'.")
    if content.get("version") != VERSION:
        raise AnswersError(f"{file} has version {content.get('version')}; this program reads version {VERSION}.")
    return content


@cache
def of_emulator() -> Mapping[str, Any]:
    """The answers of the emulator as it is delivered. Do not change the result: it is shared."""
    return read(specification("probes/emulator.json"))


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[Difference]:
    """How two files of answers differ, part by part. What only one of them was asked is left out."""
    theirs_by_probe = by_probe(theirs)
    for probe, answers in by_probe(ours).items():
        for about, entry in answers.items():
            other = theirs_by_probe.get(probe, {}).get(about)
            if other is not None:
                for member, our_value, their_value in _members("", entry["answer"], other["answer"]):
                    yield Difference(
                        probe, about, member, *_shown(our_value, their_value), tuple(entry.get("deviations", ()))
                    )


def by_probe(content: Mapping[str, Any]) -> dict[str, dict[str, Mapping[str, Any]]]:
    """The answers in a file, by probe and by what they are about. Raises AnswersError."""
    try:
        return {
            entry["probe"]: {answer["about"]: answer for answer in entry.get("answers", ()) if "answer" in answer}
            for entry in content["probes"]
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise AnswersError(f"An entry of the probes is not as it should be: {error!r}.") from error


def _entry(result: ProbeResult) -> dict[str, Any]:
    probe = result.probe
    entry: dict[str, Any] = {"probe": probe.id, "name": probe.name, "question": probe.question}
    if result.skipped:
        return {**entry, "skipped": result.skipped}
    answers = [
        {"about": answer.about, "answer": answer.answer}
        | ({"deviations": list(answer.deviations)} if answer.deviations else {})
        for answer in result.answers
    ]
    entry |= {"requests": result.requests, "answers": answers}
    return {**entry, "failed": result.failed} if result.failed else entry


def _members(path: str, ours: Any, theirs: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in dict.fromkeys((*ours, *theirs)):
            below = f"{path}.{name}" if path else str(name)
            yield from _members(below, ours.get(name, MISSING), theirs.get(name, MISSING))
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, (our_item, their_item) in enumerate(zip(ours, theirs, strict=True)):
            yield from _members(f"{path}[{number}]", our_item, their_item)
    elif ours != theirs or type(ours) is not type(theirs):
        yield path, ours, theirs


def _shown(ours: Any, theirs: Any) -> tuple[str, str]:
    """Two values as texts; of long texts, what stands around the first place where they differ."""
    if not (isinstance(ours, str) and isinstance(theirs, str)):
        return _plain(ours), _plain(theirs)
    same = next((place for place, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]), None)
    place = min(len(ours), len(theirs)) if same is None else same
    return _around(ours, place), _around(theirs, place)


def _around(text: str, place: int) -> str:
    start, end = max(place - _CUT, 0), place + _CUT
    if len(text) <= 2 * _CUT:
        return _plain(text)
    return ("… " if start else "") + _plain(text[start:end]) + (" …" if end < len(text) else "")


def _plain(value: Any) -> str:
    return value if value == MISSING else json.dumps(value, ensure_ascii=False)
