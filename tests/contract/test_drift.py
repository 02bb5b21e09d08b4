"""Which deviation explains a difference."""

from __future__ import annotations

from outlook_contract.deviations import Deviation, Kind
from outlook_contract.drift import Drift, explained

DRIFT = Drift("GetEmail", "value[].Size", "531", "238", "test_size")


def deviation(kind: Kind, member: str = "Size") -> Deviation:
    return Deviation(
        name="size", kind=kind, operations=("GetEmail*",), member=member, ours="238", theirs="531", evidence="A"
    )


def test_a_connection_is_excused_by_every_deviation() -> None:
    for kind in Kind:
        assert explained(DRIFT, [deviation(kind)]).deviation == "size"


def test_an_emulator_is_excused_only_where_it_is_known_to_differ() -> None:
    for kind in Kind:
        drift = explained(DRIFT, [deviation(kind)], on_emulator=True)
        assert drift.is_new == (kind is not Kind.DIFFERENT)


def test_other_members_and_operations_are_not_excused() -> None:
    assert explained(DRIFT, [deviation(Kind.DIFFERENT, "Name")]).is_new
    assert explained(DRIFT._replace(operation="Move"), [deviation(Kind.DIFFERENT)]).is_new


def test_a_check_may_name_the_deviation() -> None:
    assert not explained(DRIFT, [deviation(Kind.CONTESTED, "")], known="size").is_new
    assert explained(DRIFT, [deviation(Kind.CONTESTED, "")], known="another").is_new
