"""The retry report: which failed requests were retried, when, and what was done twice."""

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
    """Entries as the journal writes them, in order; `at` and `real` are seconds after the first entry."""

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
        """Add a request that sends a mail; it takes effect if the status is 200."""
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
    """A request has failed if clients retry it: throttling, a timeout, a server error or a broken response."""
    assert expected is has_failed(calls.add(status, outcome=outcome))


def test_no_failures(calls: Calls) -> None:
    """Without a failure the report is empty, even if a request was repeated."""
    calls.add()
    calls.add()
    calls.add(404, raw_path=b"/v2/Mail/none")

    assert [] == calls.report()
    assert [] == report([])


def test_failure_without_a_retry(calls: Calls) -> None:
    """A failed request without a retry has a row of its own without waits."""
    failed = calls.add(504)

    (row,) = calls.report()
    assert Retried(failed, None, None, None, None, 0, False, (failed.id,)) == row
    assert row.waited_long_enough is None


def test_chain_ends_with_success(calls: Calls) -> None:
    """Each failed attempt has a row with its retry, and all rows name the whole chain."""
    first, second, third = (calls.add(status) for status in (504, 502, 200))
    rows = calls.report()

    assert [(first, second), (second, third)] == [(row.failed, row.retry) for row in rows]
    assert {(1, 2, 3)} == {row.attempts for row in rows}
    assert [(1, False), (1, False)] == [(row.effects, row.duplicated) for row in rows]


def test_chain_that_is_given_up(calls: Calls) -> None:
    """The last attempt of a client that gives up has a row without a retry."""
    calls.add(503)
    calls.add(503)

    assert [2, None] == [row.retry and row.retry.id for row in calls.report()]


@pytest.mark.parametrize("status", [200, 404])
def test_chain_ends_with_a_response(calls: Calls, status: int) -> None:
    """After a successful response or a client error, the same request starts another chain."""
    for response_status in (504, status, 200, 504, 200):
        calls.add(response_status)

    assert [(1, 2), (4, 5)] == calls.chains()


def test_retry_under_way(calls: Calls) -> None:
    """A retry counts even while it is under way."""
    calls.add(504)
    calls.add(None, outcome=UNDER_WAY)

    assert [(1, 2)] == calls.chains()


@pytest.mark.parametrize("outcome", ["reset", "cut", "stall", "lost"])
def test_broken_response_is_a_failure(calls: Calls, outcome: str) -> None:
    """A request that took effect but lost its response is duplicated by a retry."""
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
    """A client has waited long enough if the wait is at least `Retry-After`, by the sandbox's clock."""
    calls.add(429, retry_after=retry_after)
    calls.add(200, at=waited)

    (row,) = calls.report()
    assert (waited, as_asked) == (row.waited, row.waited_long_enough)
    assert (int(retry_after) if as_asked is not None and retry_after else None) == row.retry_after


def test_retry_after_without_a_retry(calls: Calls) -> None:
    """Without a retry the row has `Retry-After`, but no wait."""
    calls.add(429, retry_after="10")

    (row,) = calls.report()
    assert (10, None, None) == (row.retry_after, row.waited, row.waited_long_enough)


def test_request_started_before_the_failure(calls: Calls) -> None:
    """A request started before the failed one ended is not its retry; one started at its end is."""
    calls.add(504, took=1_000_000_000, effected=True)
    calls.add(200, real=0.5)
    calls.add(200, real=1.0)

    (row,) = calls.report()
    assert ((1, 3), 2, True) == (row.attempts, row.effects, row.duplicated)


def test_a_machine_clock_that_is_set_back(calls: Calls) -> None:
    """A retry is recognized even if the machine's clock was set back after the failure."""
    failed, retry = calls.add(504, real=5), calls.add(200, real=6)
    retry.real = failed.real - SECOND

    (row,) = calls.report()
    assert (retry, 1.0) == (row.retry, row.real_wait)


def test_wait_by_the_sandboxs_clock(calls: Calls) -> None:
    """By the sandbox's clock a wait starts when the failed response was sent."""
    calls.add(429, retry_after="60", left=NOW + 120 * SECOND)
    calls.add(200, at=130)

    (row,) = calls.report()
    assert (10, False) == (row.waited, row.waited_long_enough)


@pytest.mark.parametrize(("real", "took", "expected"), [(3.0, 1.0, 2.0), (3.0, 0.0, 3.0), (1.0, 1.0, 0.0)])
def test_real_wait(calls: Calls, real: float, took: float, expected: float) -> None:
    """In real time a wait starts when the failed request ended."""
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
    """A chain duplicated its effect if at least two of its attempts took effect, whatever their status."""
    for status, effected in attempts:
        calls.add(status, effected=effected)

    assert {(effects, duplicated)} == {(row.effects, row.duplicated) for row in calls.report()}


def test_repeated_update_is_no_duplicate(calls: Calls) -> None:
    """An operation that creates nothing has no duplicates, however often it took effect."""
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
def test_other_requests_are_separate_chains(calls: Calls, other: dict[str, Any]) -> None:
    """A retry is the same request by the same client; other requests in between do not affect a chain."""
    calls.add(504, agent="sdk", run="r1")
    calls.add(200, **{"agent": "sdk", "run": "r1", **other})
    calls.add(504, **{"agent": "sdk", "run": "r1", **other})
    calls.add(200, agent="sdk", run="r1")

    assert [(1, 4), (3,)] == calls.chains()


def test_rows_are_in_order(calls: Calls) -> None:
    """Failed requests are listed in order, even if their chains overlap."""
    for agent in ("a", "b", "a", "b", "b"):
        calls.add(504, agent=agent)

    assert [1, 2, 3, 4, 5] == [row.failed.id for row in calls.report()]
    assert [(1, 3), (2, 4, 5), (1, 3), (2, 4, 5), (2, 4, 5)] == calls.chains()


def test_report_of_a_journal() -> None:
    """The report reads the entries of a journal, including requests under way."""
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
    """A request by one of several clients: its status, and whether it took effect."""

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


def separate_reports(entries: Iterable[ExchangeEntry]) -> list[Retried]:
    """The reports on each client's requests, merged."""
    kept = list(entries)
    agents = dict.fromkeys(entry.header(b"user-agent") for entry in kept)
    rows = [row for agent in agents for row in report(entry for entry in kept if entry.header(b"user-agent") == agent)]
    return sorted(rows, key=lambda row: row.failed.id)


@pytest.mark.slow
@given(ATTEMPTS)
@FIXED
def test_any_attempts(attempts: list[Attempt]) -> None:
    """For any attempts: one row per failure, clients do not affect each other, and chains are consistent."""
    calls, now = Calls(), 0
    for attempt in attempts:
        now += attempt.gap
        calls.add(attempt.status, at=now, agent=attempt.agent, retry_after="3", effected=attempt.effected)
    entries = {entry.id: entry for entry in calls.entries}
    rows = calls.report()

    assert separate_reports(calls.entries) == rows
    assert [entry for entry in calls.entries if has_failed(entry)] == [row.failed for row in rows]
    for row in rows:
        chain = [entries[number] for number in row.attempts]
        place = chain.index(row.failed)
        assert row.retry == (chain[place + 1] if chain[place + 1 :] else None)
        assert all(has_failed(entry) for entry in chain[:-1])
        assert row.effects == sum(entry.effected for entry in chain)
        assert row.duplicated is (row.effects > 1)
        assert row.waited_long_enough is (None if row.retry is None else row.retry.at - row.failed.at >= 3 * SECOND)
