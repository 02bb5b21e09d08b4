"""The retry report: who came back after a failure, when, and what the mailbox was made to do twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlook_emulator.traffic.journal import ANSWERED, UNDER_WAY, About, ExchangeEntry, Journal
from outlook_emulator.traffic.retry_report import Retried, has_failed, report

FIXED = settings(derandomize=True, database=None, deadline=None)
SECOND = 1_000_000
NOW, REAL = 1_772_442_000 * SECOND, 1_800_000_000 * SECOND


class Calls:
    """Entries as the journal writes them, one after the other; `at` and `real` are in seconds since the first."""

    def __init__(self) -> None:
        self.entries: list[ExchangeEntry] = []
        self._numbers = count(1)

    def add(
        self,
        status: int | None = 200,
        at: float = 0,
        real: float = 0,
        retry_after: str | None = None,
        agent: str | None = None,
        run: str | None = None,
        creates: bool = True,
        **more: Any,
    ) -> ExchangeEntry:
        """A mail that is sent, which works if its status is a good one."""
        entry = ExchangeEntry(next(self._numbers), NOW + round(at * SECOND), REAL + round(real * SECOND))
        entry.started = round(real * 1_000_000_000)
        entry.status, entry.outcome = status, ANSWERED
        entry.connection, entry.method, entry.raw_path = "c1", "POST", b"/v2/Mail"
        entry.about, entry.effected = About("SendEmailV2", "SendEmail", creates=creates), status == 200
        client = ((b"user-agent", agent), (b"x-ms-workflow-run-id", run))
        entry.raw_request_headers = [(name, text.encode()) for name, text in client if text is not None]
        entry.raw_response_headers = [] if retry_after is None else [(b"retry-after", retry_after.encode())]
        for name, value in more.items():
            setattr(entry, name, value)
        self.entries.append(entry)
        return entry

    def report(self) -> list[Retried]:
        return report(self.entries)

    def chains(self) -> list[tuple[int, ...]]:
        return [row.attempts for row in self.report()]


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.mark.parametrize(
    ("status", "outcome", "expected"),
    [
        (200, ANSWERED, False),
        (202, ANSWERED, False),
        (400, ANSWERED, False),
        (401, ANSWERED, False),
        (404, ANSWERED, False),
        (408, ANSWERED, True),
        (429, ANSWERED, True),
        (499, ANSWERED, False),
        (500, ANSWERED, True),
        (504, ANSWERED, True),
        (599, ANSWERED, True),
        (None, UNDER_WAY, False),
        (200, UNDER_WAY, False),
        (504, UNDER_WAY, True),
        (200, "reset", True),
        (200, "cut", True),
        (200, "stall", True),
        (None, "lost", True),
        (404, "cut", True),
    ],
)
def test_has_failed(calls: Calls, status: int | None, outcome: str, expected: bool) -> None:
    """A call has failed when a client would try again: throttled, an error of the server's, or no whole answer."""
    assert expected is has_failed(calls.add(status, outcome=outcome))


def test_no_failures(calls: Calls) -> None:
    """Where nothing failed there is nothing to report, not even of the same call made twice."""
    calls.add()
    calls.add()
    calls.add(404, raw_path=b"/v2/Mail/none")

    assert [] == calls.report()
    assert [] == report([])


def test_failure_nobody_came_back_from(calls: Calls) -> None:
    """A failed call that was not made again stands alone, and says nothing of waits."""
    failed = calls.add(504)

    (row,) = calls.report()
    assert Retried(failed, None, None, None, None, 0, False, (failed.id,)) == row
    assert row.waited_long_enough is None


def test_chain_until_it_works(calls: Calls) -> None:
    """Each failed attempt has a row of its own with the next one, and all know the whole chain."""
    first, second, third = (calls.add(status) for status in (504, 502, 200))
    rows = calls.report()

    assert [(first, second), (second, third)] == [(row.failed, row.retry) for row in rows]
    assert {(1, 2, 3)} == {row.attempts for row in rows}
    assert [(1, False), (1, False)] == [(row.effects, row.duplicated) for row in rows]


def test_chain_that_is_given_up(calls: Calls) -> None:
    """The last attempt of a client that gives up has a row without another after it."""
    calls.add(503)
    calls.add(503)

    assert [2, None] == [row.retry and row.retry.id for row in calls.report()]


@pytest.mark.parametrize("status", [200, 404])
def test_chain_ends_with_an_answer(calls: Calls, status: int) -> None:
    """Once a client has its answer, the same call is a new wish: what fails then begins another chain."""
    for response_status in (504, status, 200, 504, 200):
        calls.add(response_status)

    assert [(1, 2), (4, 5)] == calls.chains()


def test_call_that_is_still_under_way(calls: Calls) -> None:
    """Somebody who is back has come back, whatever becomes of it."""
    calls.add(504)
    calls.add(None, outcome=UNDER_WAY)

    assert [(1, 2)] == calls.chains()


@pytest.mark.parametrize("outcome", ["reset", "cut", "stall", "lost"])
def test_broken_answer_is_a_failure(calls: Calls, outcome: str) -> None:
    """A mail that was sent while its answer was lost is sent twice by a client that tries again."""
    calls.add(200, outcome=outcome)
    calls.add(200)

    (row,) = calls.report()
    assert ((1, 2), 2, True) == (row.attempts, row.effects, row.duplicated)


@pytest.mark.parametrize(
    ("retry_after", "waited", "as_asked"),
    [
        ("10", 10, True),
        ("10", 9.999999, False),
        ("10", 60, True),
        ("0", 0, True),
        (None, 60, None),
        ("soon", 60, None),
        ("", 60, None),
        ("-1", 60, None),
        ("1.5", 60, None),
        ("\u00b2", 60, None),
    ],
)
def test_waited_long_enough(calls: Calls, retry_after: str | None, waited: float, as_asked: bool | None) -> None:
    """A client has waited as asked when it came back no sooner than Retry-After said, by the sandbox's clock."""
    calls.add(429, retry_after=retry_after)
    calls.add(200, at=waited)

    (row,) = calls.report()
    assert (waited, as_asked) == (row.waited, row.waited_long_enough)
    assert (int(retry_after) if as_asked is not None and retry_after else None) == row.retry_after


def test_asked_and_nobody_came_back(calls: Calls) -> None:
    """What was asked of a client that never came back is known, and that it waited is not."""
    calls.add(429, retry_after="10")

    (row,) = calls.report()
    assert (10, None, None) == (row.retry_after, row.waited, row.waited_long_enough)


def test_a_call_that_began_meanwhile(calls: Calls) -> None:
    """Who asks before the failed call has ended does not come back because of it; who asks then, does."""
    calls.add(504, took=1_000_000_000, effected=True)
    calls.add(200, real=0.5)
    calls.add(200, real=1.0)

    (row,) = calls.report()
    assert ((1, 3), 2, True) == (row.attempts, row.effects, row.duplicated)


def test_a_machine_clock_that_is_set_back(calls: Calls) -> None:
    """A retry is found even if the machine's clock was set back after the failed request."""
    failed, retry = calls.add(504, real=5), calls.add(200, real=6)
    retry.real = failed.real - SECOND

    (row,) = calls.report()
    assert (retry, 1.0) == (row.retry, row.real_wait)


def test_a_wait_by_the_sandboxs_clock(calls: Calls) -> None:
    """It begins when the answer of the failed call had left."""
    calls.add(429, retry_after="60", left=NOW + 120 * SECOND)
    calls.add(200, at=130)

    (row,) = calls.report()
    assert (10, False) == (row.waited, row.waited_long_enough)


@pytest.mark.parametrize(("real", "took", "expected"), [(3.0, 1.0, 2.0), (3.0, 0.0, 3.0), (1.0, 1.0, 0.0)])
def test_real_wait(calls: Calls, real: float, took: float, expected: float) -> None:
    """In real time a wait begins when the failed call has ended."""
    calls.add(504, took=round(took * 1_000_000_000))
    calls.add(200, at=60, real=real)

    (row,) = calls.report()
    assert (60, expected) == (row.waited, row.real_wait)


@pytest.mark.parametrize(
    ("attempts", "effects", "duplicated"),
    [
        ([(504, True), (200, True)], 2, True),
        ([(504, False), (200, True)], 1, False),
        ([(504, True), (504, False), (504, False)], 1, False),
        ([(504, False), (504, False)], 0, False),
        ([(504, True), (504, True), (200, True)], 3, True),
        ([(504, True), (429, False), (200, True)], 2, True),
    ],
)
def test_duplicated(calls: Calls, attempts: list[tuple[int, bool]], effects: int, duplicated: bool) -> None:
    """Something was made twice when two attempts of one chain did their work, whatever their callers were told."""
    for status, effected in attempts:
        calls.add(status, effected=effected)

    assert {(effects, duplicated)} == {(row.effects, row.duplicated) for row in calls.report()}


def test_work_that_can_be_done_twice(calls: Calls) -> None:
    """An operation that makes nothing new duplicates nothing, however often it did its work."""
    calls.add(504, effected=True, creates=False, method="PATCH")
    calls.add(200, creates=False, method="PATCH")

    (row,) = calls.report()
    assert (2, False) == (row.effects, row.duplicated)


@pytest.mark.parametrize(
    "other",
    [
        {"agent": "other"},
        {"agent": None},
        {"run": "r2"},
        {"run": None},
        {"connection": "c2"},
        {"method": "PUT"},
        {"raw_path": b"/v3/Mail"},
        {"query": b"top=1"},
        {"request_digest": 2},
    ],
)
def test_others_are_not_mixed_in(calls: Calls, other: dict[str, Any]) -> None:
    """Only the same client with the same wish comes back: a call of another in between ends no chain and joins none."""
    calls.add(504, agent="sdk", run="r1")
    calls.add(200, **{"agent": "sdk", "run": "r1", **other})
    calls.add(504, **{"agent": "sdk", "run": "r1", **other})
    calls.add(200, agent="sdk", run="r1")

    assert [(1, 4), (3,)] == calls.chains()


def test_rows_stand_in_order(calls: Calls) -> None:
    """Failed calls stand in the order they came, though their chains cross."""
    for agent in ("a", "b", "a", "b", "b"):
        calls.add(504, agent=agent)

    assert [1, 2, 3, 4, 5] == [row.failed.id for row in calls.report()]
    assert [(1, 3), (2, 4, 5), (1, 3), (2, 4, 5), (2, 4, 5)] == calls.chains()


def test_journal_is_what_is_reported_of() -> None:
    """The report reads the entries of a journal, those of requests under way included."""
    journal = Journal(cap=10, body_bytes=10)
    failed = journal.open(NOW, REAL)
    failed.status = 504
    journal.close(failed, 7, ANSWERED)
    back = journal.open(NOW + SECOND, REAL)
    back.started = 7

    (row,) = report(journal.exchanges())
    assert (failed, back, 1.0) == (row.failed, row.retry, row.waited)


@dataclass(frozen=True)
class Attempt:
    """A call of one of some clients: what it came to, and whether the mail was sent."""

    agent: str
    status: int
    effected: bool
    gap: int


ATTEMPTS = st.lists(
    st.builds(
        Attempt,
        agent=st.sampled_from("abc"),
        status=st.sampled_from([200, 404, 429, 504]),
        effected=st.booleans(),
        gap=st.integers(0, 5),
    ),
    max_size=20,
)


def told_alone(entries: Iterable[ExchangeEntry]) -> list[Retried]:
    """The report on each client's calls by themselves, put together."""
    kept = list(entries)
    agents = dict.fromkeys(entry.header(b"user-agent") for entry in kept)
    rows = [row for agent in agents for row in report(entry for entry in kept if entry.header(b"user-agent") == agent)]
    return sorted(rows, key=lambda row: row.failed.id)


@pytest.mark.slow
@given(ATTEMPTS)
@FIXED
def test_any_attempts(attempts: list[Attempt]) -> None:
    """Each failed call has one row, each client's are as if it had been alone, and chains hold together: all but the
    last of one have failed, and it was duplicated if two of them did their work.
    """
    calls, now = Calls(), 0
    for attempt in attempts:
        now += attempt.gap
        calls.add(attempt.status, at=now, agent=attempt.agent, retry_after="3", effected=attempt.effected)
    entries = {entry.id: entry for entry in calls.entries}
    rows = calls.report()

    assert told_alone(calls.entries) == rows
    assert [entry for entry in calls.entries if has_failed(entry)] == [row.failed for row in rows]
    for row in rows:
        chain = [entries[number] for number in row.attempts]
        place = chain.index(row.failed)
        assert row.retry == (chain[place + 1] if chain[place + 1 :] else None)
        assert all(has_failed(entry) for entry in chain[:-1])
        assert row.effects == sum(entry.effected for entry in chain)
        assert row.duplicated is (row.effects > 1)
        assert row.waited_long_enough is (None if row.retry is None else row.retry.at - row.failed.at >= 3 * SECOND)
