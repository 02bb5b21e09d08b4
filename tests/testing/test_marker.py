"""The keywords of the marker `outlook`: names, values and precedence."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from outlook_emulator import testing
from outlook_emulator.testing.marker import Marker, read_marks


def test_no_marker() -> None:
    """Without a marker, a test has an empty mailbox and no faults, and unused faults fail it."""
    assert Marker(seed=None, faults=(), clock=None, transport=None, unused_faults="fail") == read_marks([])


def test_nearest_marker_wins() -> None:
    """For each keyword, the nearest marker that has it wins, also for faults."""
    when = datetime(2026, 3, 2)
    near = {"faults": ["throttled"], "clock": when}
    far = {"faults": [{"effect": "bad-gateway"}], "seed": "office", "transport": "app", "unused_faults": "allow"}

    assert Marker(
        faults=("throttled",), clock=when, seed="office", transport="app", unused_faults="allow"
    ) == read_marks([((), near), ((), far)])


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"sed": "office"}, "has no keyword 'sed'; it has seed, faults, clock, transport, unused_faults"),
        ({"transport": "pigeon"}, "transport='pigeon', which must be 'http' or 'app'"),
        ({"unused_faults": True}, "unused_faults=True, which must be 'fail' or 'allow'"),
        ({"faults": "throttled"}, "faults='throttled', which must be a list of fault names and rules"),
        ({"seed": None}, "seed=None, which must be the name of a sample mailbox"),
        ({"clock": 5}, "clock=5, which must be an instant, as text or as a datetime"),
    ],
)
def test_invalid_keyword(keywords: dict[str, Any], said: str) -> None:
    """An unknown keyword or an invalid value is rejected with the valid ones, also in a marker that is overridden."""
    with pytest.raises(ValueError, match="the marker 'outlook'") as mistake:
        read_marks([((), {"seed": "office"}), ((), keywords)])

    assert said in str(mistake.value)


def test_positional_argument() -> None:
    """The marker takes keywords only."""
    with pytest.raises(ValueError, match="takes keywords only, not 'office'"):
        read_marks([(("office",), {})])


@pytest.mark.parametrize("name", testing.__all__)
def test_public_name(name: str) -> None:
    """Every public name is an attribute of the package and refers to the object of that name."""
    assert getattr(testing, name).__name__ == name


def test_unknown_name() -> None:
    """A name that is not public is not an attribute of the package."""
    with pytest.raises(AttributeError, match="no attribute 'Admin'"):
        _ = testing.Admin
