"""A frozen dataclass that is cheap to define behaves as one of the standard library."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, replace
from typing import Any, Generic, TypeVar

import pytest

from outlook_emulator.frozen import Frozen

T = TypeVar("T")


def _double(number: int) -> int:
    return 2 * number


class Point(Frozen):
    """A point with a name."""

    x: int
    y: int = 0
    tags: list[str] = field(default_factory=list)
    scale: Callable[[int], int] = _double
    secret: str = field(default="", repr=False)


@dataclass(frozen=True)
class StandardPoint:
    """The same, as the standard library has it."""

    x: int
    y: int = 0
    tags: list[str] = field(default_factory=list)
    scale: Callable[[int], int] = _double
    secret: str = field(default="", repr=False)


class Named(Point, kw_only=True):
    """One with a name."""

    name: str


class Box(Frozen, Generic[T]):
    """Holds anything."""

    item: T


class Nothing(Frozen):
    """Has no fields."""


class Node(Frozen, eq=False):
    """Compares by identity."""

    items: list[int]


def test_it_is_a_dataclass() -> None:
    point = Point(1, y=2, secret="s")
    standard = StandardPoint(1, y=2, secret="s")

    assert [each.name for each in fields(StandardPoint)] == [each.name for each in fields(Point)]
    assert asdict(standard) == asdict(point)
    assert repr(standard) == repr(point).replace("Point(", "StandardPoint(")
    assert (4, 2) == (replace(point, x=4).x, replace(point, x=4).y)
    assert Point(1, 2, secret="s") == point != Point(1)
    assert point != standard
    assert 6 == point.scale(3)


def test_each_instance_has_defaults_of_its_own() -> None:
    first, second = Point(1), Point(1)
    first.tags.append("a")

    assert ["a"] == first.tags
    assert [] == second.tags


def test_equal_instances_have_equal_hashes() -> None:
    assert 1 == len({_Pair(1, "a"), _Pair(1, "a")})
    assert 2 == len({_Pair(1, "a"), _Pair(1, "b")})


class _Pair(Frozen):
    """Two values that have hashes."""

    x: int
    y: str


def test_nodes_compare_by_identity() -> None:
    node = Node([1])

    assert node != Node([1])
    assert {node} == {node}


def test_a_class_without_fields() -> None:
    assert {Nothing()} == {Nothing()}
    assert Nothing() != Point(1)


def test_a_generic_class() -> None:
    assert Box(1) == Box[int](1)


def test_wrong_names_are_in_the_error() -> None:
    with pytest.raises(TypeError, match=r"missing fields \['x'\], unknown fields \['z'\]"):
        Point(z=1)  # type: ignore[call-arg]


def test_nothing_is_assigned() -> None:
    point: Any = Point(1)
    with pytest.raises(FrozenInstanceError, match="'x'"):
        point.x = 2
    with pytest.raises(FrozenInstanceError, match="'x'"):
        del point.x


def test_a_subclass_adds_fields() -> None:
    named = Named(1, 2, name="a")

    assert (1, 2, "a") == (named.x, named.y, named.name)
    assert "Named(x=1, y=2, tags=[], " in repr(named)
    assert named != Point(1, 2)


@pytest.mark.parametrize(
    ("kind", "arguments", "values"),
    [
        (Point, (), {}),
        (Point, (1,), {"z": 1}),
        (Point, (1,), {"x": 1}),
        (Node, ([], 2), {}),
        (Named, (1,), {}),
        (Named, (1, 2, [], _double, "", "a"), {}),
    ],
    ids=["missing", "unknown", "twice", "too many", "missing in a subclass", "keyword only"],
)
def test_wrong_arguments(kind: Any, arguments: tuple[Any, ...], values: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=kind.__name__):
        kind(*arguments, **values)


def test_copies() -> None:
    point = Point(1, 2)

    assert point == copy.copy(point) == copy.deepcopy(point) == pickle.loads(pickle.dumps(point))
