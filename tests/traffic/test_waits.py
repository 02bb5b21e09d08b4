"""Waits until an instant of the sandbox's clock: they end at that instant, or with an error after a reset.

The event loop of these tests never sleeps; its time jumps ahead instead.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlook_emulator.clock import LATEST, Clock, VirtualClock, microseconds, moment
from outlook_emulator.errors import StartedOver
from outlook_emulator.traffic.waits import Waits

FIXED = settings(derandomize=True, database=None, deadline=None)
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NOW = microseconds(START)
SECOND = 1_000_000
HOUR = 3_600 * SECOND


class _Jumping(selectors.DefaultSelector):
    """A selector that never blocks, and counts the requested timeouts as elapsed."""

    seconds = 0.0

    def select(self, timeout: float | None = None) -> Any:
        events = super().select(0)
        if not events:
            assert timeout is not None, "everybody waits for something that never comes"
            self.seconds += timeout
        return events


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop whose time jumps ahead instead of passing."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.seconds


class LoopClock:
    """A sandbox's clock that runs with the loop's time."""

    def now(self) -> int:
        return NOW + round(asyncio.get_running_loop().time() * SECOND)


def play(story: Callable[[], Coroutine[Any, Any, None]]) -> float:
    """Run a test's coroutine; returns the seconds of loop time that passed."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(story())
        return runner.get_loop().time()


async def sleep(waits: Waits, seconds: float) -> None:
    """Wait in real time, as a delaying fault does."""
    with waits.until(LATEST) as wait:
        wait.settle()
        await wait.pass_seconds(seconds)


async def steps() -> None:
    """Let all tasks run that can."""
    for _ in range(5):
        await asyncio.sleep(0)


class Caller:
    """A request that waits for an instant, and records when it continued or whether its wait was ended."""

    def __init__(self, waits: Waits, clock: Clock, until: int) -> None:
        self.passed: int | None = None
        self.was_ended = False
        self._waits, self._clock, self._until = waits, clock, until
        self.task = asyncio.ensure_future(self._call())

    async def _call(self) -> None:
        try:
            with self._waits.until(self._until) as wait:
                await wait.pass_until(self._clock)
                self.passed = self._clock.now()
        except StartedOver:
            self.was_ended = True


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START)


def test_no_waits(waits: Waits, clock: VirtualClock) -> None:
    """Without waits there is no next instant, and nothing to run."""

    async def story() -> None:
        await waits.run(None, NOW)
        waits.end()
        assert waits.next_at(None) is None

    assert 0 == play(story)


@pytest.mark.parametrize("late", [0, 1, HOUR])
def test_past_instant(waits: Waits, clock: VirtualClock, late: int) -> None:
    """A wait for a past or current instant ends at once."""

    async def story() -> None:
        with waits.until(NOW - late) as wait:
            await wait.pass_until(clock)

    assert 0 == play(story)


def test_wait_passes_when_the_clock_is_moved(waits: Waits, clock: VirtualClock) -> None:
    """A wait ends when the clock is moved to its instant, and not a microsecond before."""

    async def story() -> None:
        caller = Caller(waits, clock, NOW + HOUR)
        await steps()
        clock.set(moment(NOW + HOUR - 1))
        await waits.run(None, clock.now())
        assert caller.passed is None
        clock.set(moment(NOW + HOUR))
        await waits.run(None, clock.now())
        assert NOW + HOUR == caller.passed

    assert 0 == play(story)


@pytest.mark.parametrize("after", [1, 4_999, SECOND, 2 * SECOND + 1, 60 * SECOND])
def test_wait_passes_when_the_clock_runs(waits: Waits, after: int) -> None:
    """With a running clock a wait ends at its instant, or at most 5 ms later."""

    async def story() -> None:
        caller = Caller(waits, LoopClock(), NOW + after)
        await caller.task
        assert NOW + after <= (caller.passed or 0) <= NOW + after + 5_000

    play(story)


def test_clock_moved_without_notice(waits: Waits, clock: VirtualClock) -> None:
    """A wait notices within a second that the clock was moved without a call of `run`."""

    async def story() -> None:
        caller = Caller(waits, clock, NOW + HOUR)
        await steps()
        clock.set(moment(NOW + HOUR))
        await caller.task
        assert NOW + HOUR == caller.passed

    assert 1 >= play(story)


def test_move_waits_for_resumed_requests(waits: Waits, clock: VirtualClock) -> None:
    """A move of the clock waits until the resumed requests have finished."""

    async def story() -> None:
        done: list[str] = []

        async def call() -> None:
            with waits.until(NOW + 1) as wait:
                await wait.pass_until(clock)
                await asyncio.sleep(0.5)
                done.append("call")

        task = asyncio.ensure_future(call())
        await steps()
        clock.set(moment(NOW + 1))
        await waits.run(None, NOW + 1)
        done.append("move")
        await task
        assert ["call", "move"] == done

    assert 0.5 == play(story)


def test_move_waits_one_second_at_most(waits: Waits, clock: VirtualClock) -> None:
    """A move of the clock waits at most one second for a slow request, which still finishes."""

    async def story() -> None:
        async def call() -> None:
            with waits.until(NOW + 1) as wait:
                await wait.pass_until(clock)
                await asyncio.sleep(30)

        task = asyncio.ensure_future(call())
        await steps()
        clock.set(moment(NOW + 1))
        await waits.run(None, NOW + 1)
        assert 1 == asyncio.get_running_loop().time()
        assert not task.done()
        await task

    assert 30 == play(story)


def test_settled_early(waits: Waits, clock: VirtualClock) -> None:
    """A move of the clock does not wait for a request that has called `settle`."""

    async def story() -> None:
        async def call() -> None:
            with waits.until(NOW + 1) as wait:
                wait.settle()
                await wait.pass_until(clock)
                await asyncio.sleep(30)

        task = asyncio.ensure_future(call())
        await steps()
        await waits.run(None, NOW + 1)
        assert 0 == asyncio.get_running_loop().time()
        await task

    play(story)


def test_next_at(waits: Waits, clock: VirtualClock) -> None:
    """The next instant is the earliest one that a request waits for, and past instants do not count."""

    async def story() -> None:
        later, sooner = Caller(waits, clock, NOW + 2), Caller(waits, clock, NOW + 1)
        await steps()
        assert NOW + 1 == waits.next_at(None)
        clock.set(moment(NOW + 1))
        await waits.run(None, NOW + 1)
        assert (NOW + 1, None, NOW + 2) == (sooner.passed, later.passed, waits.next_at(None))
        clock.set(moment(NOW + 2))
        await waits.run(None, NOW + 2)
        assert (NOW + 2, None) == (later.passed, waits.next_at(None))

    play(story)


@pytest.mark.parametrize("error", [None, RuntimeError])
def test_wait_ends_with_its_block(waits: Waits, error: type[Exception] | None) -> None:
    """A wait whose block has ended, even with an error, is no longer the next instant."""

    async def story() -> None:
        try:
            with waits.until(NOW + 1):
                assert NOW + 1 == waits.next_at(None)
                if error is not None:
                    raise error()
        except RuntimeError:
            pass
        assert waits.next_at(None) is None

    assert 0 == play(story)


def test_cancelled_request(waits: Waits, clock: VirtualClock) -> None:
    """A cancelled request no longer waits, and does not hold up a move of the clock."""

    async def story() -> None:
        caller = Caller(waits, clock, NOW + 1)
        await steps()
        caller.task.cancel()
        await waits.run(None, NOW + 1)
        assert (None, False, None) == (caller.passed, caller.was_ended, waits.next_at(None))
        assert caller.task.cancelled()

    assert 0 == play(story)


def test_end(waits: Waits, clock: VirtualClock) -> None:
    """Ending all waits raises an error in every waiting request; later waits work as before."""

    async def story() -> None:
        before = [Caller(waits, clock, NOW + step) for step in (1, HOUR)]
        await steps()
        waits.end()
        assert waits.next_at(None) is None
        await steps()
        assert [(None, True), (None, True)] == [(caller.passed, caller.was_ended) for caller in before]
        after = Caller(waits, clock, NOW + 2)
        await steps()
        assert (NOW + 2, False) == (waits.next_at(None), after.was_ended)
        clock.set(moment(NOW + 2))
        await waits.run(None, NOW + 2)
        assert NOW + 2 == after.passed

    assert 0 == play(story)


def test_end_at_the_instant(waits: Waits, clock: VirtualClock) -> None:
    """A request whose instant has come continues, even if all waits are ended before it runs."""

    async def story() -> None:
        caller = Caller(waits, clock, NOW + 1)
        await steps()
        clock.set(moment(NOW + 1))
        moving = asyncio.ensure_future(waits.run(None, NOW + 1))
        await asyncio.sleep(0)
        waits.end()
        await moving
        assert (NOW + 1, False) == (caller.passed, caller.was_ended)

    assert 0 == play(story)


def test_error_of_an_ended_wait() -> None:
    """The error of an ended wait is a conflict that names the reason."""
    error = StartedOver()

    assert 409 == error.status
    assert "The sandbox was reset or deleted while this request waited." == error.message


@pytest.mark.parametrize("seconds", [0, 0.25, 30, 600])
def test_sleep(waits: Waits, seconds: float) -> None:
    """A wait in real time ends after its duration."""

    async def story() -> None:
        await sleep(waits, seconds)

    assert seconds == play(story)


def test_sleep_is_independent_of_the_clock(waits: Waits, clock: VirtualClock) -> None:
    """Moving the sandbox's clock does not end a wait in real time, and does not wait for it."""

    async def story() -> None:
        sleeping = asyncio.ensure_future(sleep(waits, 30))
        await steps()
        assert LATEST == waits.next_at(None)
        clock.advance(timedelta(days=365))
        await waits.run(None, clock.now())
        assert (0, False) == (asyncio.get_running_loop().time(), sleeping.done())
        await sleeping

    assert 30 == play(story)


def test_ended_sleep(waits: Waits) -> None:
    """Ending all waits also ends waits in real time."""

    async def story() -> None:
        sleeping = asyncio.ensure_future(sleep(waits, 30))
        await steps()
        waits.end()
        with pytest.raises(StartedOver):
            await sleeping
        assert waits.next_at(None) is None

    assert 0 == play(story)


ACTS = st.one_of(
    st.tuples(st.just("wait"), st.integers(0, 8)),
    st.tuples(st.just("move"), st.integers(0, 5)),
    st.tuples(st.just("end"), st.just(0)),
)


@pytest.mark.slow
@given(st.lists(ACTS, max_size=15))
@FIXED
def test_any_waits(acts: list[tuple[str, int]]) -> None:
    """Each wait ends at the first move that reaches its instant or with the sandbox, and `next_at` is always right."""

    async def story() -> None:
        waits, clock = Waits(), VirtualClock(START)
        waiting: list[tuple[int, Caller]] = []
        for act, number in acts:
            if act == "wait":
                waiting.append((clock.now() + number, Caller(waits, clock, clock.now() + number)))
                await steps()
            elif act == "move":
                clock.set(moment(clock.now() + number))
                await waits.run(None, clock.now())
            else:
                waits.end()
                await steps()
                assert {(None, True)} >= {(caller.passed, caller.was_ended) for _, caller in waiting}
                waiting = []
            assert {(clock.now(), False)} >= {
                (caller.passed, caller.was_ended) for at, caller in waiting if at <= clock.now()
            }
            waiting = [(at, caller) for at, caller in waiting if at > clock.now()]
            assert {(None, False)} >= {(caller.passed, caller.was_ended) for _, caller in waiting}
            assert min((at for at, _ in waiting), default=None) == waits.next_at(None)
        waits.end()
        await steps()

    assert 0 == play(story)
