"""A sandbox's journal: which entries it keeps, what it counts, and which secrets it redacts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from outlook_emulator.traffic import secrets
from outlook_emulator.traffic.faults import CUT
from outlook_emulator.traffic.journal import (
    ANSWERED,
    UNDER_WAY,
    About,
    Cause,
    DeliveryEntry,
    ExchangeEntry,
    Journal,
    Outcome,
)
from outlook_emulator.traffic.secrets import REDACTED, redacted

FIXED = settings(derandomize=True, database=None, deadline=None)
NOW, REAL = 1_772_442_000_000_000, 1_800_000_000_000_000
THROTTLED = Cause("limit", "CallsExceeded", "Rate limit is exceeded.")
BROKEN = Cause("fault", "fault-1", "timeout-504-after")


def exchange(journal: Journal, operation: str = "SendEmailV2", status: int = 200, *causes: Cause) -> ExchangeEntry:
    """A complete exchange, opened and closed."""
    entry = journal.open(NOW, REAL)
    entry.about, entry.status = About(operation), status
    for cause in causes:
        entry.add_cause(*cause)
    journal.close(entry, 7, ANSWERED)
    return entry


def deliver(journal: Journal, **more: Any) -> None:
    """Record a successful callback."""
    usual: dict[str, Any] = {"callback": 3, "purpose": "poke", "reference": "s1", "url": "http://hook/", "number": 1}
    journal.deliver(NOW, REAL, **{**usual, "body": b"", "status": 202, "error": None, **more})


def ids(journal: Journal) -> list[int]:
    return [entry.id for entry in journal.entries()]


def test_bytes_are_limited() -> None:
    """Entries leave, oldest first, when all together take too many bytes; the newest stays, however large it is."""
    journal = Journal(cap=4, body_bytes=50, most_bytes=110)
    for _ in range(3):
        journal.weigh(exchange(journal), 40)
    kept = [ids(journal)]
    deliver(journal, body=b"x" * 10)
    kept.append(ids(journal))
    journal.weigh(huge := exchange(journal), 1000)
    kept.append(ids(journal))
    deliver(journal)
    kept.append(ids(journal))
    # One that has left no longer counts.
    journal.weigh(huge, 2000)
    for _ in range(5):
        journal.weigh(exchange(journal), 20)
    kept.append(ids(journal))

    assert kept == [[2, 3], [2, 3, 4], [5], [6], [8, 9, 10, 11]]
    assert (11, 7) == (journal.total, journal.dropped)


def test_new_journal() -> None:
    """A new journal has no entries and no counts."""
    journal = Journal(cap=3, body_bytes=10)

    assert (3, 10, [], 0, 0, 0) == (
        journal.cap,
        journal.body_bytes,
        ids(journal),
        journal.total,
        journal.dropped,
        journal.deliveries,
    )
    assert ({}, {}, {}) == (journal.operations, journal.statuses, journal.causes)


def test_entry_under_way() -> None:
    """An entry is visible as soon as it is opened, and its response counts once it is closed."""
    journal = Journal(cap=3, body_bytes=10)
    entry = journal.open(NOW, REAL)

    assert [entry] == list(journal.entries())
    assert (1, NOW, REAL, UNDER_WAY, None, "exchange") == (
        entry.id,
        entry.at,
        entry.real,
        entry.outcome,
        entry.status,
        entry.kind,
    )
    assert (1, {}) == (journal.total, journal.statuses)


def test_closed_entry() -> None:
    """A closed entry has its duration and its outcome."""
    entry = exchange(Journal(cap=3, body_bytes=10))

    assert (7, ANSWERED) == (entry.took, entry.outcome)


def test_counts() -> None:
    """Exchanges are counted by operation, by status and by each of their causes."""
    journal = Journal(cap=10, body_bytes=10)
    exchange(journal)
    exchange(journal, "SendEmailV2", 429, THROTTLED)
    exchange(journal, "GetEmailsV3", 504, BROKEN, THROTTLED)

    assert {"SendEmailV2": 2, "GetEmailsV3": 1} == journal.operations
    assert {200: 1, 429: 1, 504: 1} == journal.statuses
    assert {("limit", "CallsExceeded"): 2, ("fault", "fault-1"): 1} == journal.causes


@pytest.mark.parametrize("outcome", ["reset", "cut", "stall", "lost"])
def test_response_that_did_not_arrive(outcome: Outcome) -> None:
    """A response that did not arrive counts by its outcome instead of its status."""
    journal = Journal(cap=3, body_bytes=10)
    entry = journal.open(NOW, REAL)
    entry.status = 200
    journal.close(entry, 7, outcome)

    assert {outcome: 1} == journal.statuses


def test_delivery() -> None:
    """A callback attempt is an entry among the exchanges, and is counted separately."""
    journal = Journal(cap=3, body_bytes=10)
    exchange(journal)
    deliver(journal, body=b"{}", status=None, error="no answer within 10 s")

    expected = DeliveryEntry(2, NOW, REAL, 3, "poke", "s1", "http://hook/", 1, b"{}", None, "no answer within 10 s")
    assert expected == list(journal.entries())[1]
    assert "delivery" == expected.kind
    assert [1] == [entry.id for entry in journal.exchanges()]
    assert (2, 1, {200: 1}) == (journal.total, journal.deliveries, journal.statuses)


def test_full_journal() -> None:
    """A full journal drops its oldest entries, and still counts them."""
    journal = Journal(cap=2, body_bytes=10)
    for _ in range(3):
        exchange(journal)
    deliver(journal)

    assert [3, 4] == ids(journal)
    assert (4, 2, 1, {200: 3}) == (journal.total, journal.dropped, journal.deliveries, journal.statuses)


def test_entry_dropped_while_open() -> None:
    """An entry that is dropped before it is closed still counts."""
    journal = Journal(cap=1, body_bytes=10)
    entry = journal.open(NOW, REAL)
    exchange(journal)
    entry.status = 503
    journal.close(entry, 7, ANSWERED)

    assert ([2], {200: 1, 503: 1}) == (ids(journal), journal.statuses)


def test_journal_that_keeps_nothing() -> None:
    """A journal with a cap of 0 keeps no entries, and counts them as dropped."""
    journal = Journal(cap=0, body_bytes=10)
    deliver(journal)

    assert (0, [], 1, 1, 1) == (journal.cap, ids(journal), journal.total, journal.dropped, journal.deliveries)


@pytest.mark.parametrize(("cap", "kept"), [(9, [2, 3, 4]), (3, [2, 3, 4]), (2, [3, 4]), (0, [])])
def test_changed_cap(cap: int, kept: list[int]) -> None:
    """A lower cap keeps the newest entries; a higher cap does not bring dropped entries back."""
    journal = Journal(cap=3, body_bytes=10)
    for _ in range(4):
        exchange(journal)
    journal.keep(cap)

    assert (cap, kept) == (journal.cap, ids(journal))
    assert (4, 4 - len(kept)) == (journal.total, journal.dropped)


def test_clear() -> None:
    """A cleared journal has no entries and no counts, and does not reuse ids."""
    journal = Journal(cap=2, body_bytes=10)
    for _ in range(3):
        exchange(journal, "SendEmailV2", 429, THROTTLED)
    deliver(journal)
    journal.clear()

    assert (2, [], 0, 0, 0) == (journal.cap, ids(journal), journal.total, journal.dropped, journal.deliveries)
    assert ({}, {}, {}) == (journal.operations, journal.statuses, journal.causes)
    assert (5, 1) == (exchange(journal).id, journal.total)


def test_clear_while_an_entry_is_open() -> None:
    """An entry that was open when the journal was cleared is neither kept nor counted."""
    journal = Journal(cap=2, body_bytes=10)
    before = journal.open(NOW, REAL)
    journal.clear()
    after = journal.open(NOW, REAL)
    before.status = after.status = 200
    journal.close(before, 7, ANSWERED)
    journal.close(after, 7, ANSWERED)

    assert ([after.id], {200: 1}, 1) == (ids(journal), journal.statuses, journal.total)


def test_reader_sees_a_snapshot() -> None:
    """Entries written while a reader iterates do not change what it reads."""
    journal = Journal(cap=1, body_bytes=10)
    exchange(journal)
    reader = journal.entries()
    exchange(journal)

    assert [1] == [entry.id for entry in reader]


@pytest.mark.parametrize(("size", "kept"), [(3, 3), (4, 4), (5, 4), (900, 4)])
def test_bodies_of_deliveries_are_cut(size: int, kept: int) -> None:
    """The body of a callback is cut to the journal's maximum size."""
    journal = Journal(cap=1, body_bytes=4)
    deliver(journal, body=b"x" * size)

    (entry,) = journal.entries()
    assert b"x" * kept == (entry.body if isinstance(entry, DeliveryEntry) else None)


def test_headers_of_an_exchange() -> None:
    """Headers are found by their lower-case name, decoded as Latin-1; the first of a repeated header counts."""
    entry = ExchangeEntry(1, NOW, REAL)
    entry.raw_request_headers = [(b"x-name", b"caf\xe9"), (b"x-name", b"tea")]
    entry.raw_response_headers = [(b"retry-after", b"5")]

    assert ("café", None) == (entry.header(b"x-name"), entry.header(b"retry-after"))
    assert ("5", None) == (entry.response_header(b"retry-after"), entry.response_header(b"x-name"))


@pytest.mark.parametrize(
    "name",
    [
        b"authorization",
        b"proxy-authorization",
        b"x-ms-authorization-auxiliary",
        b"cookie",
        b"set-cookie",
        b"x-api-key",
        b"apikey",
        b"x-functions-key",
        b"ocp-apim-subscription-key",
        b"x-ms-token-aad-access-token",
        b"x-auth-token",
        b"x-secret-of-mine",
        b"aeg-sas-key",
        b"x-sig",
        b"db-pwd",
    ],
)
def test_credentials_in_headers(name: bytes) -> None:
    """Headers with credentials are redacted, and other headers are kept."""
    entry = ExchangeEntry(1, NOW, REAL)
    entry.raw_request_headers = [(b"accept", b"*/*"), (name, b"Bearer secret"), (b"x-ms-workflow-run-id", b"r1")]
    entry.raw_response_headers = [(name, b"Bearer secret")]

    expected = [(b"accept", b"*/*"), (name, REDACTED), (b"x-ms-workflow-run-id", b"r1")]
    assert (expected, [(name, REDACTED)]) == (entry.request_headers, entry.response_headers)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"http://user:pw@host/x", b"http://user:(redacted)@host/x"),
        (
            b"client_secret=s&password=p&refresh_token=r",
            b"client_secret=(redacted)&password=(redacted)&refresh_token=(redacted)",
        ),
        (b'{"sig": "a\\"b", "To": "x"}', b'{"sig": "(redacted)", "To": "x"}'),
        (
            b'{"access_token":"t","code":"ErrorItemNotFound"}',
            b'{"access_token":"(redacted)","code":"ErrorItemNotFound"}',
        ),
        (b'{"apiKey":"k","pwd":"p","token":"t"}', b'{"apiKey":"(redacted)","pwd":"(redacted)","token":"(redacted)"}'),
        (b'{"Authorization":"Bearer t","X-Key":"k"}', b'{"Authorization":"(redacted)","X-Key":"k"}'),
        (b'{"privateKey":"k","session_token":"t"}', b'{"privateKey":"(redacted)","session_token":"(redacted)"}'),
        (b"http://hook/?jwt=abc&authorization=def&a=1", b"http://hook/?jwt=(redacted)&authorization=(redacted)&a=1"),
        (b'{"dbPassword":"p","X-Secret-Name":"s"}', b'{"dbPassword":"(redacted)","X-Secret-Name":"s"}'),
        (b'{"in":"{\\"apiKey\\":\\"a b\\",\\"a\\":1}"}', b'{"in":"{\\"apiKey\\":\\"(redacted)\\",\\"a\\":1}"}'),
        (b"", b""),
        (b"sig=abc", b"sig=(redacted)"),
        (b"a=1&sig=a%2Bb%3D&b=2", b"a=1&sig=(redacted)&b=2"),
        (b"http://hook/?code=abc", b"http://hook/?code=(redacted)"),
        (b"http://hook/?sv=1.0&SIG=abc==&sp=x", b"http://hook/?sv=1.0&SIG=(redacted)&sp=x"),
        (b"access_token=abc&token=def", b"access_token=(redacted)&token=(redacted)"),
        (b"validationToken=abc", b"validationToken=(redacted)"),
        (b'{"url":"http://hook/?sig=abc","a":1}', b'{"url":"http://hook/?sig=(redacted)","a":1}'),
        (
            b"<a href='http://hook/?a=1&amp;code=abc'>code</a>",
            b"<a href='http://hook/?a=1&amp;code=(redacted)'>code</a>",
        ),
        (b'{"url":"http://hook/?a=1\\u0026sig=abc"}', b'{"url":"http://hook/?a=1\\u0026sig=(redacted)"}'),
        (b'{"url":"http://hook/?sig=abc\\u0026a=1"}', b'{"url":"http://hook/?sig=(redacted)\\u0026a=1"}'),
        (b'"{\\"url\\":\\"http://hook/?sig=abc\\"}"', b'"{\\"url\\":\\"http://hook/?sig=(redacted)\\"}"'),
        (
            b"http://a/?to=http%3A%2F%2Fhook%2F%3Fa%3D1%26sig%3Dabc%26b&c",
            b"http://a/?to=http%3A%2F%2Fhook%2F%3Fa%3D1%26sig%3D(redacted)%26b&c",
        ),
        (b"http://a/?to=http%3A%2F%2Fhook%2F%3Fcode%3Dabc", b"http://a/?to=http%3A%2F%2Fhook%2F%3Fcode%3D(redacted)"),
        (b"signature=abc&zipcode=123&tokens=1&sig=", b"signature=abc&zipcode=123&tokens=1&sig="),
        (b"the code is 7", b"the code is 7"),
        (b"\xff\xfesig=\xff&\x00", b"\xff\xfesig=(redacted)&\x00"),
    ],
)
def test_secrets_in_text(text: bytes, expected: bytes) -> None:
    """Signatures and other secrets are redacted wherever they are in a text, in any encoding."""
    assert expected == redacted(text)


@given(st.sampled_from(["sig", "code", "token", "Sig"]), st.text("xyz%2F.=-_~", min_size=1), st.booleans())
@FIXED
def test_no_secret_is_left(name: str, secret: str, more: bool) -> None:
    """A secret is redacted completely, and redacting a text again changes nothing."""
    text = f"https://hook/?api=1&{name}={secret}{'&b=2' if more else ''}".encode()

    expected = f"https://hook/?api=1&{name}=(redacted){'&b=2' if more else ''}".encode()
    assert expected == redacted(text) == redacted(redacted(text))


def test_callback_url_is_redacted() -> None:
    """A callback's URL is recorded without its signature; the rest of the URL is kept."""
    journal = Journal(cap=1, body_bytes=4)
    deliver(journal, url="https://hook/wörk/run?api-version=1&sig=secret")

    (entry,) = journal.entries()
    expected = "https://hook/wörk/run?api-version=1&sig=(redacted)"
    assert expected == (entry.url if isinstance(entry, DeliveryEntry) else None)


@dataclass
class Model:
    """The expected state of a journal: ids since it was cleared, ids that are kept, and counts."""

    since_cleared: list[int] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)
    statuses: dict[Any, int] = field(default_factory=dict)
    deliveries: int = 0


class Histories(RuleBasedStateMachine):
    """Exchanges and callbacks in any order, while the journal is cleared and its cap changes."""

    def __init__(self) -> None:
        super().__init__()
        self.cap, self.last = 3, 0
        self.journal = Journal(self.cap, 10)
        self.known = Model()
        self.under_way: list[ExchangeEntry] = []

    def note(self) -> None:
        self.last += 1
        self.known.since_cleared.append(self.last)
        self.known.kept = [*self.known.kept, self.last][-self.cap :] if self.cap else []

    @rule()
    def open(self) -> None:
        self.under_way.append(self.journal.open(NOW, REAL))
        self.note()

    @rule(pick=st.integers(0, 9), status=st.sampled_from([200, 429, 504]), outcome=st.sampled_from([ANSWERED, CUT]))
    def close(self, pick: int, status: int, outcome: Outcome) -> None:
        if not self.under_way:
            return
        entry = self.under_way.pop(pick % len(self.under_way))
        entry.status = status
        self.journal.close(entry, 7, outcome)
        if entry.id in self.known.since_cleared:
            key = status if outcome == ANSWERED else outcome
            self.known.statuses[key] = self.known.statuses.get(key, 0) + 1

    @rule()
    def deliver(self) -> None:
        deliver(self.journal)
        self.note()
        self.known.deliveries += 1

    @rule(cap=st.integers(0, 4))
    def keep(self, cap: int) -> None:
        self.cap = cap
        self.journal.keep(cap)
        self.known.kept = self.known.kept[-cap:] if cap else []

    @rule()
    def clear(self) -> None:
        self.journal.clear()
        self.known = Model()

    @invariant()
    def tells_what_is_known(self) -> None:
        journal, known = self.journal, self.known
        total = len(known.since_cleared)
        assert (known.kept, self.cap) == (ids(journal), journal.cap)
        assert (total, total - len(known.kept)) == (journal.total, journal.dropped)
        assert (known.statuses, known.deliveries) == (journal.statuses, journal.deliveries)


@pytest.mark.slow
def test_any_history() -> None:
    """Entries and counts are right after any history."""
    run_state_machine_as_test(Histories, settings=settings(FIXED, max_examples=100, stateful_step_count=30))


@FIXED
@given(
    st.lists(
        st.sampled_from(
            [
                b"?sig=",
                b"SIG=",
                b"code",
                b"=",
                b"%3D",
                b"\\u003d",
                b"\\u003D",
                b"access_token",
                b'"',
                b":",
                b" ",
                b"x1",
                b"&",
                b"https://",
                b"ada:pw@host",
                b"api-key",
                b"Password",
                b"client_secret",
                b"pwd",
                b'\\"apiKey\\":\\"',
                b"%26",
                b"/",
                b"\\u0026",
            ]
        ),
        max_size=12,
    ).map(b"".join)
)
def test_the_quick_look_for_secrets_leaves_out_none(text: bytes) -> None:
    whole = secrets._SECRET.sub(lambda secret: secret[secret.lastindex or 0] + REDACTED, text)
    assert redacted(text) == whole
