"""Time: the clock of a test stands still, moves when told, and never goes back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from emulator.clock import SystemClock, VirtualClock, iso_seconds, microseconds, moment

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
EAST = timezone(timedelta(hours=5, minutes=30))


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START)


def test_system_clock_tells_the_time() -> None:
    """The machine's clock is read in microseconds since 1970."""
    before = microseconds(datetime.now(UTC))
    now = SystemClock().now()
    after = microseconds(datetime.now(UTC))

    assert before <= now <= after


def test_virtual_clock_stands_still(clock: VirtualClock) -> None:
    """A virtual clock says the same until it is moved."""
    assert (microseconds(START), microseconds(START)) == (clock.now(), clock.now())


def test_virtual_clock_advances(clock: VirtualClock) -> None:
    """Steps add up to the microsecond."""
    clock.advance(timedelta(hours=1))
    clock.advance(timedelta(microseconds=1))

    assert START + timedelta(hours=1, microseconds=1) == moment(clock.now())


def test_virtual_clock_jumps(clock: VirtualClock) -> None:
    """A clock can be set to a time ahead, in any zone, and to the time it is."""
    clock.set(datetime(2026, 3, 2, 15, 30, tzinfo=EAST))
    clock.set(datetime(2026, 3, 2, 10, 0, tzinfo=UTC))

    assert moment(clock.now()) == datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


def test_virtual_clock_never_goes_back(clock: VirtualClock) -> None:
    """A time in the past and a negative step are refused, and the clock stays where it was."""
    with pytest.raises(ValueError, match="cannot go backwards"):
        clock.set(START - timedelta(microseconds=1))
    with pytest.raises(ValueError, match="cannot go backwards"):
        clock.advance(timedelta(seconds=-1))

    assert microseconds(START) == clock.now()


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), 0),
        (datetime(1970, 1, 1), 0),
        (datetime(1970, 1, 1, 5, 30, 0, 1, tzinfo=EAST), 1),
        (datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), -1),
        (datetime(9999, 12, 31, tzinfo=UTC), 253_402_214_400_000_000),
    ],
)
def test_instants_are_exact(when: datetime, expected: int) -> None:
    """An instant is a whole number of microseconds; a naive one is read as UTC; the way back is the same."""
    assert expected == microseconds(when)
    assert microseconds(when) == microseconds(moment(expected))


@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        (0, "1970-01-01T00:00:00+00:00"),
        (1_772_442_000_999_999, "2026-03-02T09:00:00+00:00"),
        (-1, "1969-12-31T23:59:59+00:00"),
    ],
)
def test_wire_time_has_whole_seconds(instant: int, expected: str) -> None:
    """On the wire a time has seconds, rounded down, and a numeric UTC offset."""
    assert expected == iso_seconds(instant)
