"""Limits per connection: calls per period, concurrent requests and bytes in flight."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from outlook_emulator.errors import CallsExceeded, TooManyAtOnce
from outlook_emulator.settings import Limits
from outlook_emulator.traffic import limits
from outlook_emulator.traffic.limits import Lease, Limiter

FIXED = settings(derandomize=True, database=None, deadline=None)
SECOND = 1_000_000
NOW = 1_772_442_000 * SECOND
ONE, OTHER = "one", "other"


def limiter_of(
    calls: int = 0,
    period: int = 60,
    requests: int = 0,
    size: int = 0,
    warn_at: int = 0,
    refused_calls: Literal["ignore", "count"] = "ignore",
) -> Limiter:
    """A limiter with only these limits."""
    return Limiter(
        Limits(
            max_calls=calls,
            calls_period=period,
            max_concurrent=requests,
            max_bytes_in_flight=size,
            warn_at=warn_at,
            refused_calls=refused_calls,
        )
    )


def call(limiter: Limiter, now: int, connection: str = ONE) -> int | None:
    """Make a request that ends at once; returns the seconds to wait if it is rejected, or None."""
    try:
        limiter.enter(connection, now).release()
    except CallsExceeded as error:
        return error.retry_after
    return None


def in_use(limiter: Limiter, connection: str = ONE) -> tuple[int, int]:
    """The concurrent requests and the bytes in flight of a connection."""
    use = limiter.uses()[connection]
    return use.requests, use.bytes


def test_a_whole_window_of_calls() -> None:
    """The allowed calls may come at one instant, and the next call must wait for the whole period."""
    limiter = limiter_of(calls=3, period=60)

    assert [None, None, None, 60] == [call(limiter, NOW) for _ in range(4)]


def test_window_slides() -> None:
    """Each call leaves the window one period after it was made, to the microsecond.

    API Management's documentation of its rate limits calls the period the length of a sliding window.
    """
    limiter = limiter_of(calls=2, period=60)
    end = NOW + 60 * SECOND
    half = NOW + 30 * SECOND

    instants = (NOW, half, end - 1, end, end, half + 60 * SECOND - 1, half + 60 * SECOND)
    assert [None, None, 1, None, 30, 1, None] == [call(limiter, now) for now in instants]


def test_no_window_holds_more_calls_than_allowed() -> None:
    """No period of any start holds more than the allowed calls; with fixed periods, two bursts could follow at once."""
    limiter = limiter_of(calls=300, period=60)
    allowed = [now for now in range(NOW, NOW + 180 * SECOND, SECOND // 20) if call(limiter, now) is None]

    assert 900 == len(allowed)
    assert [] == [now for now, later in zip(allowed, allowed[300:], strict=False) if later < now + 60 * SECOND]


def test_a_burst_at_the_end_of_a_window_counts_in_the_next() -> None:
    """599 calls within 2 seconds do not pass, wherever they lie: 300 do."""
    limiter = limiter_of(calls=300, period=60)
    burst = NOW + 59 * SECOND
    call(limiter, NOW)

    assert [None] * 299 == [call(limiter, burst) for _ in range(299)]
    assert [None, 59] == [call(limiter, NOW + 60 * SECOND) for _ in range(2)]


def test_retry_after_names_the_oldest_call() -> None:
    """The wait ends when the oldest call leaves the window, and one call is allowed then."""
    limiter = limiter_of(calls=3, period=60)
    for seconds in (0, 10, 50):
        call(limiter, NOW + seconds * SECOND)

    assert [5, None, 10, None, 40] == [call(limiter, NOW + seconds * SECOND) for seconds in (55, 60, 60, 70, 70)]


def test_refused_calls_do_not_count() -> None:
    """By default a refused call does not count: a client that retries too often is not refused for longer.

    Inferred from API Management's documentation, which speaks of the number of allowed requests in the window.
    """
    limiter = limiter_of(calls=1, period=10)
    call(limiter, NOW)

    assert [10, 9, 5, 1, None] == [call(limiter, NOW + seconds * SECOND) for seconds in (0, 1, 5, 9, 10)]


def test_refused_calls_count_if_set() -> None:
    """With the setting, each refused call uses up a call, and Retry-After allows for that."""
    limiter = limiter_of(calls=2, period=10, refused_calls="count")

    assert [None, None, 10] == [call(limiter, NOW) for _ in range(3)]
    assert [2, 9] == [call(limiter, NOW + seconds * SECOND) for seconds in (8, 9)]
    # The call at 8 has left, and the one at 9 has not.
    assert None is call(limiter, NOW + 18 * SECOND)


def test_requests_refused_for_another_limit_count_if_set() -> None:
    """With the setting, a request refused for too many concurrent requests or bytes uses up a call as well."""
    limiter = limiter_of(calls=3, period=10, requests=1, size=5, refused_calls="count")
    lease = limiter.enter(ONE, NOW)
    with pytest.raises(TooManyAtOnce):
        limiter.enter(ONE, NOW)
    lease.release()
    with pytest.raises(TooManyAtOnce):
        limiter.enter(ONE, NOW, 6)

    assert 10 == call(limiter, NOW)


@pytest.mark.slow
def test_many_calls_take_little_memory() -> None:
    """Far more calls than instants are kept take less than two megabytes, and the count stays exact."""
    limiter = limiter_of(calls=10**9, period=60)
    for number in range(200_000):
        limiter.enter(ONE, NOW + number * 200).release()
    window = limiter.uses()[ONE].calls
    numbers = [*window._instants, *window._counts]

    assert 200_000 == window.count(NOW + 40 * SECOND, 60 * SECOND)
    assert 2_000_000 > sum(map(sys.getsizeof, (window._instants, window._counts))) + 28 * len(numbers)
    assert 0 == window.count(NOW + 101 * SECOND, 60 * SECOND)


def test_merged_calls_leave_almost_on_time() -> None:
    """Where calls share an instant for want of memory, they leave early by less than a hundredth of a second."""
    limiter = limiter_of(calls=20_000, period=60)
    step = 2000
    for number in range(20_000):
        assert call(limiter, NOW + number * step) is None
    end = NOW + 20_000 * step

    assert 20 == call(limiter, end)
    window = limiter.uses()[ONE].calls
    for seconds in (25, 30, 50, 59):
        left = 20_000 - window.count(NOW + (60 + seconds - 20) * SECOND, 60 * SECOND)
        assert 0 <= left - min((seconds - 20) * SECOND // step + 1, 20_000) <= 10_000 // step + 1


@pytest.mark.parametrize(
    ("gone", "seconds"),
    [(0, 60), (1, 60), (SECOND - 1, 60), (SECOND, 59), (59 * SECOND, 1), (59 * SECOND + 1, 1), (60 * SECOND - 1, 1)],
)
def test_retry_after_is_rounded_up(gone: int, seconds: int) -> None:
    """The wait is rounded up to whole seconds, and is at least one second."""
    limiter = limiter_of(calls=1, period=60)
    call(limiter, NOW)

    assert seconds == call(limiter, NOW + gone)
    assert call(limiter, NOW + gone + seconds * SECOND) is None


def test_connections_are_counted_separately() -> None:
    """A connection that has used up its calls does not affect other connections."""
    limiter = limiter_of(calls=1, period=10)

    assert [None, 10, None] == [call(limiter, NOW, connection) for connection in (ONE, ONE, OTHER)]


def test_concurrent_request_limit() -> None:
    """A request above the limit is rejected until another request ends."""
    limiter = limiter_of(requests=2)
    first = limiter.enter(ONE, NOW)
    limiter.enter(ONE, NOW)

    with pytest.raises(TooManyAtOnce, match="2 requests are being processed; at most 2 are allowed"):
        limiter.enter(ONE, NOW)
    first.release()
    limiter.enter(ONE, NOW)
    assert (2, 0) == in_use(limiter)


def test_call_limit_is_reported_first() -> None:
    """If both limits are exceeded, the error is the one for calls, which has the longer wait."""
    limiter = limiter_of(calls=1, requests=1)
    limiter.enter(ONE, NOW)

    with pytest.raises(CallsExceeded):
        limiter.enter(ONE, NOW)


def test_request_rejected_as_concurrent_is_no_call() -> None:
    """A request rejected for too many concurrent requests does not count as a call."""
    limiter = limiter_of(calls=2, requests=1)
    under_way = limiter.enter(ONE, NOW)
    with pytest.raises(TooManyAtOnce):
        limiter.enter(ONE, NOW)
    under_way.release()

    assert [None, 60] == [call(limiter, NOW) for _ in range(2)]


def test_request_refused_for_its_bytes_is_no_call() -> None:
    """A request refused for its announced body does not count as a call, and is not in progress."""
    limiter = limiter_of(calls=1, size=10)
    with pytest.raises(TooManyAtOnce):
        limiter.enter(ONE, NOW, 11)

    assert (0, 0) == in_use(limiter)
    assert call(limiter, NOW) is None


def test_bytes_in_flight() -> None:
    """A body counts until its request ends, and a body that does not fit is rejected."""
    limiter = limiter_of(size=10)
    first, second = limiter.enter(ONE, NOW, 4), limiter.enter(ONE, NOW)
    second.admit(6)

    with pytest.raises(TooManyAtOnce, match="11 bytes are being transferred; at most 10 are allowed"):
        second.admit(1)
    with pytest.raises(TooManyAtOnce, match="12 bytes are being transferred; at most 10 are allowed"):
        limiter.enter(ONE, NOW, 2)
    assert (2, 10) == in_use(limiter)
    first.release()
    second.admit(4)
    assert (1, 10) == in_use(limiter)


def test_response_bytes_refuse_only_later_requests() -> None:
    """A response above the limit counts without being refused; until it is sent, no other request is admitted."""
    limiter = limiter_of(size=10)
    lease = limiter.enter(ONE, NOW, 10)
    limiter.enter(ONE, NOW).release()
    lease.carry(5)

    assert (1, 15) == in_use(limiter)
    with pytest.raises(TooManyAtOnce, match="15 bytes are being transferred; at most 10 are allowed"):
        limiter.enter(ONE, NOW)
    lease.release()
    limiter.enter(ONE, NOW, 10)
    assert (1, 10) == in_use(limiter)


def test_limits_that_are_off() -> None:
    """A limit of 0 allows everything, and usage is still counted."""
    limiter = limiter_of(warn_at=1)
    leases = [limiter.enter(ONE, NOW) for _ in range(400)]
    for lease in leases:
        lease.carry(10**9)

    assert (400, 400 * 10**9) == in_use(limiter)
    assert 400 == limiter.uses()[ONE].calls.count(NOW, 60 * SECOND)
    assert {None} == {lease.warning() for lease in leases}


def test_calls_leave_the_window() -> None:
    """A connection's count goes down as each of its calls becomes a period old."""
    limiter = limiter_of(calls=5, period=10)
    call(limiter, NOW)
    call(limiter, NOW + 1)

    calls, end = limiter.uses()[ONE].calls, NOW + 10 * SECOND
    assert [2, 1, 0] == [calls.count(now, 10 * SECOND) for now in (end - 1, end, end + 1)]
    assert calls.oldest() is None


@pytest.mark.parametrize(
    ("before", "warning"),
    [(0, None), (7, None), (8, "9 of 10 calls"), (9, "10 of 10 calls")],
)
def test_warning_before_the_calls_run_out(before: int, warning: str | None) -> None:
    """From a percentage of the limit on, the warning has the number of calls, including the current one."""
    limiter = limiter_of(calls=10, warn_at=90)
    for _ in range(before):
        call(limiter, NOW)

    assert warning == limiter.enter(ONE, NOW).warning()


def test_warning_names_every_limit_that_is_near() -> None:
    """The warning names every limit that is nearly reached, in one line."""
    limiter = limiter_of(calls=2, requests=2, size=100, warn_at=50)
    lease = limiter.enter(ONE, NOW)
    lease.carry(50)

    assert "1 of 2 calls, 1 of 2 concurrent requests, 50 of 100 bytes in flight" == lease.warning()
    limiter.uses()[ONE].calls.count(NOW + 60 * SECOND, 60 * SECOND)
    assert "1 of 2 concurrent requests, 50 of 100 bytes in flight" == lease.warning()


def test_warnings_that_are_off() -> None:
    """There are no warnings if the percentage is 0."""
    assert limiter_of(calls=1, requests=1, warn_at=0).enter(ONE, NOW).warning() is None


def test_changed_limits() -> None:
    """Changed limits apply to the next call, and earlier calls still count."""
    limiter = limiter_of(calls=3)
    call(limiter, NOW)
    call(limiter, NOW)

    limiter.limits = Limits(max_calls=2)
    assert 60 == call(limiter, NOW)
    limiter.limits = Limits(max_calls=1)
    assert 60 == call(limiter, NOW + 1)
    limiter.limits = Limits(max_calls=3)
    assert call(limiter, NOW + 2) is None


def test_lowered_limit_waits_for_every_call_above_it() -> None:
    """After the limit was lowered, the wait lasts until fewer calls than the new limit are in the window."""
    limiter = limiter_of(calls=10, period=60)
    for seconds in range(10):
        call(limiter, NOW + seconds * SECOND)
    waits = []
    for most in (1, 2, 5, 9, 10):
        limiter.limits = Limits(max_calls=most)
        waits.append(call(limiter, NOW + 10 * SECOND))

    assert [59, 58, 55, 51, 50] == waits


def test_changed_period_applies_to_earlier_calls() -> None:
    """A new period decides which of the earlier calls count."""
    limiter = limiter_of(calls=1, period=60)
    call(limiter, NOW)

    limiter.limits = Limits(max_calls=1, calls_period=20)
    assert [1, None] == [call(limiter, NOW + seconds * SECOND) for seconds in (19, 20)]


def test_forgotten() -> None:
    """A reset limiter has no counts, and a request from before the reset ends without changing them."""
    limiter = limiter_of(calls=1, requests=1, size=10)
    before = limiter.enter(ONE, NOW, 10)

    limiter.forget()
    assert {} == limiter.uses()
    limiter.enter(ONE, NOW - 1, 10)
    before.release()
    assert (1, 10) == in_use(limiter)


@dataclass
class Model:
    """The expected use of one connection: the instants of its calls, and its open requests with their bytes."""

    begun: list[int] = field(default_factory=list)
    under_way: list[tuple[Lease, int]] = field(default_factory=list)


class Callers(RuleBasedStateMachine):
    """Two connections that start requests, send bodies and end requests at random while time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.known = {ONE: Model(), OTHER: Model()}
        self.limiter = limiter_of()

    @initialize(
        calls=st.integers(0, 4), period=st.integers(1, 3), requests=st.integers(0, 3), size=st.sampled_from([0, 10])
    )
    def begin(self, calls: int, period: int, requests: int, size: int) -> None:
        self.limiter = limiter_of(calls, period, requests, size)

    @rule(microseconds=st.sampled_from([1, SECOND // 2, SECOND - 1, SECOND, 2 * SECOND]))
    def advance(self, microseconds: int) -> None:
        self.now += microseconds

    @rule()
    @precondition(lambda self: self.ends(ONE) is not None)
    def advance_to_the_end(self) -> None:
        self.now = max(self.now, self.ends(ONE) or 0)

    @rule()
    @precondition(lambda self: self.ends(ONE) is not None)
    def advance_almost_to_the_end(self) -> None:
        self.now = max(self.now, (self.ends(ONE) or 0) - 1)

    @rule(connection=st.sampled_from([ONE, OTHER]))
    def enter(self, connection: str) -> None:
        known, limits = self.known[connection], self.limiter.limits
        if limits.max_calls and len(self.counted(connection)) >= limits.max_calls:
            with pytest.raises(CallsExceeded) as error:
                self.limiter.enter(connection, self.now)
            assert error.value.retry_after is not None
            self.check_wait(connection, error.value.retry_after)
        elif limits.max_concurrent and len(known.under_way) >= limits.max_concurrent:
            with pytest.raises(TooManyAtOnce):
                self.limiter.enter(connection, self.now)
        else:
            known.begun.append(self.now)
            known.under_way.append((self.limiter.enter(connection, self.now), 0))

    @rule(connection=st.sampled_from([ONE, OTHER]), pick=st.integers(0, 9), size=st.integers(0, 12))
    def carry(self, connection: str, pick: int, size: int) -> None:
        under_way = self.known[connection].under_way
        if not under_way:
            return
        at = pick % len(under_way)
        lease, before = under_way[at]
        limit = self.limiter.limits.max_bytes_in_flight
        if limit and sum(size for _, size in under_way) + size > limit:
            with pytest.raises(TooManyAtOnce):
                lease.admit(size)
        else:
            lease.admit(size)
            under_way[at] = (lease, before + size)

    @rule(connection=st.sampled_from([ONE, OTHER]), pick=st.integers(0, 9))
    def release(self, connection: str, pick: int) -> None:
        under_way = self.known[connection].under_way
        if under_way:
            under_way.pop(pick % len(under_way))[0].release()

    @invariant()
    def counts_are_what_is_known(self) -> None:
        for connection, known in self.known.items():
            if (use := self.limiter.uses().get(connection)) is not None:
                bytes_known = sum(size for _, size in known.under_way)
                calls = use.calls.count(self.now, self.period)
                expected = (len(self.counted(connection)), len(known.under_way), bytes_known)
                assert expected == (calls, use.requests, use.bytes)

    def teardown(self) -> None:
        for known in self.known.values():
            for lease, _ in known.under_way:
                lease.release()
        for use in self.limiter.uses().values():
            assert (0, 0) == (use.requests, use.bytes)

    @property
    def period(self) -> int:
        return self.limiter.limits.calls_period * SECOND

    def counted(self, connection: str) -> list[int]:
        """The instants of the calls that are less than a period old."""
        return [instant for instant in self.known[connection].begun if instant > self.now - self.period]

    def ends(self, connection: str) -> int | None:
        """The instant at which the oldest of the counted calls leaves."""
        counted = self.counted(connection)
        return counted[0] + self.period if counted else None

    def check_wait(self, connection: str, seconds: int) -> None:
        """The wait ends at the first whole second at which a call is accepted again."""
        end = self.ends(connection)
        assert end is not None
        assert self.now + (seconds - 1) * SECOND < end <= self.now + seconds * SECOND


@pytest.mark.slow
def test_any_calls() -> None:
    """For any history calls stay within the limit, waits are exact, and rejected requests leave no trace."""
    run_state_machine_as_test(Callers, settings=settings(FIXED, max_examples=150, stateful_step_count=40))


def test_idle_connections_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many ids, each used once, do not take memory for ever; those in use keep their counts."""
    monkeypatch.setattr(limits, "_MANY_CONNECTIONS", 20)
    limiter = limiter_of(calls=2, period=60)
    open_lease = limiter.enter("open", NOW)
    for second in range(200):
        call(limiter, NOW + second * SECOND, f"c{second}")
        if second == 150:
            assert call(limiter, NOW + second * SECOND) is None
            assert call(limiter, NOW + second * SECOND) is None

    assert len(limiter.uses()) < 150
    assert call(limiter, NOW + 200 * SECOND) == 10
    assert limiter.uses()["open"].requests == 1
    open_lease.release()
