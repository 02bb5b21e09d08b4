"""The file of answers, and how two of them are compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from outlook_contract.probes import answers
from outlook_contract.probes.answers import FORMAT, AnswersError, Difference


def content(answer: Any, *more: dict[str, Any]) -> dict[str, Any]:
    """A file with one answer."""
    entry = {"about": "it", "answer": answer, "deviations": ["deleted-mail"]}
    return {"format": FORMAT, "version": 1, "probes": [{"probe": "P6", "answers": [entry, *more]}]}


def places(ours: Any, theirs: Any) -> list[tuple[str, str, str]]:
    """Where two answers differ."""
    return [(place.member, place.ours, place.theirs) for place in answers.differences(content(ours), content(theirs))]


def test_members_that_differ() -> None:
    """Of two objects or lists of the same length, the members that differ are named."""
    ours = {"status": 200, "body": {"list": [1, "a"], "only ours": None}}
    theirs = {"status": 404, "body": {"list": [1, "b"], "only theirs": True}}

    assert [
        ("status", "200", "404"),
        ("body.list[1]", '"a"', '"b"'),
        ("body.only ours", "null", "(missing)"),
        ("body.only theirs", "(missing)", "true"),
    ] == places(ours, theirs)


@pytest.mark.parametrize(("ours", "theirs"), [(1, True), (0, False), ([1], [1, 2]), ("1", 1), (None, "")])
def test_whole_answers_that_differ(ours: Any, theirs: Any) -> None:
    """Values of different types and lists of different lengths differ as a whole."""
    assert [("", json.dumps(ours), json.dumps(theirs))] == places(ours, theirs)


def test_long_texts() -> None:
    """Of long texts, what stands around the first difference is shown."""
    ((member, ours, theirs),) = places("a" * 500 + "b" + "c" * 500, "a" * 500 + "d" + "c" * 500)

    assert "" == member
    assert ('… "' + "a" * 60 + "b" + "c" * 59 + '" …') == ours
    assert ('… "' + "a" * 60 + "d" + "c" * 59 + '" …') == theirs


def test_equal_answers_and_those_of_one_side() -> None:
    """Equal answers are no differences, and neither is what only one of the two was asked."""
    more = {"about": "more", "answer": 1}

    assert [] == list(answers.differences(content({"a": [1]}, more), content({"a": [1]})))
    assert [] == list(answers.differences(content(1), {**content(2), "probes": []}))


def test_deviations_are_those_of_ours() -> None:
    """A difference names the deviations of the first file: a stranger's file is not trusted with that."""
    theirs = content(2)
    theirs["probes"][0]["answers"][0]["deviations"] = ["other"]

    assert [Difference("P6", "it", "", "1", "2", ("deleted-mail",))] == list(answers.differences(content(1), theirs))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "Cannot read"),
        ("{", "is not JSON"),
        ("[]", "holds no answers of probes"),
        ('{"log": {}}', "holds no answers of probes"),
        (json.dumps({"format": FORMAT, "version": 2}), "has version 2; this program reads version 1"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, text: str | None, expected: str) -> None:
    """The error says what is wrong with the file."""
    file = tmp_path / "answers.json"
    if text is not None:
        file.write_text(text, encoding="utf-8")

    with pytest.raises(AnswersError, match=expected):
        answers.read(file)


@pytest.mark.parametrize("probes", [None, [1], [{"answers": []}], [{"probe": "P6", "answers": [{"answer": 1}]}]])
def test_entries_that_are_wrong(probes: Any) -> None:
    """An entry without its members is an error."""
    with pytest.raises(AnswersError, match="not as it should be"):
        answers.by_probe({"probes": probes})
