"""A difference is known if a deviation names its operation and member, else new."""

from __future__ import annotations

from typing import Any

import pytest

from outlook_contract.deviations import Deviation, Kind
from outlook_contract.drift import Drift, as_json, explained, table


def deviation(member: str, operations: tuple[str, ...] = ("Get*",), **more: Any) -> Deviation:
    entry = {"name": "known", "kind": Kind.INFERRED, "ours": "o", "theirs": "t", "evidence": "e"}
    return Deviation(**{**entry, "operations": operations, "member": member, **more})


def drift(operation: str = "GetEmail", member: str = "value[].Body", **more: str) -> Drift:
    return Drift(**{"operation": operation, "member": member, "expected": "a", "seen": "b", "check": "c", **more})


@pytest.mark.parametrize(
    ("pattern", "member"),
    [
        ("Body", "value[].Body"),
        ("value[].Body", "value[].Body"),
        ("Subject, Body", "value[].Body"),
        ("value[].*", "value[].Body"),
        ("status", "status"),
    ],
)
def test_known_difference(pattern: str, member: str) -> None:
    """A deviation names the member, its whole path, several members, or a pattern."""
    assert "known" == explained(drift(member=member), [deviation(pattern)]).deviation


@pytest.mark.parametrize(
    ("pattern", "operations", "member"),
    [
        ("Body", ("Send*",), "value[].Body"),
        ("ody", ("Get*",), "value[].Body"),
        ("Body", ("Get*",), "value[].Body.Content"),
        ("", ("Get*",), "value[].Body"),
        ("", ("Get*",), ""),
        ("value?.Body", ("Get*",), "value[].Body"),
    ],
)
def test_new_difference(pattern: str, operations: tuple[str, ...], member: str) -> None:
    """Another operation, a part of a name, or a deviation that shows in no member explains nothing."""
    assert explained(drift(member=member), [deviation(pattern, operations)]).is_new


def test_an_emulator_is_excused_by_name() -> None:
    """A check must name the deviation that excuses an emulator, so that a wide one hides no other fault."""
    different = [deviation("Body", ("*",), kind=Kind.DIFFERENT)]
    assert explained(drift(), different, on_emulator=True, named_only=True).is_new
    assert "known" == explained(drift(), different, on_emulator=True, named_only=True, known="known").deviation
    assert "known" == explained(drift(), different, on_emulator=True).deviation
    assert "known" == explained(drift(), different, named_only=True).deviation


def test_table() -> None:
    """Each different drift is one line with its columns; long values are cut, line breaks are blanks."""
    known = drift(deviation="known")
    lines = table([drift(), drift(check="other"), known, drift(seen="x\ny" * 40)]).splitlines()

    assert ["operation", "member", "expected", "seen", "known", "as"] == lines[0].split()
    assert ["GetEmail", "value[].Body", "a", "b", "NEW"] == lines[1].split()
    assert ["GetEmail", "value[].Body", "a", "b", "known"] == lines[2].split()
    assert "..." in lines[3]
    assert 4 == len(lines)


def test_json() -> None:
    """In JSON, each drift says whether it is new."""
    assert [True, False] == [as_json(each)["new"] for each in (drift(), drift(deviation="known"))]
    assert {"operation", "member", "expected", "seen", "check", "deviation", "new"} == set(as_json(drift()))
