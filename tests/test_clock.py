"""Clocks: a virtual clock moves only on request, and no clock goes back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlook_emulator.clock import (
    LATEST,
    ClockState,
    SandboxClock,
    SystemClock,
    VirtualClock,
    iso_seconds,
    microseconds,
    moment,
)

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
EAST = timezone(timedelta(hours=5, minutes=30))
HOUR = 3_600_000_000
NOW = microseconds(START)


class Wandering:
    """A base clock that can go back, as a machine's clock can."""

    def __init__(self) -> None:
        self.instant = NOW

    def now(self) -> int:
        return self.instant


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START)


def test_system_clock_tells_the_time() -> None:
    """The system clock returns microseconds since 1970."""
    before = microseconds(datetime.now(UTC))
    now = SystemClock().now()
    after = microseconds(datetime.now(UTC))

    assert before <= now <= after


def test_virtual_clock_stands_still(clock: VirtualClock) -> None:
    """A virtual clock shows the same time until it is moved."""
    assert (microseconds(START), microseconds(START)) == (clock.now(), clock.now())


def test_virtual_clock_advances(clock: VirtualClock) -> None:
    """Advances add up to the microsecond."""
    clock.advance(timedelta(hours=1))
    clock.advance(timedelta(microseconds=1))

    assert START + timedelta(hours=1, microseconds=1) == moment(clock.now())


def test_virtual_clock_is_set(clock: VirtualClock) -> None:
    """A clock can be set to a later time in any zone, and to its current time."""
    clock.set(datetime(2026, 3, 2, 15, 30, tzinfo=EAST))
    clock.set(datetime(2026, 3, 2, 10, 0, tzinfo=UTC))

    assert moment(clock.now()) == datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


def test_virtual_clock_never_goes_back(clock: VirtualClock) -> None:
    """A time in the past and a negative duration raise ValueError, and the clock does not move."""
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
    """An instant is a whole number of microseconds, a naive datetime is UTC, and the conversion back is exact."""
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
    """On the wire a time has whole seconds, rounded down, and a numeric UTC offset."""
    assert expected == iso_seconds(instant)


# A sandbox's clock


def test_sandbox_clock_follows(clock: VirtualClock) -> None:
    """A new sandbox clock shows the time of its base clock."""
    own = SandboxClock(clock)
    clock.advance(timedelta(hours=1))

    assert (NOW + HOUR, False, 0, ClockState()) == (own.now(), own.frozen, own.shift, own.state)


def test_sandbox_clock_is_shifted(clock: VirtualClock) -> None:
    """A moved clock continues to run with the sum of its moves as its shift."""
    own = SandboxClock(clock)
    own.advance(HOUR)
    own.set(NOW + 3 * HOUR)
    clock.advance(timedelta(hours=1))

    assert (NOW + 4 * HOUR, 2 * HOUR + HOUR) == (own.now(), own.shift)
    assert ClockState(None, 3 * HOUR) == own.state


def test_sandbox_clock_is_frozen(clock: VirtualClock) -> None:
    """A frozen clock moves only when it is set; released, it continues from there, even behind its base clock."""
    own = SandboxClock(clock)
    own.freeze()
    clock.advance(timedelta(hours=3))
    stood = own.now()
    own.advance(HOUR)
    moved = own.state
    own.follow()
    followed = own.now()
    clock.advance(timedelta(hours=1))

    # What the clock of the machine shows is not in the state.
    assert (NOW, ClockState(NOW + HOUR)) == (stood, moved)
    assert (NOW + HOUR, NOW + 2 * HOUR, -2 * HOUR) == (followed, own.now(), own.shift)


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("instant", [NOW - 1, -(10**19), LATEST + 1, 10**19])
def test_sandbox_clock_rejects_invalid_times(clock: VirtualClock, frozen: bool, instant: int) -> None:
    """The past and the far future raise ValueError, and the clock does not move."""
    states: list[ClockState] = []
    own = SandboxClock(clock, states.append)
    if frozen:
        own.freeze()
    before = own.state, list(states)

    with pytest.raises(ValueError, match=r"cannot go backwards|goes no further"):
        own.set(instant)
    with pytest.raises(ValueError, match=r"cannot go backwards|goes no further"):
        own.advance(instant - NOW)
    assert before == (own.state, states)
    assert own.now() == NOW


def test_sandbox_clock_starts_in_the_past(clock: VirtualClock) -> None:
    """A new clock can start in the past and then runs from there."""
    states: list[ClockState] = []
    own = SandboxClock(clock, states.append)
    own.start(NOW - HOUR)
    clock.advance(timedelta(microseconds=5))

    assert (NOW - HOUR + 5, -HOUR) == (own.now(), own.shift)
    assert [ClockState(None, -HOUR)] == states


@pytest.mark.parametrize("instant", [-1, -(10**19), LATEST + 1])
def test_sandbox_clock_rejects_an_invalid_start(clock: VirtualClock, instant: int) -> None:
    """A start outside the supported years raises ValueError."""
    own = SandboxClock(clock)

    with pytest.raises(ValueError, match=r"no earlier than 1970|no further than 9000"):
        own.start(instant)
    assert own.now() == NOW


def test_sandbox_clock_waits_for_its_base_clock() -> None:
    """When the base clock is set back, the sandbox clock stands still until the base clock has caught up."""
    base = Wandering()
    own = SandboxClock(base)
    seen = []
    for instant in (NOW + 5, NOW, NOW + 4, NOW + 6):
        base.instant = instant
        seen.append(own.now() - NOW)

    assert [5, 5, 5, 6] == seen


def test_held_clock() -> None:
    """A held clock moves only when it is set; after the hold, its shift is exact."""
    base = Wandering()
    own = SandboxClock(base)
    with own.held(), own.held():
        base.instant += 7
        assert own.now() == NOW
        own.advance(HOUR)
        assert own.now() == NOW + HOUR
    assert (NOW + HOUR + 7, HOUR) == (own.now(), own.shift)


def test_stops() -> None:
    """`stops` visits each due instant in order, overdue ones first, and does not repeat an instant."""
    own = SandboxClock(Wandering())
    plans = {"late": [NOW - 5], "twice": [NOW + 1, NOW + 3], "never": [], "far": [NOW + 11]}

    def waiting() -> list[tuple[int | None, str]]:
        return [(NOW + 2, "stuck"), *((times[0] if times else None, name) for name, times in plans.items())]

    seen = []
    with own.held():
        for name in own.stops(NOW + 10, waiting):
            seen.append((name, own.now() - NOW))
            plans.get(name, [0]).pop(0)

    assert [("late", 0), ("twice", 1), ("stuck", 2), ("twice", 3)] == seen
    assert (NOW + 10, [NOW + 11]) == (own.now(), plans["far"])


STEPS = st.one_of(
    st.tuples(st.sampled_from(["freeze", "follow", "look", "restart"]), st.just(0)),
    st.tuples(st.sampled_from(["advance", "set", "base", "hold"]), st.integers(-2 * HOUR, 2 * HOUR)),
)


@pytest.mark.slow
@given(st.lists(STEPS, max_size=30))
def test_sandbox_clock_never_goes_back(steps: list[tuple[str, int]]) -> None:
    """No change to the clock or its base clock makes time decrease."""
    base = Wandering()
    own = SandboxClock(base)
    latest = own.now()
    for name, amount in steps:
        shown, state = own.now(), own.state
        if name == "base":
            base.instant += amount
        elif name == "restart":
            # If the machine's clock moves forward, a restored clock continues from where it was.
            base.instant = max(base.instant, shown - state.shift)
            own = SandboxClock(base)
            own.restore(state)
        elif name == "hold":
            with own.held():
                base.instant += amount
                assert shown == own.now()
        elif name in ("freeze", "follow"):
            getattr(own, name)()
        elif name in ("advance", "set"):
            target = shown + amount
            if amount < 0:
                with pytest.raises(ValueError, match="backwards"):
                    own.set(target)
                amount = 0
            own.set(shown + amount) if name == "set" else own.advance(amount)
            assert shown + amount == own.now()
        assert latest <= own.now()
        latest = own.now()
